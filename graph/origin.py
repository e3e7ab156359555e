"""Where nodes come from. In: the user's stack or a layer name; out: `Origin` values that every error and dump prints."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from .record import record


@record
class Origin:
    """One line of the user's program: ``train.py:12 dense_1``."""

    file: str
    line: int
    function: str = ""
    layer: str = ""

    @cached_property
    def short(self) -> str:
        """The line and layer, without the file's folder."""
        where = f"{os.path.basename(self.file)}:{self.line}"
        return f"{where} {self.layer}" if self.layer else where

    def __str__(self) -> str:
        return self.short

    @property
    def full(self) -> str:
        """As a traceback writes it, so that editors make it a link."""
        inside = f", in {self.function}" if self.function else ""
        return f'File "{self.file}", line {self.line}{inside}'


Origins = tuple[Origin, ...]


class _Current(threading.local):
    origins: Origins = ()


_current = _Current()


def current_origins() -> Origins:
    return _current.origins


@contextmanager
def created_at(origins: Origins) -> Iterator[None]:
    """Nodes made inside belong to these lines: the tracer sets the user's line, passes and gradients the line they work for."""
    before, _current.origins = _current.origins, origins
    try:
        yield
    finally:
        _current.origins = before
