"""Own mathematics against float64 (float64's against extended precision): over all exponents, on special values, in both widths.

Extended precision has no erf in NumPy; its series and continued fraction are here.
``WEFT_EXHAUSTIVE=1`` also runs exp, log, tanh, sigmoid, erf and the inverses over all 2**32 float32 numbers, some minutes each.
"""

from __future__ import annotations

import ctypes
import itertools
import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import weft
from weft.codegen.emit_python import print_kernel
from weft.codegen.kernel import Apply, Const, Expr, Kernel, Load, Loop, Param, Store, variable
from weft.codegen.target import Target
from weft.codegen.vector_math_special import has_own
from weft.graph.dtype import DType, bool_, float32, float64
from weft.graph.record import replace
from weft.graph.special import erf
from weft.runtime.engine import compile_text, engine
from weft.runtime.kernel_module import name_kernel
from weft.runtime.machine import detect_target

_symbols = itertools.count()
REFERENCE: dict[str, Callable[..., np.ndarray]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "erf": erf, "sin": np.sin, "cos": np.cos,
    "inverse": lambda x: 1 / x, "rsqrt": lambda x: 1 / np.sqrt(x),
}  # fmt: skip
SPECIAL = [
    0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, 2, 1e-45, -1e-45, 1e-38, -1e-38, 88.72, 88.73, -87.3, -103.9, -104, 104,
    3.4e38, -3.4e38, -150, 709.7, 709.9, -745.2, 0.625, 0.925, np.pi, 65536.0, 1e9, 0.70710677, 0.99999994, 1.0000001,
]  # fmt: skip


def compiled(
    build: Callable[[Expr], Expr], dtype: DType, extent: int, target: Target | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """The function as a kernel over arrays of any length (extent 0) or of this length, known to the kernel's text."""
    a, out = Load("a", variable("i1"), dtype), Param("out", dtype, extent, written=True)
    inner = Loop("i1", extent or 1 << 24, [Store("out", variable("i1"), build(a))])
    kernel = Kernel("test", [Param("a", dtype, extent), out], [Loop("i0", 7, [inner])] if extent else [inner])
    printed = print_kernel(kernel, target or detect_target())
    symbol = f"test_vector_math_{next(_symbols)}"
    address = engine.keep(compile_text(name_kernel(printed.llvm, symbol), vectorize=False), symbol)
    sizes = len(printed.sizes)
    function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * sizes)(address)

    def run(x: np.ndarray) -> np.ndarray:
        result = np.empty_like(x)
        assert function(x.ctypes.data, result.ctypes.data, *[1 if extent else x.size] * sizes) == 0
        return result

    return run


def arguments(dtype: DType) -> np.ndarray:
    """Special values, random bits (all exponents alike), and the neighbourhood of 0 and 1."""
    rng = np.random.default_rng(7)
    kind = np.uint32 if dtype is float32 else np.uint64
    bits = rng.integers(0, np.iinfo(kind).max, 1 << 17, dtype=kind, endpoint=True).view(dtype.np)
    normal = rng.normal(size=1 << 16)
    with np.errstate(over="ignore"):
        near = [s * normal for s in (1e-3, 1.0, 10.0, 60.0)] + [1 + 1e-2 * normal, np.array(SPECIAL)]
        return np.concatenate([bits, *(v.astype(dtype.np) for v in near)])


def check(x: np.ndarray, result: np.ndarray, exact: np.ndarray, limit: float = 2.0) -> None:
    """result is within ``limit`` units in the last place of exact, which has more digits; signs of zeros count."""
    with np.errstate(all="ignore"):
        nearest = exact.astype(x.dtype)
        finite = np.isfinite(nearest) & np.isfinite(result)
        units = np.abs(result - exact) / np.spacing(np.abs(nearest))
    wrong = ~finite & ~((result == nearest) | (np.isnan(result) & np.isnan(nearest)))
    assert not wrong.any(), (x[wrong][:4], result[wrong][:4], nearest[wrong][:4])
    units = np.where(finite, units, 0)
    worst = int(units.argmax())
    assert units[worst] <= limit, (x[worst], result[worst], exact[worst], units[worst])
    signs = finite & (np.signbit(result) != np.signbit(nearest))
    assert not signs.any(), (x[signs][:4], result[signs][:4])


