"""Cross-entropies and their like. In: labels and logits; out: one loss per example (per element for the sigmoid ones)."""

from __future__ import annotations

from typing import Any

from weft.graph.errors import DTypeError, ShapeError
from weft.graph.op import REGISTRY

from ..apply import apply
from ..tensor import Tensor
from .arguments import as_axis, as_tensor, sizes_of
from .arithmetic import cast


def _row_loss(op: str, labels: Tensor, logits: Tensor) -> Tensor:
    named = {"labels": labels, "logits": logits}
    return apply(op, [named[p] for p in REGISTRY[op].params])


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: Any = -1, name: str | None = None) -> Tensor:
    """``-sum(labels * log_softmax(logits))`` along ``axis``. labels: probabilities of the same shape as ``logits``."""
    x = as_tensor(logits)
    y = cast(as_tensor(labels), x.dtype)
    if sizes_of(x) != sizes_of(y):
        shape = tuple(a if b == 1 else b for a, b in zip(sizes_of(x), sizes_of(y), strict=False))
        if len(sizes_of(x)) != len(sizes_of(y)):
            raise ShapeError(f"labels and logits must have the same shape. Received: labels {y.shape}, logits {x.shape}.")
        x, y = apply("broadcast_to", (x,), shape=shape), apply("broadcast_to", (y,), shape=shape)
    rank = len(sizes_of(x))
    if rank == 0:
        raise ShapeError("The cross-entropy needs an axis of classes. Received: scalars.")
    at = as_axis(axis, rank)
    if at != rank - 1:
        perm = (*(i for i in range(rank) if i != at), at)
        x, y = apply("transpose", (x,), perm=perm), apply("transpose", (y,), perm=perm)
    return _row_loss("softmax_cross_entropy_with_logits", y, x)


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: str | None = None) -> Tensor:
    """``-log_softmax(logits)[label]`` per row. labels: integers of the shape of ``logits`` without its last axis.

    A label outside 0 ... classes - 1 raises, eagerly and compiled.
    """
    x, y = as_tensor(logits), as_tensor(labels)
    if not y.dtype.is_integer:
        raise DTypeError(f"labels must be integers. Received: dtype {y.dtype.name}.")
    if not sizes_of(x):
        raise ShapeError("logits needs an axis of classes. Received: a scalar.")
    if len(sizes_of(y)) != len(sizes_of(x)) - 1:
        raise ShapeError(f"labels must have one axis less than logits. Received: labels {y.shape}, logits {x.shape}.")
    if not y.shape.is_compatible_with(x.shape[:-1]):
        raise ShapeError(
            "`labels.shape` must equal `logits.shape` except for the last dimension. "
            f"Received: labels.shape={y.shape} and logits.shape={x.shape}"
        )
    return _row_loss("sparse_softmax_cross_entropy_with_logits", y, x)


def _same_shape(labels: Any, logits: Any) -> tuple[Tensor, Tensor]:
    x = as_tensor(logits)
    y = as_tensor(labels, None if hasattr(labels, "dtype") else x.dtype)
    if not x.shape.is_compatible_with(y.shape):
        raise ShapeError(f"`logits` and `labels` must have the same shape, received ({x.shape} vs {y.shape}).")
    return y, x


def sigmoid_cross_entropy_with_logits(labels: Any, logits: Any, name: str | None = None) -> Tensor:
    """``-labels * log(sigmoid(x)) - (1 - labels) * log(1 - sigmoid(x))`` per element, without overflow.

    Computed as ``max(x, 0) - x * labels + log1p(exp(-|x|))``.
    """
    y, x = _same_shape(labels, logits)
    zero = as_tensor(0, x.dtype)
    positive = apply("greater_equal", (x, zero))
    # The two selections, unlike max and abs, have the right derivative at 0.
    above = apply("where", (positive, x, zero))
    minus_size = apply("where", (positive, apply("neg", (x,)), x))
    return apply("add", (apply("sub", (above, apply("mul", (x, y)))), apply("log1p", (apply("exp", (minus_size,)),))))


def weighted_cross_entropy_with_logits(labels: Any, logits: Any, pos_weight: Any, name: str | None = None) -> Tensor:
    """`sigmoid_cross_entropy_with_logits` with the term of positive labels multiplied by ``pos_weight``."""
    y, x = _same_shape(labels, logits)
    one = as_tensor(1, x.dtype)
    weight = apply("add", (one, apply("mul", (apply("sub", (as_tensor(pos_weight, x.dtype), one)), y))))
    loss = apply("mul", (weight, apply("softplus", (apply("neg", (x,)),))))
    return apply("add", (apply("mul", (apply("sub", (one, y)), x)), loss))


def log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None) -> Tensor:
    """``exp(c) - z * c`` for the logarithm ``c`` of the rate; the full loss adds Stirling's approximation of ``log(z!)``."""
    z, c = _same_shape(targets, log_input)
    loss = apply("sub", (apply("exp", (c,)), apply("mul", (z, c))))
    if not compute_full_loss:
        return loss
    one, half = as_tensor(1, z.dtype), as_tensor(0.5, z.dtype)
    positive = apply("greater", (z, one))
    safe = apply("where", (positive, z, one))
    log = apply("log", (safe,))
    tail = apply("mul", (half, apply("add", (as_tensor(1.8378770664093453, z.dtype), log))))  # log(2 * pi)
    stirling = apply("add", (apply("sub", (apply("mul", (safe, log)), safe)), tail))
    return apply("add", (loss, apply("where", (positive, stirling, as_tensor(0, z.dtype)))))


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """Half the sum of squares of all elements."""
    x = as_tensor(t)
    total = apply("reduce_sum", (apply("square", (x,)),), axes=tuple(range(len(sizes_of(x)))), keepdims=False)
    return apply("mul", (total, as_tensor(0.5, x.dtype)))


def compute_average_loss(per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None) -> Tensor:
    """The sum of the weighted losses divided by the batch size (by default the size of the first axis)."""
    loss = as_tensor(per_example_loss)
    if sample_weight is not None:
        loss = apply("mul", (loss, cast(as_tensor(sample_weight), loss.dtype)))
    size = as_tensor(sizes_of(loss)[0] if global_batch_size is None else global_batch_size)
    total = apply("reduce_sum", (loss,), axes=tuple(range(len(sizes_of(loss)))), keepdims=False)
    return apply("div", (total, cast(size, loss.dtype)))
