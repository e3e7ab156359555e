"""Micro-kernels of matrix products: every transposition, sizes around the tiles, unknown sizes, batches, special values."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import llvmlite.binding as binding
import numpy as np
import pytest

from weft.codegen.contract_kernel import print_contract
from weft.codegen.contract_pack import ROWS, TURNED
from weft.codegen.contract_plan import plan_product
from weft.codegen.contract_product import matrix_product
from weft.codegen.contract_text import LINE_BYTES
from weft.codegen.target import Target

sys.path.insert(0, str(Path(__file__).parent))
from contract_run import KINDS, compile_product, fenced, host, narrow, operands

FORMS = list(itertools.product([False, True], repeat=2))
pytestmark = pytest.mark.compiles


def check_product(
    short: str, flags: tuple[bool, bool], sizes: tuple[int, int, int], unknown: str = "", batch: int = 1, shared: bool = False,
    target: Target | None = None, more_rows: tuple[int, ...] = (),
) -> None:  # fmt: skip
    """Compiles once, and compares with NumPy for these sizes, and with other m where m is unknown."""
    m, n, k = sizes
    known = [None if name in unknown else size for name, size in zip("mnk", sizes)]
    run = compile_product(matrix_product(short, *flags, None if "b" in unknown else batch, *known), target or host())
    for rows in (m, *more_rows):
        a, b, expected = operands(short, flags, (rows, n, k), batch, shared)
        c = np.full(expected.shape, np.nan, KINDS[short])
        run(a, b, c, (batch, rows, n, k, rows * k, 0 if shared else n * k))
        left, right = (x.swapaxes(1, 2) if f else x for x, f in zip((a, b), flags))
        bound = 2e-7 if short == "f32" else 4e-16
        scale = np.abs(left).astype(np.float64) @ np.abs(right).astype(np.float64)
        assert (np.abs(c - expected) <= bound * (4 + np.sqrt(k)) * scale).all()


@pytest.mark.parametrize("short", ["f32", "f64"])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (13, 37, 11), (97, 61, 33), (30, 300, 20), (64, 10, 5), (3, 5, 700)])
def test_every_form_equals_numpys(short: str, sizes: tuple[int, int, int]) -> None:
    for flags in FORMS:
        check_product(short, flags, sizes)


@pytest.mark.parametrize("k", [1024, 1100, 1290])
def test_long_rows_are_packed_piece_by_piece(k: int) -> None:
    """Also where a block of k is no whole number of pieces; each piece of the next tile is asked for beside the copy of one."""
    product = matrix_product("f32", False, False, 1, 61, 70, k)
    text = print_contract(product, host()).text
    rows = text[text.index("@KERNEL.rows(") :].split("\n}", 1)[0]
    loops = [line for line in rows.splitlines() if line.startswith("body")]
    fetches = [i for i, line in enumerate(rows.splitlines()) if "call void @llvm.prefetch" in line]
    assert plan_product(product, host()).pack_a and len(loops) == 4 and len(fetches) == TURNED * product.size // LINE_BYTES
    check_product("f32", (False, False), (61, 70, k))


SERVER = Target(64, 32, 48 * 1024, 2 * 1024 * 1024)


@pytest.mark.parametrize(
    ("sizes", "packed"),
    [
        ((512, 2048, 1000), True), ((2048, 512, 512), True), ((1024, 1000, 256), True),
        ((512, 512, 1000), False), ((128, 1024, 512), False),  # c is in the cache
        ((4096, 256, 512), False), ((2048, 1, 512), False),  # few panels
        ((2048, 2048, 128), False),  # short rows
        ((128, 64, 1024), True), ((128, 48, 1024), False),  # rows that collide
    ],
)  # fmt: skip
def test_rows_are_packed_where_that_pays(sizes: tuple[int, int, int], packed: bool) -> None:
    for transpose_b in (False, True):
        assert plan_product(matrix_product("f32", False, transpose_b, 1, *sizes), SERVER).pack_a == packed
    assert not plan_product(matrix_product("f32", False, False, 1, sizes[0], None, 512), SERVER).pack_a


@pytest.mark.parametrize(("k", "deep"), [(512, 256), (768, 256), (1000, 200), (1024, 208), (2048, 208)])
def test_blocks_of_long_sums_are_shorter(k: int, deep: int) -> None:
    assert plan_product(matrix_product("f32", False, False, 1, 512, 2048, k), SERVER).deep == deep


def test_packed_rows_of_any_length_give_the_product() -> None:
    for flags, k in itertools.product([(False, False), (False, True)], (256, 270, 301)):
        assert plan_product(matrix_product("f32", *flags, 1, 61, 520, k), narrow()).pack_a
        check_product("f32", flags, (61, 520, k), target=narrow())


@pytest.mark.parametrize(("k", "unknown"), [(1, ""), (8, ""), (131, ""), (270, ""), (300, ""), (7, "k"), (261, "k"), (44, "mk")])
def test_columns_are_packed_some_rows_at_a_time(k: int, unknown: str) -> None:
    """Also where k, or its last block, is no multiple of that number; there is code for the rest only then."""
    for target in (host(), narrow()):
        m, n = (264, 150) if "m" not in unknown else (261, 150)
        product = matrix_product("f32", True, False, 1, *(None if name in unknown else x for name, x in zip("mnk", (m, n, k))))
        text = print_contract(product, target).text
        copy = text[text.index("@KERNEL.tiles(") :].split("\n}", 1)[0]
        loops = [line for line in copy.splitlines() if line.startswith("body")]
        assert plan_product(product, target).pack_a and len(loops) == (2 if not unknown and k % ROWS == 0 else 4)
        check_product("f32", (True, False), (m, n, k), unknown, target=target)


@pytest.mark.parametrize("sizes", [(2, 3, 0), (0, 3, 2), (2, 0, 3), (0, 1, 0), (1, 0, 5)])
def test_empty_sizes(sizes: tuple[int, int, int]) -> None:
    for flags in FORMS:
        check_product("f32", flags, sizes)


def test_sums_of_nothing_are_zero_for_unknown_k() -> None:
    for flags in FORMS:
        check_product("f32", flags, (5, 20, 0), "k")


@pytest.mark.parametrize("flags", FORMS)
def test_unknown_rows_take_any_number(flags: tuple[bool, bool]) -> None:
    check_product("f32", flags, (61, 70, 33), "m", more_rows=(0, 1, 2, 3, 5, 6, 7, 11, 64))


@pytest.mark.parametrize("unknown", ["k", "n", "mnk", "bmnk"])
def test_unknown_sizes(unknown: str) -> None:
    for flags in FORMS:
        check_product("f32", flags, (29, 45, 300), unknown, batch=2)


@pytest.mark.parametrize("sizes", [(1, 40, 70), (40, 1, 70), (1, 1, 70), (9, 1, 0)])
def test_matrices_of_one_row_or_column(sizes: tuple[int, int, int]) -> None:
    for short, flags in itertools.product(("f32", "f64"), FORMS):
        check_product(short, flags, sizes, batch=2)
    check_product("f32", (False, False), sizes, "m" if sizes[0] > 1 else "n")


@pytest.mark.parametrize("unknown", ["", "k", "mnk"])
def test_long_sums_of_a_transposed_a(unknown: str) -> None:
    """So long that the block of a is fetched line by line before it is used."""
    check_product("f32", (True, False), (45, 40, 1100), unknown)
    check_product("f64", (True, False), (17, 19, 700), unknown)


@pytest.mark.parametrize("unknown", ["", "k"])
def test_narrow_results(unknown: str) -> None:
    for short, flags, sizes in itertools.product(("f32", "f64"), FORMS, [(63, 5, 9), (64, 6, 300), (3, 20, 40)]):
        check_product(short, flags, sizes, unknown)


@pytest.mark.parametrize("shared", [False, True])
def test_batches_of_products(shared: bool) -> None:
    for flags, unknown in itertools.product(FORMS, ("", "b")):
        check_product("f32", flags, (14, 35, 9), unknown, batch=3, shared=shared)


@pytest.mark.parametrize("short", ["f32", "f64"])
def test_blocks_and_narrow_vectors(short: str) -> None:
    """Small caches cut all three sizes into blocks; 16 bytes are the smallest vectors."""
    for flags in FORMS:
        check_product(short, flags, (70, 530, 600), target=narrow())
    check_product(short, (False, True), (70, 530, 300), "mk", target=narrow())
    check_product(short, (False, False), (70, 530, 300), batch=2, shared=True, target=narrow())


@pytest.mark.parametrize("unknown", ["", "m", "k", "mk"])
def test_stretches_of_rows(unknown: str) -> None:
    """Rows whose packed elements do not fit the L2 cache come in stretches, known or not; b is packed again for each."""
    for flags in FORMS:
        check_product("f32", flags, (150, 70, 200), unknown, target=narrow(), more_rows=(0, 1, 37) if "m" in unknown else ())


@pytest.mark.parametrize("short", ["f32", "f64"])
@pytest.mark.parametrize("unknown", ["k", "mk"])
def test_packed_rows(short: str, unknown: str) -> None:
    """Panels of a hold the elements of one row tile, whichever way a is stored."""
    for flags in FORMS:
        known = [None if name in unknown else size for name, size in zip("mnk", (259, 150, 60))]
        assert plan_product(matrix_product(short, *flags, 1, *known), host()).pack_a
        check_product(short, flags, (259, 150, 60), unknown)


def test_rows_that_are_read_block_by_block_stay_near() -> None:
    """All of a stretch's rows are in the L2 cache until their last block of k; they are more where each stretch packs b."""
    target = Target(64, 32, 48 << 10, 2 << 20)

    def stretch(n: int, transpose_a: bool = False, transpose_b: bool = False) -> int:
        plan = plan_product(matrix_product("f32", transpose_a, transpose_b, 1, None, n, 784), target)
        assert plan.blocked
        return plan.row_tiles * plan.rows[0].size * 784 * 4

    for n in (32, 64, 256):
        assert 0 < stretch(n) <= target.l2_bytes // 8
    assert target.l2_bytes // 2 < stretch(512) <= target.l2_bytes * 3 // 4
    assert target.l2_bytes * 3 // 4 < stretch(64, transpose_b=True) <= target.l2_bytes
    assert stretch(64, transpose_a=True) > target.l2_bytes


