"""What runs at the end of a matrix product: which groups do, and that all three executions agree."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from weft.codegen import Program, Target, generate, order_variables
from weft.graph import ArrayType, Dim, Graph, Node, VariableRef, as_dtype, dim_value, o, parameter
from weft.graph.evaluate import evaluate
from weft.runtime.executable import build

sys.path.insert(0, str(Path(__file__).parent))
from random_graphs import RandomGraph

F32, F64 = as_dtype("float32"), as_dtype("float64")
BATCH = Dim("batch")
OWN = Target(64, 32, own_contracts=("f32", "f64"))


def tensor(*shape, dtype=F32, name="x") -> Node:
    return parameter(ArrayType(dtype, shape), name)


def fused(program: Program) -> list[str]:
    """The names of the products with an epilogue."""
    return [k.name for k in program.kernels if k.contract is not None and k.contract.epilogue is not None]


def values_for(nodes: Sequence[Node | VariableRef], batch: int, seed: int = 3) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    out = []
    for node in nodes:
        kind = node.type if isinstance(node, VariableRef) else node
        shape = tuple(batch if isinstance(s, Dim) else s for s in kind.shape)
        out.append(random.normal(size=shape).astype(kind.dtype.np))
    return out


def agree(graph: Graph, target: Target = OWN, mode: str = "python", batches: Sequence[int] = (5,)) -> Program:
    """The program, after checking outputs and variables against the interpreter."""
    program = generate(graph, target)
    variables = order_variables(graph)
    for batch in batches:
        inputs, old = values_for(graph.inputs, batch), values_for(variables, batch, 7)
        storages = [a.copy() for a in old]
        expected = evaluate(graph, inputs, dict(zip(variables, old, strict=True)))
        results = build(program, storages, mode)(inputs)
        close = {"rtol": 1e-4, "atol": 1e-5}
        for got, want in zip(results, expected.outputs, strict=True):
            np.testing.assert_allclose(got, want, **close)
        new = dict(zip(variables, storages, strict=True))
        for ref, want in expected.writes:
            np.testing.assert_allclose(new[ref], want, **close, err_msg=ref.name)
    return program


def product(form: str, m, n, k, dtype=F32) -> tuple[Node, Node, Node]:
    a = tensor(*((k, m) if form[0] == "t" else (m, k)), dtype=dtype, name="a")
    b = tensor(*((n, k) if form[1] == "t" else (k, n)), dtype=dtype, name="b")
    return a, b, o.matmul(a, b, transpose_a=form[0] == "t", transpose_b=form[1] == "t")


@pytest.mark.parametrize("form", ["nn", "nt", "tn", "tt"])
@pytest.mark.parametrize("dtype", [F32, F64])
def test_bias_and_activation(form, dtype):
    a, b, c = product(form, BATCH, 20, 3, dtype)
    bias = tensor(20, dtype=dtype)
    program = agree(Graph((a, b, bias), (o.tanh(o.add(c, bias)),)), batches=(5, 1, 0))
    assert len(program.calls) == len(fused(program)) == 1
    assert program.calls[0].ops == "matmul, add, tanh"


def test_two_results_and_a_residual():
    a, b, c = product("nn", BATCH, 20, 3)
    bias, other = tensor(20), tensor(BATCH, 20)
    before = o.add(c, bias)
    program = agree(Graph((a, b, bias, other), (before, o.add(o.sigmoid(before), other))))
    assert len(program.calls) == len(fused(program)) == 1


def test_product_needed_twice():
    """The product itself goes to memory too, because a transposed reader needs it."""
    a, b, c = product("nn", 9, 20, 3)
    program = agree(Graph((a, b), (o.relu(c), o.mul(o.transpose(c, perm=(1, 0)), 2.0))))
    assert len(fused(program)) == 1 and len(program.calls) == 2
    (kernel,) = (k for k in program.kernels if k.contract is not None)
    assert kernel.contract.epilogue.keeps


def test_rows_columns_and_numbers():
    a, b, c = product("nn", BATCH, 20, 3)
    row, column, number = tensor(BATCH, 1), tensor(1, 20), tensor()
    scaled = o.mul(o.mul(o.mul(c, row), column), o.exp(number))
    program = agree(Graph((a, b, row, column, number), (o.div(scaled, dim_value(BATCH, F32)),)), batches=(5, 2))
    assert len(program.calls) == len(fused(program)) == 1
    (kernel,) = program.kernels
    assert kernel.contract.epilogue.kinds.count("rows") == 1
    assert len(kernel.contract.epilogue.scalars) >= 2  # the exponential and the batch size: once, not per tile


def test_batches_of_matrices():
    a, b = tensor(BATCH, 4, 3), tensor(BATCH, 3, 20)
    bias, other = tensor(20), tensor(BATCH, 4, 20)
    program = agree(Graph((a, b, bias, other), (o.mul(o.add(o.matmul(a, b), bias), other),)), batches=(3, 1, 0))
    assert len(program.calls) == len(fused(program)) == 1


def test_flattened_rows():
    """The rows of a sequence are one matrix; its bias is still a row."""
    a, b, bias = tensor(BATCH, 4, 3), tensor(3, 20), tensor(20)
    program = agree(Graph((a, b, bias), (o.relu(o.add(o.matmul(a, b), bias)),)), batches=(3, 1))
    assert len(program.calls) == len(fused(program)) == 1


def test_other_types():
    a, b, c = product("nn", BATCH, 20, 3)
    flags = tensor(BATCH, 20, dtype=as_dtype("bool"))
    program = agree(Graph((a, b, flags), (o.where(flags, c, 0.0), o.greater(c, 0.0), o.cast(c, dtype=F64))))
    assert len(program.calls) == len(fused(program)) == 1


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("a sum over rows", lambda c: o.reduce_sum(c, axes=(1,), keepdims=False)),
        ("a softmax", o.softmax),
        ("a transposed view", lambda c: o.mul(o.transpose(c, perm=(1, 0)), 2.0)),
        ("a part", lambda c: o.relu(o.slice(c, begin=(0, 1), shape=(9, 10), strides=(1, 1)))),
    ],
)
def test_what_is_left_alone(what, make):
    a, b, c = product("nn", 9, 20, 3)
    assert not fused(agree(Graph((a, b), (make(c),)))), what


def test_products_without_tiles_are_left_alone():
    for m, n, form in ((1, 20, "nt"), (20, 1, "nn"), (64, 5, "tn")):
        a, b, c = product(form, m, n, 7)
        assert not fused(agree(Graph((a, b), (o.relu(c),))))


@pytest.mark.parametrize(("size", "count"), [(64, 1), (128, 0), (256, 1)])
def test_small_and_large_updates_follow_in_the_tiles(size, count):
    """Two arrays and the product hardly leave the L1 cache, fit the L2 cache well, or do not: then it does not matter."""
    caches = Target(64, 32, l1_bytes=48 << 10, l2_bytes=1 << 20, own_contracts=("f32",))
    a, b, c = product("tn", size, size, 32)
    x, y = tensor(size, size, name="x"), tensor(size, size, name="y")
    program = generate(Graph((a, b, x, y), (o.add(o.mul(c, x), y),)), caches)
    assert len(fused(program)) == count


@pytest.mark.parametrize("size", [64, 128])
def test_a_mask_and_its_sum_follow_in_the_tiles(size):
    caches = Target(64, 32, l1_bytes=48 << 10, l2_bytes=1 << 20, own_contracts=("f32",))
    a, b, c = product("nt", 64, size, 32)
    x = tensor(64, size, name="x")
    masked = o.where(o.greater(x, 0.0), c, 0.0)
    program = generate(Graph((a, b, x), (masked, o.reduce_sum(masked, axes=(0,), keepdims=False))), caches)
    assert len(program.calls) == len(fused(program)) == 1


def test_products_of_a_library_are_left_alone():
    a, b, c = product("nn", 9, 20, 3)
    assert not fused(generate(Graph((a, b), (o.relu(c),)), Target()))


def test_the_younger_of_two_products_takes_the_sum():
    a, b, c = product("nn", BATCH, 20, 3)
    d, e, f = product("nn", BATCH, 20, 4)
    program = agree(Graph((a, b, d, e), (o.tanh(o.add(c, f)),)))
    assert len(program.calls) == 2 and len(fused(program)) == 1


def test_a_product_does_not_end_in_what_needs_it_by_way_of_another_products_end():
    """Batch normalisation's gradient: g @ v ends in a sum that needs x @ w, and that sum is needed by what could end x @ w."""
    x, w, h = product("nn", BATCH, 20, 3)
    g, v, d = product("nt", BATCH, 20, 4)
    total = o.reduce_sum(o.mul(d, h), axes=(0,), keepdims=False)
    assert len(fused(agree(Graph((x, w, g, v), (o.sub(h, total),))))) == 1


