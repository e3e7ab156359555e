"""Who interprets an op now: eager NumPy or a trace. In: `with` blocks; out: the thread's current `State`.

The interpreter is chosen by context, never by looking at the arguments. Each thread has its own state.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from weft.graph.op import Attrs, Op


class Interpreter(Protocol):
    """What an op means: computing at once (`eager.Eager`) or making a node (`recording.Trace`)."""

    recording: bool

    def apply(self, op: Op, args: Sequence[Any], attrs: Attrs) -> Any:
        """The op's result: a tensor, a tuple of tensors for a tuple type, None for an effect."""

    def index(self, x: Any, key: Any) -> Any:
        """``x[key]``."""

    def read(self, variable: Any) -> Any:
        """The variable's value now."""

    def write(self, variable: Any, value: Any) -> None:
        """Sets the variable to a tensor of its dtype and shape."""

    def create(self, variable: Any, initial_value: Any, dtype: Any) -> Any:
        """The array a new variable starts with."""


class State(threading.local):
    """The thread's context. tapes: the tapes that record now. journal: old values of variables written eagerly inside a trace."""

    interpreter: Any = None  # an `Interpreter`: `eager.Eager` sets itself; while a trace is recorded, its `recording.Trace`
    tapes: tuple[Any, ...] = ()
    journal: dict[int, Any] | None = None


state = State()


@contextmanager
def interpreting(interpreter: Any, tapes: tuple[Any, ...] = ()) -> Iterator[None]:
    """Ops inside go to this interpreter, and only these tapes see them."""
    before = state.interpreter, state.tapes
    state.interpreter, state.tapes = interpreter, tapes
    try:
        yield
    finally:
        state.interpreter, state.tapes = before


def init_scope() -> Any:
    """Ops inside run eagerly even while a function is traced, and no tape records them."""
    return interpreting(State.interpreter)


@contextmanager
def stop_recording() -> Iterator[None]:
    """No tape records what happens inside."""
    before, state.tapes = state.tapes, ()
    try:
        yield
    finally:
        state.tapes = before


def executing_eagerly() -> bool:
    """True outside functions and inside `init_scope`."""
    return not state.interpreter.recording


def inside_function() -> bool:
    """True while a function is being traced."""
    return bool(state.interpreter.recording)
