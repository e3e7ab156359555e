"""Matrix products by a library: every transposition, batches, empty and one-sized matrices."""

from __future__ import annotations

import ctypes
import itertools

import numpy as np
import pytest

from weft.runtime import blas
from weft.runtime.config import config

needs_library = pytest.mark.skipif(blas.find_blas() is None, reason="no BLAS that weft can bind")
SIGNATURE = (*[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 6)


@pytest.mark.compiles
@needs_library
@pytest.mark.parametrize("short", ["f32", "f64"])
def test_products_equal_numpys(short: str) -> None:
    kind = {"f32": np.float32, "f64": np.float64}[short]
    rng = np.random.default_rng(1)
    shapes = [(1, 1, 1), (3, 4, 5), (1, 7, 2), (6, 1, 3), (0, 2, 3), (2, 0, 3), (2, 3, 0)]
    for ta, tb in itertools.product([False, True], repeat=2):
        bound = blas.bind_contract(short, ta, tb)
        assert bound is not None
        run = ctypes.CFUNCTYPE(ctypes.c_int32, *SIGNATURE)(bound[1])
        for (m, n, k), batch, shared in itertools.product(shapes, (1, 3), (False, True)):
            a = rng.normal(size=(batch, k, m) if ta else (batch, m, k)).astype(kind)
            b = rng.normal(size=(1 if shared else batch, *((n, k) if tb else (k, n)))).astype(kind)
            c = np.full((batch, m, n), np.nan, kind)
            sizes = batch, m, n, k, m * k, 0 if shared else k * n
            assert run(a.ctypes.data, b.ctypes.data, c.ctypes.data, *sizes) == 0
            expected = (a.swapaxes(1, 2) if ta else a) @ (b.swapaxes(1, 2) if tb else b)
            np.testing.assert_allclose(c, expected, rtol=1e-5 if short == "f32" else 1e-12, atol=1e-6)


@needs_library
def test_the_wrong_integer_width_is_not_accepted() -> None:
    library = blas.find_blas()
    assert library is not None
    assert blas._multiplies(library.gemm["f32"], "f32", library.bits)
    assert library.bits in (32, 64)


@needs_library
def test_threads_are_restored() -> None:
    library = blas.find_blas()
    assert library is not None
    threads = ctypes.CFUNCTYPE(ctypes.c_int)(library.get_threads)
    before = threads()
    with blas.one_thread():
        assert threads() == 1
    assert threads() == before


def test_the_library_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "use_blas", False)
    assert blas.contract_dtypes() == ()
    assert blas.bind_contract("f32", False, False) is None


def test_integers_have_no_library() -> None:
    assert blas.bind_contract("i32", False, False) is None
