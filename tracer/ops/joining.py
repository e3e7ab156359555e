"""Functions that join tensors or take them apart. In: tensors and an axis; out: one tensor, or a list of them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from weft.graph.dims import Dim, Size
from weft.graph.errors import ShapeError
from weft.graph.op import DimConflict

from ..apply import apply
from ..convert import has_symbolic
from ..errors import UnconvertibleError
from ..tensor import Tensor
from .arguments import as_axis, as_integer, as_integers, as_matrix, as_sizes, as_tensor, as_tensors, fixed_size, sizes_of
from .shaping import expand_dims, part_of, reshape, reverse


def concat(values: Sequence[Any], axis: Any, name: str | None = None) -> Tensor:
    """The tensors joined along ``axis``; all other sizes and the dtypes must agree."""
    parts = as_tensors(*(values if isinstance(values, (list, tuple)) else [values]))
    if not parts:
        raise ShapeError("concat needs at least one tensor. Received: an empty list.")
    at = as_axis(axis, len(sizes_of(parts[0])))
    return parts[0] if len(parts) == 1 else apply("concat", parts, axis=at)


def stack(values: Any, axis: Any = 0, name: str | None = None) -> Tensor:
    """The tensors, all of one shape, joined along a new axis."""
    if isinstance(values, Tensor):
        values = unstack(values)
    if isinstance(values, (list, tuple)) and values and as_integer(axis) == 0 and not any(map(has_symbolic, values)):
        with contextlib.suppress(UnconvertibleError):  # of different shapes, which is said better below
            return as_tensor(values)  # numbers and arrays find their dtype together
    parts = as_tensors(*values)
    if not parts:
        raise ShapeError("stack needs at least one tensor. Received: an empty list.")
    first = sizes_of(parts[0])
    for i, part in enumerate(parts):
        if len(sizes_of(part)) != len(first) or any(a != b and isinstance(a, int) and isinstance(b, int)
                                                    for a, b in zip(sizes_of(part), first, strict=True)):
            raise ShapeError(
                f"stack needs tensors of one shape. Received: shape {parts[0].shape} first, but {part.shape} at position {i}."
            )
    at = as_axis(axis, len(first) + 1)
    return apply("concat", [expand_dims(p, at) for p in parts], axis=at)


def unstack(value: Any, num: int | None = None, axis: Any = 0, name: str | None = None) -> list[Tensor]:
    """The slices along ``axis``, without that axis. Its size must be fixed, or given as ``num``."""
    x = as_tensor(value)
    here = sizes_of(x)
    at = as_axis(axis, len(here))
    count = here[at] if num is None else as_integer(num)
    count = fixed_size(count, f"The number of slices along axis {at} must be known; give num=")
    if isinstance(here[at], int) and here[at] != count:
        raise ShapeError(f"Axis {at} of {x.shape} has not {count} slices. Received: num={num}.")
    rest = (*here[:at], *here[at + 1 :])
    return [apply("reshape", (part_of(x, at, i, 1),), shape=rest) for i in range(count)]


def split(value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str | None = None) -> list[Tensor]:
    """The tensor cut along ``axis`` into equal parts (a number) or parts of the given sizes, one of which may be -1."""
    x = as_tensor(value)
    here = sizes_of(x)
    at = as_axis(axis, len(here))
    sizes = _split_sizes(num_or_size_splits, here[at])
    parts: list[Tensor] = []
    begin: Size = 0
    for size in sizes:
        parts.append(part_of(x, at, begin, size))
        begin = begin + size
    return parts


def _split_sizes(wanted: Any, total: Size) -> list[Size]:
    scalar = not isinstance(wanted, (list, tuple)) and np.ndim(wanted) == 0
    if scalar:
        count = as_integer(wanted)
        size = total.divide(count) if isinstance(total, Dim) else total // count if count > 0 and total % count == 0 else None
        if size is None:
            message = f"An axis of size {total} cannot be split into {count} equal parts."
            raise DimConflict(message, total, count) if isinstance(total, Dim) else ShapeError(message)
        return [size] * count
    sizes = list(as_sizes(wanted))
    if -1 in sizes:
        at = sizes.index(-1)
        sizes[at] = total - sum((s for i, s in enumerate(sizes) if i != at), start=0)
    if sum(sizes, start=0) != total or any(isinstance(s, int) and s < 0 for s in sizes):
        message = f"The parts must add up to the size {total} of the axis. Received: sizes {wanted}."
        raise DimConflict(message, total, sum(sizes, start=0)) if isinstance(total, Dim) else ShapeError(message)
    return sizes


def repeat(input: Any, repeats: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """Every slice along ``axis`` repeated ``repeats`` times (a number, or one per slice); None flattens first."""
    x = as_tensor(input)
    if axis is None:
        x, at = reshape(x, [-1]), 0
    else:
        at = as_axis(axis, len(sizes_of(x)))
    here = sizes_of(x)
    counts = as_integers(repeats)
    if len(counts) == 1:
        wide = (*here[: at + 1], counts[0], *here[at + 1 :])
        out = apply("broadcast_to", (expand_dims(x, at + 1),), shape=wide)
        return apply("reshape", (out,), shape=(*here[:at], here[at] * counts[0], *here[at + 1 :]))
    if len(counts) != fixed_size(here[at], "An axis needs a fixed size for its slices to be repeated differently"):
        raise ShapeError(f"repeats needs one number per slice of axis {at} of {x.shape}. Received: repeats={counts}.")
    positions = as_tensor(np.repeat(np.arange(len(counts), dtype=np.int32), counts))
    return apply("gather", (x, positions), axis=at, batch_dims=0)


def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: str | None = None) -> Tensor:
    """The tensor with ``paddings[i] = (before, after)`` elements added along axis i.

    mode: CONSTANT fills with ``constant_values``, REFLECT mirrors without repeating the border, SYMMETRIC repeats it.
    """
    x = as_tensor(tensor)
    pairs = as_matrix(paddings)
    if len(pairs) != len(sizes_of(x)) or any(len(p) != 2 for p in pairs):
        raise ShapeError(f"paddings needs a (before, after) pair per axis of {x.shape}. Received: {pairs}.")
    kind = mode.upper()
    if kind == "CONSTANT":
        value = np.asarray(as_tensor(constant_values, x.dtype)).item()
        low, high = tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
        return apply("pad", (x,), low=low, high=high, interior=(0,) * len(pairs), value=value)
    if kind not in ("REFLECT", "SYMMETRIC"):
        raise ValueError(f"mode must be CONSTANT, REFLECT or SYMMETRIC. Received: mode={mode!r}.")
    for axis, (before, after) in enumerate(pairs):
        x = _mirror(x, axis, before, after, skip=int(kind == "REFLECT"))
    return x


def _mirror(x: Tensor, axis: int, before: int, after: int, skip: int) -> Tensor:
    length = sizes_of(x)[axis]
    if isinstance(length, int) and max(before, after) > length - skip:
        most = f"At most {length - skip} elements can be mirrored on axis {axis} of {x.shape}"
        raise ShapeError(f"{most}. Received: {before}, {after}.")
    parts = [x]
    if before:
        parts.insert(0, reverse(part_of(x, axis, skip, before), [axis]))
    if after:
        parts.append(reverse(part_of(x, axis, length - skip - after, after), [axis]))
    return parts[0] if len(parts) == 1 else apply("concat", parts, axis=axis)


def meshgrid(*args: Any, indexing: str = "xy", name: str | None = None) -> list[Tensor]:
    """Coordinate tensors of the grid that the vectors span; ``indexing`` is "xy" (first two axes swapped) or "ij"."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing must be 'xy' or 'ij'. Received: indexing={indexing!r}.")
    vectors = [reshape(as_tensor(a), [-1]) for a in args]
    order = list(range(len(vectors)))
    if indexing == "xy" and len(order) > 1:
        order[0], order[1] = 1, 0
    shape: list[Size] = [1] * len(vectors)
    for axis, v in zip(order, vectors, strict=True):
        shape[axis] = sizes_of(v)[0]
    out = []
    for axis, v in zip(order, vectors, strict=True):
        column = apply("reshape", (v,), shape=tuple(s if i == axis else 1 for i, s in enumerate(shape)))
        out.append(apply("broadcast_to", (column,), shape=tuple(shape)))
    return out
