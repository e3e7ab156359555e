"""What a traced function reads, writes and returns: variables, closures, results, gradients. Graphs run with NumPy here."""

from __future__ import annotations

from functools import partial

import pytest

import weft as tf

graph_function = partial(tf.function, jit_compile=False)


# Variables and what is captured


def test_variables_are_captured_by_reference():
    v = tf.Variable(1.0)
    f = graph_function(lambda x: x + v)
    assert f(tf.constant(1.0)).numpy() == 2.0
    v.assign(9.0)
    assert f(tf.constant(1.0)).numpy() == 10.0
    assert f.trace_count == 1


def test_reads_and_writes_keep_program_order():
    v = tf.Variable(1.0)

    @graph_function
    def f():
        a = v.read_value()
        v.assign_add(1.0)
        b = v.read_value()
        return a, b, v.assign(v * 10.0).read_value()

    assert [t.numpy() for t in f()] == [1.0, 2.0, 20.0]
    assert [t.numpy() for t in f()] == [20.0, 21.0, 210.0]
    assert v.numpy() == 210.0


def test_variables_created_on_the_first_call_only():
    class Counter:
        v = None

        @graph_function
        def __call__(self, x):
            if self.v is None:
                self.v = tf.Variable(x * 2.0)
            return self.v.assign_add(x).read_value()

    c = Counter()
    assert c(tf.constant(2.0)).numpy() == 6.0
    assert c(tf.constant(10.0)).numpy() == 16.0


def test_creating_on_every_call_is_refused():
    f = graph_function(lambda x: tf.Variable(1.0) + x)
    with pytest.raises(ValueError, match="singleton"):
        f(tf.constant(1.0))
    made = []

    @graph_function
    def late(x, create):
        if create:
            made.append(tf.Variable(1.0))
        return x

    late(tf.constant(1.0), False)
    with pytest.raises(ValueError, match="created"):
        late(tf.constant(1.0), True)


def test_a_failed_first_trace_leaves_nothing():
    fail = [True]
    v = tf.Variable(3.0)

    @graph_function
    def f(x):
        v.assign(x)
        if fail[0]:
            raise KeyError("mine", 7)
        return v * 2.0

    with pytest.raises(KeyError) as caught:
        f(tf.constant(1.0))
    assert caught.value.args == ("mine", 7)
    assert v.numpy() == 3.0 and f.trace_count == 0 and f.traces == ()
    fail[0] = False
    assert f(tf.constant(5.0)).numpy() == 10.0


def test_scalars_of_the_closure_are_guarded():
    c = 1.0

    @graph_function
    def f(x):
        return x + c

    assert f(tf.constant(1.0)).numpy() == 2.0
    c = 50.0
    assert f(tf.constant(1.0)).numpy() == 51.0
    c = 1.0
    assert f(tf.constant(1.0)).numpy() == 2.0
    assert f.trace_count == 2


def test_a_counter_of_the_functions_own_does_not_retrace():
    count = 0

    @graph_function
    def f(x):
        nonlocal count
        count += 1
        return x

    f(tf.ones([1])), f(tf.ones([2, 2])), f(tf.ones([1])), f(tf.ones([2, 2]))
    assert count == 2


# Results


def test_nested_results_come_back_with_their_structure():
    f = graph_function(lambda x: {"a": (x, None), "b": [x + 1.0, {}]})
    out = f(tf.constant(1.0))
    assert out["a"][1] is None and out["b"][1] == {} and isinstance(out["a"], tuple)
    assert out["b"][0].numpy() == 2.0


def test_results_are_fresh():
    f = graph_function(lambda x: x)
    x = tf.constant([1.0])
    assert f(x) is not x
    v = tf.Variable([1.0])
    g = graph_function(lambda: v.assign_add([1.0]))
    first = g()
    second = g()
    assert first.numpy().tolist() == [2.0] and second.numpy().tolist() == [3.0]


