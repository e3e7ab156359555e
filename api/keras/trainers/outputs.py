"""Matching targets, losses and metrics with a model's outputs. In: nested values or dictionaries; out: flat, aligned lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.layers.naming import near_matches
from weft.tracer import tree

Names = list[str] | None


def flatten_outputs(y_pred: Any, output_names: Names) -> tuple[list[str | None], list[Any]]:
    """Names and tensors of the outputs; one nameless output has the name None.

    The order is the one in which a list of targets, losses or metrics belongs to them: the model's, for a dictionary that of its
    sorted keys, as in Keras.
    """
    if isinstance(y_pred, dict) and len(tree.leaves_of(y_pred)) == len(y_pred):
        ordered = output_names if output_names and set(output_names) == set(y_pred) else sorted(y_pred)
        return list(ordered), [y_pred[name] for name in ordered]
    leaves = list(tree.leaves_of(y_pred))
    if output_names and len(output_names) == len(leaves):
        return list(output_names), leaves
    return ([None] if len(leaves) == 1 else [f"output_{i + 1}" for i in range(len(leaves))]), leaves


def align(value: Any, names: Sequence[str | None], what: str, is_leaf: Any) -> list[Any]:
    """One entry per output from a dictionary by name, a list by position or, for a single output, the entry itself.

    is_leaf: a function that recognises an entry. Outputs that a dictionary does not name get None. Raises ValueError for names
    that no output has, with the near matches, and for a list of another length.
    """
    if value is None:
        return [None] * len(names)
    if isinstance(value, dict) and not is_leaf(value):
        return _by_name(value, names, what)
    if len(names) == 1 and (is_leaf(value) or not isinstance(value, (list, tuple))):
        return [value]
    if isinstance(value, (list, tuple)):
        if len(value) == len(names):
            return list(value)
        leaves = tree.leaves_of(value)
        if len(leaves) == len(names) and all(is_leaf(v) for v in leaves):
            return list(leaves)
        raise ValueError(f"{what} must have one entry per output{_listed(names)}. Received: {len(value)} for {len(names)}")
    raise ValueError(f"{what} must be a list or dictionary with one entry per output{_listed(names)}. Received: {value!r}")


def _by_name(value: dict[Any, Any], names: Sequence[str | None], what: str) -> list[Any]:
    if list(names) == [None]:
        if len(value) == 1:
            return list(value.values())
        raise ValueError(f"{what} must have one entry for the model's only output. Received: keys {', '.join(map(repr, value))}")
    unknown = [key for key in value if key not in names]
    if unknown:
        hint = near_matches(str(unknown[0]), [n for n in names if n is not None])
        raise ValueError(f"{what} names outputs that the model does not have{_listed(names)}. Received: {unknown[0]!r}. {hint}")
    return [value.get(name) for name in names]


def _listed(names: Sequence[str | None]) -> str:
    known = [repr(n) for n in names if n is not None]
    return f" ({', '.join(known)})" if known else ""


def is_array(value: Any) -> bool:
    """Whether the value is a tensor or an array."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def align_targets(y_true: Any, names: Sequence[str | None], trained: Sequence[bool]) -> list[Any]:
    """One target per output; fewer targets than outputs belong to the outputs that are trained."""
    if isinstance(y_true, (list, tuple)) or is_array(y_true):
        flat = [y_true] if is_array(y_true) else tree.leaves_of(y_true)
        if len(flat) != len(names) and len(flat) == sum(trained):
            given = iter(flat)
            return [next(given) if used else None for used in trained]
    return align(y_true, names, "The targets", is_array)


def binary_or_sparse(y_true: Any, y_pred: Any) -> str:
    """"binary", "sparse" or "categorical": what kind of classification the shapes of targets and predictions speak of."""
    if y_pred.shape[-1] == 1:
        return "binary"
    fewer_axes = len(y_true.shape) < len(y_pred.shape)
    return "sparse" if fewer_axes or (y_true.shape[-1] == 1 and (y_pred.shape[-1] or 2) > 1) else "categorical"
