"""Functions that combine elements along axes. In: tensors and axes; out: tensors of lower rank (of the same with keepdims)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.graph.dims import Shape, product
from weft.graph.dtype import DType, as_dtype, bool_, float32, int32, int64
from weft.graph.errors import DTypeError, ShapeError

from ..apply import apply
from ..tensor import Tensor
from .arguments import as_axes, as_axis, as_tensor, size_tensor, sizes_of
from .arithmetic import cast


def reduce(op: str, value: Any, axis: Any = None, keepdims: bool | None = False, dtype: DType | None = None) -> Tensor:
    """The reduction op applied along ``axis`` (None: along all axes)."""
    x = as_tensor(value, dtype)
    return apply(op, (x,), axes=as_axes(axis, len(sizes_of(x))), keepdims=bool(keepdims))


def reduce_sum(input_tensor: Any, axis: Any = None, keepdims: bool | None = False, name: str | None = None) -> Tensor:
    """The sum of the elements along ``axis`` (None: all); 0 for none."""
    return reduce("reduce_sum", input_tensor, axis, keepdims)


def reduce_prod(input_tensor: Any, axis: Any = None, keepdims: bool | None = False, name: str | None = None) -> Tensor:
    """The product of the elements along ``axis`` (None: all); 1 for none."""
    return reduce("reduce_prod", input_tensor, axis, keepdims)


def reduce_max(input_tensor: Any, axis: Any = None, keepdims: bool | None = False, name: str | None = None) -> Tensor:
    """The largest element along ``axis`` (None: all)."""
    return reduce("reduce_max", input_tensor, axis, keepdims)


def reduce_min(input_tensor: Any, axis: Any = None, keepdims: bool | None = False, name: str | None = None) -> Tensor:
    """The smallest element along ``axis`` (None: all)."""
    return reduce("reduce_min", input_tensor, axis, keepdims)


def reduce_any(input_tensor: Any, axis: Any = None, keepdims: bool | None = False, name: str | None = None) -> Tensor:
    """Whether any of the bool elements along ``axis`` (None: all) is true."""
    return reduce("reduce_any", input_tensor, axis, keepdims, bool_)


def reduce_all(input_tensor: Any, axis: Any = None, keepdims: bool | None = False, name: str | None = None) -> Tensor:
    """Whether all of the bool elements along ``axis`` (None: all) are true."""
    return reduce("reduce_all", input_tensor, axis, keepdims, bool_)


def element_count(shape: Shape, axes: Sequence[int], dtype: DType) -> Tensor:
    """How many elements a reduction over ``axes`` combines, as a scalar of ``dtype``."""
    return size_tensor(product(shape[a] for a in axes), dtype)


def reduce_mean(input_tensor: Any, axis: Any = None, keepdims: bool | None = False, name: str | None = None) -> Tensor:
    """The mean along ``axis`` (None: all). Of integers it is rounded towards zero, as in TensorFlow; of no elements NaN."""
    x = as_tensor(input_tensor)
    shape = sizes_of(x)
    axes = as_axes(axis, len(shape))
    total = apply("reduce_sum", (x,), axes=axes, keepdims=bool(keepdims))
    count = element_count(shape, axes, x.dtype)
    if x.dtype.is_floating:
        return apply("div", (total, count))
    quotient = apply("floordiv", (apply("abs", (total,)), count))
    return quotient if x.dtype.is_unsigned else apply("mul", (quotient, apply("sign", (total,))))


def reduce_variance(input_tensor: Any, axis: Any = None, keepdims: bool | None = False, name: str | None = None) -> Tensor:
    """The mean squared distance from the mean along ``axis`` (None: all). TypeError unless the elements are floating."""
    x = as_tensor(input_tensor)
    if not x.dtype.is_floating:
        raise DTypeError(f"The input must be floating. Received: dtype {x.dtype.name}.")
    return reduce_mean(apply("square", (apply("sub", (x, reduce_mean(x, axis, True))),)), axis, keepdims)


def reduce_std(input_tensor: Any, axis: Any = None, keepdims: bool | None = False, name: str | None = None) -> Tensor:
    """The square root of `reduce_variance`."""
    return apply("sqrt", (reduce_variance(input_tensor, axis, keepdims),))


def reduce_euclidean_norm(input_tensor: Any, axis: Any = None, keepdims: bool | None = False, name: str | None = None) -> Tensor:
    """The square root of the sum of squares along ``axis`` (None: all)."""
    x = as_tensor(input_tensor)
    return apply("sqrt", (reduce("reduce_sum", apply("square", (x,)), axis, keepdims),))


def reduce_logsumexp(input_tensor: Any, axis: Any = None, keepdims: bool | None = False, name: str | None = None) -> Tensor:
    """``log(sum(exp(x)))`` along ``axis`` (None: all), without overflow."""
    x = as_tensor(input_tensor)
    shape = sizes_of(x)
    axes = as_axes(axis, len(shape))
    kept = tuple(i for i in range(len(shape)) if i not in axes)
    if (*kept, *axes) != tuple(range(len(shape))):
        x = apply("transpose", (x,), perm=(*kept, *axes))
    rows = tuple(shape[i] for i in kept)
    x = apply("reshape", (x,), shape=(*rows, product(shape[i] for i in axes)))
    out = apply("logsumexp", (x,))
    return apply("reshape", (out,), shape=tuple(1 if i in axes else s for i, s in enumerate(shape))) if keepdims else out


def _position(op: str, value: Any, axis: Any, output_type: Any) -> Tensor:
    x = as_tensor(value)
    rank = len(sizes_of(x))
    if rank == 0:
        raise ShapeError(f"{op} needs an axis to search along. Received: a scalar.")
    return apply(op, (x,), axes=(as_axis(0 if axis is None else axis, rank),), dtype=as_dtype(output_type))


def argmax(input: Any, axis: Any = None, output_type: Any = int64, name: str | None = None) -> Tensor:
    """The position of the largest element along ``axis`` (None: 0); of several, the first."""
    return _position("argmax", input, axis, output_type)


def argmin(input: Any, axis: Any = None, output_type: Any = int64, name: str | None = None) -> Tensor:
    """The position of the smallest element along ``axis`` (None: 0); of several, the first."""
    return _position("argmin", input, axis, output_type)


def count_nonzero(
    input: Any, axis: Any = None, keepdims: bool | None = None, dtype: Any = int64, name: str | None = None
) -> Tensor:
    """How many elements along ``axis`` (None: all) are not zero."""
    x = as_tensor(input)
    nonzero = x if x.dtype.is_bool else apply("not_equal", (x, as_tensor(0, x.dtype)))
    return reduce("reduce_sum", cast(nonzero, dtype), axis, keepdims)


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """The share of zeros among all elements, as float32."""
    x = as_tensor(value)
    return reduce_mean(cast(apply("equal", (x, as_tensor(0, x.dtype))), float32))


def cumsum(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """The running sum along ``axis``; ``exclusive`` leaves out the element itself, ``reverse`` runs from the end."""
    return _scan("cumsum", x, axis, exclusive, reverse)


def cumprod(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """The running product along ``axis``; ``exclusive`` leaves out the element itself, ``reverse`` runs from the end."""
    return _scan("cumprod", x, axis, exclusive, reverse)


def _scan(op: str, value: Any, axis: Any, exclusive: bool, reverse: bool) -> Tensor:
    x = as_tensor(value)
    return apply(op, (x,), axis=as_axis(axis, len(sizes_of(x))), exclusive=bool(exclusive), reverse=bool(reverse))


def in_top_k(targets: Any, predictions: Any, k: int, name: str | None = None) -> Tensor:
    """Whether each row's target class is among its ``k`` best: fewer than ``k`` others score higher.

    targets: integers of shape (n,); predictions: floats of shape (n, classes); result: bool of shape (n,).
    """
    scores, labels = as_tensor(predictions), as_tensor(targets)
    shape = sizes_of(scores)
    if len(shape) != 2 or len(sizes_of(labels)) != 1:
        raise ShapeError(f"targets must be a vector, predictions a matrix. Received: {labels.shape} and {scores.shape}.")
    own = apply("gather", (scores, labels), axis=1, batch_dims=1)
    better = apply("greater", (scores, apply("reshape", (own,), shape=(shape[0], 1))))
    count = apply("reduce_sum", (cast(better, int32),), axes=(1,), keepdims=False)
    return apply("logical_and", (apply("less", (count, as_tensor(k, int32))), apply("isfinite", (own,))))
