"""`GradientTape`: values, second order, variables, misuse; eagerly and inside a trace."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from weft.graph.errors import InvalidArgumentError
from weft.graph.evaluate import evaluate
from weft.tracer import GradientTape, Variable, apply, convert_to_tensor, stop_recording, watching
from weft.tracer.trace import trace


def t(value, dtype=None):
    return convert_to_tensor(value, dtype)


def total(x):
    return apply("reduce_sum", (x,), axes=tuple(range(x.ndim)), keepdims=False)


def cube(x):
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x * x
    return tape.gradient(y, x)


def second_order(x):
    with GradientTape() as outer:
        outer.watch(x)
        with GradientTape() as inner:
            inner.watch(x)
            y = x * x * x
        first = inner.gradient(y, x)
    return outer.gradient(first, x)


def second_order_inside_the_same_context(x):
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x * x
        first = tape.gradient(y, x)
    return tape.gradient(first, x)


def cut_before_the_inner_tape(x):
    with GradientTape() as outer:
        outer.watch(x)
        a = x * x
        with GradientTape() as inner:
            inner.watch(x)
            y = a * x
        return inner.gradient(y, x)


def paused(x):
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
        with tape.stop_recording():
            z = y * x
        w = z * x
    return tape.gradient(w, x)


def weighted(x):
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
    return tape.gradient(y, x, output_gradients=t(3.0))


def several_targets(x):
    with GradientTape() as tape:
        tape.watch(x)
        y, z = x * x, x * 5.0
    return tape.gradient([y, {"z": z}], x)


def through_middle(x):
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    gy, gx = tape.gradient(z, [y, x])
    return gy * 1000 + gx


def of_itself(x):
    with GradientTape() as tape:
        tape.watch(x)
    return tape.gradient(x, x)


def stopped(x):
    with GradientTape() as tape:
        tape.watch(x)
        y = x * apply("stop_gradient", (x,))
    return tape.gradient(y, x)


CASES = [
    (cube, 2.0, 12.0),
    (second_order, 2.0, 12.0),
    (second_order_inside_the_same_context, 2.0, 12.0),
    (cut_before_the_inner_tape, 3.0, 9.0),
    (paused, 3.0, 27.0),
    (weighted, 3.0, 18.0),
    (several_targets, 3.0, 11.0),
    (through_middle, 3.0, 18108.0),
    (of_itself, 3.0, 1.0),
    (stopped, 3.0, 3.0),
]


@pytest.mark.parametrize(("function", "at", "want"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_eager_and_traced_agree(function, at, want):
    x = t(at)
    for _ in range(2):  # the second time the plan is remembered
        assert float(function(x)) == want
    traced = trace(function, [x.type])
    assert evaluate(traced.graph, [x.numpy()]).outputs[0] == want


def test_variables_are_watched_when_read():
    w, b, frozen = Variable([[1.0, 2.0], [3.0, 4.0]]), Variable([0.5, 0.5]), Variable(2.0, trainable=False)
    x = t([[1.0, -1.0]])
    with GradientTape() as tape:
        y = total((x @ w + b) * frozen)
    assert tape.watched_variables()[0] is w
    assert len(tape.watched_variables()) == 2
    grads = tape.gradient(y, {"w": w, "rest": (b, frozen)})
    np.testing.assert_array_equal(grads["w"].numpy(), [[2, 2], [-2, -2]])
    np.testing.assert_array_equal(grads["rest"][0].numpy(), [2, 2])
    assert grads["rest"][1] is None


def test_parts_of_variables():
    v = Variable([1.0, 2.0, 3.0])
    with GradientTape() as tape:
        y = v[0] * v[1:] * 2.0
    np.testing.assert_array_equal(tape.gradient(y, v).numpy(), [10, 2, 2])


def test_watching_by_hand():
    v = Variable(3.0)
    with GradientTape(watch_accessed_variables=False) as tape:
        y = v * v
    assert tape.gradient(y, v) is None
    with GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(v)
        y = v * v
    assert float(tape.gradient(y, v)) == 6


def assigned_between_reads(x):
    y = x * x
    x.assign(10.0)
    return y + x * x


def test_reads_before_and_after_an_assignment_count():
    """2 * 3 for the read before the assignment, 2 * 10 for the one after it."""
    v = Variable(3.0)
    with GradientTape() as tape:
        z = assigned_between_reads(v)
    assert float(tape.gradient(z, v)) == 26
    v.assign(3.0)

    def step():
        with GradientTape() as tape:
            z = assigned_between_reads(v)
        return tape.gradient(z, v)

    traced = trace(step, [])
    assert evaluate(traced.graph, [], {v.ref: v.storage}).outputs[0] == 26


def test_reads_outside_the_tape_are_constants():
    v = Variable(3.0)
    before = v.value()
    with GradientTape() as tape:
        y = v * before * v
    assert float(tape.gradient(y, v)) == 18
    with GradientTape() as outer:
        a = v.value()
        with GradientTape() as inner:
            y = v * a
        first = inner.gradient(y, v)
    assert float(first) == 3
    assert float(outer.gradient(first, v)) == 1


def test_assignment_cuts_the_gradient():
    v, x = Variable(1.0), t(3.0)

    def step(x):
        with GradientTape() as tape:
            tape.watch(x)
            v.assign(x * x)
            z = v * 2.0
        return tape.gradient(z, [x, v])

    dx, dv = step(x)
    assert dx is None
    assert float(dv) == 2
    traced = trace(step, [x.type])
    assert traced.static == {0: None}
    assert evaluate(traced.graph, [x.numpy()], {v.ref: v.storage}).outputs[0] == 2


def test_unconnected_gradients_are_none_or_zero():
    x, other = t([1.0, 2.0]), t([[1.0]])
    with GradientTape(persistent=True) as tape:
        tape.watch([x, other])
        y = total(x)
    assert tape.gradient(y, other) is None
    zeros = tape.gradient(y, other, unconnected_gradients="zero")
    np.testing.assert_array_equal(zeros.numpy(), [[0]])
    with pytest.raises(ValueError, match="Unknown value for unconnected_gradients: 'foo'"):
        tape.gradient(y, x, unconnected_gradients="foo")


def test_integers_carry_no_gradient():
    x = t([1.5, 2.5])
    with GradientTape() as tape:
        tape.watch(x)
        y = apply("cast", (apply("cast", (x,), dtype=t(1).dtype),), dtype=x.dtype)
    assert tape.gradient(y, x) is None
    i = t([1, 2])
    with GradientTape() as tape:
        tape.watch(i)
        y = i * i
    assert tape.gradient(y, i) is None


def test_misuse_raises_and_names_the_reason():
    x = t(2.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
        with pytest.raises(ValueError, match="still recording"), tape:
            pass
    with pytest.raises(TypeError, match="received None"):
        tape.gradient(None, x)
    with pytest.raises(TypeError, match="source"):
        tape.gradient(y, 3.0)
    with pytest.raises(InvalidArgumentError, match="shape"):
        tape.gradient(y, x, output_gradients=t([1.0, 2.0]))
    assert float(tape.gradient(y, x)) == 4
    with pytest.raises(RuntimeError, match="non-persistent"):
        tape.gradient(y, x)
    with pytest.raises(ValueError, match=r"Passed in object 3\.0 of type 'float'"):
        tape.watch(3.0)
    with pytest.raises(ValueError, match="not recording"), tape.stop_recording():
        pass


def test_persistent_and_reused():
    x = t(3.0)
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    assert float(tape.gradient(z, x)) == 108
    assert float(tape.gradient(y, x)) == 6
    with GradientTape() as once:
        once.watch(x)
        y = x * x
    once.gradient(y, x)
    with once:
        once.watch(x)
        z = x * 4.0
    assert float(once.gradient(z, x)) == 4


def test_reset_forgets():
    x = t(3.0)
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
        tape.reset()
        tape.watch(x)
        z = x * 2.0
    assert float(tape.gradient([y, z], x)) == 2


def test_global_pause_and_watching():
    x = t(3.0)
    assert not watching()
    with GradientTape() as tape:
        tape.watch(x)
        assert watching()
        with stop_recording():
            assert not watching()
            y = x * x
    assert tape.gradient(y, x) is None


def test_an_exception_closes_the_tape():
    with pytest.raises(KeyError), GradientTape():
        raise KeyError("x")
    assert not watching()


def test_records_nothing_about_unwatched_values():
    with GradientTape() as tape:
        x = t([1.0])
        for _ in range(5):
            x = x * x
    assert len(tape._notes) == 0


def test_tape_frees_what_it_holds():
    x = t([1.0])
    with GradientTape() as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    gone = weakref.ref(y)
    del y
    tape.gradient(z, x)
    gc.collect()
    assert gone() is None


def test_jacobians_have_the_shapes_of_target_and_source():
    x = t([1.0, 2.0, 3.0])
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x[:2] * x[1:]
    np.testing.assert_array_equal(tape.jacobian(y, x).numpy(), [[2, 1, 0], [0, 3, 2]])
    a = t(np.arange(6, dtype=np.float32).reshape(2, 3))
    with GradientTape() as tape:
        tape.watch(a)
        b = a * a
    want = np.stack([np.diag(2 * row) for row in a.numpy()])
    np.testing.assert_array_equal(tape.batch_jacobian(b, a).numpy(), want)
    with pytest.raises(RuntimeError, match="non-persistent"):
        tape.jacobian(b, a)


def test_watched_variables_are_known_after_the_gradient_and_forgotten_by_reset():
    w = Variable(2.0)
    with GradientTape() as tape:
        y = w * w
    tape.gradient(y, w)
    assert tape.watched_variables() == (w,)
    with tape:
        tape.reset()
        assert tape.watched_variables() == ()


def test_a_tape_that_was_never_entered_has_no_gradient():
    with pytest.raises(RuntimeError, match="non-persistent"):
        GradientTape().gradient(t(1.0), t(1.0))
