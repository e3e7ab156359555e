"""Elementwise circular and hyperbolic functions with their inverses; floating-point tensors only."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..families import Elementwise
from ..op import GradientRule, define
from ..samples import binary, unary


def _unary(
    name: str, numpy: Any, gradient: GradientRule, low: float, high: float, doc: str, public: tuple[str, ...] = ()
) -> None:
    define(
        Elementwise(
            name=name,
            params=("x",),
            public=(*public, f"math.{name}"),
            expr=f"{name}(a)",
            kinds="f",
            numpy=numpy,
            gradient=gradient,
            samples=unary(low, high),
            doc=doc,
        )
    )


def _one_minus_square(o: Any, x: Any) -> Any:
    return o.sub(o.constant_like(1, x), o.square(x))


_unary("sin", np.sin, lambda o, y, g: (o.mul(g, o.cos(y.args[0])),), -3, 3, "The sine elementwise.", ("sin",))
_unary("cos", np.cos, lambda o, y, g: (o.neg(o.mul(g, o.sin(y.args[0]))),), -3, 3, "The cosine elementwise.", ("cos",))
_unary("tan", np.tan, lambda o, y, g: (o.mul(g, o.add(o.square(y), 1)),), -1.2, 1.2, "The tangent elementwise.", ("tan",))
_unary(
    "asin",
    np.arcsin,
    lambda o, y, g: (o.div(g, o.sqrt(_one_minus_square(o, y.args[0]))),),
    -0.9,
    0.9,
    "The angle in [-pi/2, pi/2] whose sine is ``x``; NaN outside [-1, 1].",
    ("asin",),
)
_unary(
    "acos",
    np.arccos,
    lambda o, y, g: (o.neg(o.div(g, o.sqrt(_one_minus_square(o, y.args[0])))),),
    -0.9,
    0.9,
    "The angle in [0, pi] whose cosine is ``x``; NaN outside [-1, 1].",
    ("acos",),
)
_unary(
    "atan",
    np.arctan,
    lambda o, y, g: (o.div(g, o.add(o.square(y.args[0]), 1)),),
    -3,
    3,
    "The angle in (-pi/2, pi/2) whose tangent is ``x``.",
    ("atan",),
)
_unary("sinh", np.sinh, lambda o, y, g: (o.mul(g, o.cosh(y.args[0])),), -2, 2, "The hyperbolic sine elementwise.", ("sinh",))
_unary("cosh", np.cosh, lambda o, y, g: (o.mul(g, o.sinh(y.args[0])),), -2, 2, "The hyperbolic cosine elementwise.", ("cosh",))
_unary(
    "tanh",
    np.tanh,
    lambda o, y, g: (o.mul(g, _one_minus_square(o, y)),),
    -3,
    3,
    "The hyperbolic tangent elementwise.",
    ("tanh", "nn.tanh"),
)
_unary(
    "asinh",
    np.arcsinh,
    lambda o, y, g: (o.div(g, o.sqrt(o.add(o.square(y.args[0]), 1))),),
    -3,
    3,
    "The inverse hyperbolic sine elementwise.",
    ("asinh",),
)
_unary(
    "acosh",
    np.arccosh,
    lambda o, y, g: (o.div(g, o.sinh(y)),),
    1.2,
    4,
    "The inverse hyperbolic cosine elementwise; NaN below 1.",
    ("acosh",),
)
_unary(
    "atanh",
    np.arctanh,
    lambda o, y, g: (o.div(g, _one_minus_square(o, y.args[0])),),
    -0.9,
    0.9,
    "The inverse hyperbolic tangent elementwise; NaN outside [-1, 1].",
    ("atanh",),
)


def _atan2_gradient(o: Any, angle: Any, g: Any) -> tuple[Any, Any]:
    y, x = angle.args
    scaled = o.div(g, o.add(o.square(x), o.square(y)))
    return o.mul(scaled, x), o.neg(o.mul(scaled, y))


define(
    Elementwise(
        name="atan2",
        params=("y", "x"),
        public=("atan2", "math.atan2"),
        expr="atan2(a, b)",
        kinds="f",
        numpy=np.arctan2,
        gradient=_atan2_gradient,
        samples=binary(),
        doc="The angle of the point ``(x, y)`` in (-pi, pi], elementwise.",
    )
)
