"""Steps that write variables: one at a time where they share one, at the same time where they do not, and never in a circle."""

from __future__ import annotations

import gc
import io
import itertools
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import weft
from weft.codegen import Program
from weft.runtime import executable, jit, update_lock
from weft.runtime.executable import CompiledStep
from weft.runtime.jit import NativeStep

pytestmark = pytest.mark.compiles


def variable(value: float = 0.0) -> weft.Variable:
    return weft.Variable(np.full(4, value, np.float32))


def lock_of(step: Callable[..., object]) -> update_lock.UpdateLock:
    step(np.float32(0))
    compiled = step.traces[-1].compiled.executable  # type: ignore[attr-defined]  # a decorated function
    assert isinstance(compiled, CompiledStep) and compiled.updating is not None
    return compiled.updating


def adds(*written: weft.Variable, reads: tuple[weft.Variable, ...] = ()) -> Callable[..., object]:
    """A step that adds its argument, and what it reads, to variables."""

    @weft.function
    def step(x):
        for v in written:
            v.assign_add(sum(reads, x + weft.zeros(4)))

    return step


def root(step: Callable[..., object]) -> object:
    return lock_of(step)._group.root()


def test_groups_are_those_that_share_a_written_variable() -> None:
    a, b, c, frozen = (variable() for _ in range(4))
    first, second = adds(a, reads=(frozen,)), adds(b, reads=(frozen,))
    assert root(first) is not root(second)  # both only read `frozen`
    third = adds(b, c)
    assert root(third) is root(second) is not root(first)
    reader = adds(c, reads=(a,))
    assert root(reader) is root(first) is root(second)
    d, e = variable(), variable()
    apart = adds(d, reads=(e,)), adds(variable(), reads=(e,))
    assert root(apart[0]) is not root(apart[1])
    assert root(adds(e)) is root(apart[0]) is root(apart[1])  # the one who writes it waits for all who read it


def test_memory_of_a_variable_that_is_gone_says_nothing_about_the_next_one_there() -> None:
    """The allocator hands addresses out again, while steps that once were in a group with the old owner go on."""
    memory, kept = np.zeros(4, np.float32), np.zeros(4, np.float32)
    old = memory[:]
    lasting = update_lock.UpdateLock([kept], [True], False)
    both = update_lock.UpdateLock([kept, old], [True, True], False)
    assert both._group.root() is lasting._group.root()
    also = memory[:]
    assert update_lock.UpdateLock([also], [True], False)._group.root() is lasting._group.root()
    del old, both, also
    new = memory[:]
    assert update_lock.UpdateLock([new], [True], False)._group.root() is not lasting._group.root()


def test_steps_that_write_nothing_have_no_lock() -> None:
    v = variable()
    step = weft.function(lambda x: x + v)
    step(np.float32(1))
    assert step.traces[-1].compiled.executable.updating is None


def test_two_models_train_at_the_same_time() -> None:
    """While one step's lock is held, as by a long `fit`, a step of another model runs, and one of the same model waits."""
    a, b = variable(), variable()
    first, second, also = adds(a), adds(b), adds(a)
    lock_of(second), lock_of(also)
    done: list[str] = []
    with lock_of(first).group().lock:
        other = threading.Thread(target=lambda: (second(np.float32(1)), done.append("other")))
        same = threading.Thread(target=lambda: (also(np.float32(1)), done.append("same")))
        other.start()
        other.join(20)
        same.start()
        same.join(0.2)
        assert done == ["other"] and same.is_alive()
    same.join(20)
    assert done == ["other", "same"]
    assert (a.numpy()[0], b.numpy()[0]) == (1, 1)


def test_no_update_is_lost() -> None:
    shared, own = variable(), [variable() for _ in range(4)]
    steps = [adds(shared, v) for v in own]
    for step in steps:
        step(np.float32(0))

    def work(step: Callable[..., object]) -> None:
        for _ in range(400):
            step(np.float32(1))

    threads = [threading.Thread(target=work, args=(s,)) for s in steps]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (shared.numpy() == 1600).all() and all((v.numpy() == 400).all() for v in own)


def test_uniting_while_steps_run() -> None:
    """New steps unite groups whose steps run all the time; nothing is lost and nobody stops."""
    parts = [variable() for _ in range(3)]
    running = [adds(v) for v in parts]
    for step in running:
        step(np.float32(0))
    stop, counts = threading.Event(), [0, 0, 0]

    def work(i: int) -> None:
        while not stop.is_set():
            running[i](np.float32(1))
            counts[i] += 1

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for t in threads:
        t.start()
    both = adds(parts[0], parts[1])
    for _ in range(200):
        both(np.float32(1))
    whole = adds(*parts)
    for _ in range(200):
        whole(np.float32(1))
    stop.set()
    for t in threads:
        t.join(20)
        assert not t.is_alive()
    expected = [counts[0] + 400, counts[1] + 400, counts[2] + 200]
    assert [float(v.numpy()[0]) for v in parts] == expected
    assert len({id(root(s)) for s in (*running, both, whole)}) == 1


