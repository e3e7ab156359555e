"""Sums along rows: at least as close to the exact sum as NumPy's, for rows of any length, whatever is summed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import weft

LENGTHS = [1, 2, 3, 7, 8, 10, 15, 16, 17, 31, 33, 64, 100, 128, 129, 250, 512, 513, 1000, 1024, 1025, 2000, 5000]


def rows_of(columns: int, offset: float) -> np.ndarray:
    rows = max(60, min(2000, 200_000 // columns))
    return (np.random.default_rng(columns).normal(size=(rows, columns)) + offset).astype(np.float32)


def root_mean_square(sums: np.ndarray, exact: np.ndarray) -> float:
    return float(np.sqrt(np.mean((sums - exact) ** 2)))


@weft.function
def sums(x: weft.Tensor) -> weft.Tensor:
    return weft.reduce_sum(x, -1)


@weft.function
def costly_sums(x: weft.Tensor) -> weft.Tensor:
    """Costly enough for one accumulator instead of four; the terms themselves are exact."""
    return weft.reduce_sum(weft.where(weft.exp(weft.minimum(x, 0.0)) >= 0.0, x, 0.0), -1)


@pytest.mark.parametrize("columns", LENGTHS)
@pytest.mark.parametrize("offset", [0.0, 3.0])
@pytest.mark.parametrize("compiled", [sums, costly_sums])
def test_errors_are_not_above_numpys(columns: int, offset: float, compiled: Callable[[np.ndarray], weft.Tensor]) -> None:
    x = rows_of(columns, offset)
    exact = x.astype(np.float64).sum(1)
    ours, theirs = (root_mean_square(s, exact) for s in (compiled(x).numpy(), x.sum(1)))
    assert ours <= 1.15 * theirs  # two trees of the same depth differ by chance


@pytest.mark.parametrize("columns", [0, 1, 5, 16, 40, 600, 1500])
def test_special_values(columns: int) -> None:
    x = rows_of(columns, 0.0) if columns else np.zeros((7, 0), np.float32)
    x[1:6, columns // 2 : columns // 2 + 1] = np.array([[np.nan], [np.inf], [-np.inf], [3e38], [1e-45]], np.float32)
    x[6] = -0.0
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(sums(x).numpy(), x.astype(np.float64).sum(1).astype(np.float32), rtol=1e-4, atol=1e-4)
