"""`custom_gradient`: on the tape, in a traced graph, of second order, and with variables."""

from __future__ import annotations

import numpy as np
import pytest

from weft.graph.build import parameter
from weft.graph.evaluate import evaluate
from weft.graph.gradient import gradients
from weft.graph.ir import Graph, array_type
from weft.graph.passes.inline_calls import inline_calls
from weft.tracer import GradientTape, Variable, apply, convert_to_tensor
from weft.tracer.custom_gradient import custom_gradient
from weft.tracer.trace import trace


def t(value):
    return convert_to_tensor(value)


@custom_gradient
def clipped_square(x):
    def grad(dy):
        return dy * apply("minimum", (x * 2.0, 1.0))

    return x * x, grad


def test_custom_gradient():
    def step(x):
        with GradientTape() as tape:
            tape.watch(x)
            y = clipped_square(x * 3.0) * 2.0
            y = clipped_square(y) * 5.0
        return tape.gradient(y, x)

    x = t(2.0)
    want = 5.0 * 1.0 * 2.0 * 1.0 * 3.0
    assert float(step(x)) == want
    assert evaluate(trace(step, [x.type]).graph, [x.numpy()]).outputs[0] == want


def test_custom_gradient_travels_with_the_graph():
    """A tape around a call of a traced function sees the custom gradient, also that of the gradient."""
    v = Variable(2.0)

    @custom_gradient
    def odd(x):
        y = x * x * v
        return y, lambda dy, variables: (dy * y * 10.0, [dy * 3.0])

    def function(x):
        return odd(x + 1.0) * 2.0

    traced = trace(function, [t(0.0).type])
    x = parameter(array_type("float32", ()))
    read = next(n for n in traced.graph.nodes() if "variable" in n.attrs)
    (out,) = traced.graph.replace({traced.graph.inputs[0]: x}).outputs
    first = gradients([out], [x, read])
    second = gradients([first[0]], [x])
    graph = inline_calls(Graph((x,), (out, *first, *second)))
    assert not any("graph" in n.attrs for n in graph.nodes())
    for g in (graph, Graph((x,), (out, *first, *second))):
        value, dx, dv, ddx = evaluate(g, [np.float32(2)], {v.ref: v.storage}).outputs
        assert value == 2 * 9 * 2
        assert dx == 2 * 18 * 10
        assert dv == 2 * 3
        assert ddx == 2 * 10 * 12  # the y that the gradient uses is an ordinary product


def test_custom_gradient_of_second_order():
    @custom_gradient
    def square(x):
        return x * x, lambda dy: dy * x * x * x

    x = t(2.0)
    with GradientTape() as outer:
        outer.watch(x)
        with GradientTape() as inner:
            inner.watch(x)
            y = square(x)
        first = inner.gradient(y, x)
    assert float(first) == 8
    assert float(outer.gradient(first, x)) == 12


def test_custom_gradient_may_use_what_the_function_computed():
    @custom_gradient
    def square(x):
        y = x * x
        return y, lambda dy: dy * y

    def step(x):
        with GradientTape() as outer:
            outer.watch(x)
            with GradientTape() as inner:
                inner.watch(x)
                y = square(x)
            first = inner.gradient(y, x)
        return first, outer.gradient(first, x)

    x = t(3.0)
    assert [float(g) for g in step(x)] == [9, 6]
    assert evaluate(trace(step, [x.type]).graph, [x.numpy()]).outputs == (9, 6)


def test_custom_gradient_with_variables():
    v = Variable(3.0)

    @custom_gradient
    def scale(x):
        def grad(dy, variables):
            return dy * 10.0, [dy * 100.0 for _ in variables]

        return x * v, grad

    x = t(2.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = scale(x)
    assert [float(g) for g in tape.gradient(y, [x, v])] == [10, 100]

    @custom_gradient
    def forgot(x):
        return x * v, lambda dy: dy

    with GradientTape() as tape:
        tape.watch(x)
        y = forgot(x)
    with pytest.raises(TypeError, match="variables"):
        tape.gradient(y, x)

    @custom_gradient
    def too_many(x):
        return x * 2.0, lambda dy: (dy, dy)

    with GradientTape() as tape:
        tape.watch(x)
        y = too_many(x)
    with pytest.raises(ValueError, match="must return 1 gradients"):
        tape.gradient(y, x)