@pytest.mark.parametrize("n", [64, 512])
def test_bits_do_not_depend_on_stretches(n: int) -> None:
    a, b, _ = operands("f32", (False, False), (1100, n, 784))
    run = compile_product(matrix_product("f32", False, False, 1, None, n, 784), host())
    whole, first = np.zeros((1100, n), np.float32), np.zeros((30, n), np.float32)
    run(a, b, whole, (1, 1100, n, 784, 0, 0))
    run(a, b, first, (1, 30, n, 784, 0, 0))
    np.testing.assert_array_equal(whole[:30], first)


def test_special_values_propagate() -> None:
    run = compile_product(matrix_product("f32", False, False, 1, 20, 18, 33), host())
    a, b, _ = operands("f32", (False, False), (20, 18, 33))
    a[0, 3, 32], a[0, 19, 0], b[0, 5, 17] = np.nan, np.inf, -np.inf
    b[0, :, 4] = 0
    c = np.empty((1, 20, 18), np.float32)
    run(a, b, c, (1, 20, 18, 33, 0, 0))
    with np.errstate(invalid="ignore"):
        expected = a @ b
    np.testing.assert_array_equal(np.isnan(c), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(c), np.isinf(expected))


@pytest.mark.parametrize("sizes", [(20, 18, 33), (20, 61, 300), (30, 3, 40), (97, 90, 1), (7, 33, 2), (40, 100, 70)])
def test_nothing_is_read_behind_an_operand(sizes: tuple[int, int, int]) -> None:
    """Vectors may reach from one row of b into the next, but not beyond the last."""
    m, n, k = sizes
    for short, flags in itertools.product(("f32", "f64"), FORMS):
        a, b, expected = operands(short, flags, sizes)
        c = fenced(np.full((1, m, n), np.nan, KINDS[short]))
        compile_product(matrix_product(short, *flags, 1, m, n, k), host())(fenced(a), fenced(b), c, (1, m, n, k, 0, 0))
        np.testing.assert_allclose(c, expected, rtol=1e-3, atol=1e-3)


