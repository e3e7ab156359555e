"""``x[...]``. In: a tensor and an index expression; out: the part of the tensor, by slice, gather and reshape.

Understood: ints, slices with negative steps, ``...``, ``newaxis``, integer tensors and arrays (one per expression), and bool
masks on the leading axes where the mask's values are known (eager mode).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from weft.graph.dims import Dim, Shape, Size, product
from weft.graph.errors import IndexRangeError, ShapeError, UnimplementedError
from weft.graph.op import DimConflict
from weft.graph.record import field, record

from .apply import apply
from .convert import convert_to_tensor
from .errors import OperatorNotAllowedInGraphError
from .origin import user_line
from .shape_values import known_sizes
from .tensor import EagerTensor, Tensor


def index_by_numpy(array: np.ndarray, key: Any) -> np.ndarray | None:
    """A view by NumPy's own basic indexing, or None if the expression is not basic."""
    items = key if type(key) is tuple else (key,)
    for item in items:
        kind = type(item)
        if kind is slice:
            if not all(v is None or type(v) is int for v in (item.start, item.stop, item.step)):
                return None
        elif kind is not int and item is not None and item is not Ellipsis:
            return None
    try:
        return np.asarray(array[key])
    except (IndexError, ValueError):
        return None  # the longer way words the error


def index_by_ops(x: Any, key: Any) -> Any:
    """The same through ops, so that it can be traced and differentiated."""
    items = list(key) if isinstance(key, tuple) or _is_index_list(key) else [key]
    items = [_resolve_item(item) for item in items]
    if any(_is_mask(item) for item in items):
        return _take_mask(x, items)
    return _take(x, _expand_ellipsis(x, items))


@record(frozen=False)
class _Parts:
    """What one index expression asks for, axis by axis of the input; ``out`` is the final shape."""

    begin: list[Size] = field(default_factory=list)
    length: list[Size] = field(default_factory=list)
    stride: list[int] = field(default_factory=list)
    out: list[Size] = field(default_factory=list)
    gathers: list[tuple[int, Any]] = field(default_factory=list)

    def add(self, begin: Size, length: Size, stride: int) -> None:
        self.begin.append(begin)
        self.length.append(length)
        self.stride.append(stride)


def _take(x: Any, items: list[Any]) -> Any:
    parts = _Parts()
    shape: Shape = tuple(x.shape)
    axis = 0
    for item in items:
        if item is None:
            parts.out.append(1)
            continue
        _add_axis(parts, item, axis, shape[axis])
        axis += 1
    y = x
    if tuple(parts.length) != shape or any(s != 1 for s in parts.stride):
        y = apply("slice", (x,), begin=tuple(parts.begin), shape=tuple(parts.length), strides=tuple(parts.stride))
    for at, indices in reversed(parts.gathers):
        y = apply("gather", (y, indices), axis=at, batch_dims=0)
    return y if tuple(y.shape) == tuple(parts.out) and y is not x else apply("reshape", (y,), shape=tuple(parts.out))


def _add_axis(parts: _Parts, item: Any, axis: int, size: Size) -> None:
    if isinstance(item, slice):
        begin, length, stride = _resolve_slice(item, axis, size)
        parts.add(begin, length, stride)
        parts.out.append(length)
    elif isinstance(item, (int, Dim)):
        parts.add(_position(item, axis, size), 1, 1)
    else:
        if parts.gathers:
            raise UnimplementedError("Indexing takes one index tensor at a time. Received: several; use gather_nd instead.")
        parts.add(0, size, 1)
        parts.gathers.append((axis, _from_start(item, size)))
        parts.out.extend(tuple(item.shape))


def _position(index: Any, axis: int, size: Size) -> Size:
    if isinstance(index, int) and isinstance(size, int) and not -size <= index < size:
        raise IndexRangeError(f"slice index {index} of dimension {axis} out of bounds. Received: a tensor of size {size} there.")
    return size + index if isinstance(index, int) and index < 0 else index


def _resolve_slice(item: slice, axis: int, size: Size) -> tuple[Size, Size, int]:
    """First index, number of elements and step."""
    step = 1 if item.step is None else item.step
    if not isinstance(step, int) or step == 0:
        raise ShapeError(f"A slice's step must be a nonzero int. Received: {item!r}")
    if isinstance(size, int) and not isinstance(item.start, Dim) and not isinstance(item.stop, Dim):
        indices = range(size)[item]
        return indices.start, len(indices), indices.step
    if item.start is None and item.stop is None and abs(step) == 1:
        return (0, size, 1) if step == 1 else (size - 1, size, -1)
    if step != 1:
        raise UnimplementedError(f"A step other than 1 along an axis of symbolic size {size} does not work. Received: {item!r}")
    begin, stop = _bound(item.start, 0, axis, size), _bound(item.stop, size, axis, size)
    return begin, stop - begin, 1


