"""Functions that combine elements, by NumPy's names. In: tensors and axes; out: tensors of lower rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import weft

from .promotion import convert_to_tensor, to_float


def _reduction(function: Callable[..., Any], name: str, doc: str, dtype: str | None = None) -> Callable[..., Any]:
    def apply(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = to_float(x) if dtype == "float" else convert_to_tensor(x, dtype)
        if x.dtype.is_bool and dtype is None:
            x = weft.cast(x, "int32")
        return function(x, axis=axis, keepdims=keepdims)

    apply.__name__, apply.__doc__ = name, f"{doc} along ``axis`` (None: all)."
    return apply


sum = _reduction(weft.reduce_sum, "sum", "The sum")
prod = _reduction(weft.reduce_prod, "prod", "The product")
mean = _reduction(weft.reduce_mean, "mean", "The mean", "float")
var = _reduction(weft.math.reduce_variance, "var", "The mean squared distance from the mean", "float")
std = _reduction(weft.math.reduce_std, "std", "The square root of var", "float")
logsumexp = _reduction(weft.reduce_logsumexp, "logsumexp", "The logarithm of the sum of exponentials", "float")
any = _reduction(weft.reduce_any, "any", "Whether one is true", "bool")
all = _reduction(weft.reduce_all, "all", "Whether all are true", "bool")


def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The largest element along ``axis`` (None: all), and ``initial`` if given."""
    out = weft.reduce_max(convert_to_tensor(x), axis=axis, keepdims=keepdims)
    return out if initial is None else weft.maximum(out, weft.constant(initial, out.dtype))


def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The smallest element along ``axis`` (None: all), and ``initial`` if given."""
    out = weft.reduce_min(convert_to_tensor(x), axis=axis, keepdims=keepdims)
    return out if initial is None else weft.minimum(out, weft.constant(initial, out.dtype))


def _place(function: Callable[..., Any], x: Any, axis: int | None, keepdims: bool) -> Any:
    x = convert_to_tensor(x)
    rank = len(x.shape)
    if axis is None:
        out = function(weft.reshape(x, (-1,)), axis=0, output_type="int32")
        return weft.reshape(out, (1,) * rank) if keepdims else out
    out = function(x, axis=axis, output_type="int32")
    return weft.expand_dims(out, axis) if keepdims else out


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The place (int32) of the largest element along ``axis``, of all elements in row-major order if None."""
    return _place(weft.argmax, x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The place (int32) of the smallest element along ``axis``, of all elements in row-major order if None."""
    return _place(weft.argmin, x, axis, keepdims)


def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Any:
    """Mean and variance along ``axes``."""
    x = to_float(x)
    return mean(x, axes, keepdims), var(x, axes, keepdims)


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running sum along ``axis``, of all elements in row-major order if None."""
    x = convert_to_tensor(x, dtype)
    return weft.cumsum(weft.reshape(x, (-1,)) if axis is None else x, axis=axis or 0)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm along ``axis``: Euclidean if ``ord`` is None."""
    return weft.norm(to_float(x), "euclidean" if ord is None else ord, axis=axis, keepdims=keepdims)
