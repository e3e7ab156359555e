"""What a call of a decorated function means: when it traces, what it captures, how it fails. Graphs run with NumPy here."""

from __future__ import annotations

import gc
import pickle
import threading
import weakref
from functools import partial

import numpy as np
import pytest

import weft as tf

graph_function = partial(tf.function, jit_compile=False)


def counted(**options):
    """A function that counts its traces in ``.times`` and adds one."""
    times = []

    @graph_function(**options)
    def f(x):
        times.append(x.shape)
        return x + 1.0

    return f, times


# Forms of the decorator


def test_all_forms_of_the_decorator():
    def double(x):
        return x * 2.0

    forms = (graph_function(double), graph_function()(double), tf.function(double, jit_compile=False))
    for f in (*forms, graph_function(forms[0])):
        assert f(tf.constant([1.0, 2.0])).numpy().tolist() == [2.0, 4.0]
        assert f.__name__ == "double"
    assert graph_function(lambda x: x - 1.0)(tf.constant(3.0)).numpy() == 2.0
    assert graph_function(partial(lambda x, k: x * k, k=3.0))(tf.constant(2.0)).numpy() == 6.0


def test_it_keeps_the_functions_name_doc_and_signature():
    import inspect

    @graph_function
    def documented(a, b=2):
        """Adds."""
        return a + b

    assert documented.__doc__ == "Adds." and documented.__wrapped__ is documented.python_function
    assert list(inspect.signature(documented).parameters) == ["a", "b"]
    assert "documented" in repr(documented) and "test_function.py" in repr(documented)


def test_not_callable():
    with pytest.raises(TypeError, match="callable"):
        tf.function(3)


# What is a new trace


def test_tensors_count_by_dtype_and_shape():
    f, times = counted(reduce_retracing=False)
    f(tf.ones([2])), f(tf.zeros([2])), f(np.ones(2, np.float32)), f(tf.ones([3]))
    assert len(times) == 2
    assert f.experimental_get_tracing_count() == 2


def test_python_scalars_count_by_type_and_value():
    f = graph_function(lambda k: tf.convert_to_tensor(k))
    results = [f(1), f(1.0), f(True)]
    assert [r.dtype for r in results] == [tf.int32, tf.float32, tf.bool]
    assert f.trace_count == 3
    assert np.signbit(f(-0.0).numpy()) and not np.signbit(f(0.0).numpy())
    count = f.trace_count
    f(float("nan")), f(float("nan"))
    assert f.trace_count == count + 1


def test_structures_count():
    f = graph_function(lambda v: tf.reduce_sum(tf.stack(list(v))))
    a = tf.constant(1.0)
    f([a, a]), f((a, a)), f([a, a, a])
    assert f.trace_count == 3
    g = graph_function(lambda d: d["a"] - d["b"])
    assert g({"a": a, "b": a}).numpy() == g({"b": a, "a": a}).numpy() == 0.0
    assert g.trace_count == 1


def test_arguments_are_canonicalised():
    f = graph_function(lambda a, b=None, *, c=1.0: a + c)
    x = tf.constant(1.0)
    f(x), f(a=x), f(x, None), f(x, b=None), f(b=None, a=x, c=1.0)
    assert f.trace_count == 1
    f(x, c=2.0)
    assert f.trace_count == 2


def test_wrong_arguments():
    f = graph_function(lambda a, b: a + b)
    with pytest.raises(TypeError, match="Binding inputs to tf.function failed"):
        f(1.0)
    with pytest.raises(TypeError, match=r"argument b .*unhashable"):
        f(1.0, {1, 2})


def test_objects_count_by_identity_and_are_not_kept():
    class Thing:
        scale = 2.0

    f = graph_function(lambda thing, x: x * thing.scale)
    for _ in range(10):
        assert f(Thing(), tf.constant(2.0)).numpy() == 4.0
    gc.collect()
    assert f.trace_count == 10
    f(Thing(), tf.constant(2.0))
    assert len(f.traces) == 1


def test_traces_are_bounded():
    f = graph_function(lambda k: tf.constant(1.0) * k)
    for i in range(80):
        f(i)
    assert len(f.traces) == 64


# Symbolic sizes


def test_a_second_size_relaxes_and_a_third_does_not_trace():
    f, times = counted()
    for n in (4, 7, 1, 0, 1000, 3):
        assert f(tf.ones([n, 5])).shape == (n, 5)
    assert len(times) == 2
    assert "batch" in str(f.traces[-1])


def test_sizes_that_change_together_share_a_name():
    f = graph_function(lambda x, y: x + y[:, None])
    for n in (3, 5, 8, 1):
        assert f(tf.ones([n, 2]), tf.ones([n])).shape == (n, 2)
    assert f.trace_count == 2
    assert [str(t) for t in f.traces[-1].inputs] == ["f32[batch,2]", "f32[batch]"]


def test_sizes_that_once_were_equal_may_differ_later():
    f = graph_function(lambda x, y: tf.reduce_sum(x) + tf.reduce_sum(y))
    for m, n in ((2, 2), (3, 3), (4, 5), (6, 7)):
        assert f(tf.ones([m]), tf.ones([n])).numpy() == m + n
    assert f.trace_count <= 3


def test_a_function_that_needs_the_size_is_traced_per_size():
    def f(x):
        return x * 2.0 if x.shape[0] > 3 else x

    g = graph_function(f)
    for n in (2, 5, 7):
        assert np.array_equal(g(tf.ones([n])).numpy(), f(tf.ones([n])).numpy())
    assert g.trace_count == 3