def _bound(value: Any, default: Size, axis: int, size: Size) -> Size:
    """A slice's bound along an axis of symbolic size. A start may be any count from either end, a stop must come from the end."""
    if value is None:
        return default
    if isinstance(value, Dim):
        return value
    if value < 0:
        return size + value
    if value == 0 or default == 0:
        return value
    if isinstance(size, Dim):
        raise DimConflict(f"Slicing up to {value} along axis {axis} needs a known size there. Received: {size}.", size, value)
    return min(value, size)


def _from_start(indices: Any, size: Size) -> Any:
    """Indices counted from the start, where negative ones count from the end."""
    if isinstance(indices, EagerTensor):
        array = indices._array
        if not array.size or array.min() >= 0:
            return indices
        if isinstance(size, int):
            return EagerTensor(np.where(array < 0, array + array.dtype.type(size), array))
    length = convert_to_tensor(size, indices.dtype)
    return apply("where", (indices < 0, indices + length, indices))


def _resolve_item(item: Any) -> Any:
    """ints, slices of ints and sizes, None, Ellipsis; index tensors and masks as tensors."""
    if item is None or item is Ellipsis or type(item) is int or isinstance(item, Dim):
        return item
    if isinstance(item, slice):
        return slice(_whole(item.start), _whole(item.stop), _whole(item.step))
    if isinstance(item, (bool, np.bool_)) or not (hasattr(item, "dtype") or isinstance(item, (list, tuple))):
        return _whole(item)
    tensor = convert_to_tensor(item)
    if not (tensor.dtype.is_integer or tensor.dtype.is_bool):
        raise TypeError(_VALID + f" Received: {item!r}")
    if isinstance(tensor, EagerTensor) and not tensor.ndim and tensor.dtype.is_integer:
        return int(tensor._array)
    return tensor


_VALID = (
    "Only integers, slices (`:`), ellipsis (`...`), newaxis (`None`) and integer or bool tensors are valid indices."
)


def _whole(value: Any) -> Any:
    """A slice's bound or a scalar index as int, `Dim` or None."""
    if value is None or type(value) is int or isinstance(value, Dim):
        return value
    if isinstance(value, Tensor):
        if isinstance(value, EagerTensor):
            return int(value)
        sizes = known_sizes(value)
        if sizes is None or len(sizes) != 1:
            raise OperatorNotAllowedInGraphError(
                f"A traced tensor cannot be the bound of a slice, because the result's shape would depend on it: {user_line()}. "
                "Use gather, or a size such as x.shape[0]."
            )
        return sizes[0]
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        raise TypeError(f"{_VALID} Received: {value!r}")
    return value.__index__()


def _expand_ellipsis(x: Any, items: list[Any]) -> list[Any]:
    used = sum(item is not None and item is not Ellipsis for item in items)
    if used > x.ndim:
        raise IndexRangeError(f"Too many indices for a tensor of rank {x.ndim}. Received: {used} indices.")
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexRangeError("An index can only have a single ellipsis ('...').")
    at = dots[0] if dots else len(items)
    return [*items[:at], *[slice(None)] * (x.ndim - used), *items[at + 1 :]]


def _is_index_list(key: Any) -> bool:
    """A list with slices in it is a list of one index per axis, as in TensorFlow; a list of numbers is an index array."""
    return isinstance(key, list) and any(k is None or k is Ellipsis or isinstance(k, slice) for k in key)


def _is_mask(item: Any) -> bool:
    return isinstance(item, Tensor) and item.dtype.is_bool


def _take_mask(x: Any, items: list[Any]) -> Any:
    """Rows where a bool mask over the leading axes holds."""
    mask = items[0]
    if not isinstance(mask, EagerTensor):
        raise OperatorNotAllowedInGraphError(
            f"Indexing with a traced bool mask gives a shape that depends on values: {user_line()}. Use where(mask, x, 0)."
        )
    if (len(items) > 1 and any(item is not Ellipsis and item != slice(None) for item in items[1:])) or not mask.ndim:
        raise UnimplementedError("A bool mask must be the only index. Received: a mask beside other indices.")
    shape = tuple(x.shape)
    if mask._array.shape != shape[: mask.ndim]:
        raise IndexRangeError(f"A mask must have the shape of the leading axes. Received: mask {mask.shape}, tensor {x.shape}.")
    rows = EagerTensor(np.flatnonzero(mask._array))
    flat = apply("reshape", (x,), shape=(product(shape[: mask.ndim]), *shape[mask.ndim :]))
    return apply("gather", (flat, rows), axis=0, batch_dims=0)
