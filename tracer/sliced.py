"""``v[0, 0].assign(3.)``. In: a variable and an index expression; out: a tensor that can also write its place in the variable."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from weft.graph.dims import Size, product
from weft.graph.dtype import int64

from .apply import apply
from .context import state
from .convert import convert_to_tensor
from .tensor import EagerTensor, TracedTensor


class _Slice:
    """The writing half of a slice of a variable; the reading half is the tensor class beside it."""

    __slots__ = ()
    _variable: Any
    _key: Any

    def assign(self, value: Any, name: str | None = None, read_value: bool = True) -> Any:
        """Writes the value (broadcast to the slice's shape) into this place of the variable; returns the variable."""
        variable = self._variable
        variable.assign(replace_slice(state.interpreter.read(variable), self._key, _like(value, variable), add=False))
        return variable

    def assign_add(self, value: Any, name: str | None = None, read_value: bool = True) -> Any:
        """Adds the value to this place of the variable; returns the variable."""
        variable = self._variable
        variable.assign(replace_slice(state.interpreter.read(variable), self._key, _like(value, variable), add=True))
        return variable

    def assign_sub(self, value: Any, name: str | None = None, read_value: bool = True) -> Any:
        """Subtracts the value from this place of the variable; returns the variable."""
        return self.assign_add(-_like(value, self._variable))


class EagerSlice(_Slice, EagerTensor):
    """A part of a variable, read now."""

    __slots__ = ("_key", "_variable")


class TracedSlice(_Slice, TracedTensor):
    """A part of a variable, while a function is traced."""

    __slots__ = ("_key", "_variable")


def slice_of_variable(variable: Any, key: Any) -> Any:
    """``variable[key]``: a tensor with ``assign``, ``assign_add`` and ``assign_sub``."""
    value = state.interpreter.index(variable.value(), key)
    if isinstance(value, TracedTensor):
        traced = TracedSlice(value._node, value._trace)
        return _bound(traced, value, variable, key)
    return _bound(EagerSlice(value._array), value, variable, key)


def _bound(part: Any, value: Any, variable: Any, key: Any) -> Any:
    part._variable, part._key = variable, key
    for tape in state.tapes:
        tape.same(value, part)
    return part


def replace_slice(x: Any, key: Any, value: Any, add: bool) -> Any:
    """``x`` with ``x[key]`` replaced by (or increased by) the value, which is broadcast to its shape. Same dtype throughout."""
    if isinstance(x, EagerTensor) and isinstance(value, EagerTensor) and not state.interpreter.recording:
        return EagerTensor(_written(x._array, _numpy_key(key), value._array, add))
    size = math.prod(x.shape)
    positions = EagerTensor(np.arange(size, dtype=np.int64).reshape(tuple(x.shape)))
    places = state.interpreter.index(positions, key)
    count: Size = product(places.shape)
    flat = apply("reshape", (places,), shape=(count,))
    stretched = apply("broadcast_to", (value,), shape=tuple(places.shape))
    spread = _scatter(apply("reshape", (stretched,), shape=(count,)), flat, size, tuple(x.shape))
    if add:
        return x + spread
    ones = apply("broadcast_to", (EagerTensor(np.array(1, np.int64)),), shape=(count,))
    written = _scatter(ones, flat, size, tuple(x.shape))
    return apply("where", (apply("not_equal", (written, convert_to_tensor(0, int64))), spread, x))


def _scatter(updates: Any, places: Any, size: int, shape: tuple[int, ...]) -> Any:
    return apply("reshape", (apply("scatter_add", (updates, places), shape=(size,), axis=0, batch_dims=0),), shape=shape)


def _written(array: np.ndarray, key: Any, value: np.ndarray, add: bool) -> np.ndarray:
    out = array.copy()
    if add:
        with np.errstate(all="ignore"):
            out[key] += value
    else:
        out[key] = value
    return out


def _numpy_key(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(_numpy_key(k) for k in key)
    return np.asarray(key) if hasattr(key, "dtype") else key


def _like(value: Any, variable: Any) -> Any:
    return convert_to_tensor(value, variable.dtype)