class Calling(io.TextIOBase):
    """A stream that calls a function when something is printed in a thread that has one."""

    def __init__(self) -> None:
        self.of_thread = threading.local()

    def write(self, text: str) -> int:
        call = getattr(self.of_thread, "call", None)
        if call is not None and text.strip():
            call()
        return len(text)


def prints_and_adds(v: weft.Variable) -> Callable[..., object]:
    @weft.function
    def step(x):
        weft.print("in the step", output_stream=sys.stdout)
        v.assign_add(x + weft.zeros(4))

    return step


def test_steps_that_call_one_another_crosswise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thread's step calls, while it runs, the step whose lock the other thread wants to hold."""
    stream = Calling()
    monkeypatch.setattr(sys, "stdout", stream)
    variables = a, b = variable(), variable()
    plain = adds(a), adds(b)
    for step in plain:
        step(np.float32(0))

    def work(own: int) -> None:
        outer, calls = prints_and_adds(variables[own]), 0

        def call() -> None:
            time.sleep(0.002)
            plain[1 - own](np.float32(1))

        stream.of_thread.call = call
        while calls < 30:
            outer(np.float32(1))
            calls += 1

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(2)]
    threads += [threading.Thread(target=lambda s=s: [s(np.float32(1)) for _ in range(300)]) for s in plain]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
        assert not t.is_alive()
    assert (a.numpy() == 360).all() and (b.numpy() == 360).all()


def test_a_step_that_makes_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step's callback compiles may unite the running step's own group with another."""
    stream = Calling()
    monkeypatch.setattr(sys, "stdout", stream)
    a, b = variable(), variable()
    second = adds(b)
    second(np.float32(0))
    made: list[Callable[..., object]] = []

    def call() -> None:
        if not made:
            made.append(adds(a, b))
            made[0](np.float32(1))

    stream.of_thread.call = call
    step = prints_and_adds(a)
    step(np.float32(1))
    assert root(made[0]) is root(step) is root(second)
    thread = threading.Thread(target=lambda: [s(np.float32(1)) for s in (second, made[0])])
    thread.start()  # all locks were given back
    thread.join(20)
    assert not thread.is_alive() and not update_lock._held
    assert (a.numpy() == 3).all() and (b.numpy() == 3).all()


def test_a_step_that_makes_a_step_while_another_thread_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who compiles waits for no step that may want to compile."""
    stream = Calling()
    monkeypatch.setattr(sys, "stdout", stream)
    inside, compiling = threading.Event(), threading.Event()
    a, b = variable(), variable()

    def compile_step(program: Program, clock: int = 0) -> NativeStep:
        compiling.set()
        return jit.compile_step(program, clock)

    def run_outer() -> None:
        def call() -> None:
            stream.of_thread.call = None
            inside.set()
            assert compiling.wait(20)
            weft.function(lambda x: weft.tanh(x) * 3.0)(np.float32(1))

        stream.of_thread.call = call
        prints_and_adds(a)(np.float32(1))

    def run_other() -> None:
        assert inside.wait(20)
        monkeypatch.setattr(executable, "compile_step", compile_step)
        adds(b)(np.float32(1))

    threads = [threading.Thread(target=run, daemon=True) for run in (run_outer, run_other)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
        assert not t.is_alive()
    assert (a.numpy() == 1).all() and (b.numpy() == 1).all()


def test_groups_end_with_their_steps() -> None:
    """Groups that were there before are left out: a new variable may lie where one of theirs lay, and join them."""
    before = {id(group) for group in update_lock._groups}
    steps = [adds(variable(), reads=(variable(),)) for _ in range(20)]
    groups = [weakref.ref(g) for g in {lock_of(step)._group for step in steps} if id(g) not in before]
    assert groups and all(group() is not None for group in groups)
    del steps
    gc.collect()
    assert all(group() is None for group in groups)


def test_fork_while_a_thread_holds_a_lock() -> None:
    a = variable()
    step = adds(a)
    lock = lock_of(step)
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with lock.group().lock, update_lock._nesting:
            inside.set()
            leave.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(20)
    child = os.fork()
    if child == 0:
        step(np.float32(2))
        adds(a, variable())(np.float32(1))
        os._exit(0 if float(a.numpy()[0]) == 3 else 1)
    leave.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert float(a.numpy()[0]) == 0


@pytest.mark.parametrize("calls_back", [False, True])
def test_an_interrupt_never_keeps_a_lock(calls_back: bool) -> None:
    """Python looks for Ctrl-C where one of its functions begins and where a call has come back."""
    lock = update_lock.UpdateLock([np.zeros(3)], [True], calls_back)
    interrupted = 0
    for place in range(1, 30):
        events = itertools.count(1)

        def interrupt(_: object, event: str, __: object, events: Iterator[int] = events, place: int = place) -> None:
            if event in ("call", "c_return") and next(events) == place:
                sys.setprofile(None)
                raise KeyboardInterrupt

        try:
            sys.setprofile(interrupt)
            lock.hold(len, "abc")
            sys.setprofile(None)
        except KeyboardInterrupt:
            interrupted += 1
        sys.setprofile(None)
        assert not lock.group().lock._is_owned() and not update_lock._nesting._is_owned() and not update_lock._held
    assert 3 < interrupted < 29
