"""An op's arguments. In: whatever the caller passed to `apply`; out: tensors, or the argument that decides the result itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.graph.dtype import DType
from weft.graph.op import Attrs, Op

from .convert import convert_to_tensor, operand
from .errors import InaccessibleTensorError
from .tensor import Tensor, TracedTensor


def find_decider(args: Sequence[Any]) -> Any:
    """The first argument with ``__weft_apply__`` (a symbolic Keras input), or None."""
    return next((a for a in args if hasattr(type(a), "__weft_apply__")), None)


def convert_arguments(op: Op, args: Sequence[Any]) -> list[Any]:
    """Every argument as a tensor. Values that are none take the dtype of the first tensor that is no mask."""
    masks = getattr(op, "masks", 0)
    like = _first_dtype(args[masks:])
    return [_convert(a, None if i < masks else like) for i, a in enumerate(args)]


def apply_by_argument(decider: Any, op: Op, args: Sequence[Any], attrs: Attrs) -> Any:
    return decider.__weft_apply__(op, args, attrs)


def refuse_leaked(tensor: TracedTensor) -> InaccessibleTensorError:
    """The error for a traced tensor that is used outside its trace."""
    return InaccessibleTensorError(
        f"{tensor.describe()} is out of scope and cannot be used here: it belongs to the trace of '{tensor._trace.name}'. "
        "Return it from that function, or keep the value in a Variable, instead of storing the tensor outside."
    )


def _first_dtype(args: Sequence[Any]) -> DType | None:
    for a in args:
        if isinstance(a, Tensor) or hasattr(type(a), "__weft_tensor__"):
            return a.dtype
    return None


def _convert(value: Any, like: DType | None) -> Any:
    if isinstance(value, Tensor):
        return value
    if hasattr(type(value), "__weft_tensor__"):
        return convert_to_tensor(value)
    return operand(value, like)