def test_bits_depend_on_shapes_only() -> None:
    """Neither where arrays lie nor what the other rows of an unknown number are changes an element."""
    run = compile_product(matrix_product("f32", False, False, 1, None, 40, 500), host())
    a, b, _ = operands("f32", (False, False), (50, 40, 500))
    first, again = np.empty((1, 50, 40), np.float32), np.empty(2001, np.float32)[1:]
    run(a, b, first, (1, 50, 40, 500, 0, 0))
    shifted = np.empty(a.size + 3, np.float32)[3:]
    shifted[:] = a.reshape(-1)
    run(shifted, b, again, (1, 50, 40, 500, 0, 0))
    np.testing.assert_array_equal(first.reshape(-1), again)


def test_accuracy_is_at_least_numpys() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.random((1, 48, 3000), np.float32), rng.random((1, 3000, 64), np.float32)
    exact = a.astype(np.float64) @ b.astype(np.float64)
    c = np.empty((1, 48, 64), np.float32)
    compile_product(matrix_product("f32", False, False, 1, 48, 64, 3000), host())(a, b, c, (1, 48, 64, 3000, 0, 0))
    assert np.abs(c - exact).mean() <= 1.1 * np.abs(a @ b - exact).mean()


def test_work_is_bounded_for_any_size() -> None:
    """Scratch memory for packed blocks depends on the caches, not on sizes that only the call knows."""
    for flags in FORMS:
        assert plan_product(matrix_product("f32", *flags, None, None, None, None), host()).work < 64 * 1024 * 1024


def test_texts_are_equal_for_equal_products() -> None:
    product = matrix_product("f64", True, False, 1, 33, 17, None)
    assert print_contract(product, host()) == print_contract(matrix_product("f64", True, False, 1, 33, 17, None), host())


@pytest.mark.parametrize(("rows", "vectors"), [(14, 2), (24, 1), (6, 4)])
def test_multiply_adds_of_slender_tiles_load_their_element_themselves(rows: int, vectors: int) -> None:
    """Whatever machine this is: LLVM is asked for AVX-512's code."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    triple = "x86_64-unknown-linux-gnu"
    machine = binding.Target.from_triple(triple).create_target_machine(cpu="skylake-avx512", opt=2)
    product = matrix_product("f32", False, False, 1, rows, vectors * 16, 512)
    module = binding.parse_assembly(print_contract(product, Target(64, 32, 48 << 10, 2 << 20)).text, binding.create_context())
    module.triple = triple
    lines = machine.emit_assembly(module).splitlines()
    folded = sum("vfmadd" in line and "{1to16}" in line for line in lines)
    alone = sum("vbroadcastss" in line for line in lines)
    assert (folded, alone) == ((rows * vectors, 0) if vectors <= 2 else (0, rows))
