"""The user's line. In: the Python stack; out: the `Origin` of the innermost frame that is not weft's own code."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, TracebackType
from typing import Any

from weft.graph.origin import Origin, Origins

_HERE = os.path.dirname(os.path.abspath(__file__))
_HOUSE = os.path.dirname(_HERE)
_ROOMS = ("api", "layers", "tracer", "graph", "codegen", "runtime")


def _own_directories() -> tuple[str, ...]:
    """Installed, everything lies below the package; in a checkout, the rooms lie beside tests and examples."""
    if os.path.exists(os.path.join(_HOUSE, "__init__.py")):
        return (_HOUSE + os.sep,)
    return tuple(os.path.join(_HOUSE, room) + os.sep for room in _ROOMS)


_OWN = (*_own_directories(), f"{os.sep}contextlib.py", "<frozen ")
_own_files: dict[str, bool] = {}
_origins: dict[tuple[int, int, str], tuple[CodeType, Origins]] = {}


class _Scope(threading.local):
    layer: str = ""


_scope = _Scope()


def is_own(filename: str) -> bool:
    """True for weft's own files (the demo, which plays a user, is none) and for the plumbing of ``with``."""
    known = _own_files.get(filename)
    if known is None:
        own = filename.startswith(_OWN) or filename.endswith(_OWN[-2])
        known = _own_files[filename] = own and not os.path.basename(filename).startswith("demo")
    return known


def user_origins() -> Origins:
    """The user's current line as a one-element tuple; empty if there is no user frame."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        own = _own_files.get(code.co_filename)
        if own is None:
            own = is_own(code.co_filename)
        if not own:
            key = (id(code), frame.f_lasti, _scope.layer)
            known = _origins.get(key)
            if known is None:
                if len(_origins) > 20_000:
                    _origins.clear()
                origin = Origin(code.co_filename, frame.f_lineno, code.co_name, _scope.layer)
                known = _origins[key] = (code, (origin,))  # holding the code keeps its id from being reused
            return known[1]
        frame = frame.f_back
    return ()


def user_line() -> str:
    """The user's current line as a traceback writes it; empty if there is none."""
    origins = user_origins()
    return origins[0].full if origins else ""


def traceback_origin(traceback: TracebackType | None) -> Origin | None:
    """The innermost user line of an exception's traceback."""
    found = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not is_own(code.co_filename):
            found = Origin(code.co_filename, traceback.tb_lineno, code.co_name)
        traceback = traceback.tb_next
    return found


@contextmanager
def layer_scope(name: str) -> Iterator[None]:
    """Nodes made inside name this layer in their origin; nested scopes give ``outer/inner``."""
    before = _scope.layer
    _scope.layer = f"{before}/{name}" if before else name
    try:
        yield
    finally:
        _scope.layer = before
