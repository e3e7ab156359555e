"""Functions that pick or place elements by position. In: tensors and integer indices; out: tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from weft.graph.dims import Shape, Size, product
from weft.graph.dtype import as_dtype, bool_, float32, int32, int64
from weft.graph.errors import DTypeError, ShapeError, UnimplementedError

from ..apply import apply
from ..tensor import Tensor
from .arguments import as_array, as_axis, as_integers, as_sizes, as_tensor, as_tensors, sizes_of
from .arithmetic import cast, truediv
from .creation import ramp


def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """``size[i]`` elements from ``begin[i]`` along each axis; a size of -1 means all that are left."""
    x = as_tensor(input_)
    here, first, sizes = sizes_of(x), as_sizes(begin), as_sizes(size)
    if len(first) != len(here) or len(sizes) != len(here):
        raise ShapeError(f"slice needs one begin and one size per axis of {x.shape}. Received: {first}, {sizes}.")
    full: list[Size] = []
    for axis, (total, b, s) in enumerate(zip(here, first, sizes, strict=True)):
        full.append(total - b if s == -1 else s)
        known = all(isinstance(v, int) for v in (total, b, full[-1]))
        if known and not (0 <= b <= total and 0 <= full[-1] <= total - b):  # type: ignore[operator]  # numbers
            raise ShapeError(f"Elements {b} to {b + full[-1]} of axis {axis} lie outside the shape {x.shape}.")
    return apply("slice", (x,), begin=first, shape=tuple(full), strides=(1,) * len(here))


def strided_slice(
    input_: Any, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0, var: Any = None, name: str | None = None,
) -> Tensor:
    """``x[begin[0]:end[0]:strides[0], ...]``; the bounds must be known while tracing.

    Bit i of a mask makes item i of the index ``[:end]``, ``[begin:]``, ``...``, ``newaxis`` or the number ``begin[i]``.
    """
    if var is not None:
        raise UnimplementedError("strided_slice does not write. Use variable[...].assign(value). Received: var.")
    first, last = as_integers(begin), as_integers(end)
    steps = [1] * len(first) if strides is None else as_integers(strides)
    items: list[Any] = []
    for i, (b, e, step) in enumerate(zip(first, last, steps, strict=True)):
        bit = 1 << i
        if ellipsis_mask & bit or new_axis_mask & bit:
            items.append(... if ellipsis_mask & bit else None)
        elif shrink_axis_mask & bit:
            items.append(b)
        else:
            items.append(builtin_slice(None if begin_mask & bit else b, None if end_mask & bit else e, step))
    return as_tensor(input_)[tuple(items)]


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """``x`` where the condition holds, else ``y``; the three broadcast together.

    With the condition alone: the positions of its true elements, int64 of shape (count, rank); eagerly only, because the count
    is data.
    """
    test = as_tensor(condition)
    if x is None and y is None:
        if not test.dtype.is_bool:
            test = apply("not_equal", (test, as_tensor(0, test.dtype)))
        return as_tensor(np.argwhere(as_array(test, "where(condition)", "where(condition, x, y)")).astype(np.int64))
    if x is None or y is None:
        raise ValueError("where needs both x and y, or neither. Received: one of them.")
    if not test.dtype.is_bool:
        raise DTypeError(f"where needs a bool condition. Received: dtype {test.dtype.name}.")
    a, b = as_tensors(x, y)
    return apply("where", (test, a, b))


def gather(
    params: Any, indices: Any, validate_indices: Any = None, axis: Any = None, batch_dims: int = 0, name: str | None = None
) -> Tensor:
    """The slices of ``params`` along ``axis`` that ``indices`` name. The leading ``batch_dims`` axes of both go together.

    Indices outside 0 ... size - 1 raise, eagerly and compiled.
    """
    values, positions = as_tensor(params), as_tensor(indices)
    if not positions.dtype.is_integer:
        raise DTypeError(f"indices must be integers. Received: dtype {positions.dtype.name}.")
    batch = batch_dims + len(sizes_of(positions)) if batch_dims < 0 else batch_dims
    at = as_axis(batch if axis is None else axis, len(sizes_of(values)))
    return apply("gather", (values, positions), axis=at, batch_dims=batch)


def embedding_lookup(params: Any, ids: Any, max_norm: Any = None, name: str | None = None) -> Tensor:
    """The rows of ``params`` that ``ids`` name; rows longer than ``max_norm`` are scaled down."""
    rows = gather(params, ids, axis=0)
    if max_norm is None:
        return rows
    axes = tuple(range(len(sizes_of(as_tensor(ids))), len(sizes_of(rows))))
    squares = apply("reduce_sum", (apply("square", (rows,)),), axes=axes, keepdims=True)
    limit = as_tensor(max_norm, rows.dtype)
    norm = apply("sqrt", (apply("maximum", (squares, apply("square", (limit,)))),))
    return apply("div", (apply("mul", (rows, limit)), norm))


def flat_positions(indices: Tensor, shape: Shape) -> Tensor:
    """Row-major positions of index vectors (last axis) in an array of ``shape``; -1 where a component is out of range."""
    position = cast(as_tensor(0), indices.dtype)
    valid = as_tensor(True)
    here = sizes_of(indices)
    for i, total in enumerate(shape):
        first = (0,) * (len(here) - 1) + (i,)
        part = apply("slice", (indices,), begin=first, shape=(*here[:-1], 1), strides=(1,) * len(here))
        part = apply("reshape", (part,), shape=here[:-1])
        limit = size_like(total, indices)
        inside = apply("logical_and", (apply("less", (part, limit)), apply("greater_equal", (part, size_like(0, indices)))))
        valid = apply("logical_and", (valid, inside))
        position = apply("add", (apply("mul", (position, limit)), part))
    position = apply("broadcast_to", (position,), shape=here[:-1]) if not shape else position
    return apply("where", (valid, position, size_like(-1, indices)))


def size_like(size: Size, like: Tensor) -> Tensor:
    """A size as a scalar of another tensor's dtype."""
    return as_tensor(size, like.dtype) if isinstance(size, int) else apply("dim_value", (), size=size, dtype=like.dtype)


