"""Arithmetic that is more than one op. In: tensors and numbers; out: tensors of the broadcast shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from weft.graph.dtype import as_dtype, float32, float64
from weft.graph.errors import DTypeError, ShapeError

from ..apply import apply
from ..tensor import Tensor
from .arguments import as_axes, as_tensor, as_tensors, sizes_of


def cast(x: Any, dtype: Any, name: str | None = None) -> Tensor:
    """The tensor with another element type; floats become integers by dropping the fraction."""
    target = as_dtype(dtype)
    tensor = as_tensor(x)
    return tensor if tensor.dtype is target else apply("cast", (tensor,), dtype=target)


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """`cast`, but values outside the range of ``dtype`` become its smallest or largest value."""
    x, target = as_tensor(value), as_dtype(dtype)
    low, high = max(x.dtype.min, target.min), min(x.dtype.max, target.max)
    return cast(clip_by_value(x, low, high), target)


def truediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """``x / y``. Integers are divided as floats: float32 up to 16 bits, else float64."""
    a, b = as_tensors(x, y)
    if not a.dtype.is_floating and a.dtype is b.dtype:
        if a.dtype.is_bool:
            raise DTypeError("truediv takes numbers. Received: bool.")
        target = float32 if a.dtype.size <= 2 else float64
        a, b = cast(a, target), cast(b, target)
    return apply("div", (a, b))


def divide(x: Any, y: Any, name: str | None = None) -> Tensor:
    """``x / y`` as Python divides: see `truediv`."""
    return truediv(x, y)


def divide_no_nan(x: Any, y: Any, name: str | None = None) -> Tensor:
    """``x / y``, and 0 where ``y`` is 0. Integers are divided as floats, as in `truediv`."""
    a, b = as_tensors(x, y)
    if a.dtype.is_integer and a.dtype is b.dtype:
        a, b = (cast(t, float32 if t.dtype.size <= 2 else float64) for t in (a, b))
    return apply("div_no_nan", (a, b))


def nearest_integer(x: Any, name: str | None = None) -> Tensor:
    """The nearest whole number, of two the even one; integers stay as they are."""
    tensor = as_tensor(x)
    return tensor if tensor.dtype.is_integer else apply("round", (tensor,))


def reciprocal_no_nan(x: Any, name: str | None = None) -> Tensor:
    """``1 / x``, and 0 where ``x`` is 0."""
    tensor = as_tensor(x)
    return apply("div_no_nan", (as_tensor(1, tensor.dtype), tensor))


def _guarded(op: str, x: Any, y: Any) -> Tensor:
    """``x * op(y)``, and 0 where ``x`` is 0."""
    a, b = as_tensors(x, y)
    zero, one = as_tensor(0, a.dtype), as_tensor(1, a.dtype)
    empty = apply("equal", (a, zero))
    return apply("where", (empty, zero, apply("mul", (a, apply(op, (apply("where", (empty, one, b)),))))))


def xlog1py(x: Any, y: Any, name: str | None = None) -> Tensor:
    """``x * log1p(y)``, and 0 where ``x`` is 0."""
    return _guarded("log1p", x, y)


def xdivy(x: Any, y: Any, name: str | None = None) -> Tensor:
    """``x / y``, and 0 where ``x`` is 0."""
    return _guarded("reciprocal", x, y)


def truncatediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The integer quotient rounded towards zero, as C divides."""
    a, b = as_tensors(x, y)
    if a.dtype.is_integer:  # the least integer has no absolute value
        floor = apply("floordiv", (a, b))
        beyond = apply("logical_and", (apply("not_equal", (apply("mul", (floor, b)), a)), _signs_differ(a, b)))
        return apply("add", (floor, cast(beyond, a.dtype)))
    size = apply("floordiv", (apply("abs", (a,)), apply("abs", (b,))))
    return apply("mul", (apply("mul", (apply("sign", (a,)), apply("sign", (b,)))), size))


