"""Elementwise activation functions; floating-point tensors only, but for relu, which takes integers too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..families import Elementwise
from ..op import define
from ..samples import unary

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017, Self-Normalizing Neural Networks
SQRT_HALF = math.sqrt(0.5)
DENSITY = 1.0 / math.sqrt(2.0 * math.pi)
TANH_SCALE = math.sqrt(2.0 / math.pi)


def _positive(o: Any, condition: Any, g: Any, otherwise: Any = None) -> Any:
    """``g`` where the condition node is positive, else ``otherwise`` (zero)."""
    return o.where(o.greater(condition, 0), g, o.constant_like(0, g) if otherwise is None else otherwise)


define(
    Elementwise(
        name="relu",
        params=("features",),
        public=("nn.relu",),
        expr="maximum(a, 0)",
        gradient=lambda o, y, g: (_positive(o, y, g),),
        samples=unary(dtypes=(np.int32,)),
        doc="``max(features, 0)``; the gradient at 0 is 0.",
    )
)


def _relu6_gradient(o: Any, y: Any, g: Any) -> tuple[Any]:
    inside = o.logical_and(o.greater(y, 0), o.less(y, 6))
    return (o.where(inside, g, o.constant_like(0, g)),)


define(
    Elementwise(
        name="relu6",
        params=("features",),
        public=("nn.relu6",),
        expr="minimum(maximum(a, 0), 6)",
        gradient=_relu6_gradient,
        samples=unary(-3, 9, dtypes=(np.int32,)),
        doc="``min(max(features, 0), 6)``; the gradient at 0 and at 6 is 0.",
    )
)
define(
    Elementwise(
        name="leaky_relu",
        params=("features",),
        public=("nn.leaky_relu",),
        attributes={"alpha": 0.2},
        expr="where(a > 0, a, alpha * a)",
        kinds="f",
        gradient=lambda o, y, g: (_positive(o, y.args[0], g, o.mul(g, y.attrs["alpha"])),),
        samples=unary(attrs={"alpha": 0.3}),
        doc="``features`` where positive, else ``alpha * features``.",
    )
)
define(
    Elementwise(
        name="elu",
        params=("features",),
        public=("nn.elu",),
        attributes={"alpha": 1.0},
        expr="where(a > 0, a, alpha * expm1(a))",
        kinds="f",
        gradient=lambda o, y, g: (_positive(o, y.args[0], g, o.mul(g, o.add(y, y.attrs["alpha"]))),),
        samples=unary(attrs={"alpha": 0.7}),
        doc="``features`` where positive, else ``alpha * (exp(features) - 1)``.",
    )
)
def _selu_gradient(o: Any, y: Any, g: Any) -> tuple[Any]:
    return (o.where(o.less(y, 0), o.mul(g, o.add(y, SELU_SCALE * SELU_ALPHA)), o.mul(g, SELU_SCALE)),)


define(
    Elementwise(
        name="selu",
        params=("features",),
        public=("nn.selu",),
        expr=f"where(a > 0, {SELU_SCALE} * a, {SELU_SCALE * SELU_ALPHA} * expm1(a))",
        kinds="f",
        gradient=_selu_gradient,
        samples=unary(),
        doc="The scaled exponential linear unit, which keeps mean 0 and variance 1.",
    )
)
define(
    Elementwise(
        name="sigmoid",
        params=("x",),
        public=("sigmoid", "math.sigmoid", "nn.sigmoid"),
        expr="1 / (1 + exp(-a))",
        kinds="f",
        gradient=lambda o, y, g: (o.mul(g, o.mul(y, o.sub(o.constant_like(1, y), y))),),
        samples=unary(-4, 4),
        doc="``1 / (1 + exp(-x))``.",
    )
)
define(
    Elementwise(
        name="log_sigmoid",
        params=("x",),
        public=("math.log_sigmoid",),
        expr="minimum(a, 0) - log1p(exp(-abs(a)))",
        kinds="f",
        gradient=lambda o, y, g: (o.mul(g, o.sigmoid(o.neg(y.args[0]))),),
        samples=unary(-4, 4),
        doc="``log(sigmoid(x))`` without overflow.",
    )
)
define(
    Elementwise(
        name="softplus",
        params=("features",),
        public=("math.softplus", "nn.softplus"),
        expr="maximum(a, 0) + log1p(exp(-abs(a)))",
        kinds="f",
        gradient=lambda o, y, g: (o.mul(g, o.sigmoid(y.args[0])),),
        samples=unary(-4, 4),
        doc="``log(1 + exp(features))`` without overflow.",
    )
)
define(
    Elementwise(
        name="softsign",
        params=("features",),
        public=("math.softsign", "nn.softsign"),
        expr="a / (1 + abs(a))",
        kinds="f",
        gradient=lambda o, y, g: (o.div(g, o.square(o.add(o.abs(y.args[0]), 1))),),
        samples=unary(),
        doc="``features / (1 + abs(features))``.",
    )
)


def _silu_gradient(o: Any, y: Any, g: Any) -> tuple[Any]:
    s = o.sigmoid(y.args[0])
    return (o.mul(g, o.add(s, o.mul(y, o.sub(o.constant_like(1, s), s)))),)


define(
    Elementwise(
        name="silu",
        params=("features",),
        public=(),
        expr="a / (1 + exp(-a))",
        kinds="f",
        gradient=_silu_gradient,
        samples=unary(-4, 4),
        doc="``features * sigmoid(features)``, also called swish.",
    )
)


def _gelu_gradient(o: Any, y: Any, g: Any) -> tuple[Any]:
    (x,) = y.args
    below = o.mul(o.add(o.erf(o.mul(x, SQRT_HALF)), 1), 0.5)
    density = o.mul(o.exp(o.mul(o.square(x), -0.5)), DENSITY)
    return (o.mul(g, o.add(below, o.mul(x, density))),)


define(
    Elementwise(
        name="gelu",
        params=("features",),
        expr=f"0.5 * a * (1 + erf(a * {SQRT_HALF}))",
        kinds="f",
        gradient=_gelu_gradient,
        samples=unary(-3, 3),
        doc="``features`` times the normal distribution function at ``features`` (Hendrycks and Gimpel 2016), by `erf`.",
    )
)


def _gelu_tanh_gradient(o: Any, y: Any, g: Any) -> tuple[Any]:
    (x,) = y.args
    square = o.square(x)
    t = o.tanh(o.mul(o.mul(x, TANH_SCALE), o.add(o.mul(square, 0.044715), 1)))
    inner = o.mul(o.add(o.mul(square, 3 * 0.044715), 1), TANH_SCALE)
    outer = o.mul(o.mul(x, o.sub(o.constant_like(1, t), o.square(t))), inner)
    return (o.mul(g, o.mul(o.add(o.add(t, 1), outer), 0.5)),)


define(
    Elementwise(
        name="gelu_tanh",
        params=("features",),
        expr=f"0.5 * a * (1 + tanh({TANH_SCALE} * a * (1 + 0.044715 * a * a)))",
        kinds="f",
        gradient=_gelu_tanh_gradient,
        samples=unary(-3, 3),
        doc="The approximation of `gelu` by the hyperbolic tangent.",
    )
)
