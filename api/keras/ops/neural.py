"""Products and the functions of neural networks, by Keras' names. In: tensors; out: tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

import weft
from weft.layers import activations
from weft.layers.precision import epsilon as fuzz
from weft.layers.precision import floatx

from .. import losses
from .promotion import align, convert_to_tensor, to_float


def matmul(x1: Any, x2: Any) -> Any:
    """The matrix product over the last two axes; vectors count as a row on the left and a column on the right."""
    a, b = align(x1, x2)
    left, right = len(a.shape) == 1, len(b.shape) == 1
    a = weft.expand_dims(a, 0) if left else a
    b = weft.expand_dims(b, 1) if right else b
    out = weft.matmul(a, b)
    return weft.squeeze(out, axis=[-2] * left + [-1] * right) if left or right else out


def dot(x1: Any, x2: Any) -> Any:
    """The sum of products over the last axis of x1 and the last but one of x2."""
    a, b = align(x1, x2)
    if not len(a.shape) or not len(b.shape):
        return a * b
    return weft.tensordot(a, b, [[len(a.shape) - 1], [max(len(b.shape) - 2, 0)]])


def einsum(subscripts: str, *operands: Any) -> Any:
    """The sum of products that the subscripts describe."""
    return weft.einsum(subscripts, *align(*operands))


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """The sum of products over several axes."""
    a, b = align(x1, x2)
    return weft.tensordot(a, b, axes)


def outer(x1: Any, x2: Any) -> Any:
    """Every element of x1 times every element of x2."""
    a, b = align(x1, x2)
    return weft.reshape(a, (-1, 1)) * weft.reshape(b, (1, -1))


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """Class numbers as rows of zeros with a one."""
    return weft.one_hot(convert_to_tensor(x), num_classes, axis=axis, dtype=dtype or floatx())


relu, leaky_relu, elu, selu, silu = activations.relu, activations.leaky_relu, activations.elu, activations.selu, activations.silu
swish = silu
relu6, softplus, softsign, log_sigmoid = activations.relu6, activations.softplus, activations.softsign, activations.log_sigmoid
sigmoid, hard_sigmoid, softmax, log_softmax = (
    activations.sigmoid, activations.hard_sigmoid, activations.softmax, activations.log_softmax,
)  # fmt: skip


def gelu(x: Any, approximate: bool = True) -> Any:
    """x times the normal distribution's cumulative value at x; unlike in `activations.gelu`, by default in the tanh form."""
    return activations.gelu(x, approximate)


def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Any:
    """``(x - mean) / sqrt(variance + epsilon) * scale + offset`` with one statistic per position of ``axis``."""
    x = to_float(x)
    rank = len(x.shape)
    shape = [int(x.shape[i]) if i == axis % rank else 1 for i in range(rank)]

    def spread(value: Any) -> Any:
        return None if value is None else weft.reshape(convert_to_tensor(value, x.dtype), shape)

    return weft.nn.batch_normalization(x, spread(mean), spread(variance), spread(offset), spread(scale), epsilon)


def layer_normalization(x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None) -> Any:
    """x with mean 0 and variance 1 along ``axis``, times gamma, plus beta."""
    x = to_float(x)
    mean = weft.reduce_mean(x, axis=axis, keepdims=True)
    variance = weft.reduce_mean(weft.square(x - mean), axis=axis, keepdims=True)
    out = (x - mean) * weft.math.rsqrt(variance + (fuzz() if epsilon is None else epsilon))
    axes = sorted(a % len(x.shape) for a in ([axis] if isinstance(axis, int) else axis))
    shape = [int(x.shape[i]) if i in axes else 1 for i in range(axes[0], len(x.shape))]
    out = out if gamma is None else out * weft.reshape(convert_to_tensor(gamma, x.dtype), shape)
    return out if beta is None else out + weft.reshape(convert_to_tensor(beta, x.dtype), shape)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """The loss of every element."""
    t, p = align(target, output)
    return losses.binary_crossentropy(weft.expand_dims(t, -1), weft.expand_dims(p, -1), from_logits=from_logits)


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """The loss of every row of probabilities against a row of target probabilities."""
    t, p = align(target, output)
    return losses.categorical_crossentropy(t, p, from_logits=from_logits, axis=axis)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """The loss of every row of probabilities against a class number."""
    return losses.sparse_categorical_crossentropy(convert_to_tensor(target), to_float(output), from_logits=from_logits, axis=axis)


def normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """x divided by its norm of that order along ``axis``."""
    x = to_float(x)
    norm = weft.norm(x, "euclidean" if order == 2 else order, axis=axis, keepdims=True)
    return x / weft.maximum(norm, float(np.sqrt(1e-12)) if epsilon is None else epsilon)
