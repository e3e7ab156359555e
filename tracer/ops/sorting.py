"""Sorting along one axis. In: tensors; out: the sorted values, or the positions that sort.

Eagerly NumPy sorts. A traced function has no sort op: there every element's place is the number of elements that come before it,
counted pair by pair, which the code generator fuses into one loop. That takes the square of the axis' size in time but no memory.
NaN counts as larger than any number.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from weft.graph.dims import Size
from weft.graph.dtype import DType, as_dtype, int32
from weft.graph.errors import ShapeError

from ..apply import apply
from ..tensor import EagerTensor, Tensor
from .arguments import as_axis, as_sizes, as_tensor, sizes_of
from .arithmetic import cast
from .creation import ramp
from .shaping import part_of


class TopK(NamedTuple):
    """The largest values along the last axis and their positions."""

    values: Tensor
    indices: Tensor


def ascending_order(x: Tensor, descending: bool = False) -> Tensor:
    """The int32 positions that sort the last axis; of equal elements the first comes first."""
    if isinstance(x, EagerTensor):
        return EagerTensor(_order_eagerly(x._array, descending))
    *rows, size = sizes_of(x)
    own = apply("reshape", (x,), shape=(*rows, size, 1))  # the element whose place is wanted, against all others
    other = apply("reshape", (x,), shape=(*rows, 1, size))
    before, same = _compare(own, other, descending)
    number = ramp(size, int32)
    earlier = apply("less", (number, apply("reshape", (number,), shape=(size, 1))))
    ahead = apply("logical_or", (before, apply("logical_and", (same, earlier))))
    place = apply("reduce_sum", (cast(ahead, int32),), axes=(len(rows) + 1,), keepdims=False)
    numbers = apply("broadcast_to", (number,), shape=(*rows, size))
    return apply("scatter_add", (numbers, place), shape=(*rows, size), axis=len(rows), batch_dims=len(rows))


def _order_eagerly(array: np.ndarray, descending: bool) -> np.ndarray:
    if not descending:
        return np.argsort(array, axis=-1, kind="stable").astype(np.int32)
    backwards = np.argsort(array[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return (array.shape[-1] - 1 - backwards).astype(np.int32)


def _compare(own: Tensor, other: Tensor, descending: bool) -> tuple[Tensor, Tensor]:
    """Whether ``other`` comes before ``own``, and whether they are equal."""
    first, second = (own, other) if descending else (other, own)
    before, same = apply("less", (first, second)), apply("equal", (own, other))
    if own.dtype.is_floating:
        nan_first, nan_second = apply("isnan", (first,)), apply("isnan", (second,))
        only_second = apply("logical_and", (nan_second, apply("logical_not", (nan_first,))))
        before = apply("logical_or", (before, only_second))
        same = apply("logical_or", (same, apply("logical_and", (nan_first, nan_second))))
    return before, same


def _is_descending(direction: str) -> bool:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(f"direction must be 'ASCENDING' or 'DESCENDING'. Received: direction={direction!r}.")
    return direction == "DESCENDING"


def _axis_to_end(values: Any, axis: Any) -> tuple[Tensor, tuple[int, ...]]:
    """The tensor with the axis moved to the end, and the permutation that moves it back."""
    x = as_tensor(values)
    rank = len(sizes_of(x))
    at = as_axis(axis, rank)
    perm = tuple(rank - 1 if i == at else at if i == rank - 1 else i for i in range(rank))
    return (x if at == rank - 1 else apply("transpose", (x,), perm=perm)), perm


def _back(x: Tensor, perm: tuple[int, ...]) -> Tensor:
    return x if perm == tuple(range(len(perm))) else apply("transpose", (x,), perm=perm)


def _take(x: Tensor, order: Tensor) -> Tensor:
    rank = len(sizes_of(x))
    return apply("gather", (x, order), axis=rank - 1, batch_dims=rank - 1)


def argsort(
    values: Any, axis: Any = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None
) -> Tensor:
    """The int32 positions that sort ``values`` along ``axis``; equal elements keep their order."""
    x, perm = _axis_to_end(values, axis)
    return _back(ascending_order(x, _is_descending(direction)), perm)


def sort(values: Any, axis: Any = -1, direction: str = "ASCENDING", name: str | None = None) -> Tensor:
    """The elements in order along ``axis``. Gradients go back to where the elements were."""
    x, perm = _axis_to_end(values, axis)
    return _back(_take(x, ascending_order(x, _is_descending(direction))), perm)


def top_k(input: Any, k: Any = 1, sorted: bool = True, index_type: Any = int32, name: str | None = None) -> TopK:
    """The ``k`` largest elements along the last axis, largest first, and their positions."""
    x = as_tensor(input)
    here = sizes_of(x)
    if not here:
        raise ShapeError("top_k needs at least one axis. Received: a scalar.")
    count: Size = as_sizes(k)[0]
    if isinstance(count, int) and isinstance(here[-1], int) and not 0 <= count <= here[-1]:
        raise ShapeError(f"k must lie between 0 and the size of the last axis. Received: k={count}, shape {x.shape}.")
    order = part_of(ascending_order(x, descending=True), len(here) - 1, 0, count)
    dtype: DType = as_dtype(index_type)
    return TopK(_take(x, order), cast(order, dtype))
