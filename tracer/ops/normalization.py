"""Moments, batch normalisation, dropout, biases. In: tensors; out: tensors."""

from __future__ import annotations

from typing import Any

from weft.graph.errors import DTypeError, ShapeError

from ..apply import apply
from ..tensor import Tensor
from .arguments import as_axes, as_sizes, as_tensor, as_tensors, sizes_of
from .arithmetic import cast
from .random import uniform
from .reductions import element_count, reduce, reduce_mean


def moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Mean and variance along ``axes``; ``shift`` has no effect, as in TensorFlow 2."""
    t = as_tensor(x)
    mean = reduce_mean(t, axes, True)
    variance = reduce_mean(apply("squared_difference", (t, mean)), axes, True)
    return (mean, variance) if keepdims else (_without(mean, axes), _without(variance, axes))


def _without(x: Tensor, axes: Any) -> Tensor:
    """Drops the axes, which have size 1."""
    here = sizes_of(x)
    gone = as_axes(axes, len(here))
    return apply("reshape", (x,), shape=tuple(s for i, s in enumerate(here) if i not in gone))


def weighted_moments(
    x: Any, axes: Any, frequency_weights: Any, keepdims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance along ``axes``, every element counted with its weight; the weights broadcast against ``x``."""
    t, weights = as_tensors(x, frequency_weights)
    weights = apply("broadcast_to", (weights,), shape=sizes_of(t)) if sizes_of(weights) != sizes_of(t) else weights
    total = reduce("reduce_sum", weights, axes, True)
    mean = apply("div", (reduce("reduce_sum", apply("mul", (t, weights)), axes, True), total))
    squares = apply("mul", (apply("squared_difference", (t, mean)), weights))
    variance = apply("div", (reduce("reduce_sum", squares, axes, True), total))
    return (mean, variance) if keepdims else (_without(mean, axes), _without(variance, axes))


def sufficient_statistics(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Count, sum and sum of squares (both of ``x - shift``) along ``axes``, and the shift."""
    t = as_tensor(x)
    count = element_count(sizes_of(t), as_axes(axes, len(sizes_of(t))), t.dtype)
    by = None if shift is None else as_tensor(shift, t.dtype)
    centred = t if by is None else apply("sub", (t, by))
    squares = apply("square", (centred,))
    return count, reduce("reduce_sum", centred, axes, keepdims), reduce("reduce_sum", squares, axes, keepdims), by


def normalize_moments(
    counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: str | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and variance from what `sufficient_statistics` gives."""
    total = as_tensor(mean_ss)
    divisor = apply("div", (as_tensor(1, total.dtype), as_tensor(counts, total.dtype)))
    centred = apply("mul", (total, divisor))
    mean = centred if shift is None else apply("add", (centred, as_tensor(shift, total.dtype)))
    return mean, apply("sub", (apply("mul", (as_tensor(variance_ss), divisor)), apply("square", (centred,))))


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float, name: str | None = None
) -> Tensor:
    """``scale * (x - mean) / sqrt(variance + variance_epsilon) + offset``; offset and scale may be None."""
    t = as_tensor(x)
    factor = apply("rsqrt", (apply("add", (as_tensor(variance, t.dtype), as_tensor(variance_epsilon, t.dtype))),))
    if scale is not None:
        factor = apply("mul", (factor, as_tensor(scale, t.dtype)))
    shift = apply("neg", (apply("mul", (as_tensor(mean, t.dtype), factor)),))
    if offset is not None:
        shift = apply("add", (as_tensor(offset, t.dtype), shift))
    return apply("add", (apply("mul", (t, factor)), shift))


def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Tensor:
    """``value + bias`` along the last axis, or along axis 1 if ``data_format`` starts with "NC"."""
    x = as_tensor(value)
    b = as_tensor(bias, x.dtype)
    rank = len(sizes_of(x))
    if len(sizes_of(b)) != 1 or rank < 2:
        raise ShapeError(f"bias_add takes a tensor with at least two axes and a vector. Received: {x.shape} and {b.shape}.")
    at = 1 if data_format is not None and data_format.startswith("NC") else rank - 1
    if sizes_of(x)[at] != sizes_of(b)[0]:
        raise ShapeError(f"The bias must have as many elements as axis {at}. Received: {x.shape} and {b.shape}.")
    return apply("add", (x, apply("reshape", (b,), shape=tuple(sizes_of(b)[0] if i == at else 1 for i in range(at, rank)))))


def dropout(x: Any, rate: Any, noise_shape: Any = None, seed: int | None = None, name: str | None = None) -> Tensor:
    """Sets elements to 0 with probability ``rate`` and multiplies the others by ``1 / (1 - rate)``.

    noise_shape: shape of the random choices, broadcast to ``x``; None keeps a size. ValueError if rate is not in [0, 1).
    """
    t = as_tensor(x)
    if not t.dtype.is_floating:
        raise ValueError(f"`x.dtype` must be a floating point tensor as `x` will be scaled. Received: x_dtype={t.dtype.name}")
    if isinstance(rate, (int, float)):
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must be a scalar tensor or a float in the range [0, 1). Received: rate={rate}")
        if rate == 0:
            return t
    part = cast(as_tensor(rate), t.dtype) if hasattr(rate, "dtype") else as_tensor(rate, t.dtype)
    if sizes_of(part):
        raise DTypeError(f"`rate` must be a scalar. Received: shape {part.shape}.")
    here = sizes_of(t)
    wanted = list(here) if noise_shape is None else list(noise_shape) if isinstance(noise_shape, (list, tuple)) else noise_shape
    if isinstance(wanted, list) and len(wanted) == len(here):
        wanted = [s if n is None else n for n, s in zip(wanted, here, strict=True)]
    choice = uniform(as_sizes(wanted), dtype=t.dtype, seed=seed)
    kept = apply("greater_equal", (choice, part))
    scale = apply("div", (as_tensor(1, t.dtype), apply("sub", (as_tensor(1, t.dtype), part))))
    return apply("where", (kept, apply("mul", (t, scale)), as_tensor(0, t.dtype)))
