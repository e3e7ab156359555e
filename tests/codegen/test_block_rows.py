"""Sums of rows are sums of blocks, which threads can share, and a second kernel: at least as exact as NumPy's sums in a row."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from weft.codegen import Program, block_rows, fold_in_stages, generate, order_variables
from weft.graph import ArrayType, Dim, Graph, Node, as_dtype, o, parameter
from weft.graph.evaluate import evaluate
from weft.runtime.executable import build

sys.path.insert(0, str(Path(__file__).parent))
from random_graphs import RandomGraph
from test_split_loops import compare

BATCH = Dim("batch")


def tensor(shape: tuple[int | Dim, ...], dtype: str = "float32", name: str = "x") -> Node:
    return parameter(ArrayType(as_dtype(dtype), shape), name)


def program_of(sums: Callable[..., Node], shape: tuple[int | Dim, ...], axes: tuple[int, ...], dtype: str = "float32") -> Program:
    x = tensor(shape, dtype)
    return generate(Graph((x,), (sums(x, axes=axes),)))


def error(sums: np.ndarray, exact: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sums - exact))))


@pytest.mark.compiles
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((4096, 64), (0,)), ((1000, 100), (0,)), ((32, 14, 14, 64), (0, 1, 2)), ((512, 784), (0,)), ((64, 40, 128), (0, 1)),
        ((40, 64, 33), (0, 2)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_sums(shape: tuple[int, ...], axes: tuple[int, ...], dtype: str) -> None:
    x = (np.random.default_rng(sum(shape)).normal(size=shape) * 100).astype(dtype)
    program = program_of(o.reduce_sum, shape, axes, dtype)
    assert len(program.calls) == 2
    (out,) = build(program, [], "compiled")([x])
    if dtype == "int32":
        np.testing.assert_array_equal(out, np.sum(x, axes, np.int32))
    else:
        exact = np.sum(x.astype(np.longdouble), axes)
        assert out.dtype == x.dtype
        assert error(out, exact) <= 1.2 * error(np.sum(x, axes), exact)


@pytest.mark.compiles
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.0])
def test_special_values(value: float) -> None:
    x = np.full((4096, 40), -0.0, np.float32)
    x[[0, 127, 128, 4095], [0, 1, 2, 3]] = value
    for sums, numpys in ((o.reduce_sum, np.sum), (o.reduce_max, np.max)):
        (out,) = build(program_of(sums, x.shape, (0,)), [], "compiled")([x])
        np.testing.assert_array_equal(out, numpys(x, 0))


@pytest.mark.parametrize(
    ("shape", "axes", "cut"),
    [
        ((4096, 64), (0,), [True, False]), ((BATCH, 14, 14, 64), (0, 1, 2), [True, False]),
        ((4099, 64), (0,), [False]),  # a prime number of rows
        ((64, 784), (0,), [False]), ((BATCH, 784), (0,), [False]), ((BATCH, 4, 4, 64), (0, 1, 2), [False]),  # little to add up
    ],
)  # fmt: skip
def test_blocks_can_be_cut(shape: tuple[int | Dim, ...], axes: tuple[int, ...], cut: list[bool]) -> None:
    kernels = program_of(o.reduce_sum, shape, axes).kernels
    assert sorted((k.split is not None for k in kernels), reverse=True) == cut


@pytest.mark.parametrize("shape", [(512, 2048), (4096, 1024), (4096, 64), (96, 40, 2000)])
def test_nothing_is_told_by_the_number_that_parts_have_another_of(shape: tuple[int, ...]) -> None:
    """A distance of 65,536 is a multiple of the 16 blocks, and of half as many in a part."""
    program = program_of(o.reduce_sum, shape, tuple(range(len(shape) - 1)))
    (cut,) = (k for k in program.kernels if k.split is not None)
    for line in program.llvm[cut.name].splitlines():
        assert f"mul nsw i64 %n{cut.split.argument}," not in line


def test_all_sums_of_a_kernel_have_blocks_of_their_own() -> None:
    """The gradients of a layer normalization: two sums of rows beside the gradient of the input."""
    x, y, scale = tensor((1024, 96)), tensor((1024, 96), name="y"), tensor((96,), name="s")
    centred = o.sub(x, o.reduce_sum(o.mul(x, 1 / 96), axes=(1,), keepdims=True))
    graph = Graph((x, y, scale), (o.mul(centred, scale), o.reduce_sum(o.mul(centred, y), axes=(0,)), o.reduce_sum(y, axes=(0,))))
    program = generate(graph)
    assert [k.split is not None for k in program.kernels] == [False, True]
    assert len(program.calls) == 3
    random = np.random.default_rng(0)
    arrays = [random.normal(size=i.shape).astype(np.float32) for i in graph.inputs]
    assert len(compare(program, [], arrays)) == 1
    for got, want in zip(build(program, [], "python")(arrays), evaluate(graph, arrays).outputs, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@pytest.fixture
def however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (block_rows, fold_in_stages):
        monkeypatch.setattr(module, "LEAST", 1)
    for name in ("WORTH", "FEWEST"):
        monkeypatch.setattr(block_rows, name, 1)
    for name in ("ROW", "BLOCK", "MANY"):
        monkeypatch.setattr(fold_in_stages, name, 2)


@pytest.mark.usefixtures("however_small")
@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed: int) -> None:
    case = RandomGraph(seed, 10 + seed % 20)
    storages = [case.values[ref].copy() for ref in order_variables(case.graph)]
    arrays = case.inputs((1, 4, 7)[seed % 3])
    with np.errstate(all="ignore"):
        expected = evaluate(case.graph, arrays, {ref: v.copy() for ref, v in case.values.items()})
    program = generate(case.graph)
    for out, want in zip(build(program, [s.copy() for s in storages], "python")(arrays), expected.outputs, strict=True):
        np.testing.assert_allclose(out, want, rtol=1e-4, atol=1e-4)
    compare(program, storages, arrays)
