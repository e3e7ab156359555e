"""Shapes as Keras writes them: tuples of sizes with None where unknown, alone or in lists and dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

Shape = tuple["int | None", ...]


def is_shape(value: Any) -> bool:
    """Whether the value is one shape, not a structure of shapes."""
    return isinstance(value, (tuple, list)) and all(s is None or isinstance(s, (int, np.integer)) for s in value)


def static(sizes: Iterable[Any]) -> Shape:
    """The sizes that are known now; None for the others."""
    return tuple(int(s) if isinstance(s, (int, np.integer)) else None for s in sizes)


def map_shapes(function: Callable[[Shape], Any], value: Any) -> Any:
    """The structure with every shape replaced by the function's result."""
    if is_shape(value):
        return function(tuple(value))
    if isinstance(value, Mapping):
        return {k: map_shapes(function, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map_shapes(function, v) for v in value)
    raise ValueError(f"A shape is a tuple of sizes, or a list or dictionary of such tuples. Received: {value!r}")


def as_shapes(value: Any) -> Any:
    """The structure with every shape as a tuple, however it was written down."""
    return map_shapes(lambda s: s, value)
