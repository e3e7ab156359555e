"""Matrix products of compiled functions: micro-kernels, the library behind them, loops for integers."""

from __future__ import annotations

import numpy as np
import pytest

import weft
from weft.codegen import Program, generate
from weft.graph import ArrayType, Dim, Graph, as_dtype, make, parameter
from weft.graph.dims import Size
from weft.graph.op import REGISTRY
from weft.runtime.config import config
from weft.runtime.executable import build
from weft.runtime.machine import detect_target


def product_program(dtype: str, left: tuple[Size, ...], right: tuple[Size, ...]) -> Program:
    """a @ b as a program for this machine."""
    a, b = (parameter(ArrayType(as_dtype(dtype), shape), name) for name, shape in (("a", left), ("b", right)))
    node = make(REGISTRY["matmul"], (a, b), {"transpose_a": False, "transpose_b": False})
    return generate(Graph((a, b), (node,)), detect_target())


@pytest.mark.compiles
@pytest.mark.parametrize("mode", ["compiled", "python"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_products_of_any_number_of_rows(dtype: str, mode: str) -> None:
    program = product_program(dtype, (Dim("batch"), 7), (7, 9))
    assert bool(program.llvm) == (dtype != "int32")
    run = build(program, [], mode=mode)
    rng = np.random.default_rng(0)
    b = rng.integers(-9, 9, (7, 9)).astype(dtype)
    for rows in (0, 1, 5, 14):
        a = rng.integers(-9, 9, (rows, 7)).astype(dtype)
        np.testing.assert_array_equal(run([a, b])[0], a @ b)


@pytest.mark.compiles
def test_batches_with_a_shared_matrix() -> None:
    run = build(product_program("float32", (Dim("batch"), 3, 5, 4), (1, 3, 4, 6)), [])
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 3, 5, 4)).astype(np.float32), rng.normal(size=(1, 3, 4, 6)).astype(np.float32)
    np.testing.assert_allclose(run([a, b])[0], a @ b, rtol=1e-5, atol=1e-6)


@pytest.mark.compiles
def test_a_matrix_times_itself() -> None:
    """Both pointers of the call are the same."""

    @weft.function
    def square(x: weft.Tensor) -> tuple[weft.Tensor, weft.Tensor]:
        return x @ x, weft.matmul(x, x, transpose_b=True)

    x = np.random.default_rng(2).normal(size=(21, 21)).astype(np.float32)
    plain, gram = square(weft.constant(x))
    np.testing.assert_allclose(plain.numpy(), x @ x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gram.numpy(), x @ x.T, rtol=1e-4, atol=1e-5)


def test_large_products_get_micro_kernels_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is there does not change the program."""
    large = (2048, 2048), (2048, 2048)
    text = product_program("float32", *large).llvm
    assert text
    monkeypatch.setattr(config, "use_blas", False)
    assert product_program("float32", *large).llvm == text


def test_micro_kernels_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "own_contractions", False)
    program = product_program("float32", (4, 4), (4, 4))
    assert not program.llvm
    assert program.kernels[0].contract is not None


def test_scratch_memory_is_shared_by_all_products() -> None:
    a, b = (parameter(ArrayType(as_dtype("float32"), (64, 64)), name) for name in "ab")
    flags = {"transpose_a": False, "transpose_b": True}
    first = make(REGISTRY["matmul"], (a, b), flags)
    program = generate(Graph((a, b), (make(REGISTRY["matmul"], (first, b), flags),)), detect_target())
    work = [buffer for buffer in program.buffers if buffer.kind == "scratch" and len(buffer.shape) == 1]
    assert len(work) == 2
    assert len({buffer.index for buffer in work}) == 1
