"""The eager interpreter. In: ops on eager tensors; out: tensors computed at once with NumPy, recorded on the open tapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weft.graph.dims import Dim
from weft.graph.dtype import DType
from weft.graph.ir import ArrayType
from weft.graph.op import Attrs, Op

from .arguments import convert_arguments, refuse_leaked
from .checked import Checked, attrs_key, check, recall
from .context import State, state
from .convert import convert_to_tensor
from .errors import InaccessibleTensorError
from .indexing import index_by_numpy, index_by_ops
from .tensor import DTYPES, EagerTensor, TracedTensor


class Eager:
    """Computes with the ops' NumPy kernels."""

    recording = False

    def apply(self, op: Op, args: Sequence[Any], attrs: Attrs) -> Any:
        for a in args:
            if a.__class__ is not EagerTensor:
                tensors, decider = convert_arguments(op, args)
                if decider is not None:
                    return decider.__weft_apply__(op, args, attrs)
                args = [t if t.__class__ is EagerTensor else require_eager(t) for t in tensors]
                break
        if op.family == "effect":
            token: Any = None
            op.evaluate([token, *(a._array for a in args)], op.canonical(attrs))
            return None
        return self.compute(op, args, attrs)

    def compute(self, op: Op, args: Sequence[Any], attrs: Attrs) -> Any:
        """`apply` on arguments that are eager tensors already."""
        arrays = [a._array for a in args]
        parts: list[Any] = [op]
        for array in arrays:
            parts.append(array.dtype)
            parts.append(array.shape)
        if attrs:
            parts.append(attrs_key(attrs))
        key = tuple(parts)
        checked = recall(key)
        if checked is None:
            checked = check(key, op, attrs, tuple(array_type(a) for a in arrays))
        result = checked.evaluate(arrays, checked.attrs)
        out = EagerTensor(result) if result.__class__ is np.ndarray else wrap(result)
        if state.tapes and checked.floating:
            record(checked, args, out)
        return out

    def apply_size(self, size: Dim, dtype: DType) -> Any:
        """A symbolic size as a tensor: impossible here."""
        raise InaccessibleTensorError(f"The size {size} is only known inside the function that was traced with it.")

    def index(self, x: Any, key: Any) -> Any:
        x = require_eager(convert_to_tensor(x))
        if not state.tapes or not x.dtype.is_floating:
            found = index_by_numpy(x._array, key)
            if found is not None:
                return EagerTensor(found)
        return index_by_ops(x, key)

    def read(self, variable: Any) -> EagerTensor:
        return variable.snapshot()

    def write(self, variable: Any, value: Any) -> None:
        array = require_eager(value)._array
        if state.journal is not None and id(variable) not in state.journal:
            state.journal[id(variable)] = (variable, variable.storage.copy())
        variable.store(array)

    def create(self, variable: Any, initial_value: Any, dtype: DType | None) -> np.ndarray:
        value = initial_value() if callable(initial_value) else initial_value
        return require_eager(convert_to_tensor(value, dtype))._array


def record(checked: Checked, args: Sequence[Any], out: Any) -> None:
    """Shows a finished op to the tapes that record now."""
    for tape in state.tapes:
        tape.record(checked, args, out)


def require_eager(tensor: Any) -> EagerTensor:
    """The tensor itself if it has a value; `InaccessibleTensorError` for one that leaked out of a trace."""
    if isinstance(tensor, TracedTensor):
        raise refuse_leaked(tensor)
    if not isinstance(tensor, EagerTensor):
        raise TypeError(f"Expected a tensor with a value. Received: {tensor!r}")
    return tensor


def array_type(array: np.ndarray) -> ArrayType:
    return ArrayType(DTYPES[array.dtype], array.shape)


def wrap(result: Any) -> Any:
    """A kernel's result as a tensor, a tuple of them, or None."""
    if result.__class__ is np.ndarray:
        return EagerTensor(result)
    if isinstance(result, (tuple, list)):
        return tuple([wrap(r) for r in result])
    return None if result is None else EagerTensor(np.asarray(result))


State.interpreter = Eager()
