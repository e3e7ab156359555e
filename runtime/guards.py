"""Python values a trace baked in. In: a user's function; out: guards that tell whether those values are still the same.

TensorFlow and JAX freeze what a function reads from its closure and its module silently. Here a scalar, string, None or variable
that the function itself names is remembered, and a change means a new trace.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Callable
from typing import Any

from weft.tracer import Tensor, Variable

from .trace_key import static_key

_MISSING = object()


class Guards:
    """The values of the closure cells and globals that a function names, as they were when it was traced."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._expected: dict[str, Any] = {}
        code = getattr(function, "__code__", None)
        if not isinstance(code, types.CodeType):
            return
        written = {i.argval for i in dis.get_instructions(code) if i.opname in ("STORE_DEREF", "STORE_GLOBAL")}
        cells = zip(code.co_freevars, getattr(function, "__closure__", None) or (), strict=False)
        self._cells = {n: c for n, c in cells if n not in written}
        self._globals: dict[str, Any] = getattr(function, "__globals__", {})
        self._names = tuple(n for n in code.co_names if n in self._globals and n not in written)
        self._expected = self._read()

    def _read(self) -> dict[str, Any]:
        values = {}
        for name, cell in self._cells.items():
            try:
                values[name] = _guarded(cell.cell_contents)
            except ValueError:  # an empty cell: the name is bound later
                values[name] = _MISSING
        for name in self._names:
            values[name] = _guarded(self._globals.get(name))
        return {n: v for n, v in values.items() if v is not _MISSING}

    def key(self) -> tuple[Any, ...]:
        """The present values, to be part of a trace's key."""
        return tuple(self._read().items()) if self._expected else ()


def _guarded(value: Any) -> Any:
    """A key for values worth guarding; others are frozen, as in TensorFlow."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, Variable, Tensor)):
        return static_key(value)
    return _MISSING
