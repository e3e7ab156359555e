"""Sums over the rows of a product in its own kernel, beside other results: NumPy's bits, for any number of threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from weft.codegen import Program, Target, generate
from weft.graph import ArrayType, Dim, Graph, Node, as_dtype, o, parameter
from weft.runtime import frame, team_products
from weft.runtime.config import config
from weft.runtime.executable import build
from weft.runtime.machine import detect_target
from weft.runtime.team import team

F32, F64 = as_dtype("float32"), as_dtype("float64")
BATCH, STEPS = Dim("batch"), Dim("steps")
SMALL = Target(64, 32, 4 * 1024, 64 * 1024, own_contracts=("f32", "f64"))


def host(l2: int | None = None) -> Target:
    """This machine, perhaps with a smaller L2 cache."""
    real = detect_target()
    sizes = (real.vector_bytes, real.vector_registers, real.l1_bytes, l2 or real.l2_bytes)
    return Target(*sizes, own_contracts=("f32", "f64"))


def masked(c: Node, h: Node) -> Node:
    """The gradient behind a relu: a short formula."""
    return o.where(o.greater(h, 0.0), c, 0.0)


def curved(c: Node, h: Node) -> Node:
    """A formula that is too long to be repeated for every register."""
    return o.mul(o.tanh(c), o.tanh(h))


def behind(make: Callable[[Node, Node], Node], m, n: int, k, dtype=F32) -> Graph:
    """What a layer's gradient is: dy @ w.T, something over its elements, and the sum of that over the batch."""
    dy, w = parameter(ArrayType(dtype, (m, k)), "dy"), parameter(ArrayType(dtype, (n, k)), "w")
    h = parameter(ArrayType(dtype, (m, n)), "h")
    dh = make(o.matmul(dy, w, transpose_b=True), h)
    return Graph((dy, w, h), (dh, o.reduce_sum(dh, axes=(0,), keepdims=False)))


def arrays(graph: Graph, size: int) -> list[np.ndarray]:
    """size: what only the call knows."""
    random = np.random.default_rng(5)
    shapes = [tuple(size if isinstance(s, Dim) else s for s in x.shape) for x in graph.inputs]
    return [random.normal(size=shape).astype(x.dtype.np) for x, shape in zip(graph.inputs, shapes, strict=True)]


def sums(program: Program) -> list[int]:
    """How many arrays take up sums, product by product."""
    return [len(k.contract.epilogue.sums) for k in program.kernels if k.contract and k.contract.epilogue]


def check(program: Program, inputs: list[np.ndarray], make: Callable[[Node, Node], Node], mode: str) -> None:
    dh, total = build(program, [], mode)(inputs)
    dy, w, h = (x.astype(np.float64) for x in inputs)
    c = dy @ w.T
    exact = np.where(h > 0, c, 0) if make is masked else np.tanh(c) * np.tanh(h)
    np.testing.assert_allclose(dh, exact, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(total, np.add.reduce(dh, axis=0))  # row after row, as NumPy adds


@pytest.mark.parametrize("make", [masked, curved])
def test_as_python(make: Callable[[Node, Node], Node]) -> None:
    graph = behind(make, BATCH, 50, 3)
    program = generate(graph, SMALL)
    assert sums(program) == [1] and len(program.calls) == 1
    for batch in (5, 1, 0):
        check(program, arrays(graph, batch), make, "python")


@pytest.mark.compiles
@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("make", [masked, curved])
def test_sums_of_many_tiles_of_one_row_and_of_none(make: Callable[[Node, Node], Node], dtype) -> None:
    """Many tiles and a last one that is cut off; one row; none: then the sums are zero, whatever their memory held."""
    graph = behind(make, BATCH, 333, 12, dtype)
    program = generate(graph, host())
    assert sums(program) == [1]
    for batch in (61, 1, 0):
        check(program, arrays(graph, batch), make, "compiled")


@pytest.mark.compiles
@pytest.mark.parametrize("make", [masked, curved])
def test_many_blocks(make: Callable[[Node, Node], Node]) -> None:
    """With many steps of k the sums follow stretch by stretch of rows, and rows come in several stretches."""
    graph = behind(make, 700, 72, STEPS)
    program = generate(graph, host(256 * 1024))
    assert sums(program) == [1]
    for steps in (300, 20, 0):
        check(program, arrays(graph, steps), make, "compiled")


@pytest.mark.compiles
@pytest.mark.parametrize("m", [96, BATCH])
def test_same_bits_for_any_number_of_threads(m, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads share columns: the rows of one are added up by one of them."""
    monkeypatch.setattr(config, "team_delay", 0)
    monkeypatch.setattr(frame, "choose_calls", lambda program, dims: frozenset(range(len(program.calls))))
    graph, target = behind(masked, m, 300, 10), host()
    monkeypatch.setattr(team_products, "detect_target", lambda: target)
    program = generate(graph, target)
    assert sums(program) == [1]
    results = []
    for threads in (1, 3):
        monkeypatch.setattr(config, "intra_op_threads", threads)
        run, inputs = build(program, [], "compiled"), arrays(graph, 96)
        results.append([run(inputs) for _ in range(3)][-1])
        if threads == 3:
            seen = team.counters()
            assert team.size == 3 and seen["jobs"] + seen["alone_paused"] > 0
    team.stop()
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


def test_sums_without_other_results() -> None:
    """The gradient of a bias right behind the product: the product itself needs no memory."""
    a, b = parameter(ArrayType(F32, (BATCH, 7)), "a"), parameter(ArrayType(F32, (7, 40)), "b")
    graph = Graph((a, b), (o.reduce_sum(o.matmul(a, b), axes=(0,), keepdims=False),))
    program = generate(graph, SMALL)
    assert sums(program) == [1] and len(program.calls) == 1
    (total,) = build(program, [], "python")(inputs := arrays(graph, 6))
    np.testing.assert_allclose(total, (inputs[0].astype(np.float64) @ inputs[1]).sum(axis=0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("what", "axes"), [("all elements", (0, 1)), ("rows", (1,))])
def test_other_sums_stay_kernels_of_their_own(what: str, axes: tuple[int, ...]) -> None:
    shape = m, n = 64, 200
    dy, w = parameter(ArrayType(F32, (m, 5)), "dy"), parameter(ArrayType(F32, (n, 5)), "w")
    h = parameter(ArrayType(F32, shape), "h")
    dh = masked(o.matmul(dy, w, transpose_b=True), h)
    program = generate(Graph((dy, w, h), (dh, o.reduce_sum(dh, axes=axes, keepdims=False))), host())
    assert sums(program) in ([], [0]), what
    assert len(program.calls) == 2, what


def test_matrices_of_a_batch_keep_their_sums_apart() -> None:
    """Rows of several matrices are added up over all of them: by a kernel of its own."""
    a, b = parameter(ArrayType(F32, (BATCH, 4, 3)), "a"), parameter(ArrayType(F32, (BATCH, 3, 40)), "b")
    graph = Graph((a, b), (o.reduce_sum(o.relu(o.matmul(a, b)), axes=(0, 1), keepdims=False),))
    program = generate(graph, SMALL)
    assert sums(program) == []
    (total,) = build(program, [], "python")(inputs := arrays(graph, 5))
    np.testing.assert_allclose(total, np.maximum(inputs[0] @ inputs[1], 0).sum(axis=(0, 1)), rtol=1e-4, atol=1e-4)
