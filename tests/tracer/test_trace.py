"""`trace`: graphs, results, variables in program order, and that failures leave nothing behind."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from weft.graph.dims import Dim
from weft.graph.errors import ShapeError
from weft.graph.evaluate import evaluate
from weft.graph.ir import array_type
from weft.graph.op import DimConflict
from weft.tracer import (
    EagerTensor,
    InaccessibleTensorError,
    OperatorNotAllowedInGraphError,
    SymbolicToNumpyError,
    Variable,
    VariableCreationError,
    apply,
    convert_to_tensor,
    executing_eagerly,
    init_scope,
    inside_function,
    layer_scope,
)
from weft.tracer.trace import trace

F = array_type("float32", ())
V2 = array_type("float32", (2,))


def run(traced, *arrays):
    """Runs the graph by the interpreter; gives the packed result and stores what was written."""
    result = evaluate(traced.graph, arrays, {v.ref: v.storage.copy() for v in traced.variables})
    for ref, value in result.writes:
        ref.owner().assign(value)
    return traced.pack(result.outputs)


def test_results_keep_their_structure():
    traced = trace(lambda x: {"a": [x, None], "b": (x * 2.0, "text", 3)}, [F])
    assert run(traced, np.float32(5)) == {"a": [5, None], "b": (10, "text", 3)}
    assert traced.static == {1: None, 3: "text"}
    assert run(trace(lambda: None, [])) is None
    assert run(trace(dict, [])) == {}


def test_result_of_a_wrong_type():
    with pytest.raises(TypeError, match=r"compatible with tf.function.*\['k'\]\[1\]"):
        trace(lambda x: {"k": (x, object())}, [F])


def test_init_scope_leaves_the_trace():
    seen = []

    def function():
        seen.append((executing_eagerly(), inside_function()))
        with init_scope():
            seen.append((executing_eagerly(), inside_function()))
            assert isinstance(convert_to_tensor(1.0) + 1.0, EagerTensor)

    trace(function, [])
    assert seen == [(False, True), (True, False)]
    assert executing_eagerly()
    assert not inside_function()


def test_names_and_origins():
    def function(x):
        with layer_scope("dense"), layer_scope("inner"):
            return x + 1.0

    traced = trace(function, [F], names=["speed"])
    assert traced.graph.inputs[0].attrs["name"] == "speed"
    assert traced.graph.name == "function"
    (origin,) = traced.graph.outputs[0].origins
    assert origin.file == __file__
    assert origin.line == function.__code__.co_firstlineno + 2
    assert origin.layer == "dense/inner"


def test_eager_tensors_are_captured_by_value():
    c = convert_to_tensor([1.0, 2.0])
    traced = trace(lambda x: x * c + c, [V2])
    np.testing.assert_array_equal(run(traced, np.float32([3, 4])), [4, 10])
    constants = [n for n in traced.graph.nodes() if "value" in n.attrs]
    assert len(constants) == 1


def test_variables_in_program_order():
    v = Variable(1.0)

    def step():
        a = v.read_value()
        v.assign_add(1.0)
        b = v.read_value()
        v.assign(v * 10.0)
        return a, b, v

    traced = trace(step, [])
    assert traced.variables == (v,)
    assert run(traced) == (1, 2, 20)
    assert run(traced) == (20, 21, 210)
    assert float(v) == 210
    assert len(traced.graph.writes) == 1


def test_tracing_writes_nothing():
    v = Variable(1.0)
    trace(lambda: v.assign(5.0, read_value=False), [])
    assert float(v) == 1


def test_aliases_are_one_variable():
    v = Variable(1.0)
    w = v

    def step():
        v.assign_add(1.0)
        return w * 10.0

    assert run(trace(step, [])) == 20


def test_slices_assign_inside_a_trace():
    start = np.arange(12, dtype=np.float32).reshape(3, 4)
    start[0, 0] = np.nan

    def edit(v, i, x):
        v[0, 1].assign(x)
        v[1:, ::-2].assign_add(100.0)
        v[2].assign_sub([1.0, 2.0, 3.0, 4.0])
        v[i, 0].assign(7.0)
        return v[0, 1] + 0.0

    eager, traced_variable = Variable(start), Variable(start)
    want = edit(eager, convert_to_tensor(-1), convert_to_tensor(50.0))
    traced = trace(lambda i, x: edit(traced_variable, i, x), [array_type("int32", ()), F])
    got = run(traced, np.int32(-1), np.float32(50))
    assert got == want.numpy() == 50
    np.testing.assert_array_equal(traced_variable.numpy(), eager.numpy())


def test_a_variable_created_inside_exists_at_once():
    holder = []

    def step(x):
        if not holder:
            holder.append(Variable(lambda: np.float32(3)))
        return holder[0] * x

    first = trace(step, [F])
    assert first.created == tuple(holder)
    assert float(holder[0]) == 3
    assert run(first, np.float32(2)) == 6
    assert trace(step, [F], allow_creation=False).created == ()


@pytest.mark.parametrize("lazily", [False, True])
def test_initial_value_from_an_argument(lazily):
    def step(x):
        v = Variable((lambda: x * 2.0) if lazily else x * 2.0)
        return v + x

    traced = trace(step, [F], values=[np.float32(2)])
    assert float(traced.created[0]) == 4
    assert run(traced, np.float32(10)) == 14
    with pytest.raises(VariableCreationError, match="depends on the argument 'speed'"):
        trace(step, [F], names=["speed"])


def test_initial_value_from_traced_constants_needs_no_values():
    v = Variable(5.0)
    traced = trace(lambda x: Variable(v * 2.0 + convert_to_tensor(1.0)) * x, [F])
    assert float(traced.created[0]) == 11


def test_creation_may_be_forbidden():
    with pytest.raises(ValueError, match="singleton"):
        trace(lambda: Variable(1.0), [], allow_creation=False)
    assert trace(create_in_init_scope, [], allow_creation=False).created == ()


def create_in_init_scope():
    with init_scope():
        Variable(1.0)


class OddError(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


def test_exceptions_keep_their_type_and_say_where():
    def bad(x):
        raise OddError(1, x.shape)

    with pytest.raises(OddError) as caught:
        trace(bad, [V2])
    assert caught.value.args == (1, (2,))
    (note,) = caught.value.__notes__
    assert f'"{__file__}", line {bad.__code__.co_firstlineno + 1}, in bad' in note

    with pytest.raises(ShapeError) as caught:
        trace(lambda x: x + np.ones(3), [V2])
    assert "test_trace.py" in caught.value.__notes__[0]


def test_a_failed_trace_leaves_nothing():
    v, outer = Variable([1.0, 2.0]), Variable(0.0)

    def bad():
        v.assign([5.0, 5.0])
        with init_scope():
            outer.assign(7.0)
            outer.assign(8.0)
        raise KeyError("x")

    with pytest.raises(KeyError):
        trace(bad, [])
    np.testing.assert_array_equal(v.numpy(), [1, 2])
    assert float(outer) == 0
    assert executing_eagerly()

    def nested():
        trace(lambda: write_outside(outer), [])
        assert float(outer.snapshot()) == 3
        raise KeyError("y")

    with pytest.raises(KeyError):
        trace(nested, [])
    assert float(outer) == 0
    trace(lambda: write_outside(outer), [])
    assert float(outer) == 3


def write_outside(v):
    with init_scope():
        v.assign(3.0)


def test_leaked_tensors_name_where_they_were_made():
    leaked = []
    trace(lambda x: leaked.append(x * 2.0), [F])
    for use in (lambda: leaked[0] + 1.0, lambda: Variable(1.0).assign(leaked[0]), lambda: trace(lambda: leaked[0] * 2.0, [])):
        with pytest.raises(InaccessibleTensorError, match=r"test_trace\.py.*out of scope") as caught:
            use()
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("use", "word"),
    [
        (lambda x: 1 if x > 0.0 else 2, "where"),
        (lambda x: x > 0.0 and x < 1.0, "where"),
        (lambda x: list(x[None]), "unstack"),
        (float, "cast"),
        (int, "cast"),
        (lambda x: range(apply("cast", (x,), dtype=convert_to_tensor(1).dtype)), "shape"),
        (lambda x: 1.0 in x, "reduce_any"),
    ],
)
def test_python_may_not_look_at_values(use, word):
    with pytest.raises(OperatorNotAllowedInGraphError, match=word) as caught:
        trace(use, [F])
    assert "test_trace.py" in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_numpy_may_not_look_either():
    for use in (np.sin, np.sum, np.asarray):
        with pytest.raises(NotImplementedError, match="symbolic"):
            trace(use, [F])
    with pytest.raises(SymbolicToNumpyError, match="test_trace"):
        trace(lambda x: np.asarray(x), [F])
    with pytest.raises(AttributeError, match="numpy"):
        trace(lambda x: x.numpy(), [F])
    assert trace(lambda x: str(hasattr(x, "numpy")), [F]).static == {0: "False"}
    with pytest.raises(NotImplementedError, match="eager"):
        trace(lambda: Variable(1.0).numpy(), [])


def test_traced_tensors_print_without_values():
    texts = []

    def step(x):
        y = x + 1.0
        texts.extend([str(y), repr(y), f"{y}", y.name, len(apply("reshape", (y,), shape=(1,)))])

    trace(step, [F])
    assert texts[0] == 'Tensor("add:0", shape=(), dtype=float32)'
    assert texts[1] == "<tf.Tensor 'add:0' shape=() dtype=float32>"
    assert texts[3:] == ["add:0", 1]


def test_effects_stay_in_order(capsys):
    attrs = {"end": "\n", "summarize": 3, "stream": "stdout"}

    def step(x):
        apply("print", (x,), parts=("first ", None), **attrs)
        apply("print", (x * 2.0,), parts=("second ", None), **attrs)

    traced = trace(step, [F])
    assert capsys.readouterr().out == ""
    run(traced, np.float32(4))
    assert capsys.readouterr().out.split() == ["first", "4", "second", "8"]
    step(convert_to_tensor(1.0))
    assert capsys.readouterr().out.split() == ["first", "1", "second", "2"]


def test_symbolic_sizes():
    n = Dim("batch")

    def step(x):
        assert x.shape[0] == n
        assert x.shape.as_list() == [None, 3]
        with pytest.raises(OperatorNotAllowedInGraphError, match=r"shape\[0\]"):
            len(x)
        mean = apply("reduce_sum", (x,), axes=(0, 1), keepdims=False) / (x.shape[0] * 3)
        return mean, apply("reshape", (x,), shape=(x.shape[0] * 3,))

    traced = trace(step, [array_type("float32", (n, 3))])
    for rows in (1, 4):
        a = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
        mean, flat = run(traced, a)
        assert mean == a.mean()
        np.testing.assert_array_equal(flat, a.ravel())
    with pytest.raises(DimConflict) as caught:
        trace(lambda x: x + np.ones((2, 3), np.float32), [array_type("float32", (n, 3))])
    assert set(caught.value.sizes) == {n, 2}


def test_set_shape_is_binding():
    with pytest.raises(DimConflict) as caught:
        trace(lambda x: x.set_shape([3]), [array_type("float32", (Dim("n"),))])
    assert caught.value.sizes == (Dim("n"), 3)
    trace(lambda x: x.set_shape([None]), [array_type("float32", (Dim("n"),))])
    with pytest.raises(ValueError, match="not compatible"):
        trace(lambda x: x.set_shape([3]), [array_type("float32", (2,))])


def test_a_size_outside_its_function():
    with pytest.raises(InaccessibleTensorError, match="batch"):
        convert_to_tensor(Dim("batch"))


def test_threads_trace_at_once():
    results, barrier = [], threading.Barrier(4)

    def work(k):
        barrier.wait()
        v = Variable(float(k))
        traced = trace(lambda x: v.assign(x * v) * 1.0, [F])
        results.append((k, float(run(traced, np.float32(2)))))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(k, 2.0 * k) for k in range(4)]


def test_a_trace_keeps_its_variables_and_is_freed_without_collector():
    v = Variable(1.0)
    gone = weakref.ref(v)
    traced = trace(lambda: v + 1.0, [])
    gc.collect()
    gc.disable()
    try:
        held, v = v, None
        del held
        assert gone() is not None
        del traced
        assert gone() is None
    finally:
        gc.enable()
