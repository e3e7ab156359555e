"""``weft.nest``: nested tuples, lists, dicts and dataclasses of tensors. In: structures; out: their leaves, or new structures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft.tracer import tree

__all__ = ["assert_same_structure", "flatten", "is_nested", "map_structure", "pack_sequence_as"]


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves in a fixed order (dicts by sorted key)."""
    return tree.leaves_of(structure)


def map_structure(func: Callable[..., Any], *structure: Any, **kwargs: Any) -> Any:
    """The structure with ``func`` applied to every leaf (to the leaves in the same place of several structures)."""
    unknown = set(kwargs) - {"check_types", "expand_composites"}
    if unknown:
        raise TypeError(f"map_structure takes check_types and expand_composites. Received: {sorted(unknown)[0]}.")
    return tree.map_structure(func, *structure)


def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """The structure with its leaves replaced, in the order of `flatten`."""
    return tree.pack_sequence_as(structure, list(flat_sequence))


def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False) -> None:
    """Raises unless both are nested in the same way."""
    tree.assert_same_structure(nest1, nest2)


def is_nested(seq: Any) -> bool:
    """Whether this is a container, and not a leaf."""
    leaves = tree.leaves_of(seq)
    return len(leaves) != 1 or leaves[0] is not seq
