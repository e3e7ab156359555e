"""The stated rules of docs/fusion.md, one by one: what becomes one kernel, what is stored, what is shared."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from weft.codegen import Program, Target, generate
from weft.codegen.prelude_names import PRELUDE
from weft.graph import ArrayType, Dim, Graph, Node, as_dtype, o, parameter
from weft.graph.build import expand_dims
from weft.graph.evaluate import evaluate
from weft.runtime.executable import build

F32, I32 = as_dtype("float32"), as_dtype("int32")
BATCH = Dim("batch")


def tensor(*shape, dtype=F32) -> Node:
    return parameter(ArrayType(dtype, shape), "x")


def compiled(inputs, outputs) -> Program:
    """The program, after checking it against the interpreter."""
    graph = Graph(tuple(inputs), tuple(outputs))
    program = generate(graph)
    random = np.random.default_rng(3)
    sizes = [tuple(5 if isinstance(s, Dim) else s for s in i.shape) for i in inputs]
    arrays = [random.integers(0, 3, s).astype(i.dtype.np) if i.dtype.is_integer else random.normal(size=s).astype(i.dtype.np)
              for i, s in zip(inputs, sizes, strict=True)]  # fmt: skip
    for got, want in zip(build(program, [], "python")(arrays), evaluate(graph, arrays).outputs, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    return program


def loops(program: Program, kernel: int = 0) -> int:
    text = program.source.split(f"def {program.kernels[kernel].name}")[1].split("\ndef ")[0]
    return text.count("for i")


def test_elementwise_chain_is_one_flat_loop():
    x, y = tensor(BATCH, 7, 3), tensor(BATCH, 7, 3)
    program = compiled([x, y], [o.tanh(o.add(o.mul(x, y), 1.0))])
    assert program.notes["calls"] == 1
    assert program.kernels[0].integers == 1
    assert loops(program) == 1


def test_flat_kernels_are_shared_between_shapes():
    x, y = tensor(BATCH, 7), tensor(20, 3)
    program = compiled([x, y], [o.exp(o.mul(x, 2.0)), o.exp(o.mul(y, 2.0))])
    assert program.notes["calls"] == 2
    assert len(program.kernels) == 1


def test_softmax_with_what_surrounds_it_is_one_kernel():
    x, b = tensor(BATCH, 10), tensor(10)
    probabilities = o.softmax(o.add(x, b))
    entropy = o.reduce_sum(o.mul(probabilities, o.log(probabilities)), axes=(1,), keepdims=False)
    program = compiled([x, b], [probabilities, entropy, o.reduce_sum(entropy, axes=(0,), keepdims=False)])
    assert program.notes["calls"] == 1


def test_layer_normalisation_is_one_kernel():
    x = tensor(BATCH, 10)
    centred = o.sub(x, o.mul(o.reduce_sum(x, axes=(1,), keepdims=True), 0.1))
    variance = o.mul(o.reduce_sum(o.square(centred), axes=(1,), keepdims=True), 0.1)
    program = compiled([x], [o.mul(centred, o.rsqrt(o.add(variance, 1e-3)))])
    assert program.notes["calls"] == 1


def test_column_sum_ends_the_kernel():
    x = tensor(BATCH, 4)
    total = o.reduce_sum(x, axes=(0,), keepdims=True)
    assert compiled([x], [o.sub(x, total)]).notes["calls"] == 2


def test_masked_gradient_and_its_column_sum_are_one_kernel():
    h, g = tensor(BATCH, 4), tensor(BATCH, 4)
    masked = o.where(o.greater(h, 0.0), g, o.constant_like(0, g))
    assert compiled([h, g], [masked, o.reduce_sum(masked, axes=(0,), keepdims=False)]).notes["calls"] == 1


def test_cheap_mask_is_recomputed_not_stored():
    x, g, w = tensor(BATCH, 4), tensor(BATCH, 4), tensor(4, 4)
    h = o.relu(x)
    back = o.where(o.greater(h, 0.0), o.matmul(o.matmul(h, w), w), g)
    program = compiled([x, g, w], [h, back])
    assert all(b.dtype == "f32" for b in program.buffers)


def test_rows_do_not_count_among_what_is_recomputed_from():
    """The difference from a column's mean is needed behind two sums: it is computed anew each time."""
    x = tensor(BATCH, 64)
    mean = o.mul(o.reduce_sum(x, axes=(0,), keepdims=True), 0.25)
    centred = o.sub(x, mean)
    squares = o.reduce_sum(o.square(centred), axes=(0,), keepdims=True)
    program = compiled([x], [o.mul(centred, squares)])
    assert not [b for b in program.buffers if b.kind == "scratch" and "64" in b.shape and "batch" in b.shape]


