"""Ops without tensor arguments: constants, inputs, variables' values, sizes, index ramps, the first effect token."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtype import as_dtype, int32, int64
from ..families import Source
from ..ir import ArrayType, Literal, TokenType
from ..op import Attrs, Sample, define


def _constant_type(attrs: Attrs) -> ArrayType:
    array = attrs["value"].array
    return ArrayType(as_dtype(array.dtype), array.shape)


define(
    Source(
        name="constant",
        attributes={"value": ...},
        rule=_constant_type,
        compute=lambda value: value.array,
        samples=lambda: [
            Sample((), {"value": Literal(np.float32(1.5))}),
            Sample((), {"value": Literal(np.arange(6, dtype=np.int32).reshape(2, 3))}),
            Sample((), {"value": Literal(np.zeros((0, 2), np.bool_))}),
        ],
        doc="A value known while tracing, held as a `Literal`.",
    )
)

define(
    Source(
        name="parameter",
        attributes={"type": ..., "name": "x", "uid": 0},
        rule=lambda attrs: attrs["type"],
        doc="An input of the graph. ``uid`` keeps two inputs of one type apart.",
    )
)

define(
    Source(
        name="read",
        attributes={"variable": ...},
        rule=lambda attrs: attrs["variable"].type,
        doc="A variable's value at the start of the graph.",
    )
)


def _dim_value(size: int, dtype: Any) -> np.ndarray:
    return np.asarray(size, dtype.np)


define(
    Source(
        name="dim_value",
        attributes={"size": ..., "dtype": int32},
        rule=lambda attrs: ArrayType(attrs["dtype"], ()),
        compute=_dim_value,
        samples=lambda: [Sample((), {"size": 7, "dtype": int32}), Sample((), {"size": 0, "dtype": as_dtype("float32")})],
        doc="A size as a scalar.",
    )
)

define(
    Source(
        name="iota",
        attributes={"size": ..., "dtype": int32},
        rule=lambda attrs: ArrayType(attrs["dtype"], (attrs["size"],)),
        compute=lambda size, dtype: np.arange(size, dtype=dtype.np),
        samples=lambda: [
            Sample((), {"size": 5, "dtype": int64}),
            Sample((), {"size": 0, "dtype": int32}),
            Sample((), {"size": 3, "dtype": as_dtype("float32")}),
        ],
        doc="0, 1, ..., size - 1.",
    )
)

define(
    Source(
        name="token",
        rule=lambda attrs: TokenType(),
        compute=lambda: None,
        doc="The token before the first effect.",
    )
)
