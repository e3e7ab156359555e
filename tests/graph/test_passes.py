"""The passes: a train step's text before and after, equal results, and what each pass takes away."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from weft.graph import REGISTRY, ArrayType, Dim, Graph, Node, VariableRef, as_dtype, constant, dim_value, make, o, parameter, read
from weft.graph.evaluate import evaluate
from weft.graph.gradient import gradients
from weft.graph.passes import PIPELINE, optimize
from weft.graph.passes.absorb_broadcasts import BROADCASTS
from weft.graph.passes.algebra_rules import ALGEBRA
from weft.graph.passes.eliminate_transposes import LAYOUT
from weft.graph.passes.fold_constants import FOLD
from weft.graph.passes.inline_calls import inline_calls
from weft.graph.passes.simplify_algebra import REDUCTIONS, simplify_algebra, simplify_algebra_freely
from weft.graph.rewrite import Rules
from weft.graph.text import to_text
from weft.graph.text_parser import parse
from weft.graph.verify import verify

F32, I32, B1 = as_dtype("float32"), as_dtype("int32"), as_dtype("bool")
BATCH = Dim("batch")
GOLDEN = Path(__file__).parent.parent / "golden"
fold_constants, eliminate_transposes = Rules(FOLD).rewrite, Rules((*FOLD, *LAYOUT)).rewrite


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a text with the stored one. With WEFT_WRITE_GOLDEN=1 in the environment it is stored instead."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("WEFT_WRITE_GOLDEN"):
            path.write_text(text)
        assert text == path.read_text()

    return compare


def dense_layers(sizes: list[int]) -> list[tuple[VariableRef, VariableRef]]:
    return [
        (VariableRef(f"dense_{i}/kernel", ArrayType(F32, (a, b))), VariableRef(f"dense_{i}/bias", ArrayType(F32, (b,))))
        for i, (a, b) in enumerate(itertools.pairwise(sizes))
    ]


def forward(x: Node, layers: list[tuple[VariableRef, VariableRef]]) -> Node:
    for i, (kernel, bias) in enumerate(layers):
        x = o.add(o.matmul(x, read(kernel)), read(bias))
        x = o.relu(x) if i + 1 < len(layers) else x
    return x


def adam(variable: VariableRef, gradient: Node, alpha: Node) -> list[tuple[VariableRef, Node]]:
    """Adam's update as it is usually written down, with whatever that leaves to simplify."""
    out = []
    moments = []
    for name, beta, value in (("momentum", 0.9, gradient), ("velocity", 0.999, o.square(gradient))):
        slot = VariableRef(f"{variable.name}/{name}", variable.type)
        one_minus = o.sub(constant(np.float32(1)), constant(np.float32(beta)))
        moments.append(o.add(read(slot), o.mul(o.sub(value, read(slot)), one_minus)))
        out.append((slot, moments[-1]))
    step = o.div(o.mul(moments[0], alpha), o.add(o.sqrt(moments[1]), 1e-7))
    return [*out, (variable, o.add(read(variable), o.neg(step)))]


def train_step(sizes: list[int]) -> Graph:
    """Forward, softmax cross-entropy, backward, Adam and an accuracy, for a batch of any size."""
    x, y = parameter(ArrayType(F32, (BATCH, sizes[0])), "x"), parameter(ArrayType(I32, (BATCH, 1)), "y")
    layers = dense_layers(sizes)
    flat = [v for pair in layers for v in pair]
    labels = o.reshape(y, shape=(BATCH,))
    logits = forward(o.identity(x), layers)
    losses = o.mul(o.sparse_softmax_cross_entropy_with_logits(logits, labels), constant(np.float32(1)))
    count = o.cast(dim_value(BATCH, I32), dtype=F32)
    loss = o.div(o.reduce_sum(losses, axes=(0,), keepdims=False), count)
    found = gradients([loss], [read(v) for v in flat])
    iterations, rate = VariableRef("iterations", ArrayType(I32, ())), VariableRef("learning_rate", ArrayType(F32, ()))
    steps = o.cast(o.add(read(iterations), 1), dtype=F32)
    correction = [o.sub(constant(np.float32(1)), o.pow(constant(np.float32(b)), steps)) for b in (0.9, 0.999)]
    alpha = o.div(o.mul(read(rate), o.sqrt(correction[1])), correction[0])
    writes = [w for v, g in zip(flat, found, strict=True) if g is not None for w in adam(v, g, alpha)]
    right = o.equal(o.cast(o.argmax(logits, axes=(1,), dtype=as_dtype("int64")), dtype=I32), labels)
    hits = o.reduce_sum(o.cast(o.cast(right, dtype=I32), dtype=F32), axes=(0,), keepdims=False)
    ones = o.reduce_sum(o.broadcast_to(constant(np.float32(1)), shape=(BATCH,)), axes=(0,), keepdims=False)
    total, seen = VariableRef("accuracy/total", ArrayType(F32, ())), VariableRef("accuracy/count", ArrayType(F32, ()))
    writes += [(iterations, o.add(read(iterations), 1)), (total, o.add(read(total), hits)), (seen, o.add(read(seen), ones))]
    return Graph((x, y), (loss, o.div(o.add(read(total), hits), o.add(read(seen), ones))), tuple(writes), None, "train_step")


