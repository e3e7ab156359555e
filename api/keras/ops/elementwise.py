"""Functions of single elements by NumPy's names. In: tensors, arrays, numbers of any dtype; out: tensors."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import weft

from .promotion import align, convert_to_tensor, to_float


def _binary(function: Callable[..., Any], name: str, doc: str, floating: bool = False) -> Callable[..., Any]:
    def apply(x1: Any, x2: Any) -> Any:
        a, b = align(x1, x2)
        return function(to_float(a), to_float(b)) if floating else function(a, b)

    apply.__name__, apply.__doc__ = name, f"{doc} Dtypes are promoted as in Keras."
    return apply


def _unary(function: Callable[..., Any], name: str, doc: str, floating: bool = True) -> Callable[..., Any]:
    def apply(x: Any) -> Any:
        return function(to_float(x) if floating else convert_to_tensor(x))

    apply.__name__, apply.__doc__ = name, doc
    return apply


add = _binary(weft.add, "add", "x1 + x2.")
subtract = _binary(weft.subtract, "subtract", "x1 - x2.")
multiply = _binary(weft.multiply, "multiply", "x1 * x2.")
divide = _binary(weft.divide, "divide", "x1 / x2; floating.", True)
true_divide = divide
floor_divide = _binary(weft.math.floordiv, "floor_divide", "The largest integer not above x1 / x2.")
mod = _binary(weft.math.floormod, "mod", "The remainder of floor_divide.")
power = _binary(weft.pow, "power", "x1 ** x2.")
maximum = _binary(weft.maximum, "maximum", "The larger element.")
minimum = _binary(weft.minimum, "minimum", "The smaller element.")
equal = _binary(weft.equal, "equal", "x1 == x2.")
not_equal = _binary(weft.not_equal, "not_equal", "x1 != x2.")
greater = _binary(weft.greater, "greater", "x1 > x2.")
greater_equal = _binary(weft.greater_equal, "greater_equal", "x1 >= x2.")
less = _binary(weft.less, "less", "x1 < x2.")
less_equal = _binary(weft.less_equal, "less_equal", "x1 <= x2.")
arctan2 = _binary(weft.math.atan2, "arctan2", "The angle of the point (x2, x1).", True)

exp = _unary(weft.exp, "exp", "e to the power of x.")
expm1 = _unary(weft.math.expm1, "expm1", "exp(x) - 1, exact near zero.")
log = _unary(weft.math.log, "log", "The natural logarithm.")
log1p = _unary(weft.math.log1p, "log1p", "log(1 + x), exact near zero.")
sqrt = _unary(weft.sqrt, "sqrt", "The square root.")
rsqrt = _unary(weft.math.rsqrt, "rsqrt", "One over the square root.")
sin = _unary(weft.sin, "sin", "The sine.")
cos = _unary(weft.cos, "cos", "The cosine.")
tan = _unary(weft.tan, "tan", "The tangent.")
arcsin = _unary(weft.asin, "arcsin", "The angle whose sine is x.")
arccos = _unary(weft.acos, "arccos", "The angle whose cosine is x.")
arctan = _unary(weft.atan, "arctan", "The angle whose tangent is x.")
sinh = _unary(weft.sinh, "sinh", "The hyperbolic sine.")
cosh = _unary(weft.cosh, "cosh", "The hyperbolic cosine.")
tanh = _unary(weft.tanh, "tanh", "The hyperbolic tangent.")
erf = _unary(weft.math.erf, "erf", "The error function.")
reciprocal = _unary(weft.math.reciprocal, "reciprocal", "1 / x.")
floor = _unary(weft.floor, "floor", "The largest integer not above x, as a float.")
ceil = _unary(weft.math.ceil, "ceil", "The smallest integer not below x, as a float.")
isnan = _unary(weft.math.is_nan, "isnan", "Whether x is not a number.")
isinf = _unary(weft.math.is_inf, "isinf", "Whether x is infinite.")
isfinite = _unary(weft.math.is_finite, "isfinite", "Whether x is neither infinite nor NaN.")
square = _unary(weft.square, "square", "x * x.", False)
negative = _unary(weft.negative, "negative", "-x.", False)
sign = _unary(weft.sign, "sign", "-1, 0 or 1.", False)
absolute = _unary(weft.abs, "absolute", "The value without its sign.", False)
abs = absolute
stop_gradient = _unary(weft.stop_gradient, "stop_gradient", "x, which no gradient passes.", False)


def _logical(function: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    def apply(x1: Any, x2: Any) -> Any:
        return function(convert_to_tensor(x1, "bool"), convert_to_tensor(x2, "bool"))

    apply.__name__, apply.__doc__ = name, doc
    return apply


def logical_not(x: Any) -> Any:
    """Whether it is false."""
    return weft.math.logical_not(convert_to_tensor(x, "bool"))


logical_and = _logical(weft.math.logical_and, "logical_and", "Whether both are true.")
logical_or = _logical(weft.math.logical_or, "logical_or", "Whether one of both is true.")
logical_xor = _logical(weft.math.logical_xor, "logical_xor", "Whether exactly one of both is true.")


def round(x: Any, decimals: int = 0) -> Any:
    """The nearest number with so many decimals; halves go to the even neighbour."""
    x = convert_to_tensor(x)
    if not decimals:
        return weft.round(x)
    factor = builtins.float(10**decimals)
    return weft.round(to_float(x) * factor) / factor


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """x limited to x_min...x_max."""
    return minimum(maximum(x, x_min), x_max)


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition is true, else x2; without both, the places of the true elements."""
    condition = convert_to_tensor(condition, "bool")
    return weft.where(condition) if x1 is None and x2 is None else weft.where(condition, *align(x1, x2))
