"""Sums of matrix products: which become products that add to what is there, and that the sums are the same."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from weft.codegen import Program, Target, generate, order_variables
from weft.graph import ArrayType, Dim, Graph, Node, VariableRef, as_dtype, o, parameter, read
from weft.graph.evaluate import evaluate
from weft.graph.gradient import gradients
from weft.graph.passes import optimize
from weft.runtime import frame
from weft.runtime.config import config
from weft.runtime.executable import build
from weft.runtime.machine import detect_target
from weft.runtime.team import team

sys.path.insert(0, str(Path(__file__).parent))
from test_fuse_epilogues import agree, values_for

F32, F64 = as_dtype("float32"), as_dtype("float64")
BATCH = Dim("batch")
MODES = ["python", pytest.param("compiled", marks=pytest.mark.compiles)]


def tensor(*shape, dtype=F32, name="x") -> Node:
    return parameter(ArrayType(dtype, shape), name)


def products(form: str, count: int, m, n, k, dtype=F32) -> tuple[list[Node], list[Node]]:
    """(parameters, products)"""
    shapes = ((k, m) if form[0] == "t" else (m, k), (n, k) if form[1] == "t" else (k, n))
    pairs = [[tensor(*s, dtype=dtype, name=f"{i}{j}") for j, s in enumerate(shapes)] for i in range(count)]
    made = [o.matmul(a, b, transpose_a=form[0] == "t", transpose_b=form[1] == "t") for a, b in pairs]
    return [p for pair in pairs for p in pair], made


def total(terms: list[Node]) -> Node:
    out = terms[0]
    for term in terms[1:]:
        out = o.add(out, term)
    return out


def added(program: Program) -> list[str]:
    """The calls that add to an array."""
    decls = {k.name: k.contract for k in program.kernels}
    return [c.ops for c in program.calls if decls.get(c.kernel) is not None and decls[c.kernel].accumulate]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", ["nn", "nt", "tn", "tt"])
@pytest.mark.parametrize("dtype", [F32, F64])
def test_sum_of_three(form, dtype, mode):
    given, made = products(form, 3, BATCH, 20, 3, dtype)
    program = agree(Graph(tuple(given), (total(made),)), mode=mode, batches=(5, 1, 0))
    assert len(program.calls) == 3
    assert added(program) == ["matmul, add"] * 2
    assert not [b for b in program.buffers if b.kind == "scratch" and len(b.shape) > 1]  # all three in the output


@pytest.mark.compiles
@pytest.mark.parametrize("sizes", [(64, 64, 64), (7, 33, 50), (1, 20, 9), (20, 1, 9), (5, 5, 0)])
@pytest.mark.parametrize("form", ["nn", "nt", "tn"])
def test_bits_of_separate_sums(sizes, form):
    """Where k is one block, the sum is bit for bit that of the products that the caller gets as well."""
    given, made = products(form, 3, *sizes)
    graphs = [Graph(tuple(given), (total(made),)), Graph(tuple(given), (total(made), *made))]
    target = detect_target()
    inputs = values_for(given, 1)
    together, apart = (build(generate(g, target), [], "compiled")(inputs)[0] for g in graphs)
    assert added(generate(graphs[0], target)) and not added(generate(graphs[1], target))
    np.testing.assert_array_equal(together, apart)


@pytest.mark.compiles
@pytest.mark.parametrize("sizes", [(96, 80, 700), (130, 256, 256)])
def test_long_sums_are_as_accurate_as_eager(sizes):
    given, made = products("nt", 4, *sizes)
    graph = Graph(tuple(given), (total(made),))
    program = generate(graph, detect_target())
    assert len(added(program)) == 3
    inputs = values_for(given, 1)
    exact = sum(a.astype(np.float64) @ b.astype(np.float64).T for a, b in zip(inputs[::2], inputs[1::2], strict=True))
    own = np.abs(build(program, [], "compiled")(inputs)[0] - exact).mean()
    assert own <= np.abs(evaluate(graph, inputs, {}).outputs[0] - exact).mean()


@pytest.mark.parametrize("mode", MODES)
def test_bias_and_activation_follow(mode):
    """A recurrent cell: two products, then what the second one ends in."""
    given, made = products("nn", 2, BATCH, 20, 3)
    bias = tensor(20)
    program = agree(Graph((*given, bias), (o.tanh(o.add(total(made), bias)),)), mode=mode, batches=(5, 1, 0))
    assert [c.ops for c in program.calls] == ["matmul", "matmul, add, tanh"]
    assert program.kernels[1].contract.accumulate and program.kernels[1].contract.epilogue


@pytest.mark.parametrize("mode", MODES)
def test_gradient_of_what_queries_keys_and_values_share(mode):
    """With a residual beside them, whose gradient comes first."""
    x, weights = tensor(BATCH, 6, 8, dtype=F64), [tensor(8, 8, dtype=F64, name=f"w{i}") for i in range(3)]
    h = o.tanh(x)
    q, k, v = (o.matmul(h, w) for w in weights)
    attended = o.matmul(o.softmax(o.matmul(q, k, transpose_b=True)), v)
    for out in (attended, o.add(h, attended)):
        (g,) = gradients([o.reduce_sum(o.square(out), axes=(0, 1, 2), keepdims=False)], [x])
        program = agree(optimize(Graph((x, *weights), (g,))), mode=mode, batches=(3, 1))
        assert len(added(program)) == 2


@pytest.mark.parametrize("mode", MODES)
def test_batches_of_matrices_and_reshapes(mode):
    given = [tensor(BATCH, 4, 3), tensor(BATCH, 3, 20), tensor(BATCH, 4, 7), tensor(BATCH, 7, 20)]
    first, last = o.matmul(*given[:2]), o.matmul(*given[2:])
    flat = [o.reshape(p, shape=(BATCH, 80)) for p in (first, last)]
    program = agree(Graph(tuple(given), (o.relu(total(flat)),)), mode=mode, batches=(3, 1, 0))
    assert len(added(program)) == 1


def test_sum_of_two_sums():
    """(a + b) + (c + d): two arrays hold sums, which are then added as arrays."""
    given, made = products("nn", 4, BATCH, 20, 3)
    program = agree(Graph(tuple(given), (o.add(total(made[:2]), total(made[2:])),)))
    assert sum("matmul, add" in c for c in added(program)) == 2


def test_what_others_need_stays():
    given, made = products("nn", 3, BATCH, 20, 3)
    program = agree(Graph(tuple(given), (total(made), o.relu(made[1]))))
    assert len(added(program)) == 1  # onto the sum of the others, one of which is needed as it is
    first = made[0]
    program = agree(Graph(tuple(given[:4]), (o.add(first, made[1]), o.transpose(first, perm=(1, 0)), made[1])))
    assert not added(program)
    program = agree(Graph(tuple(given[:2]), (o.add(first, first),)))
    assert not added(program)


def test_chain_through_operands():
    """The second product's operand is made of the first one's sum: the sum is read twice, so it stays."""
    x, w, u = tensor(BATCH, 20), tensor(20, 20, name="w"), tensor(20, 20, name="u")
    h = o.matmul(x, w)
    program = agree(Graph((x, w, u), (o.add(h, o.matmul(h, u)),)), batches=(5, 1))
    assert not added(program)
    rows = [tensor(BATCH, 20, name=f"x{i}") for i in range(3)]
    state = o.tanh(o.matmul(rows[0], w))
    for row in rows[1:]:
        state = o.tanh(o.add(o.matmul(row, w), o.matmul(state, u)))
    program = agree(Graph((*rows, w, u), (state,)), batches=(5, 1))
    assert len(added(program)) == 2


def test_narrow_results_stay_apart():
    given, made = products("tn", 2, 64, 10, 30)
    program = agree(Graph(tuple(given), (total(made),)))
    assert not added(program)
    given, made = products("nn", 2, 64, 10, 30)
    assert added(agree(Graph(tuple(given), (total(made),))))


@pytest.mark.parametrize("mode", MODES)
def test_a_variable_never_holds_a_sum_so_far(mode):
    """Sums so far are never in the variable: its old value is still read, and a failing step leaves it."""
    ref = VariableRef("v", ArrayType(F32, (9, 20)))
    given, made = products("tn", 2, 9, 20, BATCH)
    program = agree(Graph(tuple(given), (), ((ref, total(made)),)), mode=mode)
    assert len(added(program)) == 1
    x = tensor(BATCH, 9)
    y = o.matmul(x, read(ref))
    grad = total([o.matmul(x, y, transpose_a=True), o.matmul(o.relu(x), y, transpose_a=True)])
    program = agree(Graph((x,), (y,), ((ref, o.sub(read(ref), o.mul(grad, 0.1))),)), mode=mode, batches=(5, 1))
    assert len(added(program)) == 1


def test_one_sum_for_two_outputs():
    given, made = products("nn", 2, BATCH, 20, 3)
    both = total(made)
    program = agree(Graph(tuple(given), (both, both, o.reshape(both, shape=(20, BATCH)))))
    assert len(added(program)) == 1


def test_libraries_and_loops_are_left_alone():
    given, made = products("nn", 2, BATCH, 20, 3)
    graph = Graph(tuple(given), (total(made),))
    assert not added(agree(graph, Target()))
    numbers = [tensor(4, 4, dtype=as_dtype("int32"), name=str(i)) for i in range(4)]
    graph = Graph(tuple(numbers), (o.add(o.matmul(*numbers[:2]), o.matmul(*numbers[2:])),))
    assert not added(agree(graph))


def test_stored_program():
    given, made = products("nn", 2, BATCH, 20, 3)
    program = generate(Graph(tuple(given), (total(made),)), Target(64, 32, own_contracts=("f32",)))
    assert added(Program.from_tables(program.to_tables(), ())) == added(program) != []


@pytest.mark.compiles
def test_same_bits_for_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(config, "team_delay", 0)
    monkeypatch.setattr(frame, "choose_calls", lambda program, dims: frozenset(range(len(program.calls))))
    given, made = products("nt", 3, BATCH, 150, 300)
    graph = Graph(tuple(given), (o.relu(total(made)),))
    program = generate(graph, detect_target())
    assert len(added(program)) == 2
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(config, "intra_op_threads", threads)
        run = build(program, values_for(order_variables(graph), 90), "compiled")
        results += [run(values_for(given, 90))[0] for _ in range(3)]
    team.stop()
    for one, two in pairwise(results):
        np.testing.assert_array_equal(one, two)
