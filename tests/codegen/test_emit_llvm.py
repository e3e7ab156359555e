"""Kernels as LLVM text: the same loop IR as Python and as machine code, over all lengths around a vector's width."""

from __future__ import annotations

import ctypes
import itertools

import numpy as np
import pytest

from weft.codegen.emit_llvm import print_formula, print_llvm
from weft.codegen.emit_python import print_kernel
from weft.codegen.kernel import Affine, Apply, Check, Const, Expr, Kernel, Let, Load, Loop, Name, Param, Position, Store, affine
from weft.codegen.llvm_code import Code, Operand
from weft.codegen.plan_vectors import plan_vectors
from weft.codegen.target import Target
from weft.graph.dtype import DType, as_dtype, bool_, float32, float64, int8, int32, int64
from weft.runtime import prelude_python
from weft.runtime.engine import compile_text, engine
from weft.runtime.kernel_module import name_kernel

LENGTHS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 130)
_symbols = itertools.count()


def at(variable: str, factor: int = 1, offset: int = 0) -> Affine:
    return affine(offset, [(variable, factor)])


def op(function: str, *args: Expr, dtype: DType | None = None) -> Apply:
    return Apply(function, args, dtype or args[-1].dtype)


def run_both(kernel: Kernel, arrays: list[np.ndarray]) -> tuple[int, list[np.ndarray]]:
    """Runs the machine code and the Python text on copies; asserts equal codes; returns the code and the machine code's arrays.

    Written arrays must agree bit for bit, but for sums, whose order differs: those within 1e-6.
    """
    printed = print_kernel(kernel, Target())
    symbol = f"test_emit_llvm_{next(_symbols)}"
    address = engine.keep(compile_text(name_kernel(printed.llvm, symbol), vectorize=False), symbol)
    sizes = [int(s) for s in printed.sizes]  # type: ignore[call-overload]
    native = [a.copy() for a in arrays]
    kinds = [ctypes.c_void_p] * len(native) + [ctypes.c_int64] * len(sizes)
    code = ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(address)(*(a.ctypes.data for a in native), *sizes)
    plain = [a.copy() for a in arrays]
    scope = dict(prelude_python.PRELUDE)
    exec(printed.text, scope)
    with np.errstate(all="ignore"):
        assert code == scope[printed.name](*plain, *sizes)
    for mine, wanted, param in zip(native, plain, kernel.params):
        if param.written and code == 0:
            np.testing.assert_allclose(mine, wanted, rtol=1e-6, err_msg=param.name)
    return code, native


def params(*kinds: DType, size: int = 0) -> list[Param]:
    """Inputs a, b, ... and the output, last."""
    names = [*"abcdef"[: len(kinds) - 1], "out"]
    return [Param(n, k, size, written=n == "out") for n, k in zip(names, kinds)]


def numbers(n: int, dtype: DType, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype.is_bool:
        return rng.integers(0, 2, n).astype(bool)
    if dtype.is_integer:
        return rng.integers(-100, 100, n).astype(dtype.np)
    return rng.normal(size=n).astype(dtype.np)


@pytest.mark.parametrize("name", ["float32", "float64", "int8", "int32", "int64", "uint16", "bool"])
def test_elementwise_over_all_lengths(name: str) -> None:
    dtype = as_dtype(name)
    a, b = Load("a", at("i0"), dtype), Load("b", at("i0"), dtype)
    value = op("^", a, b) if dtype.is_bool else op("+", op("*", a, b), Const(3, dtype))
    for n in LENGTHS:
        kernel = Kernel("test", params(dtype, dtype, dtype, size=n), [Loop("i0", n, [Store("out", at("i0"), value)])])
        guarded = np.append(numbers(n, dtype, 2), numbers(40, dtype, 3))
        _, (_, _, out) = run_both(kernel, [numbers(n, dtype), numbers(n, dtype, 1), guarded])
        np.testing.assert_array_equal(out[n:], guarded[n:])  # nothing is written behind the end


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 10, 16, 48, 50, 200, 2000])
def test_rows_with_a_bias_and_static_columns(columns: int) -> None:
    rows = 3
    index = affine(0, [("i0", columns), ("i1", 1)])
    bias = Load("b", at("i1"), float32)
    scale = Load("c", at("i0"), float32)
    value = op("maximum", op("*", op("+", Load("a", index, float32), bias), scale), Const(0.0, float32))
    kernel = Kernel(
        "test", [Param("a", float32, rows * columns), Param("b", float32, columns), Param("c", float32, rows),
                 Param("out", float32, rows * columns, written=True)],
        [Loop("i0", rows, [Loop("i1", columns, [Store("out", index, value)])])],
    )  # fmt: skip
    a = numbers(rows * columns, float32)
    a[0] = np.nan
    run_both(kernel, [a, numbers(columns, float32, 1), numbers(rows, float32, 2), np.zeros(rows * columns, np.float32)])


