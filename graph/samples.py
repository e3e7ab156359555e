"""Arguments for the generated tests. In: shapes and value ranges; out: `Sample` lists, the same in every run.

Values are spread evenly over the range with an irrational step, so that none repeats and none meets a kink at a round number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .op import Sample

SHAPES: tuple[tuple[int, ...], ...] = ((), (1,), (5,), (3, 4), (2, 3, 5), (0,), (3, 0))
PAIRS: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((), ()), ((4,), ()), ((), (3,)), ((3, 4), (4,)), ((3, 1), (1, 5)), ((2, 1, 3), (4, 1)), ((0, 3), (3,)), ((1,), (0,)),
)  # fmt: skip
NONFINITE = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], np.float32)


def spread(
    shape: Sequence[int], low: float = -2.0, high: float = 2.0, dtype: Any = np.float32, phase: float = 0.37
) -> np.ndarray:
    """An array of distinct values within the open range; for integers the floor of such values."""
    count = int(np.prod(shape, dtype=np.int64))
    fractions = (phase + np.arange(1, count + 1) * 0.6180339887498949) % 1.0
    values = low + (high - low) * fractions
    return (np.floor(values) if np.dtype(dtype).kind in "iu" else values).astype(dtype).reshape(tuple(shape))


def unary(
    low: float = -2.0,
    high: float = 2.0,
    *,
    nonfinite: bool = True,
    dtypes: Sequence[Any] = (),
    attrs: Mapping[str, Any] | None = None,
) -> Callable[[], list[Sample]]:
    """Samples of one float argument of many shapes, then of NaN and infinities, then of further dtypes (not differentiated)."""

    def make() -> list[Sample]:
        given = dict(attrs or {})
        out = [Sample((spread(s, low, high),), given) for s in SHAPES]
        if nonfinite:
            out.append(Sample((NONFINITE,), given, differentiable=False))
        out += [Sample((spread((3, 4), low * 3, high * 3, d),), given, differentiable=False) for d in dtypes]
        return out

    return make


def binary(
    low: float = -2.0,
    high: float = 2.0,
    *,
    second: tuple[float, float] | None = None,
    dtypes: Sequence[Any] = (),
    nonfinite: bool = True,
) -> Callable[[], list[Sample]]:
    """Samples of two broadcasting arguments; ``second`` is the range of the second one."""
    other = second or (low, high)

    def make() -> list[Sample]:
        out = [Sample((spread(s, low, high), spread(t, *other, phase=0.81))) for s, t in PAIRS]
        if nonfinite:
            out.append(Sample((NONFINITE[:, None], NONFINITE), differentiable=False))
        for dtype in dtypes:
            pair = spread((4, 1), low * 3, high * 3, dtype), spread((5,), other[0] * 3, other[1] * 3, dtype, phase=0.81)
            out.append(Sample(pair, differentiable=False))
        return out

    return make