def test_train_step_before_and_after(golden: Callable[[str, str], None]) -> None:
    graph = train_step([8, 4, 3])
    golden("train_step_traced.txt", to_text(graph))
    best = optimize(graph, verify_each=True)
    golden("train_step_optimized.txt", to_text(best))
    names = [n.op.name for n in best.nodes()]
    assert not {"identity", "transpose", "neg", "broadcast_to"} & set(names)
    assert len(names) < len(graph.nodes())


def test_golden_texts_are_read_back() -> None:
    for path in sorted(GOLDEN.glob("*_traced.txt")):
        text = path.read_text()
        assert to_text(parse(text)) == text
        after = path.with_name(path.name.replace("traced", "optimized")).read_text()
        assert to_text(optimize(parse(text), verify_each=True)) == after


def test_optimized_train_step_computes_the_same_bits() -> None:
    graph = train_step([8, 4, 3])
    best = optimize(graph)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(5, 8)).astype(np.float32), random.integers(0, 3, (5, 1)).astype(np.int32)
    values = {
        v: np.abs(random.normal(size=[int(str(s)) for s in v.type.shape]) * 3).astype(v.type.dtype.np) for v in graph.reads()
    }
    want, got = evaluate(graph, [x, y], values), evaluate(best, [x, y], values)
    for w, g in zip((*want.outputs, *(a for _, a in want.writes)), (*got.outputs, *(a for _, a in got.writes)), strict=True):
        np.testing.assert_array_equal(g, w)


def test_optimizing_again_changes_nothing_and_the_last_pass_applies_every_rule() -> None:
    graph = train_step([8, 4, 3])
    best = optimize(graph)
    assert optimize(best).roots == best.roots
    assert simplify_algebra(graph).roots == best.roots


def test_the_work_grows_with_the_graph_and_not_faster() -> None:
    def work(layers: int) -> float:
        """Function calls per node, which a clock does not disturb."""
        graph = train_step([16] * layers + [4])
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            optimize(graph)
        finally:
            sys.setprofile(before)
        return calls / len(graph.nodes())

    assert work(16) < 1.3 * work(4)


def test_every_sample_of_every_op_keeps_its_value() -> None:
    count = 0
    for op in REGISTRY.values():
        for sample in op.samples():
            arrays = [np.asarray(a) for a in sample.args]
            inputs = tuple(parameter(ArrayType(as_dtype(a.dtype), a.shape)) for a in arrays)
            for args, given in ((inputs, arrays), (tuple(map(constant, arrays)), [])):
                graph = Graph(inputs if given else (), (make(op, args, sample.attrs),))
                with np.errstate(all="ignore"):
                    (want,), (got,) = evaluate(graph, given).outputs, evaluate(optimize(graph), given).outputs
                np.testing.assert_array_equal(got, want)
                assert np.asarray(got).dtype == np.asarray(want).dtype
            count += 1
    assert count > 200


def test_calls_are_inlined_with_the_callers_sizes() -> None:
    n, m = Dim("n"), Dim("m")
    a = parameter(ArrayType(F32, (n, 3)))
    wide = o.broadcast_to(o.reduce_sum(a, axes=(0,), keepdims=False), shape=(n, 3))
    inner = Graph((a,), (o.sub(a, wide), o.mul(a, dim_value(n, F32))), name="centre")
    b = parameter(ArrayType(F32, (n, 3)))
    first = make(REGISTRY["call"], (b,), {"graph": inner})
    outer = Graph((b,), (o.add(o.item(first, index=0), o.item(first, index=1)),), name="twice")
    x = parameter(ArrayType(F32, (m, 3)))
    graph = verify(Graph((x,), (o.item(make(REGISTRY["call"], (x,), {"graph": outer}), index=0),)))
    flat = verify(inline_calls(graph))
    assert {node.op.family for node in flat.nodes()}.isdisjoint({"control"})
    data = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(evaluate(flat, [data]).outputs[0], data - data.sum(0) + data * 2)
    np.testing.assert_array_equal(evaluate(graph, [data]).outputs[0], data - data.sum(0) + data * 2)


