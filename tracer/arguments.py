"""An op's arguments. In: whatever the caller passed to `apply`; out: tensors, or the argument that decides the result itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.graph.op import Op

from .convert import convert_to_tensor, operand
from .errors import InaccessibleTensorError
from .tensor import Tensor, TracedTensor

_TENSOR, _READABLE, _DECIDER, _VALUE = "tensor", "readable", "decider", "value"
_kinds: dict[type, str] = {}


def convert_arguments(op: Op, args: Sequence[Any]) -> tuple[list[Any], Any]:
    """Every argument as a tensor, and None; or anything, and the first argument with ``__weft_apply__`` (a symbolic Keras input).

    Values that are no tensors take the dtype of the first tensor that is no mask; without a tensor, of the first value.
    """
    masks = getattr(op, "masks", 0)
    like = None
    kinds = []
    for i, a in enumerate(args):
        kind = _kinds.get(a.__class__) or _classify(a.__class__)
        if kind is _DECIDER:
            return [], a
        if like is None and kind is not _VALUE and i >= masks:
            like = a.dtype
        kinds.append(kind)
    out = list(args)
    for i, kind in enumerate(kinds):
        if kind is _READABLE:
            out[i] = convert_to_tensor(args[i])
        elif kind is _VALUE:
            out[i] = operand(args[i], None if i < masks else like)
            if like is None and i >= masks:
                like = out[i].dtype
    return out, None


def _classify(kind: type) -> str:
    """What to do with arguments of this class; found once per class."""
    if hasattr(kind, "__weft_apply__"):  # asked before Tensor: symbolic tensors are tensors, too
        found = _DECIDER
    elif issubclass(kind, Tensor):
        found = _TENSOR
    else:
        found = _READABLE if hasattr(kind, "__weft_tensor__") else _VALUE
    _kinds[kind] = found
    return found


def refuse_leaked(tensor: TracedTensor) -> InaccessibleTensorError:
    """The error for a traced tensor that is used outside its trace."""
    return InaccessibleTensorError(
        f"{tensor.describe()} is out of scope and cannot be used here: it belongs to the trace of '{tensor._trace.name}'. "
        "Return it from that function, or keep the value in a Variable, instead of storing the tensor outside."
    )
