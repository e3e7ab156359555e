"""What generated modules use without defining it, in plain Python. In: NumPy scalars and 1-D arrays; out: the same.

A module runs un-jitted over these names, under pdb if one likes; `prelude_numba` provides the same names to compiled code. The
list is `weft.codegen.prelude_names`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from weft.graph.special import erf, power

Scalar = Any


def view(pointer: np.ndarray, n: int) -> np.ndarray:
    """The array itself: in plain Python the pointer table holds 1-D arrays."""
    return pointer


def pointer(p: list[np.ndarray], i: int) -> np.ndarray:
    return p[i]


def size(d: list[int], i: int) -> int:
    return d[i]


def rsqrt(x: Scalar) -> Scalar:
    return np.reciprocal(np.sqrt(x))


def where(mask: Scalar, x: Scalar, y: Scalar) -> Scalar:
    return x if mask else y


def sum_add(acc: Scalar, x: Scalar) -> Scalar:
    return acc + x


def floor_divide(x: Scalar, y: Scalar) -> Scalar:
    return np.floor_divide(x, y)


def remainder(x: Scalar, y: Scalar) -> Scalar:
    return np.remainder(x, y)


def _integer_cast(dtype: Any) -> Callable[[Scalar], Scalar]:
    def cast(x: Scalar) -> Scalar:
        return np.asarray(x).astype(dtype)[()]

    cast.__name__ = np.dtype(dtype).name
    return cast


_LOW = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def philox(seed: Scalar, draw: Scalar, block: Scalar) -> tuple[Scalar, ...]:
    """Philox 4x32-10 (Salmon et al. 2011) of the key ``seed`` at the counter (block, draw), low words first."""
    seed, draw, block = int(seed), int(draw), int(block)
    key = [seed & _LOW, seed >> 32]
    counter = [block & _LOW, block >> 32, draw & _LOW, draw >> 32]
    for _ in range(10):
        first, second = _MULTIPLIERS[0] * counter[0], _MULTIPLIERS[1] * counter[2]
        counter = [(second >> 32) ^ counter[1] ^ key[0], second & _LOW, (first >> 32) ^ counter[3] ^ key[1], first & _LOW]
        key = [(key[0] + _WEYL[0]) & _LOW, (key[1] + _WEYL[1]) & _LOW]
    return tuple(np.uint32(c) for c in counter)


PRELUDE: dict[str, Any] = {
    "view": view, "pointer": pointer, "size": size, "float32": np.float32, "float64": np.float64, "bool_": np.bool_,
    "inf": np.inf, "nan": np.nan, "erf": erf, "rsqrt": rsqrt, "inverse": np.reciprocal, "where": where, "sum_add": sum_add,
    "floor_divide": floor_divide, "remainder": remainder,
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos,
    "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "sinh": np.sinh,
    "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "floor": np.floor,
    "ceil": np.ceil, "round": np.rint, "power": power, "sign": np.sign, "abs": np.abs, "maximum": np.maximum,
    "minimum": np.minimum, "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "logical_not": np.logical_not,
}  # fmt: skip
PRELUDE["philox"] = philox
for _name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"):
    PRELUDE[_name] = _integer_cast(_name)