def only(graph_pass: Callable[[Graph], Graph], node: Node, *inputs: Node) -> Node:
    (out,) = verify(graph_pass(verify(Graph(inputs, (node,))))).outputs
    return out


def test_constants_are_computed_but_errors_and_large_results_are_left() -> None:
    two, three = constant(np.int32(2)), constant(np.int32(3))
    assert only(fold_constants, o.mul(o.add(two, three), two)) is constant(np.int32(10))
    assert only(fold_constants, o.cast(two, dtype=F32)) is constant(np.float32(2))
    bad = o.floordiv(two, constant(np.int32(0)))
    assert only(fold_constants, bad) is bad
    table, beyond = constant(np.arange(3, dtype=np.float32)), constant(np.array([7, 1], np.int32))
    out_of_range = o.gather(table, beyond, axis=0)
    assert only(fold_constants, out_of_range) is out_of_range
    big = o.exp(constant(np.arange(5000, dtype=np.float32)))
    assert only(fold_constants, big) is big


def test_constant_arrays_of_equal_elements_become_scalars() -> None:
    x = parameter(ArrayType(F32, (2, 3)))
    out = only(optimize, o.add(o.mul(x, constant(np.full((2, 3), 0.5, np.float32))), constant(np.full((3,), 2, np.float32))), x)
    assert out is o.add(o.mul(x, 0.5), 2.0)


def test_layout_ops_that_do_nothing_go() -> None:
    x = parameter(ArrayType(F32, (BATCH, 2, 3)))
    y = o.transpose(o.transpose(x, perm=(2, 0, 1)), perm=(1, 2, 0))
    y = o.reshape(o.reshape(y, shape=(BATCH * 6,)), shape=(BATCH, 2, 3))
    y = o.slice(y, begin=(0, 0, 0), shape=(BATCH, 2, 3), strides=(1, 1, 1))
    y = o.broadcast_to(o.concat(y, axis=1), shape=(BATCH, 2, 3))
    assert only(eliminate_transposes, y, x) is x


def test_slices_of_concatenations_find_their_part() -> None:
    x, y = parameter(ArrayType(F32, (2, BATCH))), parameter(ArrayType(F32, (3, BATCH)))
    whole = o.concat(x, y, axis=0)

    def rows(first: int, count: int, stride: int = 1) -> Node:
        taken = o.slice(whole, begin=(first, 0), shape=(count, BATCH), strides=(stride, 1))
        return only(eliminate_transposes, taken, x, y)

    assert rows(0, 2) is x
    assert rows(2, 3) is y
    assert rows(3, 2) is o.slice(y, begin=(1, 0), shape=(2, BATCH), strides=(1, 1))
    assert rows(1, 2).args == (whole,)
    assert rows(2, 2, 2).args == (whole,)


def test_transposes_become_flags_of_the_product() -> None:
    x, y = parameter(ArrayType(F32, (3, BATCH))), parameter(ArrayType(F32, (4, 3)))
    product = o.matmul(o.transpose(x, perm=(1, 0)), o.transpose(y, perm=(1, 0)))
    assert only(eliminate_transposes, product, x, y) is o.matmul(x, y, transpose_a=True, transpose_b=True)
    z = parameter(ArrayType(F32, (BATCH, 4)))
    again = o.matmul(o.transpose(x, perm=(1, 0)), z, transpose_a=True)
    assert only(eliminate_transposes, again, x, z) is o.matmul(x, z)


