"""``weft.dtypes``: the element types, and conversions between them."""

from __future__ import annotations

from weft.graph.dtype import (
    DType,
    as_dtype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from weft.graph.dtype import bool_ as bool
from weft.tracer.ops import cast, saturate_cast

double, half = float64, float16

__all__ = [
    "DType",
    "as_dtype",
    "bool",
    "cast",
    "double",
    "float16",
    "float32",
    "float64",
    "half",
    "int8",
    "int16",
    "int32",
    "int64",
    "saturate_cast",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]
