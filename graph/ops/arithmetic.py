"""Elementwise arithmetic: sums, products, quotients, powers, extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..build import zeros_like
from ..errors import DivisionByZeroError, InvalidArgumentError
from ..families import Elementwise
from ..op import Sample, define
from ..samples import NONFINITE, binary, spread, unary
from ..special import power

INTS = (np.int32, np.int64, np.uint8)

define(
    Elementwise(
        name="add",
        params=("x", "y"),
        public=("add", "math.add"),
        expr="a + b",
        numpy=np.add,
        gradient=lambda o, y, g: (g, g),
        samples=binary(dtypes=INTS),
        doc="``x + y`` elementwise, with broadcasting.",
    )
)
define(
    Elementwise(
        name="sub",
        params=("x", "y"),
        public=("subtract", "math.subtract"),
        expr="a - b",
        numpy=np.subtract,
        gradient=lambda o, y, g: (g, o.neg(g)),
        samples=binary(dtypes=INTS),
        doc="``x - y`` elementwise, with broadcasting.",
    )
)
define(
    Elementwise(
        name="mul",
        params=("x", "y"),
        public=("multiply", "math.multiply"),
        expr="a * b",
        numpy=np.multiply,
        gradient=lambda o, y, g: (o.mul(g, y.args[1]), o.mul(g, y.args[0])),
        samples=binary(dtypes=INTS),
        doc="``x * y`` elementwise, with broadcasting.",
    )
)
define(
    Elementwise(
        name="div",
        params=("x", "y"),
        expr="a / b",
        kinds="f",
        numpy=np.divide,
        gradient=lambda o, y, g: (o.div(g, y.args[1]), o.neg(o.mul(g, o.div(y, y.args[1])))),
        samples=binary(second=(0.5, 2.0)),
        doc="``x / y`` elementwise, with broadcasting; floating-point tensors only.",
    )
)


def _div_no_nan_gradient(o: Any, y: Any, g: Any) -> tuple[Any, Any]:
    return o.div_no_nan(g, y.args[1]), o.neg(o.mul(g, o.div_no_nan(y, y.args[1])))


define(
    Elementwise(
        name="div_no_nan",
        params=("x", "y"),
        expr="where(b == 0, 0, a / b)",
        kinds="f",
        gradient=_div_no_nan_gradient,
        samples=lambda: [
            *binary(second=(0.5, 2.0))(),
            Sample((spread((4,)), np.array([0, 1, 0, 2], np.float32)), differentiable=False),
        ],
        doc="``x / y`` elementwise, and 0 where ``y`` is 0.",
    )
)
define(
    Elementwise(
        name="mul_no_nan",
        params=("x", "y"),
        public=("math.multiply_no_nan",),
        expr="where(b == 0, 0, a * b)",
        kinds="f",
        gradient=lambda o, y, g: (o.mul_no_nan(g, y.args[1]), o.mul_no_nan(y.args[0], g)),
        samples=lambda: [*binary()(), Sample((NONFINITE, np.zeros(6, np.float32)), differentiable=False)],
        doc="``x * y`` elementwise, and 0 where ``y`` is 0, even if ``x`` is infinite or NaN.",
    )
)


def _quotient_samples() -> list[Sample]:
    floats = [Sample((spread((3, 4), -7, 7), spread((4,), 0.6, 1.9, phase=0.8)))]
    floats.append(Sample((spread((5,), -7, 7), spread((), -1.9, -0.6))))
    floats.append(Sample((NONFINITE[:, None], NONFINITE), differentiable=False))
    ints = [
        Sample((np.array([[-7, -6, -1, 0, 5, 7]], d), np.array([[3], [-2], [1]], d)), differentiable=False)
        for d in (np.int32, np.int64)
    ]
    return [*floats, *ints, Sample((np.arange(6, dtype=np.uint8), np.uint8(4)), differentiable=False)]


_BY_ZERO = {"check": "b == 0", "check_kinds": "iu", "error": DivisionByZeroError, "message": "Integer division by zero."}

define(
    Elementwise(
        name="floordiv",
        params=("x", "y"),
        public=("math.floordiv", "floordiv"),
        expr="a // b",
        numpy=np.floor_divide,
        samples=_quotient_samples,
        doc="``x / y`` rounded towards minus infinity. Integer division by zero raises `DivisionByZeroError`.",
        **_BY_ZERO,  # type: ignore[arg-type]  # fields of several types
    )
)
define(
    Elementwise(
        name="mod",
        params=("x", "y"),
        public=("math.mod", "math.floormod"),
        expr="a % b",
        numpy=np.remainder,
        gradient=lambda o, y, g: (g, o.neg(o.mul(g, o.floordiv(y.args[0], y.args[1])))),
        samples=_quotient_samples,
        doc="The remainder of `floordiv`, with the sign of ``y``. Integer division by zero raises `DivisionByZeroError`.",
        **_BY_ZERO,  # type: ignore[arg-type]  # fields of several types
    )
)


def _pow_gradient(o: Any, y: Any, g: Any) -> tuple[Any, Any]:
    base, exponent = y.args
    slope = o.mul(exponent, o.pow(base, o.sub(exponent, 1)))
    to_base = o.mul(g, o.where(o.equal(exponent, 0), zeros_like(exponent), slope))
    if not base.dtype.is_floating:
        return to_base, None
    log = o.where(o.greater(base, 0), o.log(o.where(o.greater(base, 0), base, o.constant_like(1, base))), zeros_like(base))
    return to_base, o.mul(g, o.mul(y, log))


def _pow_samples() -> list[Sample]:
    out = binary(0.3, 2.5, second=(-2.0, 3.0), nonfinite=True)()
    out.append(Sample((spread((4,)), np.float32(3.0)), differentiable=False))
    return [*out, Sample((np.array([-2, 0, 3], np.int32), np.array([3, 0, 2], np.int32)), differentiable=False)]


define(
    Elementwise(
        name="pow",
        params=("x", "y"),
        public=("pow", "math.pow"),
        expr="a ** b",
        numpy=power,
        gradient=_pow_gradient,
        check="b < 0",
        check_kinds="i",
        error=InvalidArgumentError,
        message="Integers to negative integer powers are not allowed.",
        samples=_pow_samples,
        doc="``x`` to the power ``y`` elementwise. The gradient by ``y`` is 0 where ``x`` is not positive, as in TensorFlow.",
    )
)
define(
    Elementwise(
        name="neg",
        params=("x",),
        public=("negative", "math.negative"),
        expr="-a",
        numpy=np.negative,
        gradient=lambda o, y, g: (o.neg(g),),
        samples=unary(dtypes=(np.int32,)),
        doc="``-x`` elementwise.",
    )
)
define(
    Elementwise(
        name="abs",
        params=("x",),
        public=("abs", "math.abs"),
        expr="abs(a)",
        numpy=np.abs,
        gradient=lambda o, y, g: (o.mul(g, o.sign(y.args[0])),),
        samples=unary(dtypes=(np.int32,)),
        doc="The absolute value elementwise; the gradient at 0 is 0.",
    )
)
define(
    Elementwise(
        name="sign",
        params=("x",),
        public=("sign", "math.sign"),
        expr="sign(a)",
        numpy=np.sign,
        gradient=lambda o, y, g: (zeros_like(y),),
        samples=unary(dtypes=(np.int32,)),
        doc="-1, 0 or 1 elementwise, NaN for NaN; the gradient is 0.",
    )
)
define(
    Elementwise(
        name="square",
        params=("x",),
        public=("square", "math.square"),
        expr="a * a",
        numpy=np.square,
        gradient=lambda o, y, g: (o.mul(g, o.mul(y.args[0], 2)),),
        samples=unary(dtypes=(np.int32,)),
        doc="``x * x`` elementwise.",
    )
)
define(
    Elementwise(
        name="reciprocal",
        params=("x",),
        public=("math.reciprocal",),
        expr="1 / a",
        kinds="f",
        gradient=lambda o, y, g: (o.neg(o.mul(g, o.mul(y, y))),),
        samples=unary(0.4, 3.0),
        doc="``1 / x`` elementwise.",
    )
)
define(
    Elementwise(
        name="squared_difference",
        params=("x", "y"),
        public=("math.squared_difference",),
        expr="(a - b) * (a - b)",
        gradient=lambda o, y, g: (
            o.mul(g, o.mul(o.sub(y.args[0], y.args[1]), 2)),
            o.mul(g, o.mul(o.sub(y.args[1], y.args[0]), 2)),
        ),
        samples=binary(dtypes=INTS),
        doc="``(x - y) * (x - y)`` elementwise.",
    )
)


def _ties() -> list[Sample]:
    same = spread((4,))
    return [*binary(dtypes=INTS)(), Sample((same, same.copy()), differentiable=False)]


def _extreme_gradient(wins: str) -> Any:
    def rule(o: Any, y: Any, g: Any) -> tuple[Any, Any]:
        first = getattr(o, wins)(*y.args)
        zero = o.constant_like(0, g)
        return o.where(first, g, zero), o.where(first, zero, g)

    return rule


define(
    Elementwise(
        name="maximum",
        params=("x", "y"),
        public=("maximum", "math.maximum"),
        expr="maximum(a, b)",
        numpy=np.maximum,
        gradient=_extreme_gradient("greater_equal"),
        samples=_ties,
        doc="The larger of ``x`` and ``y`` elementwise, NaN if one is NaN. Where they are equal the gradient goes to ``x``.",
    )
)
define(
    Elementwise(
        name="minimum",
        params=("x", "y"),
        public=("minimum", "math.minimum"),
        expr="minimum(a, b)",
        numpy=np.minimum,
        gradient=_extreme_gradient("less_equal"),
        samples=_ties,
        doc="The smaller of ``x`` and ``y`` elementwise, NaN if one is NaN. Where they are equal the gradient goes to ``x``.",
    )
)
