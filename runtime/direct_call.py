"""Calls of a compiled function that repeat the latest one, all in machine code. In: a function's parts; out: a Python callable.

What `Function.__call__` does around a step's native code is the same for every call like the latest one: it asks whether the
thread computes eagerly, whether guarded values and arguments are as before, takes a frame and the update lock, makes arrays for
the results, forgets the variables' snapshots. In Python that costs more than a small step. So, for functions called again and
again, the answers that it needs are written into a table once, and one C function does the rest.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from weft.graph.record import record
from weft.tracer import EagerTensor, Variable
from weft.tracer.context import State, state
from weft.tracer.trace import Traced
from weft.tracer.tree import LEAF

from .config import config
from .direct_call_questions import FIELDS
from .direct_call_text import MOST_ARRAYS, NEEDED, SYMBOL, direct_call_text
from .engine import engine
from .entry import MethodDef, define_method, layout_is_known
from .executable import CompiledStep
from .frame import Frame
from .guards import Watch
from .host import machine_key
from .object_code import compiled_object
from .store import content_key
from .update_lock import Group

DirectCall = Callable[[tuple[Any, ...]], Any]


@record
class Repeated:
    """A call to be repeated. watches: of the function's guards; note: to be called with False for every call."""

    step: CompiledStep
    traced: Traced
    written: Sequence[Any]
    watches: Sequence[Watch]
    note: Callable[[bool], None]


def make_direct_call(call: Repeated) -> DirectCall | None:
    """Runs the step on a tuple of tensors or arrays as a call of the function would; NotImplemented, with nothing done, for
    arguments or circumstances unlike those of the latest call. None where it cannot be had.
    """
    step = call.step
    if not step.free or not step.repeats or not _method():
        return None
    frame = step.free[-1]
    counts = len(step.program.inputs) + (0 if frame.current is None else len(frame.current.fresh))
    plain = all(type(v).mark_written is Variable.mark_written for v in call.written)
    if frame.current is None or not plain or counts > MOST_ARRAYS:
        return None
    table = _Table()
    _fill(table, call, frame)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.py_object, ctypes.py_object)
    result: DirectCall = new(ctypes.addressof(_method()[0]), table.array(), tuple(table.kept))  # which keeps both alive
    return result


class _Table:
    """The table under construction, and the objects whose addresses it holds."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}
        self.kept: list[Any] = []

    def set(self, **values: Any) -> None:
        """Objects, by their addresses."""
        self.kept += values.values()
        self._values |= {name: id(value) for name, value in values.items()}

    def set_rows(self, rows: Sequence[Sequence[Any]], name: str, count: str) -> None:
        """A table of its own; in its rows, numbers are meant as they are."""
        array = np.array([*(self._word(v) for row in rows for v in row), 0], np.uint64)
        self.kept.append(array)
        self._values |= {name: array.ctypes.data, count: len(rows)}

    def set_address(self, name: str, address: int) -> None:
        self._values[name] = address

    def array(self) -> np.ndarray:
        return np.array([self._values.get(name, 0) for name in FIELDS], np.uint64)

    def _word(self, value: Any) -> int:
        if type(value) is int:
            return value
        self.kept.append(value)
        return id(value)


def _fill(table: _Table, call: Repeated, frame: Frame) -> None:
    binding, step, traced = frame.current, call.step, call.traced
    assert binding is not None
    table.set(
        state=state, interpreter_name="interpreter", interpreter=State.interpreter, tapes_name="tapes", no_tapes=(),
        config=config, eagerly_name="run_functions_eagerly", false=False, none=None, not_implemented=NotImplemented,
        tensor=EagerTensor, frames=step.free, frame=frame, note=call.note, fail=step.raise_failure, acquire="acquire",
        release="release",
    )  # fmt: skip
    table.kept.append(binding)
    table.set_address("header", binding.header)
    guards = [(w.kind, w.holder, w.name or 0, w.expected) for w in call.watches]
    table.set_rows(guards, "guards", "guard_count")
    table.set_rows([(make, (shape, dtype)) for make, shape, dtype in binding.fresh], "outputs", "output_count")
    table.set_rows([(v,) for v in call.written], "written", "written_count")
    if step.updating is not None:
        table.set(group=step.updating.group())
    if traced.structure is LEAF and traced.static:
        table.set(result=traced.static[0])
    elif traced.structure is not LEAF:
        table.set(pack=traced.pack)


@functools.cache
def _method() -> tuple[MethodDef, ...]:
    """The method definition over the compiled text; none where Python's objects are not laid out as it expects."""
    offsets = _offsets()
    if offsets is None or not layout_is_known() or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return ()
    if not all(hasattr(ctypes.pythonapi, name) for name in NEEDED):
        return ()
    api = {name: ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0 for name in NEEDED}
    text = direct_call_text(*offsets)
    code = compiled_object(content_key("direct call", text, machine_key()), lambda: text, vectorize=False, effort=0)
    return (define_method(b"direct_call", engine.keep(code, SYMBOL, api)),)


def _offsets() -> tuple[int, int, int, int] | None:
    """Where objects keep the attributes that are read and written here, seen on real ones; None if that cannot be told."""
    tensor, variable, group = EagerTensor(np.zeros(3)), Variable(np.float32(0)), Group()
    variable._snapshot = EagerTensor(np.zeros(3))
    group.parent = Group()
    seen = [_offset(tensor, "_array"), _offset(variable, "_snapshot"), _offset(group, "lock"), _offset(group, "parent")]
    array, snapshot, lock, parent = (-1 if at is None else at for at in seen)
    return None if None in seen else (array, snapshot, lock, parent)


def _offset(owner: Any, name: str) -> int | None:
    """Where the object holds the address of this attribute's value."""
    wanted, size = id(getattr(owner, name)), type(owner).__basicsize__
    found = [at for at in range(object.__basicsize__, size, 8) if ctypes.c_void_p.from_address(id(owner) + at).value == wanted]
    return found[0] if len(found) == 1 else None
