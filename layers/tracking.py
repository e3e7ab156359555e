"""What a layer owns. In: its attributes, also in lists and dictionaries; out: variables, metrics, layers, in order, once each.

Attributes are read when asked, so lists may be changed after they were assigned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from weft.tracer.variable import Variable

HIDDEN = frozenset(
    ("_weights", "_losses", "_inbound_nodes", "_constructor", "_build_shapes", "input_spec", "_functional", "_graph")
)


def is_metric(value: Any) -> bool:
    """Whether the value behaves as a metric: it is updated, read and reset."""
    return hasattr(value, "update_state") and hasattr(value, "reset_state") and hasattr(value, "result")


_SKIPPED, _KEPT, _CONTAINER = "skipped", "kept", "container"
_kinds: dict[type, str] = {}


def _kind_of(cls: type) -> str:
    """What to do with values of a class; found once per class."""
    if issubclass(cls, (list, tuple, set, Mapping)):
        kind = _CONTAINER
    elif issubclass(cls, Variable) or hasattr(cls, "_layers_inside") or is_metric(cls):
        kind = _KEPT
    else:
        kind = _SKIPPED
    _kinds[cls] = kind
    return kind


def owned_by(holder: Any) -> list[Any]:
    """Variables, layers and metrics in the holder's attributes, containers opened, in the order the attributes were first set."""
    found: list[Any] = []
    for name, value in vars(holder).items():
        kind = _kinds.get(value.__class__) or _kind_of(value.__class__)
        if kind is not _SKIPPED and name not in HIDDEN:
            if kind is _KEPT:
                found.append(value)
            else:
                _open(value, 0, found)
    return found


def _open(container: Any, depth: int, found: list[Any]) -> None:
    for value in container.values() if isinstance(container, Mapping) else container:
        kind = _kinds.get(value.__class__) or _kind_of(value.__class__)
        if kind is _KEPT:
            found.append(value)
        elif kind is _CONTAINER and depth < 8:  # containers may contain themselves
            _open(value, depth + 1, found)


def unique(items: Iterable[Any]) -> list[Any]:
    """The items without repetition; identity is what counts."""
    seen: dict[int, Any] = {}
    for item in items:
        seen.setdefault(id(item), item)
    return list(seen.values())
