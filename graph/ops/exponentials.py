"""Elementwise powers of e, logarithms, roots and the error function; floating-point tensors only."""

from __future__ import annotations

import math

import numpy as np

from ..families import Elementwise
from ..op import Sample, define
from ..samples import NONFINITE, binary, unary
from ..special import erf

TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)

define(
    Elementwise(
        name="sqrt",
        params=("x",),
        public=("sqrt", "math.sqrt"),
        expr="sqrt(a)",
        kinds="f",
        numpy=np.sqrt,
        gradient=lambda o, y, g: (o.div(o.mul(g, 0.5), y),),
        samples=unary(0.2, 4.0),
        doc="The square root elementwise; NaN below 0, infinite gradient at 0.",
    )
)
define(
    Elementwise(
        name="rsqrt",
        params=("x",),
        public=("math.rsqrt",),
        expr="rsqrt(a)",
        kinds="f",
        gradient=lambda o, y, g: (o.mul(g, o.mul(o.mul(y, -0.5), o.mul(y, y))),),
        samples=unary(0.3, 4.0),
        doc="``1 / sqrt(x)`` elementwise.",
    )
)
define(
    Elementwise(
        name="exp",
        params=("x",),
        public=("exp", "math.exp"),
        expr="exp(a)",
        kinds="f",
        numpy=np.exp,
        gradient=lambda o, y, g: (o.mul(g, y),),
        samples=unary(),
        doc="e to the power ``x`` elementwise.",
    )
)
define(
    Elementwise(
        name="expm1",
        params=("x",),
        public=("math.expm1",),
        expr="expm1(a)",
        kinds="f",
        numpy=np.expm1,
        gradient=lambda o, y, g: (o.mul(g, o.exp(y.args[0])),),
        samples=unary(),
        doc="``exp(x) - 1`` elementwise, exact near 0.",
    )
)
define(
    Elementwise(
        name="log",
        params=("x",),
        public=("math.log",),
        expr="log(a)",
        kinds="f",
        numpy=np.log,
        gradient=lambda o, y, g: (o.div(g, y.args[0]),),
        samples=unary(0.2, 4.0),
        doc="The natural logarithm elementwise; NaN below 0, -inf at 0.",
    )
)
define(
    Elementwise(
        name="log1p",
        params=("x",),
        public=("math.log1p",),
        expr="log1p(a)",
        kinds="f",
        numpy=np.log1p,
        gradient=lambda o, y, g: (o.div(g, o.add(y.args[0], 1.0)),),
        samples=unary(-0.7, 3.0),
        doc="``log(1 + x)`` elementwise, exact near 0.",
    )
)
define(
    Elementwise(
        name="erf",
        params=("x",),
        public=("math.erf",),
        expr="erf(a)",
        kinds="f",
        numpy=erf,
        gradient=lambda o, y, g: (o.mul(g, o.mul(o.exp(o.neg(o.square(y.args[0]))), TWO_OVER_SQRT_PI)),),
        samples=unary(-3.0, 3.0),
        doc="The Gauss error function elementwise.",
    )
)
define(
    Elementwise(
        name="xlogy",
        params=("x", "y"),
        public=("math.xlogy",),
        expr="where(a == 0, 0, a * log(b))",
        kinds="f",
        gradient=lambda o, y, g: (
            o.mul(g, o.where(o.equal(y.args[0], 0), o.constant_like(0, g), o.log(y.args[1]))),
            o.mul(g, o.div_no_nan(y.args[0], y.args[1])),
        ),
        samples=lambda: [
            *binary(0.2, 2.0, second=(0.3, 2.0))(),
            Sample((np.zeros(6, np.float32), NONFINITE), differentiable=False),
        ],
        doc="``x * log(y)`` elementwise, and 0 where ``x`` is 0.",
    )
)
