"""Making tensors from Python values. In: numbers, nested lists, arrays, variables, sizes; out: tensors, by TensorFlow's rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from weft.graph.dims import Dim
from weft.graph.dtype import DType, as_dtype, bool_, float32, int32, int64
from weft.graph.errors import DTypeError

from .apply import apply
from .blocks import aligned_copy
from .context import state
from .errors import DTypeConversionError, UnconvertibleError
from .tensor import EagerTensor, Tensor

_NUMBERS = (bool, int, float)
LARGE_BYTES = 32 * 1024 * 1024
"""Copies of so large arrays begin at a cache line, so that no vector crosses one. Smaller ones are NumPy's matter: C's allocator
keeps their memory for the next copy."""
_scalars: dict[Any, EagerTensor] = {}


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None) -> Any:
    """The value as a tensor.

    Tensors pass through, variables are read, arrays are copied and keep their dtype, a Python float is float32, an int int32
    (int64 if it does not fit), lists of tensors are stacked. dtype: the dtype to have: ValueError if a tensor has another one,
    TypeError if the value does not fit. dtype_hint: used where the value allows it. A symbolic Keras input passes through.
    """
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(value, Tensor):
        return _require_dtype(value, wanted)
    reader = getattr(type(value), "__weft_tensor__", None)
    if reader is not None:
        return _require_dtype(reader(value), wanted)
    if hasattr(type(value), "__weft_apply__"):
        return value
    if wanted is None and dtype_hint is not None:
        try:
            return from_python(value, as_dtype(dtype_hint))
        except (TypeError, ValueError):
            wanted = None
    return from_python(value, wanted)


def operand(value: Any, dtype: DType | None) -> Any:
    """An argument that is no tensor, for an op whose first tensor has this dtype (None: there is none)."""
    if type(value) in _NUMBERS and dtype is not None:
        return _scalar(value, dtype)
    return convert_to_tensor(value, dtype)


def from_python(value: Any, dtype: DType | None) -> Any:
    """A tensor from anything that is none yet; see `convert_to_tensor`."""
    if isinstance(value, _NUMBERS) and not isinstance(value, np.generic):
        return EagerTensor(_scalar(value, dtype or _number_dtype(value))._array)  # an identity of its own, for tapes
    if isinstance(value, (np.ndarray, np.generic)):
        return _from_array(value, dtype)
    if value is None:
        raise ValueError("Attempt to convert a value (None) with an unsupported type (<class 'NoneType'>) to a Tensor.")
    if isinstance(value, Dim):
        return state.interpreter.apply_size(value, dtype or int32)
    if isinstance(value, range):
        value = list(value)
    if isinstance(value, (list, tuple)):
        return _from_sequence(value, dtype)
    if isinstance(value, (str, bytes)) or not hasattr(value, "__array__"):
        raise UnconvertibleError(f"Attempt to convert a value ({value!r}) with an unsupported type ({type(value)}) to a Tensor.")
    return _from_array(np.asarray(value), dtype)


def _require_dtype(tensor: Any, wanted: DType | None) -> Any:
    if wanted is not None and tensor.dtype is not wanted:
        raise DTypeConversionError(
            f"Tensor conversion requested dtype {wanted.name} for Tensor with dtype {tensor.dtype.name}: {tensor!r}"
        )
    return tensor


def _number_dtype(value: Any) -> DType:
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return int32 if -(2**31) <= value < 2**31 else int64
    return float32


def _scalar(value: Any, dtype: DType) -> EagerTensor:
    """A shared constant for a Python number; never handed to users, who may watch it."""
    key = (type(value), value if value else str(value), dtype.name)  # 0.0 and -0.0 are equal, but not the same
    known = _scalars.get(key)
    if known is None:
        _check_number(value, dtype)
        try:
            known = EagerTensor(np.array(value, dtype.np))
        except OverflowError:
            raise UnconvertibleError(f"{value} is out of range for a tensor of dtype {dtype.name}.") from None
        if len(_scalars) > 4096:
            _scalars.clear()
        _scalars[key] = known
    return known


def _check_number(value: Any, dtype: DType) -> None:
    if not (isinstance(value, bool) or dtype.is_floating or (isinstance(value, int) and dtype.is_integer)):
        raise DTypeError(f"Cannot convert {value!r} of type {type(value).__name__} to a tensor of dtype {dtype.name}.")


def _from_array(value: Any, dtype: DType | None) -> EagerTensor:
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise UnconvertibleError(f"Cannot convert an array of {array.dtype} to a Tensor.")
    if dtype is None:
        dtype = as_dtype(array.dtype.newbyteorder("="))
    if array.nbytes >= LARGE_BYTES and array.dtype == dtype.np:
        return EagerTensor(aligned_copy(array))
    with np.errstate(all="ignore"):
        return EagerTensor(np.array(array, dtype.np, order="C"))


def _from_sequence(values: Any, dtype: DType | None) -> Any:
    leaves = list(_leaves(values))
    if any(_is_symbolic(v) for v in leaves):
        return _stack(values, dtype or next((v.dtype for v in leaves if _is_symbolic(v) and hasattr(v, "dtype")), None))
    try:
        array = np.array(values)
    except ValueError:
        array = np.array(None)
    kind = array.dtype.kind
    mixed = dtype is None and kind != "b" and isinstance(leaves[0] if leaves else 0, (bool, np.bool_))
    if mixed or kind not in "fiub":
        raise UnconvertibleError(f"Can't convert non-rectangular Python sequence or mixed types to Tensor. Received: {values!r}")
    if kind == "u" and array.size and array.max() >= 2**63:
        raise ValueError(f"Can't convert Python sequence with out-of-range integer to Tensor. Received: {values!r}")
    if dtype is None:
        dtype = _sequence_dtype(leaves, array)
    elif leaves and _RANKS[kind] > _RANKS[dtype.kind]:
        raise DTypeError(f"Cannot convert {values!r} to a tensor of dtype {dtype.name}.")
    return _from_array(array, dtype)


_RANKS = {"b": 0, "i": 1, "u": 1, "f": 2}  # no number of a list loses its kind silently


def _sequence_dtype(leaves: list[Any], array: np.ndarray) -> DType:
    """Integers of any width are int32 if all fit; floats are float32, or half or double if the very first number is."""
    if array.dtype.kind == "b":
        return bool_
    if array.dtype.kind == "f":
        first = as_dtype(leaves[0].dtype) if leaves and isinstance(leaves[0], (np.ndarray, np.generic)) else float32
        return first if first.is_floating else float32
    fits = not array.size or (array.min() >= -(2**31) and array.max() < 2**31)
    return int32 if fits else int64


def _leaves(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _leaves(value)
        else:
            yield value


def _is_symbolic(value: Any) -> bool:
    """Something that NumPy must not look into: a tensor, a variable, a symbolic input or size."""
    return isinstance(value, (Tensor, Dim)) or hasattr(type(value), "__weft_tensor__") or hasattr(type(value), "__weft_apply__")


def has_symbolic(value: Any) -> bool:
    """Whether the value, or a value in a list, is one that only `convert_to_tensor` understands."""
    return any(map(_is_symbolic, _leaves(value))) if isinstance(value, (list, tuple)) else _is_symbolic(value)


def _stack(values: Any, dtype: DType | None) -> Any:
    """Stacks along a new first axis, innermost lists first."""
    parts = [
        _stack(v, dtype) if isinstance(v, (list, tuple)) else convert_to_tensor(v, dtype_hint=dtype) for v in values
    ]
    rows = [apply("reshape", (p,), shape=(1, *p.shape)) for p in parts]
    return apply("concat", rows, axis=0)