def exact_values(name: str, x: np.ndarray) -> np.ndarray:
    wide = np.float64 if x.dtype == np.float32 else np.longdouble
    with np.errstate(all="ignore"):
        return (exact_erf if (name, wide) == ("erf", np.longdouble) else REFERENCE[name])(x.astype(wide))


def odd_series(t: np.ndarray, terms: int) -> np.ndarray:
    """The sum of t**(2n + 1) / (1 * 3 * 5 * ... (2n + 1)); nothing cancels."""
    term = total = t
    for n in range(1, terms):
        term = term * t * t / (2 * n + 1)
        total = total + term
    return total


def exact_erf(x: np.ndarray) -> np.ndarray:
    """Abramowitz and Stegun (1964), 7.1.6, in extended precision."""
    size = np.minimum(np.abs(x), 6.5)
    root = np.sqrt(np.arccos(np.longdouble(-1)) / 2)
    return np.copysign(odd_series(size * np.sqrt(np.longdouble(2)), 160) * np.exp(-size * size) / root, x)


def exact_gelu(x: np.ndarray) -> np.ndarray:
    """x times the share of the normal distribution below it: 26.2.11 and 26.2.14 there, in extended precision."""
    t = np.minimum(np.abs(x.astype(np.longdouble)), 200)
    high = t.astype(np.float32).astype(np.longdouble)  # its square is exact
    density = np.exp(-high * high / 2) * np.exp(-(t - high) * (t + high) / 2) / np.sqrt(2 * np.arccos(np.longdouble(-1)))
    near = t < 2
    fraction = t[~near]
    for n in range(160, 0, -1):
        fraction = t[~near] + n / fraction
    above = density
    above[near] = 0.5 - density[near] * odd_series(t[near], 40)
    above[~near] /= fraction
    return x * np.where(x < 0, above, 1 - above)


@pytest.mark.parametrize("name", list(REFERENCE))
def test_float32_is_within_two_units(name: str) -> None:
    x = arguments(float32)
    check(x, compiled(lambda a: Apply(name, (a,), float32), float32, 0)(x), exact_values(name, x))


@pytest.mark.parametrize("name", ["exp", "erf", "inverse", "rsqrt"])
def test_cpus_without_avx512_compute_as_precisely(name: str) -> None:
    x, target = arguments(float32), replace(detect_target(), avx512=False)
    check(x, compiled(lambda a: Apply(name, (a,), float32), float32, 0, target)(x), exact_values(name, x))


def gelu_formula(a: Expr) -> Expr:
    def f(function: str, *args: Expr) -> Expr:
        return Apply(function, args, a.dtype)

    half, one, root = (Const(v, a.dtype) for v in (0.5, 1.0, a.dtype.np.type(np.sqrt(0.5)).item()))
    return f("*", f("*", half, a), f("+", one, f("erf", f("*", a, root))))


@pytest.mark.parametrize(("dtype", "tables"), [(float32, True), (float32, False), (float64, False)])
def test_gelu_is_precise_everywhere(dtype: DType, tables: bool) -> None:
    """Also where the formula cancels: down to the least number, with AVX-512's tables and without."""
    x = np.concatenate([arguments(dtype), np.linspace(-40, 6, 1 << 18).astype(dtype.np)])
    target = replace(detect_target(), avx512=tables and detect_target().avx512)
    result = compiled(gelu_formula, dtype, 0, target)(x)
    with np.errstate(all="ignore"):
        check(x, result, exact_gelu(x))


