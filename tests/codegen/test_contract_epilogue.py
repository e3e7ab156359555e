"""What is fused behind a product, and a convolution as a product with shifted rows."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from weft.codegen.contract_product import Level, Product, matrix_product

sys.path.insert(0, str(Path(__file__).parent))
from contract_run import compile_product, host, operands
from plain_epilogues import (
    AddColumns,
    AddElements,
    Chain,
    MaskPositive,
    MultiplyElements,
    Relu,
    Scale,
    SumColumns,
)  # fmt: skip

pytestmark = pytest.mark.compiles
SIZES = [(14, 40, 30), (61, 37, 600), (7, 10, 5)]


@pytest.mark.parametrize("unknown", ["", "m"])
@pytest.mark.parametrize("sizes", SIZES)
def test_bias_and_relu(sizes: tuple[int, int, int], unknown: str) -> None:
    m, n, k = sizes
    product = matrix_product("f32", False, False, 1, None if unknown else m, n, k, Chain((AddColumns(), Relu())))
    a, b, expected = operands("f32", (False, False), sizes)
    bias = np.random.default_rng(1).normal(size=n).astype(np.float32)
    c = np.full((1, m, n), np.nan, np.float32)
    compile_product(product, host())(a, b, c, (1, m, n, k, 0, 0), bias)
    np.testing.assert_allclose(c, np.maximum(expected + bias, 0).astype(np.float64), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sizes", SIZES)
def test_gradient_of_relu_and_of_the_bias(sizes: tuple[int, int, int]) -> None:
    """dz = (dy @ w.T) * (h > 0), and its column sums."""
    m, n, k = sizes
    product = matrix_product("f32", False, True, 1, None, n, k, Chain((MaskPositive(), SumColumns())))
    run = compile_product(product, host())
    for rows in (m, 1, 0):
        a, b, expected = operands("f32", (False, True), (rows, n, k))
        h = np.random.default_rng(2).normal(size=(rows, n)).astype(np.float32)
        c, sums = np.full((1, rows, n), np.nan, np.float32), np.full(n, np.nan, np.float32)
        run(a, b, c, (1, rows, n, k, 0, 0), h, sums)
        expected = np.where(h > 0, expected[0], 0)
        np.testing.assert_allclose(c[0], expected.astype(np.float64), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(sums, expected.sum(0).astype(np.float64), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("sizes", SIZES)
def test_accumulation_scale_residual_and_mask(sizes: tuple[int, int, int]) -> None:
    m, n, k = sizes
    chain = Chain((Scale("0.25"), AddElements(), MultiplyElements()))
    a, b, expected = operands("f64", (True, False), sizes, batch=2)
    rng = np.random.default_rng(4)
    start, residual, mask = rng.normal(size=(3, 2, m, n))
    c = start.copy()
    product = matrix_product("f64", True, False, 2, m, n, k, chain, accumulate=True)
    compile_product(product, host())(a, b, c, (2, m, n, k, m * k, n * k), residual, mask)
    np.testing.assert_allclose(c, (((expected + start) * 0.25 + residual) * mask).astype(np.float64), rtol=1e-10, atol=1e-10)


def test_nan_survives_relu() -> None:
    a, b, _ = operands("f32", (False, False), (5, 20, 9))
    a[0, 2, 3] = np.nan
    c = np.zeros((1, 5, 20), np.float32)
    compile_product(matrix_product("f32", False, False, 1, 5, 20, 9, Relu()), host())(a, b, c, (1, 5, 20, 9, 0, 0))
    assert np.isnan(c[0, 2]).all() and not np.isnan(c[0, 3]).any()


@pytest.mark.parametrize(("height", "width", "channels", "filters"), [(9, 12, 5, 20), (6, 31, 64, 33)])
def test_a_convolution_is_a_product_with_shifted_rows(height: int, width: int, channels: int, filters: int) -> None:
    """3x3, NHWC, forward, with bias and relu: no array of windows is made.

    A matrix is a line of the result, its rows are pixels, ``channels`` apart; k runs over three segments, one per line of the
    window, each 3 * channels long; the batch has two levels, images and lines.
    """
    images, size = 2, 3
    rows, columns = height - size + 1, width - size + 1
    line, k = width * channels, size * size * channels
    levels = (
        Level(images, height * line, 0, rows * columns * filters),
        Level(rows, line, 0, columns * filters),
    )  # fmt: skip
    product = Product(
        "f32", False, False, columns, filters, k, levels, a_row=channels, segments=size, segment=line,
        epilogue=Chain((AddColumns(), Relu())),
    )  # fmt: skip
    rng = np.random.default_rng(5)
    x = rng.normal(size=(images, height, width, channels)).astype(np.float32)
    w = rng.normal(size=(size, size, channels, filters)).astype(np.float32)
    bias = rng.normal(size=filters).astype(np.float32)
    y = np.full((images, rows, columns, filters), np.nan, np.float32)
    compile_product(product, host())(x, w, y, (0, 0, 0, 0, 0, 0), bias)
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), (size, size), (1, 2))
    expected = np.maximum(np.einsum("nhwcij,ijcf->nhwf", windows, w.astype(np.float64)) + bias, 0)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