def test_broadcasts_leave_elementwise_ops() -> None:
    x, b, s = parameter(ArrayType(F32, (BATCH, 3))), parameter(ArrayType(F32, (3,))), parameter(ArrayType(F32, ()))
    wide = o.broadcast_to(o.reshape(b, shape=(1, 3)), shape=(BATCH, 3))
    assert only(optimize, o.add(x, wide), x, b) is o.add(x, b)
    half = o.mul(o.broadcast_to(s, shape=(BATCH, 3)), 0.3)
    assert only(optimize, o.add(half, wide), s, b, x) is o.broadcast_to(o.add(o.mul(s, 0.3), b), shape=(BATCH, 3))
    n = parameter(ArrayType(I32, ()))
    checked = o.floordiv(o.broadcast_to(n, shape=(BATCH,)), o.broadcast_to(n, shape=(BATCH,)))
    assert checked.op.check
    assert only(optimize, checked, n, x) is checked


def test_mean_of_one_element_and_seeds_of_ones_vanish() -> None:
    x = parameter(ArrayType(F32, (BATCH, 1)))
    assert only(optimize, o.reduce_max(x, axes=(1,), keepdims=False), x) is o.reshape(x, shape=(BATCH,))
    assert only(optimize, o.reduce_sum(x, axes=(1,), keepdims=True), x) is o.add(x, 0.0)
    assert only(optimize, o.reduce_sum(o.square(x), axes=(1,), keepdims=True), x) is o.square(x)
    (g,) = gradients([x], [x])
    assert g is not None
    assert only(optimize, o.mul(o.exp(x), g), x) is o.exp(x)
    ones = o.reduce_sum(g, axes=(0, 1), keepdims=False)
    assert only(optimize, ones, x) is dim_value(BATCH, F32)


def test_adding_zero_goes_where_there_is_no_minus_zero() -> None:
    x = parameter(ArrayType(F32, (3,)))
    total = o.reduce_sum(x, axes=(0,), keepdims=False)
    penalty = o.mul(constant(np.float32(0.01)), o.reduce_sum(o.square(x), axes=(0,), keepdims=False))
    assert only(optimize, o.add(total, 0.0), x) is total
    assert only(optimize, o.add(penalty, 0.0), x) is penalty
    for other in (o.mul(total, 0.01), o.neg(penalty), o.mul(penalty, constant(np.float32(-1e-30))), x):
        assert only(optimize, o.add(other, 0.0), x).op is REGISTRY["add"]
    wrapping = o.cast(o.square(o.cast(x, dtype=I32)), dtype=F32)
    assert only(optimize, o.add(o.mul(wrapping, 0.5), 0.0), x).op is REGISTRY["add"]


def test_casts_of_masks_and_counts_collapse() -> None:
    mask = parameter(ArrayType(B1, (BATCH,)))
    twice = o.cast(o.cast(mask, dtype=I32), dtype=F32)
    assert only(simplify_algebra, twice, mask) is o.cast(mask, dtype=F32)
    chosen = o.where(mask, constant(np.float32(1)), constant(np.float32(0)))
    assert only(simplify_algebra, chosen, mask) is o.cast(mask, dtype=F32)
    x = parameter(ArrayType(F32, (BATCH,)))
    lossy = o.cast(o.cast(x, dtype=I32), dtype=F32)
    assert only(simplify_algebra, lossy, x) is lossy
    assert only(simplify_algebra, o.cast(dim_value(BATCH, I32), dtype=F32), x) is dim_value(BATCH, F32)


def test_a_pass_that_breaks_the_graph_is_named() -> None:
    x = parameter(ArrayType(F32, (2,)))

    def break_outputs(graph: Graph) -> Graph:
        return Graph(graph.inputs, (o.add(x, parameter(x.type)),))

    with pytest.raises(Exception, match="must be an input") as caught:
        optimize(Graph((x,), (o.neg(x),)), verify_each=True, pipeline=(break_outputs,))
    assert caught.value.__notes__ == ["This is the graph after break_outputs."]


def test_every_rule_is_documented() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "passes.md").read_text()
    for graph_pass in PIPELINE:
        assert f"`{graph_pass.__name__}`" in page
    for rule in (*FOLD, *ALGEBRA, *REDUCTIONS, *LAYOUT, *BROADCASTS):
        assert str(rule) in page, rule


def test_rules_for_real_numbers_apply_only_if_asked_for() -> None:
    x = parameter(ArrayType(F32, (3,)))
    total = o.reduce_sum(o.broadcast_to(x, shape=(4, 3)), axes=(0,), keepdims=False)
    graph = Graph((x,), (total,))
    assert simplify_algebra(graph).outputs == (total,)
    assert simplify_algebra_freely(graph).outputs[0].op.name == "mul"