def test_erf_ends_at_one() -> None:
    """Never above 1, which 1 - erf(x) relies on, and 1 from the last interval's end on."""
    last = np.arange(np.float32(3.0).view(np.int32), np.float32(4.5).view(np.int32), dtype=np.int32).view(np.float32)
    result = compiled(lambda a: Apply("erf", (a,), float32), float32, 0)(last)
    assert result.max() == 1 and (result[last > 4.1] == 1).all() and (np.diff(result) >= 0).all()


@pytest.mark.parametrize("name", [n for n in REFERENCE if has_own(n, "f64")])
def test_float64_is_within_two_units(name: str) -> None:
    x = arguments(float64)
    check(x, compiled(lambda a: Apply(name, (a,), float64), float64, 0)(x), exact_values(name, x))


def test_erf_of_eager_and_compiled_code_is_within_one_and_a_half_units() -> None:
    """Also beside 1, where both change from one polynomial to the other."""
    x = np.concatenate([arguments(float64), np.linspace(-6.1, 6.1, 1 << 17), np.linspace(0.8, 1.2, 1 << 17)])
    exact = exact_values("erf", x)
    with np.errstate(all="ignore"):
        check(x, erf(x), exact, 1.5)
    check(x, compiled(lambda a: Apply("erf", (a,), float64), float64, 0)(x), exact, 1.5)


@pytest.mark.parametrize("name", list(REFERENCE))
def test_scalars_and_vectors_have_the_same_bits(name: str) -> None:
    x = np.array([*SPECIAL, 0.3, 1.7, -2.4, 5.0, 30.0, -0.01], np.float32)
    wide = compiled(lambda a: Apply(name, (a,), float32), float32, 0)(x)

    def scalar(a: Expr) -> Expr:
        """The C library's atan has no vector version, so this loop stays scalar; choosing between a and a changes nothing."""
        chosen = Apply("<", (Apply("atan", (a,), float32), Const(0.0, float32)), bool_)
        return Apply(name, (Apply("where", (chosen, a, a), float32),), float32)

    np.testing.assert_array_equal(compiled(scalar, float32, 0)(x).view(np.int32), wide.view(np.int32))


EXPONENTS = [0.0, -0.0, 1, -1, 2, 3, -3, 0.5, -0.5, 1e-40, 1e30, np.inf, -np.inf, np.nan, 7.3, -1.9, 100]


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_powers_are_within_two_ulp(exponent: float) -> None:
    positive = np.exp(np.random.default_rng(3).normal(size=1 << 15) * 3).astype(np.float32)
    x = np.concatenate([np.array(SPECIAL, np.float32), positive])
    run = compiled(lambda a: Apply("power", (a, Const(exponent, float32)), float32), float32, 0)
    with np.errstate(all="ignore"):
        check(x, run(x), np.power(x.astype(np.float64), np.full(x.size, np.float32(exponent), np.float64)))


def expressions() -> dict[str, tuple[Callable[[Expr], Expr], Callable[[np.ndarray], np.ndarray]]]:
    """name -> the formula, and the true value in float64."""
    one, zero = Const(1.0, float32), Const(0.0, float32)

    def f(function: str, *args: Expr) -> Expr:
        return Apply(function, args, float32)

    def sigmoid(a: Expr) -> Expr:
        return f("/", one, f("+", one, f("exp", f("neg", a))))

    def softplus(a: Expr) -> Expr:
        return f("+", f("maximum", a, zero), f("log1p", f("exp", f("neg", f("abs", a)))))

    return {
        "sigmoid": (sigmoid, lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))),
        "softplus": (softplus, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))),
        **{n: (lambda a, n=n: f(n, a), REFERENCE[n]) for n in ("exp", "log", "tanh", "erf", "inverse", "rsqrt")},
    }


@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_expressions_of_own_functions(name: str) -> None:
    formula, true = expressions()[name]
    x = arguments(float32)
    with np.errstate(all="ignore"):
        check(x, compiled(formula, float32, 0)(x), true(x.astype(np.float64)))


