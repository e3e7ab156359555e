"""Matrix products cut into parts: every axis, any number of parts, the bits of the whole."""

from __future__ import annotations

import ctypes
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from weft.codegen import contract_passing
from weft.codegen.contract_kernel import print_contract
from weft.codegen.contract_parts import ALWAYS, plan_parts
from weft.codegen.contract_plan import keeps_panels, plan_product, tiles
from weft.codegen.contract_product import Product, matrix_product
from weft.codegen.target import Target
from weft.graph.record import record
from weft.runtime.engine import compile_text, engine

sys.path.insert(0, str(Path(__file__).parent))
from contract_run import compile_product, host, narrow, operands
from plain_epilogues import AddElements

pytestmark = pytest.mark.compiles
_count = itertools.count()


def run_parts(product: Product, target: Target, arrays: tuple[np.ndarray, ...], sizes: tuple[int, ...], parts: int) -> str:
    """Computes c = a @ b part by part, the last first, each with scratch memory full of nonsense; returns the axis."""
    cut = plan_parts(product, target, parts)
    assert cut is not None
    kernel = print_contract(product, target, cut.axis)
    symbol = f"contract_parts_{next(_count)}"
    address, handle = engine.load(compile_text(kernel.text.replace("KERNEL", symbol), vectorize=False, tidy=False), symbol)
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 4, *[ctypes.c_int64] * 8)(address)
    extent = eval(cut.extent, {f"n{i}": s for i, s in enumerate(sizes)})
    granules = -(-extent // cut.granule)
    for part in reversed(range(parts)):
        first, last = (min(granules * p // parts * cut.granule, extent) for p in (part, part + 1))
        work = np.full(kernel.work + 64, 0xFF, np.uint8)  # NaN
        if first < last:
            assert function(*(x.ctypes.data for x in arrays), work.ctypes.data, *sizes, first, last) == 0
        assert (work[kernel.work :] == 0xFF).all()
    assert handle is not None
    return cut.axis


def compare(
    flags: tuple[bool, bool], sizes: tuple[int, int, int], unknown: str, target: Target, parts: int,
    batch: int = 1, short: str = "f32",
) -> str:  # fmt: skip
    m, n, k = sizes
    known = {name: None if name in unknown else size for name, size in zip("mnk", sizes, strict=True)}
    product = matrix_product(short, *flags, None if "b" in unknown else batch, known["m"], known["n"], known["k"])
    a, b, exact = operands(short, flags, sizes, batch)
    whole, pieces = (np.full((batch, m, n), np.nan, a.dtype) for _ in range(2))
    call = (batch, m, n, k, m * k, n * k)
    compile_product(product, target)(a, b, whole, call)
    axis = run_parts(product, target, (a, b, pieces), call, parts)
    np.testing.assert_array_equal(pieces, whole)
    np.testing.assert_allclose(pieces, exact, rtol=1e-3, atol=1e-3)
    return axis


@pytest.mark.parametrize("sizes", [(128, 512, 784), (61, 1024, 545), (50, 1088, 700)])
@pytest.mark.parametrize("target", [host(), narrow()])
def test_tiles_that_pack_b_in_passing(sizes: tuple[int, int, int], target: Target) -> None:
    """They give the bits of tiles that find it copied, whole and in parts along both axes."""
    product = matrix_product("f32", False, False, 1, *sizes)
    assert "_packing(" in print_contract(product, target).text and ".copy_" not in print_contract(product, target).text
    a, b, exact = operands("f32", (False, False), sizes)
    m, n, k = sizes
    call = (1, m, n, k, m * k, n * k)
    results = [np.full((1, m, n), np.nan, np.float32) for _ in range(2)]
    compile_product(product, target)(a, b, results[0], call)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contract_passing, "FEW_ROWS", 0)
        assert ".copy_" in print_contract(product, target).text
        compile_product(product, target)(a, b, results[1], call)
    np.testing.assert_array_equal(*results)
    np.testing.assert_allclose(results[0], exact, rtol=1e-3, atol=1e-3)
    for axis in ("rows", "columns"):
        pieces = np.full((1, m, n), np.nan, np.float32)
        run_axis(product, target, axis, (a, b, pieces), call)
        np.testing.assert_array_equal(pieces, results[0])


def run_axis(product: Product, target: Target, axis: str, arrays: tuple[np.ndarray, ...], sizes: tuple[int, ...]) -> None:
    """Computes c = a @ b in uneven parts along the axis, the last first, with scratch memory full of nonsense."""
    plan, kernel = plan_product(product, target), print_contract(product, target, axis)
    symbol = f"contract_axis_{next(_count)}"
    address, handle = engine.load(compile_text(kernel.text.replace("KERNEL", symbol), vectorize=False, tidy=False), symbol)
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 4, *[ctypes.c_int64] * 8)(address)
    total = sum(cut.count or 0 for cut in (plan.rows if axis == "rows" else plan.columns))
    edges = [0, 1, total // 3, total - 1, total]
    for first, last in reversed(list(itertools.pairwise(edges))):
        work = np.full(kernel.work + 64, 0xFF, np.uint8)  # NaN
        assert function(*(x.ctypes.data for x in arrays), work.ctypes.data, *sizes, first, last) == 0
    assert handle is not None


@pytest.mark.parametrize("flags", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("unknown", ["", "m", "k", "n", "mnk"])
def test_every_form(flags: tuple[bool, bool], unknown: str) -> None:
    compare(flags, (61, 150, 35), unknown, host(), 3)


@pytest.mark.parametrize("sizes", [(200, 20, 30), (20, 300, 30), (131, 129, 300), (7, 10, 600)])
def test_shapes_and_many_blocks(sizes: tuple[int, int, int]) -> None:
    for flags in ((False, False), (True, False), (False, True)):
        compare(flags, sizes, "", narrow(), 5)
        compare(flags, sizes, "m", narrow(), 2)


def test_float64() -> None:
    compare((False, False), (61, 150, 35), "", host(), 4, short="f64")


def test_batches_are_shared_out_whole() -> None:
    assert compare((False, False), (9, 20, 11), "b", host(), 3, batch=7) == "batch"
    assert compare((False, False), (9, 20, 11), "", host(), 2, batch=8) == "batch"
    assert compare((False, False), (90, 200, 11), "", host(), 4, batch=3) != "batch"


@record
class Streamed(AddElements):
    """Reads an array shaped like the product, best along its rows."""

    streams = True


def test_later_parts_find_b_packed() -> None:
    """The same thread's second part reads what the first one left in scratch memory, not b."""
    m, n, k = 90, 64, 24
    product = matrix_product("f32", True, True, 1, m, n, k, Streamed())
    plan = plan_product(product, host())
    assert keeps_panels(product, plan)
    a, b, exact = operands("f32", (True, True), (m, n, k))
    ones, whole, parts = np.ones((m, n), np.float32), np.zeros((m, n), np.float32), np.zeros((m, n), np.float32)
    sizes = (1, m, n, k, m * k, n * k)
    compile_product(product, host())(a, b, whole, sizes, ones)
    np.testing.assert_allclose(whole, exact[0] + 1, rtol=1e-3, atol=1e-3)
    kernel = print_contract(product, host(), "rows")
    address, handle = engine.load(compile_text(kernel.text.replace("KERNEL", "later"), vectorize=False, tidy=False), "later")
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 5, *[ctypes.c_int64] * 9)(address)
    work = np.zeros(kernel.work, np.uint8)
    for first, last, again in ((2, 3, 0), (0, 2, 1), (3, tiles(plan.rows), 1)):
        assert function(*(x.ctypes.data for x in (a, b, parts, work, ones)), *sizes, first, last, again) == 0
        b[:] = np.nan
    assert handle is not None
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("target", [Target(64, 32, 48 << 10, 2 << 20), Target(32, 16), Target(16, 32)])
@pytest.mark.parametrize("parts", [2, 3, 4])
def test_updates_are_cut_along_the_rows_of_their_weight(target: Target, parts: int) -> None:
    """Where columns would be as even: each thread reads columns of its own of the batch, and fetches only these."""
    cut = plan_parts(matrix_product("f32", True, False, 1, 784, 64, None, Streamed()), target, parts)
    assert cut is not None and cut.axis == "rows"


@pytest.mark.parametrize(("k", "repeats"), [(64, ""), (5000, ALWAYS), (None, "n3 - 256")])
def test_long_sums_pack_anew_in_every_part(k: int | None, repeats: str) -> None:
    target = Target(64, 32, 48 << 10, 2 << 20)
    product = matrix_product("f32", True, False, 1, 784, 512, k, Streamed())
    cut = plan_parts(product, target, 2)
    assert cut is not None and (cut.axis, cut.repeats) == ("rows", repeats)


def test_what_is_too_small_is_not_cut() -> None:
    assert plan_parts(matrix_product("f32", False, False, 1, 4, 8, 8), host(), 2) is None
    assert plan_parts(matrix_product("f32", False, False, 1, 400, 1, 8), host(), 2) is None