def reduction(function: str, start: object, dtype: DType, of: Expr, n: int, source: DType | None = None) -> Kernel:
    body = [
        Let("acc0", Const(start, dtype)),
        Loop("i0", n, [Let("acc0", op(function, Name("acc0", dtype), of))]),
        Store("out", Affine(), Name("acc0", dtype)),
    ]
    return Kernel("test", [Param("a", source or dtype, n), Param("out", dtype, 1, written=True)], body)


WIDE = op("cast", Load("a", at("i0"), float32), dtype=float64)


def test_sums_are_complete() -> None:
    for n in (*LENGTHS, 1000, 2000):
        a = np.random.default_rng(n).integers(-100, 100, n).astype(np.float32)  # exact in any order
        _, (_, out) = run_both(reduction("sum_add", 0.5, float64, WIDE, n, float32), [a, np.zeros(1)])
        assert out[0] == 0.5 + a.sum()


def test_the_order_of_a_wide_sum_is_fixed() -> None:
    """Eight vectors of float32 per part, four parts; those runs are added in float64."""
    n = 16 * 4 * 8 * 2 + 16 * 4 + 16 + 5
    a = numbers(n, float32) * np.float32(1000)
    _, (_, out) = run_both(reduction("sum_add", 0.0, float64, WIDE, n, float32), [a, np.zeros(1)])
    total = np.zeros(16)
    for start in range(0, 1024, 512):
        total += tree(a[start : start + 512].reshape(8, 4, 16))
    padded = np.concatenate([a[1024:1088], np.full(64, -0.0, np.float32)]).reshape(2, 4, 16)
    padded[1].flat[:21] = a[1088:]
    total += tree(padded[:1])
    total += tree(padded[1:])
    while total.size > 1:
        total = total[: total.size // 2] + total[total.size // 2 :]
    assert out[0] == total[0]


def tree(runs: np.ndarray) -> np.ndarray:
    """Runs of four float32 vectors added one by one, then the four."""
    sums = np.full(runs.shape[1:], -0.0, np.float32)
    for vectors in runs:
        sums += vectors
    return (sums[0] + sums[1]) + (sums[2] + sums[3])


@pytest.mark.parametrize("function", ["maximum", "minimum"])
@pytest.mark.parametrize("nan_at", [None, 0, 20, 64, 69])
def test_extremes_propagate_nan(function: str, nan_at: int | None) -> None:
    a = numbers(70, float32)
    if nan_at is not None:
        a[nan_at] = np.nan
    start = -np.inf if function == "maximum" else np.inf
    _, (_, out) = run_both(reduction(function, start, float32, Load("a", at("i0"), float32), 70), [a, np.zeros(1, np.float32)])
    assert np.array_equal(out[0], getattr(np, function).reduce(a), equal_nan=True)


@pytest.mark.parametrize("function,start", [("&", True), ("|", False)])
def test_truth_of_all_and_any(function: str, start: bool) -> None:
    for n, value in itertools.product((0, 5, 16, 90), (True, False)):
        a = np.full(n, value)
        if n:
            a[n // 2] = not value
        run_both(reduction(function, start, bool_, Load("a", at("i0"), bool_), n), [a, np.zeros(1, bool)])


def test_integer_sums_wrap_around() -> None:
    a = np.full(77, 100, np.int8)
    _, (_, out) = run_both(reduction("+", 0, int8, Load("a", at("i0"), int8), 77), [a, np.zeros(1, np.int8)])
    assert out[0] == np.add.reduce(a, dtype=np.int8)


def test_the_order_of_a_sum_is_fixed() -> None:
    """Lane by lane over whole vectors of 8, four vectors in turn; then copies and halves are added: on every CPU."""
    a = (numbers(200, float64) * 10.0 ** np.arange(200) % 7).astype(np.float64)
    body = reduction("sum_add", 0.0, float64, Load("a", at("i0"), float64), 200)
    _, (_, out) = run_both(body, [a, np.zeros(1)])
    lanes = np.full((4, 8), -0.0)
    for i in range(0, 192, 32):
        lanes += a[i : i + 32].reshape(4, 8)
    lanes[0] += a[192:]
    total = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    while total.size > 1:
        total = total[: total.size // 2] + total[total.size // 2 :]
    assert out[0] == 0.0 + total[0]


def test_sums_over_leading_axes_run_in_memory_order() -> None:
    rows, columns = 9, 21
    index = affine(0, [("i0", columns), ("i1", 1)])
    add = Store("out", at("i1"), op("+", Load("out", at("i1"), float32), Load("a", index, float32)))
    kernel = Kernel("test", params(float32, float32, size=rows * columns), [Loop("i0", rows, [Loop("i1", columns, [add])])])
    a = numbers(rows * columns, float32)
    _, (_, out) = run_both(kernel, [a, np.zeros(columns, np.float32)])
    np.testing.assert_array_equal(out, np.add.reduce(a.reshape(rows, columns), 0))


def test_checks_leave_with_their_code_and_ignore_what_is_not_there() -> None:
    bad = op("<", Load("a", at("i0"), int64), Const(1, int64), dtype=bool_)  # lanes behind the end hold 0
    for n, place in ((5, None), (5, 4), (40, 0), (40, 39), (16, 15), (0, None)):
        body = [Loop("i0", n, [Check(bad, 3), Store("out", at("i0"), Load("a", at("i0"), int64))])]
        a = np.ones(n, np.int64)
        if place is not None:
            a[place] = 0
        code, _ = run_both(Kernel("test", params(int64, int64, size=n), body, checks=3), [a, np.zeros(n, np.int64)])
        assert code == (0 if place is None else 3)


def test_positions_and_conversions() -> None:
    for dtype in (int32, int64, float32, float64):
        value = Position(affine(7, [("i0", -3)]), dtype)
        for n in (3, 20):
            loop = Loop("i0", n, [Store("out", at("i0"), value)])
            run_both(Kernel("test", params(dtype, size=n), [loop]), [np.zeros(n, dtype.np)])


@pytest.mark.parametrize("function", ["floor_divide", "remainder", "power"])
@pytest.mark.parametrize("name", ["int32", "int8", "uint8", "float32"])
def test_divisions_never_trap(function: str, name: str) -> None:
    dtype = as_dtype(name)
    if dtype.is_integer:
        edge = [dtype.min, -1 if not dtype.is_unsigned else 1, 0, 1, 7, dtype.max]
    else:
        edge = [-np.inf, -1.5, -0.0, 0.0, 2.0, np.inf, np.nan]
    exponents = [abs(e) % 5 for e in edge] if function == "power" and dtype.is_integer else edge
    pairs = np.array(list(itertools.product(edge, exponents)), dtype.np)
    value = op(function, Load("a", at("i0"), dtype), Load("b", at("i0"), dtype))
    n = len(pairs)
    kernel = Kernel("test", params(dtype, dtype, dtype, size=n), [Loop("i0", n, [Store("out", at("i0"), value)])])
    run_both(kernel, [pairs[:, 0].copy(), pairs[:, 1].copy(), np.zeros(n, dtype.np)])


def test_what_needs_one_element_at_a_time_stays_scalar() -> None:
    load, strided = Load("a", at("i0"), float32), Load("a", at("i0", 7), float32)
    shifted = Load("out", at("i0", 1, -1), float32)
    acc = Name("acc0", float32)
    for body in (
        [Store("out", at("i0"), strided)],
        [Store("out", at("i0"), op("+", shifted, load))],
        [Store("out", Affine(), load)],
        [Let("acc0", op("+", acc, load)), Store("out", at("i0"), acc)],
        [Let("acc0", op("*", acc, load))],
        [Store("out", at("i0"), op("atan", load))],
        [Store("out", Affine(0, (("k0", 1),)), load), Let("k0", Load("b", at("i0"), int64))],
    ):
        assert plan_vectors(Loop("i0", 100, body), None, {"acc0"}) is None  # type: ignore[arg-type]
    assert plan_vectors(Loop("i0", 100, [Store("out", at("i0"), op("exp", load))]), None, ()) is not None


def test_scans_and_transposes() -> None:
    n = 37
    acc = Name("acc0", float32)
    scan = [
        Let("acc0", Const(0.0, float32)),
        Loop("i0", n, [Let("acc0", op("+", acc, Load("a", at("i0"), float32))), Store("out", at("i0"), acc)]),
    ]
    run_both(Kernel("test", params(float32, float32, size=n), scan), [numbers(n, float32), np.zeros(n, np.float32)])
    value = Load("a", affine(0, [("i0", 1), ("i1", 3)]), float32)
    move = [Loop("i0", 3, [Loop("i1", n, [Store("out", affine(0, [("i0", n), ("i1", 1)]), value)])])]
    run_both(Kernel("test", params(float32, float32, size=3 * n), move), [numbers(3 * n, float32), np.zeros(3 * n, np.float32)])


def test_nothing_allows_llvm_to_change_results() -> None:
    a = Load("a", at("i0"), float32)
    body = [Loop("i0", 50, [Store("out", at("i0"), op("/", op("+", op("*", a, a), a), op("exp", a)))])]
    text = print_llvm(Kernel("test", params(float32, float32, size=50), body), [50], Target())
    for flag in (" fast ", "reassoc", "contract", "nnan", "ninf", "arcp", "afn", "fmuladd"):
        assert flag not in text


def test_formula_over_registers() -> None:
    """What an epilogue of a matrix product prints: values in registers, a scalar among them."""
    code = Code()
    x, scale = Operand("%x", float32, 16), Operand("%s", float32)
    value = op("maximum", op("*", Name("x", float32), Name("s", float32)), Const(0.0, float32))
    result = print_formula(code, value, {"x": x, "s": scale})
    assert (result.lanes, result.type) == (16, "<16 x float>")
    assert code.lines[-1].startswith(f"  {result.text} = select <16 x i1>")
    with pytest.raises(ValueError, match="names, numbers and functions only"):
        print_formula(code, Load("a", Affine(), float32), {})
