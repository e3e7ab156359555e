"""Direct calls: machine code asks what `Function.__call__` asks, and does nothing unless every answer is as before."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weft
from weft.runtime.function import LEAST_PATIENCE, Function
from weft.runtime.guards import Guards

pytestmark = pytest.mark.compiles

X = np.arange(4, dtype=np.float32)


def direct(f: Any, *args: Any) -> Function:
    """The function after as many calls as it takes until machine code makes them."""
    assert isinstance(f, Function)
    for _ in range(2 * LEAST_PATIENCE + 1):
        f(*args)
    assert goes_direct(f)
    return f


def goes_direct(f: Function) -> bool:
    return type(f._direct) is type(len)


def adds(v: weft.Variable) -> Function:
    @weft.function
    def step(x):
        v.assign_add(x)
        return v * 2.0

    return step


def taken(f: Function, *args: Any) -> bool:
    """Whether machine code answers this call; it is made if so."""
    return f._direct(args) is not NotImplemented


def test_same_results_as_calls_the_long_way() -> None:
    a, b = weft.Variable(np.zeros(4, np.float32)), weft.Variable(np.zeros(4, np.float32))
    first, second = direct(adds(a), X), direct(adds(b), X)
    second._go_direct = lambda concrete: None  # type: ignore[method-assign]  # so that it always goes the long way
    for i in range(50):
        second._direct = lambda args: NotImplemented
        assert np.array_equal(first(X + i).numpy(), second(X + i).numpy())
    assert np.array_equal(a.numpy(), b.numpy())


def test_results_are_fresh_tensors_that_nobody_may_write() -> None:
    f = direct(weft.function(lambda x: x * 2.0), X)
    one, two = f(X), f(X + 1)
    assert isinstance(one, weft.Tensor) and one.dtype is weft.float32 and tuple(one.shape) == (4,)
    assert np.array_equal(one.numpy(), X * 2) and np.array_equal(two.numpy(), (X + 1) * 2)
    assert not one._array.flags.writeable


@pytest.mark.parametrize("result", [
    lambda y: (y, y + 1.0), lambda y: {"a": y, "b": [y + 1.0, None]}, lambda y: None, lambda y: "text", lambda y: [y],
])  # fmt: skip
def test_every_structure_of_results(result: Callable[[Any], Any]) -> None:
    f = weft.function(lambda x: result(x * 2.0))
    long_way = f(X)
    after = direct(f, X)(X)
    assert type(long_way) is type(after) and repr(long_way) == repr(after)


def test_tensors_and_arrays_are_both_taken() -> None:
    f = direct(weft.function(lambda x, y: x + y), X, X)
    assert taken(f, weft.constant(X), X) and taken(f, X, weft.constant(X))
    assert np.array_equal(f(weft.constant(X), X).numpy(), 2 * X)


class Special(np.ndarray):
    """A subclass, which may mean anything."""


@pytest.mark.parametrize("other", [
    np.arange(5, dtype=np.float32), X.astype(np.float64), X.reshape(2, 2), np.arange(8, dtype=np.float32)[::2], X.view(Special),
    X.astype(">f4"), 3.0, None, "x", [1.0, 2.0],
])  # fmt: skip
def test_other_arguments_are_left_to_python(other: Any) -> None:
    f = direct(weft.function(lambda x: x * 2.0), X)
    assert not taken(f, other)


def test_another_number_of_arguments_is_left_to_python() -> None:
    f = direct(weft.function(lambda x: x * 2.0), X)
    assert not taken(f) and not taken(f, X, X)
    with pytest.raises(TypeError):
        f(X, X)


def test_another_shape_is_served_and_the_first_again() -> None:
    f = direct(weft.function(lambda x: x * 2.0), X)
    assert np.array_equal(f(np.ones(7, np.float32)).numpy(), np.full(7, 2, np.float32))
    assert np.array_equal(direct(f, X)(X).numpy(), 2 * X)


def test_closure_values_are_watched() -> None:
    scale: Any = 2.0

    @weft.function
    def f(x):
        return x * scale

    direct(f, X)
    scale = 3.0
    assert not taken(f, X)
    assert np.array_equal(f(X).numpy(), 3 * X)
    scale = float("3.0")  # another object of the same value: Python compares, and nothing is traced
    before = f.trace_count
    assert np.array_equal(f(X).numpy(), 3 * X) and f.trace_count == before


def test_an_object_that_becomes_a_number_is_noticed() -> None:
    class Box:
        value = 2.0

    scale, one = Box(), 1.0

    @weft.function
    def f(x):
        return x * (scale if isinstance(scale, float) else scale.value) * one

    direct(f, X)
    scale = Box()  # another object is as good as the first: it is frozen, as in TensorFlow
    assert taken(f, X)
    scale = 5.0  # type: ignore[assignment]  # a number where an object was is what is tested
    assert not taken(f, X)
    assert np.array_equal(f(X).numpy(), 5 * X)


def test_a_variable_in_the_closure_is_watched_and_not_kept() -> None:
    v, one = weft.Variable(np.float32(2)), 1.0
    guards = Guards(lambda x: x * v * one)
    watches = guards.watch()
    assert watches is not None and all(w.expected is not v for w in watches)

    @weft.function
    def f(x):
        return x * v

    direct(f, X)
    v = weft.Variable(np.float32(4))
    assert not taken(f, X)
    assert np.array_equal(f(X).numpy(), 4 * X)


RATE = 0.5
"""What a function of a test below reads from its module."""


def test_globals_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    f = direct(weft.function(lambda x: x * RATE), X)
    monkeypatch.setattr(sys.modules[__name__], "RATE", 0.25)
    assert not taken(f, X)
    assert np.array_equal(f(X).numpy(), X * np.float32(0.25))
    direct(f, X)
    monkeypatch.delattr(sys.modules[__name__], "RATE")
    assert not taken(f, X)


def test_a_cell_that_is_emptied_is_noticed() -> None:
    one = 1.0

    @weft.function
    def f(x):
        return x * one

    direct(f, X)
    del f.python_function.__closure__[0].cell_contents
    assert not taken(f, X)


def test_tapes_and_traces_see_the_call() -> None:
    v = weft.Variable(np.float32(3))
    f = direct(weft.function(lambda x: x * v), X)
    with weft.GradientTape() as tape:
        y = f(X)
    assert float(tape.gradient(y, v)) == X.sum()
    outer = weft.function(lambda x: f(x) + 1.0)
    assert np.array_equal(outer(X).numpy(), 3 * X + 1)


def test_run_functions_eagerly_is_seen() -> None:
    calls = []

    @weft.function
    def f(x):
        calls.append(x)
        return x

    direct(f, X)
    before = len(calls)
    weft.config.run_functions_eagerly(True)
    try:
        f(X)
    finally:
        weft.config.run_functions_eagerly(False)
    assert len(calls) == before + 1


def test_clear_ends_direct_calls() -> None:
    f = direct(weft.function(lambda x: x * 2.0), X)
    f.clear()
    assert not taken(f, X) and f.traces == ()


def test_variables_are_read_anew() -> None:
    v = weft.Variable(np.zeros(4, np.float32))
    f = direct(adds(v), X)
    before = v.value()
    assert taken(f, X)
    assert np.array_equal(v.numpy(), before.numpy() + X) and v.value() is not before


def test_a_failed_check_raises_and_changes_nothing() -> None:
    v = weft.Variable(np.float32(0))

    @weft.function
    def f(table, index):
        v.assign_add(1.0)
        return weft.gather(table, index)

    good = np.array([0, 1])
    direct(f, X, good)
    before, step = float(v), f.traces[-1].compiled.executable
    with pytest.raises(weft.errors.InvalidArgumentError, match="."):
        f._direct((X, np.array([0, 9])))
    assert float(v) == before and len(step.free) == 1
    assert taken(f, X, good) and float(v) == before + 1


def test_the_update_lock_is_held() -> None:
    v = weft.Variable(np.zeros(4, np.float32))
    f = direct(adds(v), X)
    lock, before = f.traces[-1].compiled.executable.updating, v.numpy()
    done = threading.Event()
    thread = threading.Thread(target=lambda: (f(X), done.set()))
    with lock.group().lock:
        thread.start()
        assert not done.wait(0.1) and np.array_equal(v.numpy(), before)
    thread.join()
    assert done.is_set() and np.array_equal(v.numpy(), before + X)


def test_the_lock_of_united_groups_is_held() -> None:
    a, b = weft.Variable(np.zeros(4, np.float32)), weft.Variable(np.zeros(4, np.float32))
    functions = [direct(adds(v), X) for v in (a, b)]
    groups = [f.traces[-1].compiled.executable.updating.group() for f in functions]

    @weft.function
    def both(x):
        a.assign(b + x)
        b.assign(a + x)

    both(X)
    united = next(g for g in groups if g.parent is not None)
    left = functions[groups.index(united)]
    assert not taken(left, X)  # the lock that it knows is no longer the one
    assert taken(direct(left, X), X) and left.traces[-1].compiled.executable.updating.group() is united.root()


def test_an_interrupt_while_it_waits_for_the_lock_changes_nothing() -> None:
    v = weft.Variable(np.zeros(4, np.float32))
    f = direct(adds(v), X)
    step, before = f.traces[-1].compiled.executable, v.numpy()
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with step.updating.group().lock:
            held.set()
            time.sleep(0.2)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            release.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    with pytest.raises(KeyboardInterrupt):
        f(X)
    release.set()
    thread.join()
    assert np.array_equal(v.numpy(), before) and len(step.free) == 1
    assert taken(f, X)


def test_many_threads_lose_no_update() -> None:
    v = weft.Variable(np.zeros(4, np.float32))
    f = direct(adds(v), np.ones(4, np.float32))
    before = v.numpy()[0]
    threads = [threading.Thread(target=lambda: [f(np.ones(4, np.float32)) for _ in range(500)]) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert v.numpy()[0] == before + 2000


def test_calls_leave_nothing_behind() -> None:
    v = weft.Variable(np.zeros(4, np.float32))
    f, x = direct(adds(v), X), weft.constant(X)
    watched = (x, x._array, v, f, None, False, NotImplemented, weft.Tensor, type(x))
    for _ in range(100):
        f(x)
    gc.collect()
    counts, objects = [sys.getrefcount(o) for o in watched], len(gc.get_objects())
    for _ in range(1000):
        assert taken(f, x) and not taken(f, x, x)
    gc.collect()
    assert max(abs(sys.getrefcount(o) - n) for o, n in zip(watched, counts, strict=True)) < 20
    assert len(gc.get_objects()) - objects < 20


def test_the_function_is_freed_with_its_direct_call() -> None:
    v = weft.Variable(np.zeros(4, np.float32))
    f = direct(adds(v), X)
    gone = weakref.ref(f)
    del f
    gc.collect()
    assert gone() is None


def test_a_forked_child_binds_anew() -> None:
    v = weft.Variable(np.zeros(4, np.float32))
    f = direct(adds(v), X)
    before = v.numpy()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            missed = not taken(f, X)
            f(X)
            code = 0 if missed and np.array_equal(v.numpy(), before + X) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
