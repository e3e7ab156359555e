"""The one door to every op. In: an op and its arguments; out: what the current interpreter makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.graph.op import REGISTRY, Op

from .context import state


def apply(op: Op | str, args: Sequence[Any], **attrs: Any) -> Any:
    """Applies the op: eagerly on NumPy arrays, or as a node of the trace that is being recorded.

    op: an op record or its registered name. args: tensors, variables, or values that `convert_to_tensor` takes; Python numbers,
    lists and NumPy arrays take the dtype of the first tensor among them. Effects get their token here, not from the caller.

    Returns a tensor, a tuple of tensors (op ``call``), or None (effects). Raises `ShapeError`, `DTypeError` and what the
    op's kernel raises. An argument whose class has ``__weft_apply__(self, op, args, attrs)`` decides the result itself.
    """
    return state.interpreter.apply(REGISTRY[op] if op.__class__ is str else op, args, attrs)
