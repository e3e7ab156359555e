"""``weft.autograph``: what programs say to TensorFlow's AutoGraph. weft converts no Python code, so there is nothing to set."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

__all__ = ["experimental", "set_verbosity"]


def set_verbosity(level: int, alsologtostdout: bool = False) -> None:
    """Nothing: there is nothing to report."""


def _do_not_convert(func: Callable[..., Any] | None = None) -> Callable[..., Any]:
    return func if func is not None else _do_not_convert


experimental = SimpleNamespace(do_not_convert=_do_not_convert)
"""Its ``do_not_convert`` decorates a function and changes nothing."""
