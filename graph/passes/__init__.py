"""The passes. In: a graph as it was traced; out: an equal graph that is cheaper to run. The list of them is in `pipeline`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pipeline import PIPELINE, optimize

__all__ = ["PIPELINE", "optimize"]


def __getattr__(name: str) -> Any:
    """The passes are loaded when they are first used: a process that finds its programs in the cache never does."""
    if name in __all__:
        return getattr(importlib.import_module(f"{__name__}.pipeline"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
