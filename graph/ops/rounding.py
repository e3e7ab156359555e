"""Elementwise rounding; floating-point tensors only. No gradient flows, as in TensorFlow."""

from __future__ import annotations

import numpy as np

from ..families import Elementwise
from ..op import define
from ..samples import unary

define(
    Elementwise(
        name="floor",
        params=("x",),
        public=("floor", "math.floor"),
        expr="floor(a)",
        kinds="f",
        numpy=np.floor,
        samples=unary(-5, 5),
        doc="Rounds towards minus infinity.",
    )
)
define(
    Elementwise(
        name="ceil",
        params=("x",),
        public=("math.ceil",),
        expr="ceil(a)",
        kinds="f",
        numpy=np.ceil,
        samples=unary(-5, 5),
        doc="Rounds towards plus infinity.",
    )
)
define(
    Elementwise(
        name="round",
        params=("x",),
        expr="round(a)",
        kinds="f",
        numpy=np.rint,
        samples=unary(-5, 5),
        doc="Rounds to the nearest whole number, halves to the even one.",
    )
)
