"""The reference interpreter: inputs, variables, symbolic sizes, effects."""

from __future__ import annotations

import numpy as np
import pytest

from weft.graph.build import constant, dim_value, o, parameter, read
from weft.graph.dims import Dim
from weft.graph.dtype import float32, int32
from weft.graph.errors import DTypeError, ShapeError
from weft.graph.evaluate import evaluate, evaluate_node, resolve_attrs, solve_dims
from weft.graph.gradient import gradients
from weft.graph.ir import ArrayType, Graph, VariableRef

BATCH = Dim("batch")


def typed(*shape: object) -> ArrayType:
    return ArrayType(float32, shape)  # type: ignore[arg-type]


def test_a_train_step() -> None:
    """Linear regression: loss before, and the weights after one step of gradient descent."""
    weight = VariableRef("w", typed(3, 1))
    x, y = parameter(typed(BATCH, 3), "x"), parameter(typed(BATCH, 1), "y")
    w = read(weight)
    error = o.squared_difference(o.matmul(x, w), y)
    loss = o.div(o.reduce_sum(error, axes=(0, 1)), dim_value(BATCH, float32))
    (slope,) = gradients([loss], [w])
    assert slope is not None
    graph = Graph((x, y), (loss,), ((weight, o.sub(w, o.mul(slope, 0.1))),))
    start = np.zeros((3, 1), np.float32)
    for n in (1, 4):
        xs = np.arange(3 * n, dtype=np.float32).reshape(n, 3)
        ys = np.ones((n, 1), np.float32)
        result = evaluate(graph, [xs, ys], {weight: start})
        assert result.outputs[0] == np.float32(1)
        ((ref, after),) = result.writes
        assert ref is weight
        np.testing.assert_allclose(after, 0.2 * xs.T @ ys / n, rtol=1e-6)
    assert not start.any()


def test_symbolic_attributes_are_resolved() -> None:
    x = parameter(typed(BATCH, 2))
    flat = o.reshape(x, shape=(BATCH * 2,))
    tail = o.slice(flat, begin=(BATCH,), shape=(BATCH,), strides=(1,))
    ramp = o.mul(o.cast(o.iota(size=BATCH, dtype=int32), dtype=float32), tail)
    (out,) = evaluate(Graph((x,), (ramp,)), [np.arange(6, dtype=np.float32).reshape(3, 2)]).outputs
    assert out.tolist() == [0, 4, 10]


def test_slices_of_symbolic_tensors_have_gradients() -> None:
    x = parameter(typed(BATCH, 2))
    last = o.slice(x, begin=(BATCH - 1, 0), shape=(1, 2), strides=(1, 1))
    backwards = o.slice(x, begin=(BATCH - 1, 1), shape=(BATCH, 2), strides=(-1, -1))
    (g,) = gradients([last, o.mul(backwards, 10.0)], [x])
    assert g is not None
    assert g.shape == x.shape
    (out,) = evaluate(Graph((x,), (g,)), [np.zeros((3, 2), np.float32)]).outputs
    assert out.tolist() == [[10, 10], [10, 10], [11, 11]]


def test_single_nodes() -> None:
    node = o.broadcast_to(constant(np.float32(2)), shape=(BATCH,))
    assert evaluate_node(node, [np.float32(2)], {"batch": 2}).tolist() == [2, 2]
    assert resolve_attrs({"shape": (BATCH * 2, 3), "k": 1.5}, {"batch": 4}) == {"shape": (8, 3), "k": 1.5}


def test_a_parameter_may_be_an_output_and_a_variable_may_pass_through() -> None:
    v = VariableRef("v", typed(2))
    x = parameter(typed(2))
    result = evaluate(Graph((x,), (x, read(v)), ((v, x),)), [np.ones(2, np.float32)], {v: np.zeros(2, np.float32)})
    assert [a.tolist() for a in result.outputs] == [[1, 1], [0, 0]]
    assert result.writes[0][1].tolist() == [1, 1]


def test_wrong_inputs_are_explained() -> None:
    graph = Graph((parameter(typed(BATCH, 2), "images"),), ())
    with pytest.raises(DTypeError, match=r"Input images of graph is f32\[batch,2\]. Received: an array of float64"):
        evaluate(graph, [np.zeros((3, 2))])
    with pytest.raises(ShapeError, match=r"f32\[batch,2\].*Received: \(3, 4\)"):
        evaluate(graph, [np.zeros((3, 4), np.float32)])
    with pytest.raises(ShapeError, match=r"rank 2\. Received: shape"):
        evaluate(graph, [np.zeros(3, np.float32)])
    with pytest.raises(ShapeError, match=r"1 inputs takes as many arrays\. Received: 2"):
        evaluate(graph, [np.zeros(3, np.float32)] * 2)


def test_solving_sizes() -> None:
    n, m = Dim("n"), Dim("m")
    assert solve_dims([typed(n), typed(n * 2 + 1, m)], [(3,), (7, 0)]) == {"n": 3, "m": 0}
    assert solve_dims([typed(n * 2 + 1)], [(7,)]) == {"n": 3}
    assert solve_dims([typed(n * m), typed(m)], [(12,), (4,)]) == {"n": 3, "m": 4}
    assert solve_dims([typed(n * 0 + 5)], [(5,)]) == {}
    for types, shapes in (
        ([typed(n), typed(n)], [(3,), (4,)]),
        ([typed(n * 2)], [(7,)]),
        ([typed(n + 4)], [(3,)]),
        ([typed(n * m)], [(12,)]),
        ([typed(3)], [(4,)]),
    ):
        with pytest.raises(ShapeError):
            solve_dims(types, shapes)
    with pytest.raises(ShapeError, match=r"f32\[n\] with n = 3 got an array of another shape. Received: \(4,\)"):
        solve_dims([typed(n), typed(n)], [(3,), (4,)])