def truncatemod(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The remainder that belongs to `truncatediv`; it has the sign of ``x``."""
    a, b = as_tensors(x, y)
    if a.dtype.is_integer:
        return apply("sub", (a, apply("mul", (truncatediv(a, b), b))))
    return apply("mul", (apply("sign", (a,)), apply("mod", (apply("abs", (a,)), apply("abs", (b,))))))


def _signs_differ(a: Tensor, b: Tensor) -> Tensor:
    zero = as_tensor(0, a.dtype)
    return apply("not_equal", (apply("less", (a, zero)), apply("less", (b, zero))))


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Tensor:
    """``scalar * x``. ValueError if the first argument is no scalar."""
    tensor = as_tensor(x)
    factor = as_tensor(scalar, tensor.dtype)
    if sizes_of(factor):
        raise ShapeError(f"scalar_mul needs a scalar first. Received: a tensor of shape {factor.shape}.")
    return apply("mul", (factor, tensor))


def add_n(inputs: Sequence[Any], name: str | None = None) -> Tensor:
    """The sum of one or more tensors of one shape and dtype. ValueError for none or for different shapes."""
    values = [as_tensor(v) for v in (inputs if isinstance(inputs, (list, tuple)) else [inputs])]
    if not values:
        raise ValueError("add_n needs at least one tensor. Received: an empty list.")
    total = values[0]
    for value in values[1:]:
        if sizes_of(value) != sizes_of(total):
            raise ShapeError(f"add_n needs tensors of one shape. Received: {[str(v.shape) for v in values]}.")
        total = apply("add", (total, value))
    return total


def accumulate_n(
    inputs: Sequence[Any], shape: Any = None, tensor_dtype: Any = None, name: str | None = None
) -> Tensor:
    """`add_n` under TensorFlow's other name."""
    return add_n(inputs)


def rint(x: Any, name: str | None = None) -> Tensor:
    """The nearest integer, of two the even one."""
    return apply("round", (as_tensor(x),))


def polyval(coeffs: Sequence[Any], x: Any, name: str | None = None) -> Tensor:
    """The polynomial at ``x`` by Horner's rule, coefficients of the highest power first."""
    if not isinstance(coeffs, list):
        raise ValueError(f"coeffs must be a list. Received: {type(coeffs).__name__}.")
    at = as_tensor(x)
    total = as_tensor(0, at.dtype)
    for coefficient in coeffs:
        total = apply("add", (apply("mul", (total, at)), as_tensor(coefficient, at.dtype)))
    return total


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Tensor:
    """The elements, none below the one bound nor above the other; no gradient flows where a bound holds."""
    x = as_tensor(t)
    low, high = as_tensor(clip_value_min, x.dtype), as_tensor(clip_value_max, x.dtype)
    return apply("maximum", (apply("minimum", (x, high)), low))


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """The tensor scaled so that its Euclidean norm along ``axes`` (None: all) is at most ``clip_norm``."""
    x = as_tensor(t)
    total = apply("reduce_sum", (apply("square", (x,)),), axes=as_axes(axes, len(sizes_of(x))), keepdims=True)
    positive = apply("greater", (total, as_tensor(0, x.dtype)))
    safe = apply("where", (positive, total, as_tensor(1, x.dtype)))  # the square root has no gradient at 0
    norm = apply("where", (positive, apply("sqrt", (safe,)), total))
    limit = as_tensor(clip_norm, x.dtype)
    return apply("div", (apply("mul", (x, limit)), apply("maximum", (norm, limit))))


def global_norm(t_list: Sequence[Any], name: str | None = None) -> Tensor:
    """The Euclidean norm of all elements of all tensors together; None entries are left out."""
    if not isinstance(t_list, (list, tuple)):
        raise TypeError(f"t_list must be a sequence of tensors. Received: {type(t_list).__name__}.")
    squares = []
    for t in t_list:
        if t is not None:
            x = as_tensor(t)
            squares.append(apply("reduce_sum", (apply("square", (x,)),), axes=tuple(range(len(sizes_of(x)))), keepdims=False))
    if not squares:
        return as_tensor(0.0)
    return apply("sqrt", (add_n(squares),))


def clip_by_global_norm(
    t_list: Sequence[Any], clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Tensor | None], Tensor]:
    """The tensors scaled by ``clip_norm / max(global_norm, clip_norm)``, and that norm.

    None entries stay None. If the norm is infinite or NaN, every element becomes NaN, so that the mistake shows.
    """
    norm = global_norm(t_list) if use_norm is None else as_tensor(use_norm)
    limit = as_tensor(clip_norm, norm.dtype)
    one = as_tensor(1, norm.dtype)
    scale = apply("mul", (limit, apply("minimum", (apply("div", (one, norm)), apply("div", (one, limit))))))
    scale = apply("add", (scale, apply("sub", (norm, norm))))  # inf - inf is NaN; a finite norm adds 0
    return [None if t is None else apply("mul", (as_tensor(t), scale)) for t in t_list], norm


def acosh(x: Any, name: str | None = None) -> Tensor:
    """The inverse hyperbolic cosine; NaN below 1."""
    t = as_tensor(x)
    one = as_tensor(1, t.dtype)
    root = apply("mul", (apply("sqrt", (apply("sub", (t, one)),)), apply("sqrt", (apply("add", (t, one)),))))
    return apply("log", (apply("add", (t, root)),))


def asinh(x: Any, name: str | None = None) -> Tensor:
    """The inverse hyperbolic sine."""
    t = as_tensor(x)
    zero, one = as_tensor(0, t.dtype), as_tensor(1, t.dtype)
    negative = apply("less", (t, zero))
    size = apply("where", (negative, apply("neg", (t,)), t))  # unlike abs, it has the derivative 1 at 0
    huge = apply("greater", (size, as_tensor(1e4 if t.dtype.size < 8 else 1e8, t.dtype)))  # there x * x + 1 == x * x
    near = apply("where", (huge, one, size))
    square = apply("square", (near,))
    part = apply("div", (square, apply("add", (one, apply("sqrt", (apply("add", (square, one)),))))))
    far = apply("add", (apply("log", (apply("where", (huge, size, one)),)), as_tensor(math.log(2), t.dtype)))
    out = apply("where", (huge, far, apply("log1p", (apply("add", (near, part)),))))
    return apply("where", (negative, apply("neg", (out,)), out))


def atanh(x: Any, name: str | None = None) -> Tensor:
    """The inverse hyperbolic tangent; infinite at -1 and 1, NaN beyond."""
    t = as_tensor(x)
    up, down = apply("log1p", (t,)), apply("log1p", (apply("neg", (t,)),))
    return apply("mul", (as_tensor(0.5, t.dtype), apply("sub", (up, down))))


def erfc(x: Any, name: str | None = None) -> Tensor:
    """``1 - erf(x)``."""
    t = as_tensor(x)
    return apply("sub", (as_tensor(1, t.dtype), apply("erf", (t,))))
