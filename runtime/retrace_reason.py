"""Why a call was traced. In: the new call and what was traced before; out: one sentence that names the argument that differs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .dispatch import Entry
from .trace_key import Call

FIRST = "first call"


def explain_miss(call: Call, entries: Iterable[Entry]) -> str:
    """The difference to the most similar earlier trace: ``x: shape (32, 784) -> (17, 784)``."""
    best: list[str] | None = None
    for entry in entries:
        differences = compare(call, entry)
        if best is None or len(differences) <= len(best):
            best = differences
    if best is None:
        return FIRST
    return "; ".join(best) or "the equality of symbolic sizes no longer holds"


def compare(call: Call, entry: Entry) -> list[str]:
    """What differs between a call and a trace, one text per argument."""
    structure, leaves, context = call.key
    old_structure, old_leaves, old_context = entry.key
    if structure != old_structure:
        return [f"the arguments' structure: {old_structure} -> {structure}"]
    paths = call.paths()
    out = [] if context == old_context else [f"context: {old_context} -> {context}"]
    shapes = dict(zip(call.dynamic, call.shapes, strict=True))
    old_types = iter(entry.types)
    for i, (new, old) in enumerate(zip(leaves, old_leaves, strict=True)):
        old_type = next(old_types) if old[0] == "tensor" else None
        if new != old:
            out.append(f"{paths[i]}: {_show(old)} -> {_show(new)}")
        elif old_type is not None and not _fits(old_type.shape, shapes[i]):
            out.append(f"{paths[i]}: shape {_shape(old_type.shape)} -> {_shape(shapes[i])}")
    return out


def _fits(sizes: tuple[Any, ...], shape: tuple[Any, ...]) -> bool:
    return all(not isinstance(s, int) or s == n for s, n in zip(sizes, shape, strict=True))


def _shape(sizes: tuple[Any, ...]) -> str:
    return f"({', '.join(map(str, sizes))}{',' * (len(sizes) == 1)})"


def _show(leaf: tuple[Any, ...]) -> str:
    if leaf[0] == "tensor":
        return f"{leaf[1].name} tensor of rank {leaf[2]}"
    if leaf[0] == "value":
        value = leaf[2] if not (leaf[1] is float and leaf[2] != "nan") else float.fromhex(leaf[2])
        return f"{leaf[1].__name__} {value!r}"
    return f"{leaf[0]} {leaf[1]!r}"
