"""From kernel text to machine code: symbols, variants, vector mathematics, refusals."""

from __future__ import annotations

import ast
import ctypes

import numpy as np
import pytest

from weft.codegen import prelude_names
from weft.codegen.program import KernelDecl
from weft.graph.errors import UnimplementedError
from weft.runtime import driver, jit, prelude_python, vector_math
from weft.runtime.engine import optimized_text
from weft.runtime.kernel_module import merge_pattern
from weft.runtime.module_text import ModuleText
from weft.runtime.stored_step import STEP_SYMBOL


def test_plain_prelude_provides_every_name() -> None:
    provided = {*prelude_python.PRELUDE, "effect"}  # effect belongs to one program
    assert set(prelude_names.PRELUDE) <= provided


def test_module_is_split_into_functions_and_constants() -> None:
    module = ModuleText.split(
        '"""Text."""\nA = float32(1.0)\nB = A  # twice\n\n\ndef one(a):\n    # inside\n    return A\n\n\n'
        "# between\ndef step(p, d):\n    return 0\n"
    )
    assert list(module.functions) == ["one", "step"]
    assert module.functions["one"] == "def one(a):\n    # inside\n    return A\n"
    assert module.constants_of("one") == "A = float32(1.0)\n"
    assert module.constants_of("step") == ""
    assert ModuleText.split("B = A\nA = 1\ndef f():\n    return B\n").constants_of("f") == "B = A\nA = 1\n"


def test_what_llvm_makes_of_a_text_can_be_read() -> None:
    """By people who look for a kernel's instructions, as docs/reading-generated-code.md says."""
    body = "  %unused = fadd float %x, 1.0\n  %result = fmul float %x, 0.5\n  ret float %result\n"
    text = f"define float @half(float %x) {{\n{body}}}\n"
    assert "fmul float %x" in optimized_text(text) and "fadd" not in optimized_text(text)
    assert "half:" in optimized_text(text, assembly=True).splitlines()


def test_merge_pattern_names_the_first_equal_buffer() -> None:
    assert merge_pattern(("w", "g", "w", "w")) == (0, 1, 0, 0)


def print_step(source: str) -> str:
    (step,) = ast.parse(source).body
    assert isinstance(step, ast.FunctionDef)
    text, _ = driver.print_step(step, lambda name, pointers: (name, tuple(range(len(pointers)))))
    return text


@pytest.mark.parametrize(
    "statement", ["while d: pass", "x = 1.5", "x = [1]", "x = y", "if size(d, 0):\n        pass", "pointer(p, d)", "x = 1 / 2"]
)
def test_step_refuses_what_it_cannot_compile(statement: str) -> None:
    with pytest.raises(ValueError, match="cannot be compiled"):
        print_step(f"def step(p, d):\n    {statement}\n")


@pytest.mark.compiles
def test_step_computes_sizes_and_codes() -> None:
    from weft.runtime.engine import compile_text, engine

    text = print_step(
        "def step(p, d):\n    n = size(d, 0)\n    m = max(n * 3 - 4, -n) // 2\n    if m > 10:\n        return m\n"
        "    e = effect(7)\n    if e:\n        return e\n    return 5\n"
    )
    address, handle = engine.load(compile_text(text), STEP_SYMBOL)
    callback = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64)
    step = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, callback)(address)
    for n in (0, 1, 2, 7, 8, 9, 40):
        sizes = np.array([n], np.int64)
        m = max(n * 3 - 4, -n)
        m = abs(m) // 2 * (1 if m >= 0 else -1)
        expected = m if m > 10 else n - 2 if n != 2 else 5
        assert step(0, sizes.ctypes.data, callback(lambda i, n=n: n - i + 5)) == expected
    assert handle is not None


ACCURATE = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "sin": np.sin, "cos": np.cos,
    "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x), "erf": prelude_python.PRELUDE["erf"], "sinh": np.sinh, "atan": np.arctan,
}  # fmt: skip


def compile_one(source: str, pointers: tuple[str, ...], constants: str = "") -> ctypes._CFuncPtr:
    """A kernel over these pointers and one size, compiled, as a ctypes function of addresses."""
    module = ModuleText.split(constants + source)
    (name,) = module.functions
    kernel = jit.describe_kernel(module, KernelDecl(name, pointers, 1), tuple(range(len(pointers))))
    (address,) = jit.load_kernels([kernel]).values()
    return ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * len(pointers), ctypes.c_int64)(address)


@pytest.mark.compiles
def test_functions_are_as_accurate_as_promised() -> None:
    lines = "".join(f"        out[{i} * n + i0] = {name}(a[i0])\n" for i, name in enumerate(ACCURATE))
    run = compile_one(f"def functions(a, out, n):\n    for i0 in range(n):\n{lines}    return 0\n", ("f32", "f32"))
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 1e-45, -1e-45, 88.72, 88.73, -87.3, -103.9, -104, 3.4e38, -3.4e38]
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 32, 1 << 15, dtype=np.uint64).astype(np.uint32)
    x = np.concatenate([np.array(special, np.float32), bits.view(np.float32), rng.normal(size=1 << 14).astype(np.float32)])
    out = np.empty((len(ACCURATE), x.size), np.float32)
    assert run(x.ctypes.data, out.ctypes.data, x.size) == 0
    with np.errstate(all="ignore"):
        for (name, reference), result in zip(ACCURATE.items(), out):
            exact = reference(x.astype(np.float64))
            nearest = exact.astype(np.float32)
            finite = np.isfinite(nearest) & np.isfinite(result)
            assert np.array_equal(result[~finite], nearest[~finite], equal_nan=True), name
            ulps = np.abs(result[finite] - exact[finite]) / np.spacing(np.abs(nearest[finite]))
            assert ulps.max() <= 2, (name, x[finite][ulps.argmax()])
            assert np.array_equal(np.signbit(result[finite]), np.signbit(nearest[finite])), name