def test_random_graphs_keep_their_bits():
    """As plain Python, a product with what follows it computes what both compute apart, bit by bit."""
    small = Target(64, 32, 1024, 16 * 1024, own_contracts=("f32", "f64"))
    seen = 0
    for seed in range(40):
        case = RandomGraph(seed, 12 + seed % 30)
        program = generate(case.graph, small)
        seen += len(fused(program))
        if not fused(program):
            continue
        variables = order_variables(case.graph)
        inputs = case.inputs(1 + seed % 5)
        results = []
        for each in (program, generate(case.graph)):
            storages = [case.values[ref].copy() for ref in variables]
            results.append([*build(each, storages, "python")(inputs), *storages])
        for one, two in zip(*results, strict=True):
            np.testing.assert_array_equal(one, two)
    assert seen > 10


@pytest.mark.compiles
@pytest.mark.parametrize("start", [1, 23])
def test_rows_from_the_middle_of_an_array(start: int):
    """Where they begin is a number in the kernel's text, however large: a tile's kernel is told of the tile only."""
    a, b, c = product("nn", 23, 97, 16)
    rows = tensor(46, 97)
    part = o.slice(rows, begin=(start, 0), shape=(23, 97), strides=(1, 1))
    program = agree(Graph((a, b, rows), (o.mul(c, part), o.tanh(o.sub(c, part)))), mode="compiled")
    assert len(fused(program)) == 1
