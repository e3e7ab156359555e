"""In which loops a graph is computed: `generate` turns a `Graph` into a `Program`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .program import Program, order_variables
from .target import Target

if TYPE_CHECKING:
    from .generate import generate

__all__ = ["Program", "Target", "generate", "order_variables"]


def __getattr__(name: str) -> Any:
    """The generator itself is loaded when it is first used: a process that finds its programs in the cache never does."""
    if name == "generate":
        from .generate import generate

        globals()["generate"] = generate  # over the module of the same name, which importing it has put there
        return generate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