def gather_nd(params: Any, indices: Any, batch_dims: int = 0, name: str | None = None) -> Tensor:
    """``params[indices[i, ..., :]]``: the last axis of ``indices`` holds positions along the first axes of ``params``."""
    values, positions = as_tensor(params), as_tensor(indices)
    if batch_dims:
        raise UnimplementedError(f"gather_nd with batch_dims is not available; use gather. Received: batch_dims={batch_dims}.")
    here, depth = sizes_of(values), sizes_of(positions)[-1]
    if not isinstance(depth, int) or depth > len(here):
        raise ShapeError(f"An index vector has at most {len(here)} entries here. Received: {values.shape}, {positions.shape}.")
    flat = apply("reshape", (values,), shape=(product(here[:depth]), *here[depth:]))
    return apply("gather", (flat, flat_positions(positions, here[:depth])), axis=0, batch_dims=0)


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Tensor:
    """Zeros of ``shape`` with each update added at its index vector (last axis of ``indices``)."""
    positions, values, target = as_tensor(indices), as_tensor(updates), as_sizes(shape)
    depth = sizes_of(positions)[-1]
    if not isinstance(depth, int) or depth > len(target):
        raise ShapeError(f"An index vector has at most {len(target)} entries for shape {target}. Received: {positions.shape}.")
    outer, inner = sizes_of(positions)[:-1], target[depth:]
    rows = apply("reshape", (values,), shape=(product(outer), *inner))
    places = apply("reshape", (flat_positions(positions, target[:depth]),), shape=(product(outer),))
    out = segment_sum(rows, places, product(target[:depth]))
    return apply("reshape", (out,), shape=target)


def segment_sum(data: Tensor, positions: Tensor, count: Size) -> Tensor:
    """``count`` rows; row ``positions[i]`` gets ``data[i]`` added."""
    return apply("scatter_add", (data, positions), shape=(count, *sizes_of(data)[1:]), axis=0, batch_dims=0)


