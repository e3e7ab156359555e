"""Epilogues of matrix products as machine code: variable updates, both ways through k, any number of threads, the same bits."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from weft.codegen import Program, Target, generate, order_variables
from weft.graph import ArrayType, Dim, Graph, VariableRef, as_dtype, o, parameter, read
from weft.graph.evaluate import evaluate
from weft.graph.passes import optimize
from weft.runtime import frame, team_products
from weft.runtime.config import config
from weft.runtime.executable import build
from weft.runtime.machine import detect_target
from weft.runtime.team import team

sys.path.insert(0, str(Path(__file__).parent.parent / "codegen"))
from train_step import Step

F32, F64 = as_dtype("float32"), as_dtype("float64")
BATCH = Dim("batch")
SMALL = Target(64, 32, 4 * 1024, 64 * 1024, own_contracts=("f32", "f64"))
"""A machine with caches so small that small updates stream; its code is only read as Python."""


def host(l2: int | None = None) -> Target:
    """This machine, perhaps with a smaller cache."""
    real = detect_target()
    sizes = (real.vector_bytes, real.vector_registers, real.l1_bytes, l2 or real.l2_bytes)
    return Target(*sizes, own_contracts=("f32", "f64"))


def fused(program: Program) -> int:
    return sum(k.contract is not None and k.contract.epilogue is not None for k in program.kernels)


def update(rule: str, m: int, n: int, dtype=F32, both: bool = True) -> Graph:
    """The step of a layer: dx = dy @ w.T, and w updated with x.T @ dy."""
    x, dy = parameter(ArrayType(dtype, (BATCH, m)), "x"), parameter(ArrayType(dtype, (BATCH, n)), "dy")
    rate = parameter(ArrayType(dtype, ()), "rate")
    w, v, u = (VariableRef(name, ArrayType(dtype, (m, n))) for name in "wvu")
    g = o.matmul(x, dy, transpose_a=True)
    writes = []
    if rule == "sgd":
        step = o.mul(g, rate)
    elif rule == "momentum":
        step = o.add(o.mul(read(v), 0.9), o.mul(g, rate))
        writes = [(v, step)]
    else:
        first = o.add(o.mul(read(v), 0.9), o.mul(g, 0.1))
        second = o.add(o.mul(read(u), 0.99), o.mul(o.square(g), 0.01))
        writes = [(v, first), (u, second)]
        step = o.div(o.mul(first, o.mul(rate, 2.0)), o.add(o.sqrt(second), 1e-3))
    dx = o.matmul(dy, read(w), transpose_b=True)
    return Graph((x, dy, rate), (dx,) if both else (), ((w, o.sub(read(w), step)), *writes))


def arrays_of(graph: Graph, batch: int, seed: int = 5) -> tuple[list[np.ndarray], list[np.ndarray]]:
    random = np.random.default_rng(seed)
    inputs = []
    for node in graph.inputs:
        shape = tuple(batch if isinstance(s, Dim) else s for s in node.shape)
        inputs.append(np.asarray(random.normal(size=shape) if shape else 0.01, node.dtype.np))
    variables = [np.abs(random.normal(size=v.type.shape)).astype(v.type.dtype.np) for v in order_variables(graph)]
    return inputs, variables


def check(graph: Graph, program: Program, mode: str, batches: tuple[int, ...]) -> None:
    for batch in batches:
        inputs, old = arrays_of(graph, batch)
        storages = [a.copy() for a in old]
        results = build(program, storages, mode)(inputs)
        expected = evaluate(graph, inputs, dict(zip(order_variables(graph), old, strict=True)))
        tight = graph.inputs[0].dtype is F64
        close = {"rtol": 1e-9, "atol": 1e-10} if tight else {"rtol": 2e-4, "atol": 2e-4}
        for got, want in zip(results, expected.outputs, strict=True):
            np.testing.assert_allclose(got, want, **close)
        new = dict(zip(order_variables(graph), storages, strict=True))
        for ref, want in expected.writes:
            np.testing.assert_allclose(new[ref], want, **close, err_msg=f"{ref.name}, batch {batch}")


@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam"])
def test_update_is_the_end_of_the_gradients_product(rule):
    graph = optimize(update(rule, 300, 20))
    program = generate(graph, SMALL)
    assert fused(program) == 1 and len(program.calls) == 2
    assert program.notes["late_copies"] == 0
    assert [c.ops.startswith("matmul,") for c in program.calls] == [False, True]  # dx reads w before it is updated
    check(graph, program, "python", (5, 1, 0))


@pytest.mark.compiles
@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam"])
def test_compiled_update(rule, dtype):
    """Few steps of k: in the tiles; many: stretch by stretch; and in several stretches of rows."""
    graph = optimize(update(rule, 444, 47, dtype))
    program = generate(graph, host(256 * 1024))
    assert fused(program) == 1
    check(graph, program, "compiled", (3, 64, 300, 1, 0))


@pytest.mark.compiles
def test_known_steps_of_k():
    x, dy = parameter(ArrayType(F32, (24, 333)), "x"), parameter(ArrayType(F32, (24, 40)), "dy")
    w = VariableRef("w", ArrayType(F32, (333, 40)))
    graph = Graph((x, dy), (), ((w, o.sub(read(w), o.matmul(x, dy, transpose_a=True))),))
    program = generate(graph, host(64 * 1024))
    assert fused(program) == 1
    check(graph, program, "compiled", (0,))


def test_updates_that_stay_in_the_l2_cache_are_kernels_of_their_own():
    caches = Target(64, 32, l1_bytes=48 << 10, l2_bytes=2 << 20, own_contracts=("f32",))
    for size, count in ((30, 1), (100, 0), (400, 1)):
        assert fused(generate(optimize(update("adam", size, size)), caches)) == count


def test_an_update_that_needs_all_gradients_waits():
    """Global-norm clipping: the norm needs the gradient, the update needs the norm."""
    x, dy = parameter(ArrayType(F32, (BATCH, 300)), "x"), parameter(ArrayType(F32, (BATCH, 20)), "dy")
    w = VariableRef("w", ArrayType(F32, (300, 20)))
    g = o.matmul(x, dy, transpose_a=True)
    norm = o.sqrt(o.reduce_sum(o.square(g), axes=(0, 1), keepdims=False))
    graph = optimize(Graph((x, dy), (), ((w, o.sub(read(w), o.div(g, norm))),)))
    program = generate(graph, SMALL)
    assert fused(program) == 0 and program.notes["late_copies"] == 0
    check(graph, program, "python", (5,))


def test_a_variable_that_is_an_operand_is_not_overwritten_early():
    """w <- w - w @ a: every element of the product needs a whole row of the old w."""
    a = parameter(ArrayType(F32, (20, 20)), "a")
    w = VariableRef("w", ArrayType(F32, (300, 20)))
    graph = Graph((a,), (), ((w, o.sub(read(w), o.matmul(read(w), a))),))
    program = generate(graph, SMALL)
    assert fused(program) == 1 and program.notes["late_copies"] == 1
    check(graph, program, "python", (0,))


def test_train_step_with_small_caches():
    """As plain Python the same bits as with kernels of their own; a failed check changes nothing."""
    step = Step((300, 20, 20, 5))
    graph = optimize(step.graph)
    program = generate(graph, SMALL)
    assert fused(program) >= 3 and program.notes["late_copies"] == 0
    storages = [np.array({"rate": np.float32(0.01)}.get(r.name, step.values[r])) for r in order_variables(graph)]
    run = build(program, storages, "python")
    random = np.random.default_rng(1)
    x, y = random.normal(size=(6, 300)).astype(np.float32), random.integers(0, 5, 6)
    before = [a.copy() for a in storages]
    with pytest.raises(IndexError):
        run([x, np.array([0, 1, 2, 9, 1, 0])])
    for old, new in zip(before, storages, strict=True):
        np.testing.assert_array_equal(old, new)
    apart = build(generate(graph, Target()), before, "python")
    np.testing.assert_array_equal(run([x, y])[0], apart([x, y])[0])
    for ref, one, two in zip(order_variables(graph), before, storages, strict=True):
        np.testing.assert_array_equal(one, two, err_msg=ref.name)


@pytest.mark.compiles
@pytest.mark.parametrize("batch", [64, 300])
@pytest.mark.parametrize("columns", [47, 512])
def test_same_bits_for_any_number_of_threads(batch, columns, monkeypatch):
    monkeypatch.setattr(config, "team_delay", 0)
    monkeypatch.setattr(frame, "choose_calls", lambda program, dims: frozenset(range(len(program.calls))))
    graph = optimize(update("adam", 1100, columns))
    target = host(1024 * 1024)
    monkeypatch.setattr(team_products, "detect_target", lambda: target)  # parts are cut for the machine of the whole
    program = generate(graph, target)
    assert fused(program) == 1
    results = []
    for threads in (1, 3):
        monkeypatch.setattr(config, "intra_op_threads", threads)
        inputs, variables = arrays_of(graph, batch)
        run = build(program, variables, "compiled")
        for _ in range(3):
            out = run(inputs)
        results.append([*out, *variables])
        if threads == 3:
            seen = team.counters()
            assert team.size == 3 and seen["jobs"] + seen["alone_paused"] > 0
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.compiles
def test_nan_and_masks():
    """The gradient of relu in the epilogue: a NaN in the product stays where the mask lets it through."""
    dy, w = parameter(ArrayType(F32, (BATCH, 30)), "dy"), parameter(ArrayType(F32, (70, 30)), "w")
    h = parameter(ArrayType(F32, (BATCH, 70)), "h")
    graph = Graph((dy, w, h), (o.where(o.greater(h, 0.0), o.matmul(dy, w, transpose_b=True), 0.0),))
    program = generate(graph, host())
    assert fused(program) == 1
    inputs, _ = arrays_of(graph, 9)
    inputs[0][4, 2] = np.nan
    (got,) = build(program, [], "compiled")(inputs)
    np.testing.assert_allclose(got, evaluate(graph, inputs).outputs[0], rtol=1e-4, atol=1e-4)
    assert np.isnan(got[4]).sum() == (inputs[2][4] > 0).sum() and not np.isnan(got[5]).any()