@pytest.mark.parametrize(("shape", "stored"), [((BATCH, 64), 0), ((BATCH, 64, 5), 1)])
def test_two_arrays_are_read_again_by_one_reader_in_one_pass(shape, stored):
    """The second reader runs over its loops twice, and would load both arrays twice."""
    x, y = tensor(*shape), tensor(*shape)
    total = o.add(x, y)
    sums = o.reduce_sum(total, axes=(0,), keepdims=True)
    last = o.sub(total, sums)
    program = compiled([x, y], [o.softmax(last) if stored else last])
    assert len([b for b in program.buffers if b.kind == "scratch" and "batch" in b.shape]) == stored


def test_a_row_of_two_rows_is_not_recomputed_per_row():
    """Batch normalisation's shift comes from the mean, the factor and the offset: the last loop reads it, and no mean."""
    x, scale, offset = tensor(BATCH, 64), tensor(64), tensor(64)
    mean = o.mul(o.reduce_sum(x, axes=(0,), keepdims=True), 0.25)
    squares = o.reduce_sum(o.squared_difference(x, mean), axes=(0,), keepdims=True)
    factor = o.mul(o.rsqrt(o.add(squares, 1.0)), scale)
    program = compiled([x, scale, offset], [o.add(o.mul(x, factor), o.sub(offset, o.mul(mean, factor)))])
    assert len(program.kernels[-1].pointers) == 4


def test_vector_is_not_recomputed_per_row():
    x, v = tensor(BATCH, 4), tensor(4)
    program = compiled([x, v], [o.mul(x, o.exp(o.sqrt(o.abs(v))))])
    assert program.notes["calls"] == 2


def test_views_have_no_kernel():
    x, y = tensor(6, 4), tensor(4, 3)
    moved = o.slice(o.transpose(x, perm=(1, 0)), begin=(0, 1), shape=(4, 3), strides=(1, 2))
    assert compiled([x, y], [o.add(o.reverse(moved, axes=(0,)), y)]).notes["calls"] == 1


def test_gather_fuses_with_what_follows():
    table, indices = tensor(5, 8), tensor(BATCH, 2, dtype=I32)
    program = compiled([table, indices], [o.relu(o.gather(table, indices, axis=0, batch_dims=0))])
    assert program.notes["calls"] == 1
    assert program.kernels[0].checks


def test_one_element_per_row_fuses_with_the_row():
    x, labels = tensor(BATCH, 4), tensor(BATCH, 1, dtype=I32)
    chosen = o.gather(o.softmax(x), labels, axis=1, batch_dims=1)
    assert compiled([x, labels], [o.log(chosen)]).notes["calls"] == 1


def test_scalars_finish_with_the_reduction():
    x = tensor(BATCH, 4)
    total = o.reduce_sum(x, axes=(0, 1), keepdims=False)
    assert compiled([x], [o.sqrt(o.add(o.square(total), 1.0))]).notes["calls"] == 1


def test_independent_producers_are_merged():
    x, y, w = tensor(BATCH, 4), tensor(BATCH, 4), tensor(4, 4)
    left, right = o.tanh(o.matmul(x, w)), o.tanh(o.matmul(y, w))
    assert compiled([x, y, w], [o.add(left, right)]).notes["calls"] == 3


def test_row_value_reaches_across_views():
    x = tensor(BATCH, 4)
    row = expand_dims(o.reduce_max(x, axes=(1,), keepdims=False), 1)
    assert compiled([x], [o.sub(x, row)]).notes["calls"] == 1


@pytest.mark.parametrize("limit", [1, 1024])
def test_inner_lengths_are_numbers_up_to_a_limit(limit):
    x, b = tensor(BATCH, 12), tensor(12)
    program = generate(Graph((x, b), (o.add(x, b),)), Target(static_extent=limit))
    assert ("range(12)" in program.source) == (limit > 12)


def test_only_prelude_names_are_used():
    x, labels = tensor(BATCH, 4), tensor(BATCH, dtype=I32)
    key = tensor(2, dtype=as_dtype("uint64"))
    outputs = [
        o.sparse_softmax_cross_entropy_with_logits(x, labels),
        o.random_normal(key, shape=(BATCH, 4), dtype=F32),
        o.floordiv(labels, 2),
        o.gather(x, o.argmax(x, axes=(0,), dtype=I32), axis=0, batch_dims=0),
    ]
    source = generate(Graph((x, labels, key), tuple(outputs))).source
    tree = ast.parse(source)
    for function in [n for n in tree.body if isinstance(n, ast.FunctionDef)]:
        names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
        local = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        local |= {a.arg for a in function.args.args} | {f.name for f in tree.body if isinstance(f, ast.FunctionDef)}
        assert names - local <= {*PRELUDE, "range"}, function.name