def chunks() -> Iterator[np.ndarray]:
    """All float32 numbers with WEFT_EXHAUSTIVE=1 in the environment (some minutes), else every 1021st: all exponents."""
    stride = 1 if os.environ.get("WEFT_EXHAUSTIVE") == "1" else 1021
    for start in range(0, 1 << 32, stride << 22):
        stop = min(start + (stride << 22), 1 << 32)
        yield np.arange(start, stop, stride, dtype=np.uint64).astype(np.uint32).view(np.float32)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "erf", "inverse", "rsqrt"])
def test_every_float32(name: str) -> None:
    formula, true = expressions()[name]
    run = compiled(formula, float32, 0)
    for x in chunks():
        with np.errstate(all="ignore"):
            check(x, run(x), true(x.astype(np.float64)))


@pytest.mark.parametrize("name", ["erf", "gelu", "inverse", "rsqrt"])
@pytest.mark.parametrize("extent", [1, 4, 7, 16, 31])
def test_tables_have_the_same_bits_in_any_number_of_lanes(name: str, extent: int) -> None:
    x = np.array([*SPECIAL, 0.3, 1.7, 2.4, 5.0, 30.0, 0.01], np.float32)[: 32 // extent * extent]
    wide = compiled(lambda a: Apply(name, (a,), float32), float32, 0)(x)
    narrow = compiled(lambda a: Apply(name, (a,), float32), float32, extent)
    rows = np.concatenate([narrow(np.ascontiguousarray(row)) for row in x.reshape(-1, extent)])
    np.testing.assert_array_equal(rows.view(np.int32), wide.view(np.int32))


def test_quotients_by_roots_are_within_two_units() -> None:
    """``x / sqrt(y)`` and ``x / (sqrt(y) + k)`` in compiled code: products with an inverse, also for the special values."""
    y = np.concatenate([np.repeat(np.array(SPECIAL, np.float32), len(SPECIAL)), arguments(float32)])
    x = np.concatenate([np.tile(np.array(SPECIAL, np.float32), len(SPECIAL)), np.roll(arguments(float32), 1)])
    k = np.float32(1e-7)
    quotients = weft.function(lambda x, y: (x / weft.sqrt(y), x / (weft.sqrt(y) + k), 1 / weft.sqrt(y)))
    plain, shifted, inverse = (q.numpy() for q in quotients(weft.constant(x), weft.constant(y)))
    with np.errstate(all="ignore"):
        root = np.sqrt(y.astype(np.float64))
        check(x, plain, x / root)
        check(x, inverse, 1 / root)
        check(x, shifted, x / (root.astype(np.float32) + k).astype(np.float64))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_extremes_of_special_values(kind: type) -> None:
    """NaN if either is, the second of two zeros; the same bits as NumPy's kernels, in whole vectors and in the rest."""
    with np.errstate(over="ignore"):
        x, y = (v.astype(kind) for v in (np.repeat(SPECIAL, len(SPECIAL)), np.tile(SPECIAL, len(SPECIAL))))
    both = weft.function(lambda x, y: (weft.maximum(x, y), weft.minimum(x, y)))
    for mine, ahead in zip(both(weft.constant(x), weft.constant(y)), (x > y, x < y), strict=True):
        wanted = np.where(np.isnan(x) | ahead, x, y)
        np.testing.assert_array_equal(mine.numpy(), wanted)
        signs = ~np.isnan(wanted)
        np.testing.assert_array_equal(np.signbit(mine.numpy())[signs], np.signbit(wanted)[signs])
    largest = weft.function(lambda x: weft.reduce_max(x, axis=1))
    for at in range(70):
        row = np.zeros((1, 70), kind)
        row[0, at] = np.nan
        assert np.isnan(largest(weft.constant(row)).numpy()).all()
