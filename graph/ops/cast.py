"""Changing or passing on elements unchanged: cast, identity, stop_gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtype import DType, as_dtype
from ..errors import InvalidArgumentError
from ..families import Elementwise
from ..op import Sample, define
from ..samples import spread, unary


def _astype(x: Any, dtype: DType) -> Any:
    return x.astype(dtype.np)


def _cast_gradient(o: Any, y: Any, g: Any) -> tuple[Any]:
    source = y.args[0].dtype
    return (o.cast(g, dtype=source) if source.is_floating and y.dtype.is_floating else None,)


def _cast_samples() -> list[Sample]:
    x = spread((3, 4), -5, 5)
    pairs = (("float32", "float64"), ("float64", "float32"), ("float32", "int32"), ("int32", "float32"), ("uint8", "float32"))
    cases = [((np.abs(x) if a == "uint8" else x).astype(a), b) for a, b in pairs]
    cases += [(np.array([0.0, 0.5, np.nan], np.float32), "bool"), (np.array([True, False]), "float32")]
    cases += [(np.array([-1, 300], np.int64), "uint8"), (np.zeros((0, 2), np.int32), "int64"), (x, "float16")]
    return [Sample((a,), {"dtype": as_dtype(b)}, differentiable=b == "float64") for a, b in cases]


define(
    Elementwise(
        name="cast",
        params=("x",),
        attributes={"dtype": ...},
        expr="a",
        kinds="fiub",
        result="dtype",
        numpy=_astype,
        gradient=_cast_gradient,
        samples=_cast_samples,
        doc="``x`` as another dtype: floats are cut off towards zero, integers wrap, everything but 0 is true.",
    )
)


def _same(x: Any) -> Any:
    return x


define(
    Elementwise(
        name="identity",
        params=("input",),
        public=("identity",),
        expr="a",
        kinds="fiub",
        numpy=_same,
        gradient=lambda o, y, g: (g,),
        samples=unary(dtypes=(np.int32, np.bool_)),
        doc="The tensor itself.",
    )
)
define(
    Elementwise(
        name="stop_gradient",
        params=("input",),
        public=("stop_gradient",),
        expr="a",
        kinds="fiub",
        numpy=_same,
        samples=unary(dtypes=(np.int32, np.bool_)),
        doc="The tensor itself; no gradient flows through.",
    )
)
define(
    Elementwise(
        name="check_finite",
        params=("tensor",),
        expr="a",
        kinds="f",
        numpy=_same,
        check="~isfinite(a)",
        error=InvalidArgumentError,
        message="The tensor has NaN or infinite elements.",
        gradient=lambda o, y, g: (g,),
        samples=unary(nonfinite=False),
        doc="The tensor itself; raises `InvalidArgumentError` if an element is NaN or infinite.",
    )
)
