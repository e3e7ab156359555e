"""Large totals are partial results, which threads can share, and one more kernel: as exact as one loop."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from weft.codegen import Program, generate
from weft.codegen.fold_in_stages import BLOCK, LEAST
from weft.graph import ArrayType, Dim, Graph, Node, as_dtype, o, parameter
from weft.graph.evaluate import evaluate
from weft.runtime.executable import build

BATCH = Dim("batch")
SHAPES = [
    (LEAST,), (LEAST + 1,), (100_003,), (17 * BLOCK - 1,), (784, 512), (8, 20_000), (7, 11, 1001), (9000, 10), (2, 40, 900),
    (70_000, 1),
]  # fmt: skip


def tensor(shape: tuple[int | Dim, ...], dtype: str = "float32") -> Node:
    return parameter(ArrayType(as_dtype(dtype), shape), "x")


def over_all(total: Callable[..., Node], x: Node) -> Node:
    return total(x, axes=tuple(range(len(x.shape))))


def program_of(total: Callable[..., Node], shape: tuple[int | Dim, ...], dtype: str = "float32") -> Program:
    x = tensor(shape, dtype)
    return generate(Graph((x,), (over_all(total, x),)))


def totals(x: np.ndarray) -> list[np.ndarray]:
    """Compiled: sum, largest and smallest."""
    node = tensor(x.shape, x.dtype.name)
    program = generate(Graph((node,), tuple(over_all(t, node) for t in (o.reduce_sum, o.reduce_max, o.reduce_min))))
    assert len(program.calls) > 1
    return build(program, [], "compiled")([x])


@pytest.mark.compiles
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_totals_are_exact_to_the_last_bits(shape: tuple[int, ...], dtype: str) -> None:
    x = (np.random.default_rng(sum(shape)).normal(size=shape) * 1000).astype(dtype)
    total, largest, smallest = totals(x)
    assert all(t.dtype == x.dtype and t.shape == () for t in (total, largest, smallest))
    assert (largest, smallest) == (x.max(), x.min())
    if dtype == "int32":
        assert total == np.sum(x, dtype=np.int32)
        return
    exact = math.fsum(x.reshape(-1).tolist())
    last_bit = np.spacing(x.dtype.type(abs(exact)))
    allowed = max(abs(np.sum(x) - exact), last_bit) if dtype == "float32" else np.finfo(np.float64).eps * np.sum(np.abs(x))
    assert abs(total - exact) <= allowed


@pytest.mark.compiles
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, BLOCK, 100_002])
def test_one_special_value(value: float, place: int) -> None:
    x = np.ones(100_003, np.float32)
    x[place] = value
    np.testing.assert_array_equal(totals(x), [x.sum(), x.max(), x.min()])


@pytest.mark.parametrize(
    ("shape", "cut"),
    [((LEAST,), 1), ((784, 512), 1), ((BATCH, 784), 1), ((LEAST - 1,), 0), ((100, 600), 0), ((BATCH, 100), 0), ((BATCH,), 0)],
)
def test_partial_results_can_be_cut(shape: tuple[int | Dim, ...], cut: int) -> None:
    kernels = program_of(o.reduce_sum, shape).kernels
    assert sum(k.split is not None for k in kernels) == cut


@pytest.mark.compiles
def test_the_rows_of_a_loss_are_summed_where_its_gradient_is_made() -> None:
    x, y = tensor((128, 784)), parameter(ArrayType(as_dtype("float32"), (128, 784)), "y")
    difference = o.sub(x, y)
    graph = Graph((x, y), (over_all(o.reduce_sum, o.square(difference)), o.mul(difference, 2 / 100_352)))
    program = generate(graph)
    assert [k.split is not None for k in program.kernels] == [True, False]
    arrays = list(np.random.default_rng(1).normal(size=(2, 128, 784)).astype(np.float32))
    for got, want in zip(build(program, [], "compiled")(arrays), evaluate(graph, arrays).outputs, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)
