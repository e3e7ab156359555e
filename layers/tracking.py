"""What a layer owns. In: its attributes, also in lists and dictionaries; out: variables, metrics, layers, in order, once each.

Attributes are read when asked, so lists may be changed after they were assigned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from weft.tracer.variable import Variable

HIDDEN = frozenset(
    {
        "_weights",
        "_losses",
        "_inbound_nodes",
        "_outbound_nodes",
        "_constructor",
        "_build_shapes",
        "input_spec",
        "_functional",
        "_graph",
        "_run_cache",
        "_input_shape_arg",
    }
)


def is_metric(value: Any) -> bool:
    """Whether the value behaves as a metric: it is updated, read and reset."""
    return hasattr(value, "update_state") and hasattr(value, "reset_state") and hasattr(value, "result")


def owned_by(holder: Any) -> Iterator[Any]:
    """Everything in the holder's attributes, containers opened, in the order the attributes were first set."""
    for name, value in vars(holder).items():
        if name not in HIDDEN and not isinstance(value, (str, int, float)) and value is not None:
            yield from _open(value, 0)


def _open(value: Any, depth: int) -> Iterator[Any]:
    if isinstance(value, Mapping):
        items: Iterable[Any] = value.values()
    elif isinstance(value, (list, tuple, set)):
        items = value
    else:
        yield value
        return
    if depth < 8:  # containers may contain themselves
        for item in items:
            yield from _open(item, depth + 1)


def unique(items: Iterable[Any]) -> list[Any]:
    """The items without repetition; identity is what counts."""
    seen: dict[int, Any] = {}
    for item in items:
        seen.setdefault(id(item), item)
    return list(seen.values())


def variables_in(holder: Any) -> list[Variable]:
    """Variables held in attributes that no layer and no metric owns."""
    return unique(v for v in owned_by(holder) if isinstance(v, Variable))