def unsorted_segment_sum(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The sums of the rows of ``data`` that share a segment number, one row per segment."""
    values, ids = as_tensor(data), as_tensor(segment_ids)
    count, outer = as_sizes(num_segments)[0], sizes_of(ids)
    rows = apply("reshape", (values,), shape=(product(outer), *sizes_of(values)[len(outer) :]))
    return segment_sum(rows, apply("reshape", (ids,), shape=(product(outer),)), count)


def unsorted_segment_mean(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The means of the rows of ``data`` that share a segment number; 0 for an empty segment. Integers are divided as floats."""
    values = as_tensor(data)
    total = unsorted_segment_sum(values, segment_ids, num_segments)
    ids = as_tensor(segment_ids)
    one = apply("broadcast_to", (as_tensor(1, values.dtype),), shape=sizes_of(ids))
    count = unsorted_segment_sum(one, ids, num_segments)
    count = apply("maximum", (count, as_tensor(1, values.dtype)))
    extra = len(sizes_of(total)) - 1
    return truediv(total, apply("reshape", (count,), shape=(*sizes_of(count), *(1,) * extra)))


def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """``tensor`` with each update added at its index vector."""
    x = as_tensor(tensor)
    return apply("add", (x, scatter_nd(indices, as_tensor(updates, x.dtype), sizes_of(x))))


def tensor_scatter_nd_sub(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """``tensor`` with each update subtracted at its index vector."""
    x = as_tensor(tensor)
    return apply("sub", (x, scatter_nd(indices, as_tensor(updates, x.dtype), sizes_of(x))))


def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """``tensor`` with the elements at the index vectors replaced. If an index occurs twice the last update counts.

    Every element learns by a gather which update it gets, if any: the largest number among those that name it.
    """
    x, positions = as_tensor(tensor), as_tensor(indices)
    values = as_tensor(updates, x.dtype)
    here, depth = sizes_of(x), sizes_of(positions)[-1]
    if not isinstance(depth, int) or depth > len(here):
        raise ShapeError(f"An index vector has at most {len(here)} entries for shape {x.shape}. Received: {positions.shape}.")
    outer, rows = sizes_of(positions)[:-1], product(here[:depth])
    count = product(outer)
    places = apply("reshape", (flat_positions(positions, here[:depth]),), shape=(count,))
    order = ramp(count, places.dtype)
    same = apply("equal", (apply("reshape", (ramp(rows, places.dtype),), shape=(rows, 1)), places))
    winner = apply("where", (same, order, as_tensor(-1, places.dtype)))
    last = apply("reduce_max", (winner,), axes=(1,), keepdims=False)
    hit = apply("greater_equal", (last, as_tensor(0, places.dtype)))
    source = apply("gather", (
        apply("reshape", (values,), shape=(count, *here[depth:])), apply("maximum", (last, as_tensor(0, places.dtype)))
    ), axis=0, batch_dims=0)
    flat = apply("reshape", (x,), shape=(rows, *here[depth:]))
    test = apply("reshape", (hit,), shape=(rows, *(1,) * (len(here) - depth)))
    return apply("reshape", (apply("where", (test, source, flat)),), shape=here)


def one_hot(
    indices: Any, depth: Any, on_value: Any = None, off_value: Any = None, axis: Any = None, dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """A new axis (last, unless ``axis`` says) of size ``depth``: ``on_value`` at the index, ``off_value`` elsewhere.

    Indices outside the range give a row of ``off_value``. The dtype is that of the values, float32 without them.
    """
    positions = as_tensor(indices)
    if not positions.dtype.is_integer:
        raise DTypeError(f"indices must be integers. Received: dtype {positions.dtype.name}.")
    given = next((as_tensor(v).dtype for v in (on_value, off_value) if v is not None), float32)
    target = given if dtype is None else as_dtype(dtype)
    on = as_tensor((True if target is bool_ else 1) if on_value is None else on_value, target)
    off = as_tensor((False if target is bool_ else 0) if off_value is None else off_value, target)
    here, count = sizes_of(positions), as_sizes(depth)[0]
    at = len(here) if axis is None or axis == -1 else as_axis(axis, len(here) + 1)
    column = apply("reshape", (positions,), shape=(*here[:at], 1, *here[at:]))
    shape = tuple(count if i == at else 1 for i in range(len(here) + 1))
    classes = apply("reshape", (ramp(count, positions.dtype),), shape=shape)
    return apply("where", (apply("equal", (column, classes)), on, off))


def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = bool_, name: str | None = None) -> Tensor:
    """True for the first ``lengths[i]`` positions of row i. Without ``maxlen`` the longest row counts (eagerly only)."""
    counts = as_tensor(lengths)
    if maxlen is None:
        maxlen = max(int(np.max(as_array(counts, "sequence_mask without maxlen", "maxlen="), initial=0)), 0)
    width = as_sizes(maxlen)[0]
    column = apply("reshape", (counts,), shape=(*sizes_of(counts), 1))
    return cast(apply("less", (ramp(width, counts.dtype), column)), dtype)


def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """The slices for which the mask is true; it covers as many axes as it has, from ``axis`` (0) on.

    Eagerly only for a mask that is computed: how many slices are left is data. In a traced function use `where`.
    """
    x = as_tensor(tensor)
    chosen = as_array(as_tensor(mask, bool_), "boolean_mask", "where(mask, x, 0)")
    here, at = sizes_of(x), as_axis(axis or 0, max(len(sizes_of(x)), 1))
    if chosen.ndim == 0:
        raise ShapeError("boolean_mask needs a mask with at least one axis. Received: a scalar.")
    if here[at : at + chosen.ndim] != chosen.shape:
        raise ShapeError(f"The mask must fit the tensor from axis {at} on. Received: shapes {x.shape} and {chosen.shape}.")
    flat = apply("reshape", (x,), shape=(*here[:at], chosen.size, *here[at + chosen.ndim :]))
    return apply("gather", (flat, as_tensor(np.flatnonzero(chosen).astype(np.int64))), axis=at, batch_dims=0)


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """The permutation that undoes ``x``."""
    order = as_tensor(x)
    size = sizes_of(order)[0]
    return segment_sum(ramp(size, order.dtype), order, size)


def bincount(
    arr: Any, weights: Any = None, minlength: Any = None, maxlength: Any = None, dtype: Any = int32, name: str | None = None,
    axis: Any = None, binary_output: bool = False,
) -> Tensor:
    """How often each value 0, 1, ... occurs in ``arr`` (or the sum of its weights; or, with binary_output, whether it occurs).

    In a traced function the number of values must be given as both ``minlength`` and ``maxlength``.
    """
    if axis not in (None, 0):
        raise UnimplementedError(f"bincount counts over all of arr. Received: axis={axis}.")
    values = as_tensor(arr)
    values = apply("reshape", (values,), shape=(product(sizes_of(values)),))
    if maxlength is None or minlength != maxlength:
        seen = as_array(values, "bincount without equal minlength and maxlength", "minlength=n, maxlength=n")
        count = max(int(seen.max(initial=-1)) + 1, minlength or 0)
        count = count if maxlength is None else min(count, maxlength)
    else:
        count = minlength
    kept = apply("less", (values, as_tensor(count, values.dtype)))
    amount = as_tensor(1, as_dtype(dtype)) if weights is None else as_tensor(weights)
    if weights is not None:
        amount = apply("reshape", (amount,), shape=(product(sizes_of(amount)),))
    amount = apply("where", (kept, amount, as_tensor(0, amount.dtype)))
    total = segment_sum(amount, apply("where", (kept, values, as_tensor(0, values.dtype))), count)
    return cast(apply("not_equal", (total, as_tensor(0, total.dtype))), total.dtype) if binary_output else total


def confusion_matrix(
    labels: Any, predictions: Any, num_classes: Any = None, weights: Any = None, dtype: Any = int32, name: str | None = None
) -> Tensor:
    """Entry (i, j) counts how often label i was predicted as j (or sums the weights). In a traced function give num_classes."""
    truth, guess = cast(as_tensor(labels), int64), cast(as_tensor(predictions), int64)
    if num_classes is None:
        both = [as_array(t, "confusion_matrix without num_classes", "num_classes=") for t in (truth, guess)]
        num_classes = int(max(b.max(initial=-1) for b in both)) + 1
    count = as_sizes(num_classes)[0]
    pairs = apply("concat", [apply("reshape", (t,), shape=(product(sizes_of(t)), 1)) for t in (truth, guess)], axis=1)
    one = as_tensor(1, as_dtype(dtype))
    rows = sizes_of(pairs)[:1]
    amount = apply("broadcast_to", (one,), shape=rows) if weights is None else cast(as_tensor(weights), dtype)
    return scatter_nd(pairs, apply("reshape", (amount,), shape=rows), (count, count))


builtin_slice = type(np.s_[:])