@pytest.mark.compiles
def test_integers_and_selections_are_numpys() -> None:
    source = (
        "def whole(a, b, out, n):\n    for i in range(n):\n        x = a[i]\n        y = b[i]\n"
        "        out[i] = floor_divide(x, y)\n        out[n + i] = remainder(x, y)\n        out[2 * n + i] = maximum(x, y)\n"
        "        out[3 * n + i] = sign(x)\n        out[4 * n + i] = abs(x)\n        out[5 * n + i] = where(x > y, x, y)\n"
        "        out[6 * n + i] = power(x, int32(abs(y) % int32(4)))\n        out[7 * n + i] = int32(uint8(x))\n    return 0\n"
    )
    run = compile_one(source, ("i32", "i32", "i32"))
    least = np.iinfo(np.int32).min
    a, b = (np.array(v, np.int32) for v in ([7, -7, 7, -7, 0, 5, least, 300], [2, 2, -2, -2, 3, 0, -1, 7]))
    out = np.empty((8, a.size), np.int32)
    assert run(a.ctypes.data, b.ctypes.data, out.ctypes.data, a.size) == 0
    with np.errstate(all="ignore"):
        expected = [
            np.floor_divide(a, b), np.remainder(a, b), np.maximum(a, b), np.sign(a), np.abs(a), np.where(a > b, a, b),
            np.power(a, np.abs(b) % np.int32(4)), a.astype(np.uint8).astype(np.int32),
        ]  # fmt: skip
    np.testing.assert_array_equal(out, expected)


@pytest.mark.compiles
def test_floats_follow_numpy_at_their_edges() -> None:
    source = (
        "def edges(a, b, out, n):\n    for i in range(n):\n        x = a[i]\n        y = b[i]\n"
        "        out[i] = floor_divide(x, y)\n        out[n + i] = remainder(x, y)\n        out[2 * n + i] = maximum(x, y)\n"
        "        out[3 * n + i] = minimum(x, y)\n        out[4 * n + i] = sign(x)\n        out[5 * n + i] = round(x)\n"
        "        kind = float64(isnan(x)) + float64(isfinite(x)) * float64(2.0)\n"
        "        out[6 * n + i] = kind + float64(isinf(x)) * float64(4.0)\n"
        "        out[7 * n + i] = power(x, y)\n    return 0\n"
    )
    run = compile_one(source, ("f64", "f64", "f64"))
    values = np.array([0.0, -0.0, 1.5, -2.5, 3.0, 0.1, np.inf, -np.inf, np.nan])
    a, b = (np.ascontiguousarray(v.reshape(-1)) for v in np.meshgrid(values, values))
    out = np.empty((8, a.size))
    assert run(a.ctypes.data, b.ctypes.data, out.ctypes.data, a.size) == 0
    with np.errstate(all="ignore"):
        expected = [
            np.floor_divide(a, b), np.remainder(a, b), np.maximum(a, b), np.minimum(a, b), np.sign(a), np.rint(a),
            np.isnan(a) + 2.0 * np.isfinite(a) + 4.0 * np.isinf(a), np.power(a, b),
        ]  # fmt: skip
    np.testing.assert_array_equal(out, expected)


@pytest.mark.compiles
def test_philox_draws_the_same_words_everywhere() -> None:
    from weft.graph.philox import blocks

    seed, draw, count = 0x1234567890ABCDEF, 0x0FEDCBA987654321, 5
    source = (
        "def words(key, out, n):\n    for i in range(n):\n        a, b, c, e = philox(key[0], key[1], uint64(i))\n"
        "        out[4 * i] = a\n        out[4 * i + 1] = b\n        out[4 * i + 2] = c\n        out[4 * i + 3] = e\n"
        "    return 0\n"
    )
    run = compile_one(source, ("u64", "u32"))
    key, out = np.array([seed, draw], np.uint64), np.empty((count, 4), np.uint32)
    assert run(key.ctypes.data, out.ctypes.data, count) == 0
    np.testing.assert_array_equal(out, blocks(seed, draw, 0, count))
    np.testing.assert_array_equal(prelude_python.philox(seed, draw, 3), out[3])


@pytest.mark.compiles
def test_a_kernel_outside_the_subset_is_an_error_that_shows_it() -> None:
    with pytest.raises(UnimplementedError, match="could not compile the kernel odd_kernel"):
        compile_one("def odd_kernel(a, n):\n    a[0] = unheard_of(n)\n    return 0\n", ("f32",))


def test_declarations_give_way_to_definitions() -> None:
    name = vector_math.symbol_of("exp", "f32")
    caller = f'define float @f(float %x) {{\n  %y = call float @"{name}"(float %x)\n  ret float %y\n}}\n'
    text = vector_math.link_functions(f'declare float @"{name}"(float)\n{caller}')
    assert text.count("define") == 2
    assert f'declare float @"{name}"' not in text
    assert "declare float @llvm.fma.f32(float, float, float)" in text
