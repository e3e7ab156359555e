"""The reverse walk: accumulation, un-broadcasting, cuts, seeds, tuples, symbolic sizes, higher orders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from weft.graph import REGISTRY, ArrayType, Dim, Graph, Node, as_dtype, constant, make, o, parameter
from weft.graph.evaluate import evaluate
from weft.graph.gradient import fit_gradient, gradients, sum_to
from weft.graph.origin import Origin, created_at
from weft.graph.verify import verify

F64, I32 = as_dtype("float64"), as_dtype("int32")


def vector(*shape: int | Dim) -> Node:
    return parameter(ArrayType(F64, shape))


def run(inputs: Sequence[Node], node: Node | None, *arrays: object) -> np.ndarray:
    assert node is not None
    values = [np.asarray(a, n.dtype.np) for a, n in zip(arrays, inputs, strict=True)]
    return evaluate(verify(Graph(tuple(inputs), (node,))), values).outputs[0]


def test_uses_accumulate() -> None:
    x = vector(3)
    (g,) = gradients([o.add(o.square(x), o.mul(x, 3.0))], [x])
    np.testing.assert_allclose(run([x], g, [1, 2, 3]), [5, 7, 9])


def test_broadcasting_is_undone() -> None:
    x, y, z = vector(3), vector(2, 1), vector()
    target = o.mul(o.add(x, y), z)
    assert target.shape == (2, 3)
    found = gradients([target], [x, y, z])
    arrays = [1, 2, 3], [[10], [20]], 5
    want = [np.full(3, 10), np.full((2, 1), 15), np.array(102)]
    for g, w, source in zip(found, want, (x, y, z), strict=True):
        assert g is not None
        assert g.type == source.type
        np.testing.assert_allclose(run([x, y, z], g, *arrays), w)


def test_symbolic_sizes() -> None:
    batch = Dim("batch")
    x, w = vector(batch, 3), vector(3)
    (gx, gw) = gradients([o.reduce_sum(o.mul(x, w), axes=(0, 1), keepdims=False)], [x, w])
    data = np.arange(12.0).reshape(4, 3)
    np.testing.assert_allclose(run([x, w], gw, data, [1, 2, 3]), data.sum(0))
    np.testing.assert_allclose(run([x, w], gx, data, [1, 2, 3]), np.broadcast_to([1, 2, 3], (4, 3)))


def test_unconnected_sources_have_no_gradient() -> None:
    x, y = vector(3), vector(3)
    assert gradients([o.exp(x)], [y]) == [None]
    assert gradients([o.stop_gradient(x)], [x]) == [None]
    assert gradients([o.cast(o.cast(x, dtype=I32), dtype=F64)], [x]) == [None]
    (g,) = gradients([o.where(o.greater(x, y), x, y)], [x])
    np.testing.assert_allclose(run([x, y], g, [1, 5, 2], [3, 3, 3]), [0, 1, 0])


def test_integer_targets_and_sources_have_no_gradient() -> None:
    n = parameter(ArrayType(I32, (3,)))
    assert gradients([o.square(n)], [n]) == [None]


def test_sources_in_the_middle_and_targets_as_sources() -> None:
    x = vector(3)
    y = o.square(x)
    z = o.mul(y, 2.0)
    gz, gy, gx = gradients([z], [z, y, x])
    np.testing.assert_allclose(run([x], gz, [1, 2, 3]), np.ones(3))
    np.testing.assert_allclose(run([x], gy, [1, 2, 3]), np.full(3, 2))
    np.testing.assert_allclose(run([x], gx, [1, 2, 3]), [4, 8, 12])


def test_seeds_weigh_the_targets() -> None:
    x = vector(3)
    seed = constant(np.array([1.0, 10.0, 100.0]))
    (g,) = gradients([o.square(x), o.neg(x)], [x], [seed, None])
    np.testing.assert_allclose(run([x], g, [1, 2, 3]), [1, 39, 599])
    with pytest.raises(ValueError, match=r"must have the dtype and shape of its target, f64\[3\]. Received: f64\[\]"):
        gradients([x], [x], [constant(1.0)])


def test_higher_orders() -> None:
    x = vector()
    y = o.mul(o.square(x), x)
    for want in (12.0, 12.0, 6.0):
        (y,) = gradients([y], [x])
        np.testing.assert_allclose(run([x], y, 2), want)


def test_results_of_a_call() -> None:
    a, b = vector(2), vector(2)
    inner = Graph((a, b), (o.mul(a, b), o.exp(a), o.neg(b)))
    x, y = vector(2), vector(2)
    call = make(REGISTRY["call"], (x, y), {"graph": inner})
    target = o.add(o.item(call, index=0), o.mul(o.item(call, index=1), 2.0))
    gx, gy = gradients([target], [x, y])
    np.testing.assert_allclose(run([x, y], gx, [0, 1], [3, 4]), [5, 4 + 2 * np.e])
    np.testing.assert_allclose(run([x, y], gy, [0, 1], [3, 4]), [0, 1])


def test_new_nodes_belong_to_the_lines_they_differentiate() -> None:
    x = vector(2)
    line = Origin("train.py", 7)
    with created_at((line,)):
        y = o.tanh(x)
    (g,) = gradients([y], [x], [constant(np.array([0.25, 0.75]))])
    assert g is not None
    assert line in g.origins


def test_deep_graphs_do_not_recurse() -> None:
    x = node = vector()
    for i in range(3000):
        node = o.add(node, float(i))
    (g,) = gradients([node], [x])
    assert run([x], g, 0) == 1


def test_sum_to_and_fit_gradient() -> None:
    g = vector(4, 2, 3)
    data = np.arange(24.0).reshape(4, 2, 3)
    np.testing.assert_allclose(run([g], sum_to(g, (2, 1)), data), data.sum((0, 2))[:, None])
    assert sum_to(g, (4, 2, 3)) is g
    narrow, like = vector(1, 3), vector(2, 3)
    np.testing.assert_allclose(run([narrow], fit_gradient(narrow, like), [[1, 2, 3]]), [[1, 2, 3]] * 2)
    both, like = vector(5, 1, 3), vector(2, 3)
    np.testing.assert_allclose(run([both], fit_gradient(both, like), np.ones((5, 1, 3))), np.full((2, 3), 5))


def test_symbolic_axis_of_size_one_is_kept_apart_from_one() -> None:
    n = Dim("n")
    x, y = vector(n), vector(1)
    (g,) = gradients([o.add(x, y)], [y])
    for size in (1, 4):
        np.testing.assert_allclose(run([x], g, np.zeros(size)), [size])


def test_rule_that_returns_too_few_gradients_is_named() -> None:
    x = vector(2)
    op = REGISTRY["add"]
    broken = object.__new__(Node)
    broken.op = type(op)(name="add", params=("x", "y"), expr="a + b", gradient=lambda o, y, g: (g,))
    broken.args, broken.attrs, broken.type, broken.origins = (x, x), {}, x.type, ()
    with pytest.raises(TypeError, match=r"The gradient rule of add must return one gradient per argument \(2\). Received: 1"):
        gradients([broken], [x])