def test_objects_cannot_be_returned():
    with pytest.raises(TypeError, match="zero or more Tensors"):
        graph_function(lambda: object())()


def test_input_containers_must_not_be_changed():
    @graph_function
    def f(xs):
        xs.append(tf.constant(1.0))
        return xs[0]

    with pytest.raises(ValueError, match="should not modify its Python input arguments"):
        f([tf.constant(2.0)])


# Python on traced values


def test_python_decisions_on_tensors_name_line_and_fix():
    @graph_function
    def f(x):
        if x > 0.0:
            return x
        return -x

    with pytest.raises(TypeError, match=r"test_traced_calls\.py.*(where|weft)"):
        f(tf.constant(1.0))
    with pytest.raises(TypeError, match="iterating"):
        graph_function(lambda x: [t + 1.0 for t in x])(tf.ones([3]))


def test_leaked_tensors():
    leaked = []
    graph_function(lambda x: leaked.append(x * 2.0))(tf.constant(1.0))
    with pytest.raises((TypeError, ValueError), match="out of scope"):
        leaked[0] + 1.0


# Gradients through a call


def test_gradients_flow_through_a_call():
    w = tf.Variable(3.0)
    f = graph_function(lambda x: x * x * w)
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x) * 2.0
    dx, dw = tape.gradient(y, [x, w])
    assert (dx.numpy(), dw.numpy()) == (24.0, 8.0)


def test_second_order_inside_and_outside():
    @graph_function
    def second(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = x * x * x
            d = inner.gradient(y, x)
        return outer.gradient(d, x)

    x = tf.constant(2.0)
    assert second(x).numpy() == 12.0
    cube = graph_function(lambda x: x * x * x)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = cube(x)
        d = inner.gradient(y, x)
    assert outer.gradient(d, x).numpy() == 12.0


# Concrete functions and looking inside


def test_concrete_functions():
    @graph_function
    def f(x, k):
        return {"y": x * k}

    cf = f.get_concrete_function(tf.TensorSpec([None, 2], tf.float32), 3.0)
    assert f.get_concrete_function(tf.TensorSpec([None, 2], tf.float32), 3.0) is cf
    assert cf(tf.ones([4, 2]))["y"].shape == (4, 2)
    assert cf(tf.ones([5, 2]), 3.0)["y"].numpy()[0, 0] == 3.0
    assert str(cf) == "f(x: f32[batch,2], k: 3.0) -> (f32[batch,2])"
    with pytest.raises(TypeError, match="must be 3.0"):
        cf(tf.ones([4, 2]), 2.0)
    with pytest.raises(ValueError, match="not compatible with the shape"):
        cf(tf.ones([4, 3]))
    with pytest.raises(TypeError, match="expected to be a float32 tensor but is a int32"):
        cf(tf.ones([4, 2], tf.int32))


def test_get_concrete_function_reuses_a_trace_with_free_sizes():
    @graph_function(input_signature=[tf.TensorSpec([None]), tf.TensorSpec([None])])
    def f(x, y):
        return tf.reduce_sum(x) + tf.reduce_sum(y)

    f(tf.ones([2]), tf.ones([3]))
    general = f.get_concrete_function()
    assert f.trace_count == 1 and general is f.traces[0]

    @graph_function(input_signature=[tf.TensorSpec([None]), tf.TensorSpec([None])])
    def g(x, y):
        return tf.reduce_sum(x) + tf.reduce_sum(y)

    g(tf.ones([2]), tf.ones([2]))  # this trace is for equal sizes only
    assert g.get_concrete_function()(tf.ones([2]), tf.ones([3])).numpy() == 5.0


def test_a_concrete_function_inside_a_trace_may_leave_out_python_arguments():
    @graph_function
    def scale(x, k):
        return x * k

    concrete = scale.get_concrete_function(tf.TensorSpec([None], tf.float32), 3.0)
    assert graph_function(lambda x: concrete(x))(tf.constant([2.0])).numpy().tolist() == [6.0]
