"""Random numbers: pure functions of a key, so that eager and compiled code draw the same ones.

With ``w`` random bits per element (64 for 8-byte dtypes, else 32; see `weft.graph.philox` for which lanes):

* uniform: the top ``p`` bits times ``2**-p``, where ``p`` is the dtype's precision (11, 24, 53);
* normal: Box and Muller on words ``2k`` and ``2k + 1``, in float64, then rounded: ``u = (word + 0.5) * 2**-w``,
  ``sqrt(-2 log u[2k]) * cos(2 pi u[2k + 1])`` for the even element and ``sin`` for the odd one;
* truncated_normal: a normal cut off at two deviations, by inversion in float64: ``sqrt(2) * erfinv((2u - 1) * erf(sqrt(2)))``;
* int: ``low + word % (high - low)``, from 64 bits for 8-byte dtypes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtype import as_dtype, float32, int32
from ..errors import InvalidArgumentError
from ..families import Random
from ..op import Attrs, Sample, Types, define
from ..philox import bits32, bits64
from ..quiet import quietly
from ..special import erfinv_central

CUT = math.erf(math.sqrt(2.0))
PRECISION = {2: 11, 4: 24, 8: 53}


def _count(shape: Any) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _words(key: Any, count: int, size: int) -> tuple[np.ndarray, int]:
    return (bits64(key, count), 64) if size == 8 else (bits32(key, count), 32)


def _open_interval(key: Any, count: int, size: int) -> np.ndarray:
    """float64 in (0, 1)."""
    words, width = _words(key, count, size)
    if width == 64:  # 53 bits, or the half would be rounded away
        return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return (words.astype(np.float64) + 0.5) * 2.0**-32


def _uniform(key: Any, shape: Any, dtype: Any) -> Any:
    words, width = _words(key, _count(shape), dtype.size)
    precision = PRECISION[dtype.size]
    top = words >> words.dtype.type(width - precision)
    return (top.astype(np.float64) * 2.0**-precision).astype(dtype.np).reshape(shape)


def _normal(key: Any, shape: Any, dtype: Any) -> Any:
    count = _count(shape)
    u = _open_interval(key, count + count % 2, dtype.size).reshape(-1, 2)
    radius, angle = np.sqrt(-2.0 * np.log(u[:, 0])), 2.0 * math.pi * u[:, 1]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    return pairs.reshape(-1)[:count].astype(dtype.np).reshape(shape)


def _truncated_normal(key: Any, shape: Any, dtype: Any) -> Any:
    u = _open_interval(key, _count(shape), dtype.size)
    return (math.sqrt(2.0) * erfinv_central((2.0 * u - 1.0) * CUT)).astype(dtype.np).reshape(shape)


def _int(key: Any, shape: Any, dtype: Any, low: int, high: int) -> Any:
    words, _ = _words(key, _count(shape), dtype.size)
    if high <= low:
        raise InvalidArgumentError(f"random_int needs low < high. Received: low {low}, high {high}.")
    offset = words % words.dtype.type(high - low)
    return quietly(np.add, offset.astype(dtype.np), dtype.np.type(low)).reshape(shape)


def _samples(dtypes: tuple[str, ...], **attrs: Any) -> list[Sample]:
    shapes: tuple[tuple[int, ...], ...] = ((), (1,), (7,), (3, 4), (2, 3, 3), (0, 2))
    keys = [np.array([2**63 + 12345, i], np.uint64) for i in range(len(shapes))]
    return [Sample((k,), {"shape": s, "dtype": as_dtype(d), **attrs}) for d in dtypes for k, s in zip(keys, shapes, strict=True)]


def _require_floating(types: Types, attrs: Attrs) -> None:
    if not attrs["dtype"].is_floating:
        raise InvalidArgumentError(f"Uniform and normal numbers are floating-point. Received: dtype {attrs['dtype'].name}.")


def _float_op(distribution: str, transform: Any, doc: str) -> None:
    define(
        Random(
            name=f"random_{distribution}",
            params=("key",),
            attributes={"shape": ..., "dtype": float32},
            distribution=distribution,
            transform=transform,
            demand=_require_floating,
            samples=lambda: _samples(("float32", "float64")),
            doc=doc,
        )
    )


_float_op("uniform", _uniform, "Numbers in [0, 1), evenly distributed.")
_float_op("normal", _normal, "Normally distributed numbers of mean 0 and deviation 1.")
_float_op("truncated_normal", _truncated_normal, "Normally distributed numbers of mean 0 and deviation 1 within (-2, 2).")


def _require_range(types: Types, attrs: Attrs) -> None:
    dtype = attrs["dtype"]
    if not dtype.is_integer or not dtype.min <= attrs["low"] < attrs["high"] <= dtype.max + 1:
        shown = f"low {attrs['low']}, high {attrs['high']}, dtype {dtype.name}"
        raise InvalidArgumentError(f"random_int needs an integer dtype and low < high within its range. Received: {shown}.")


define(
    Random(
        name="random_int",
        params=("key",),
        attributes={"shape": ..., "dtype": int32, "low": 0, "high": ...},
        distribution="int",
        transform=_int,
        demand=_require_range,
        samples=lambda: _samples(("int32", "int64", "uint8"), low=3, high=17),
        doc="Integers from ``low`` up to but not including ``high``.",
    )
)