def test_a_size_that_meets_a_number_stays_a_number():
    w = tf.ones([4])
    g = graph_function(lambda x: x + w)
    assert g(tf.ones([4])).shape == (4,)
    assert g(tf.ones([1])).shape == (4,)
    with pytest.raises(ValueError, match="broadcast"):
        g(tf.ones([3]))
    assert g(tf.ones([4])).shape == (4,)


def test_unknown_sizes_from_the_signature():
    times = []

    @graph_function(input_signature=[tf.TensorSpec([None, 3], tf.float32), tf.TensorSpec([None], tf.int32)])
    def f(x, y):
        times.append(1)
        return tf.reduce_sum(x, axis=1) + tf.cast(y, tf.float32)

    for n in (1, 4, 9, 0):
        assert f(np.ones((n, 3)), [2] * n if n else np.zeros(0, np.int32)).shape == (n,)
    assert len(times) == 1


def test_signature_errors():
    spec = tf.TensorSpec([None], tf.float32)
    with pytest.raises(TypeError, match="missing type constraint for y"):
        tf.function(lambda x, y: x, input_signature=[spec])
    with pytest.raises(TypeError, match="1 extra type constraint"):
        tf.function(lambda x: x, input_signature=[spec, spec])
    with pytest.raises(TypeError, match="tuple or a list"):
        tf.function(lambda x: x, input_signature=spec)
    with pytest.raises(TypeError, match="TensorSpec"):
        tf.function(lambda x: x, input_signature=[3])
    f = graph_function(lambda x: x, input_signature=[spec])
    for bad in (tf.constant([1, 2]), tf.ones([2, 2]), 1.0):
        with pytest.raises(TypeError, match="Can not cast"):
            f(bad)


# Methods, threads, pickling


def test_methods_trace_per_instance_and_do_not_keep_it():
    class Model:
        def __init__(self, k):
            self.k = k

        @graph_function
        def call(self, x):
            return x * self.k

    a, b = Model(2.0), Model(3.0)
    assert a.call is a.call
    x = tf.constant(1.0)
    assert (a.call(x).numpy(), b.call(x).numpy()) == (2.0, 3.0)
    assert (a.call.trace_count, b.call.trace_count) == (1, 1)
    watch = weakref.ref(a)
    del a
    gc.collect()
    assert watch() is None
    assert b.call(x).numpy() == 3.0


def test_methods_with_a_signature():
    class Model:
        @graph_function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def call(self, x):
            return x + 1.0

    m = Model()
    assert m.call([1.0]).shape == (1,) and m.call([1.0, 2.0]).shape == (2,)
    assert m.call.trace_count == 1


def test_threads_share_one_trace():
    f, times = counted()
    results = []
    threads = [threading.Thread(target=lambda: results.append(f(tf.ones([2])).numpy().tolist())) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(times) == 1 and results == [[2.0, 2.0]] * 8


def times_three(x):
    return x * 3.0


def test_pickling_keeps_the_function_without_its_traces():
    f = graph_function(times_three)
    f(tf.constant(1.0))
    g = pickle.loads(pickle.dumps(f))
    assert g.trace_count == 0 and g(tf.constant(2.0)).numpy() == 6.0


def test_nested_functions_are_inlined():
    inner = graph_function(lambda x: x * 2.0)
    outer = graph_function(lambda x: inner(x) + inner(x))
    assert outer(tf.constant(3.0)).numpy() == 12.0


def test_run_functions_eagerly():
    f, times = counted()
    tf.config.run_functions_eagerly(True)
    try:
        f(tf.ones([1])), f(tf.ones([1]))
        assert len(times) == 2 and f.trace_count == 0
    finally:
        tf.config.run_functions_eagerly(False)


# Looking inside


def test_explain_names_the_argument_that_differs():
    f = graph_function(lambda x, training=False: x + 1.0)
    f(tf.ones([2, 3]))
    assert "first call" in f.explain()
    assert f.explain(tf.ones([2, 3])).startswith("reuses")
    assert "training: bool False -> bool True" in f.explain(tf.ones([2, 3]), True)
    assert "x: shape (2, 3) -> (2, 4)" in f.explain(tf.ones([2, 4]))
    assert "x: float32 tensor of rank 2 -> int32 tensor of rank 2" in f.explain(tf.ones([2, 3], tf.int32))


def test_the_graph_as_text_names_the_users_line():
    f = graph_function(lambda x: tf.nn.relu(x) * 2.0)
    f(tf.ones([2, 3]))
    assert "relu" in f.graph() and "test_function.py:" in f.graph()


def test_retracing_warns_with_the_reason(caplog):
    f = graph_function(lambda k: tf.constant(1.0) * k)
    for i in range(6):
        f(i)
    assert "out of the last" in caplog.text and "k: int" in caplog.text


@pytest.mark.compiles
@pytest.mark.parametrize("way", ["__call__", "run_again"])
def test_what_an_interrupted_call_wrote_is_read(way, monkeypatch):
    """Ctrl-C while machine code runs is raised when it returns: the step has been applied."""
    v = tf.Variable(np.zeros(3, np.float32))

    @tf.function
    def step(x):
        v.assign_add(x)

    x = np.ones(3, np.float32)
    step(x)
    compiled = step.traces[-1].compiled
    assert v.numpy().tolist() == [1.0] * 3
    original = getattr(type(compiled.executable), way)

    def interrupted(self, arrays):
        original(self, arrays)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(compiled.executable), way, interrupted)
    with pytest.raises(KeyboardInterrupt):
        (compiled.run if way == "__call__" else compiled.run_again)([x])
    assert v.numpy().tolist() == [2.0] * 3
