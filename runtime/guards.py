"""Python values a trace baked in. In: a user's function; out: guards that tell whether those values are still the same.

TensorFlow and JAX freeze what a function reads from its closure and its module silently. Here a scalar, string, None or variable
that the function itself names is remembered, and a change means a new trace.
"""

from __future__ import annotations

import dis
import types
import weakref
from collections.abc import Callable
from typing import Any

from weft.graph.record import record
from weft.tracer import Tensor, Variable

from .trace_key import static_key

_MISSING = object()
SCALARS = (bool, int, float, complex, str, bytes)


class Guards:
    """The values of the closure cells and globals that a function names, as they were when it was traced."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._expected: dict[str, Any] = {}
        self._cells: dict[str, Any] = {}
        self._globals: dict[str, Any] = {}
        self._names: tuple[str, ...] = ()
        code = getattr(function, "__code__", None)
        if not isinstance(code, types.CodeType):
            return
        written = {i.argval for i in dis.get_instructions(code) if i.opname in ("STORE_DEREF", "STORE_GLOBAL")}
        cells = zip(code.co_freevars, getattr(function, "__closure__", None) or (), strict=False)
        self._cells = {n: c for n, c in cells if n not in written}
        self._globals = getattr(function, "__globals__", {})
        self._names = tuple(n for n in code.co_names if n in self._globals and n not in written)
        self._expected = self._read()

    def _read(self) -> dict[str, Any]:
        values = {}
        for name, cell in self._cells.items():
            values[name] = _guarded(_content(cell))
        for name in self._names:
            values[name] = _guarded(self._globals.get(name))
        return {n: v for n, v in values.items() if v is not _MISSING}

    def key(self) -> tuple[Any, ...]:
        """The present values, to be part of a trace's key."""
        return tuple(self._read().items()) if self._expected else ()

    def watch(self) -> list[Watch] | None:
        """What tells without a key that no value has changed; None for values of which only a key can tell."""
        if not self._expected:
            return []
        missing = any(n not in self._globals for n in self._names)
        holders: list[tuple[Any, str | None, Any]] = [(c, None, _content(c)) for c in self._cells.values()]
        holders += [(self._globals, n, self._globals.get(n)) for n in self._names]
        return None if missing or any(v is _MISSING for _, _, v in holders) else [_watch(*h) for h in holders]


@record(eq=False)
class Watch:
    """One value that must stay: ``holder`` is a cell, or a dictionary that has it as ``name``.

    kind and expected: SAME, this object; CLASS, an object of this class, none of which is guarded; WEAK, what this weak reference
    refers to.
    """

    holder: Any
    name: str | None
    kind: int
    expected: Any


SAME, CLASS, WEAK = 0, 1, 2


def _watch(holder: Any, name: str | None, value: Any) -> Watch:
    if isinstance(value, (Variable, Tensor)):
        return Watch(holder, name, WEAK, weakref.ref(value))
    if value is None or isinstance(value, SCALARS):
        return Watch(holder, name, SAME, value)
    return Watch(holder, name, CLASS, type(value))


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # an empty cell: the name is bound later
        return _MISSING


def _guarded(value: Any) -> Any:
    """A key for values worth guarding; others are frozen, as in TensorFlow."""
    if value is None or isinstance(value, (*SCALARS, Variable, Tensor)):
        return static_key(value)
    return _MISSING
