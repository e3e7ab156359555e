"""Functions that give a tensor another shape. In: tensors and shapes; out: the same elements, arranged differently."""

from __future__ import annotations

from typing import Any

from weft.graph.dims import Dim, Shape, Size, product
from weft.graph.dtype import as_dtype, int32
from weft.graph.errors import InvalidArgumentError, ShapeError
from weft.graph.op import DimConflict

from ..apply import apply
from ..tensor import Tensor
from ..tensor_shape import TensorShape
from .arguments import (
    as_axis,
    as_integer,
    as_integers,
    as_sizes,
    as_tensor,
    fixed_size,
    size_tensor,
    sizes_of,
    sizes_tensor,
)


def shape(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The shape as an integer vector (int32). Sizes that change between calls stay symbolic in a traced function."""
    return sizes_tensor(sizes_of(as_tensor(input)), as_dtype(out_type or int32))


def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of axes, as an int32 scalar."""
    return as_tensor(len(sizes_of(as_tensor(input))), int32)


def size(input: Any, out_type: Any = None, name: str | None = None) -> Tensor:
    """The number of elements, as a scalar (int32)."""
    return size_tensor(product(sizes_of(as_tensor(input))), as_dtype(out_type or int32))


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """The elements in row-major order under another shape; one size may be -1 and is then computed.

    ValueError if the number of elements differs.
    """
    x = as_tensor(tensor)
    target = list(as_sizes(shape))
    here = sizes_of(x)
    holes = [i for i, s in enumerate(target) if s == -1]
    if len(holes) > 1:
        raise ShapeError(f"Only one size of a new shape may be -1. Received: {_shown(target)}.")
    if any(isinstance(s, int) and s < -1 for s in target):
        raise ShapeError(f"Sizes cannot be negative. Received: {_shown(target)}.")
    if holes:
        target[holes[0]] = _missing_size(here, target)
    return apply("reshape", (x,), shape=tuple(target))


def _missing_size(here: Shape, target: list[Size]) -> Size:
    total, known = product(here), product(s for s in target if s != -1)
    if known == 0:
        return 0
    if isinstance(total, Dim):
        quotient = total.divide(known)
    else:
        quotient = None if isinstance(known, Dim) or total % known else total // known
    if quotient is None:
        message = f"A tensor of shape {_shown(here)} with {total} elements does not fill the shape {_shown(target)}."
        static = isinstance(total, int) and isinstance(known, int)
        raise ShapeError(message) if static else DimConflict(message, total, known)
    return quotient


def _shown(sizes: Any) -> str:
    return f"({', '.join(map(str, sizes))}{',' * (len(sizes) == 1)})"


def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: str | None = None) -> Tensor:
    """The axes in the order ``perm``; None reverses them."""
    x = as_tensor(a)
    count = len(sizes_of(x))
    order = tuple(reversed(range(count))) if perm is None else tuple(as_axis(p, count) for p in as_integers(perm))
    if sorted(order) != list(range(count)):
        raise ShapeError(f"perm must name every axis of a tensor of rank {count} once. Received: perm={order}.")
    return x if order == tuple(range(count)) else apply("transpose", (x,), perm=order)


def matrix_transpose(a: Any, name: str | None = None, conjugate: bool = False) -> Tensor:
    """The last two axes swapped."""
    x = as_tensor(a)
    count = len(sizes_of(x))
    if count < 2:
        raise ShapeError(f"matrix_transpose needs at least two axes. Received: shape {x.shape}.")
    return apply("transpose", (x,), perm=(*range(count - 2), count - 1, count - 2))


def expand_dims(input: Any, axis: Any, name: str | None = None) -> Tensor:
    """A new axis of size 1 at ``axis``."""
    x = as_tensor(input)
    here = sizes_of(x)
    at = as_axis(axis, len(here) + 1)
    return apply("reshape", (x,), shape=(*here[:at], 1, *here[at:]))


def squeeze(input: Any, axis: Any = None, name: str | None = None) -> Tensor:
    """The shape without the axes of size 1: those in ``axis``, or all if None. ValueError if such an axis is larger."""
    x = as_tensor(input)
    here = sizes_of(x)
    if axis is None or (isinstance(axis, (list, tuple)) and not axis):
        gone = tuple(i for i, s in enumerate(here) if s == 1)
    else:
        gone = tuple(as_axis(a, len(here)) for a in as_integers(axis))
    for a in gone:
        if here[a] != 1:
            raise ShapeError(f"Only axes of size 1 can be squeezed. Received: axis {a} of shape {_shown(here)}.")
    return apply("reshape", (x,), shape=tuple(s for i, s in enumerate(here) if i not in gone)) if gone else x


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """The tensor repeated along axes of size 1 to fill ``shape``; -1 keeps a size."""
    x = as_tensor(input)
    here, target = sizes_of(x), list(as_sizes(shape))
    for i in range(1, min(len(here), len(target)) + 1):
        if target[-i] == -1:
            target[-i] = here[-i]
    return x if tuple(target) == here else apply("broadcast_to", (x,), shape=tuple(target))


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Tensor:
    """The tensor itself, after checking its shape: None stands for any size. ValueError if it does not fit."""
    tensor = as_tensor(x)
    expected = TensorShape(shape)
    if not tensor.shape.is_compatible_with(expected):
        raise ShapeError(f"A tensor of shape {expected} was expected. Received: shape {tensor.shape}.")
    return tensor


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """The shape that two shapes broadcast to. ValueError if there is none."""
    a, b = list(TensorShape(shape_x)), list(TensorShape(shape_y))
    width = max(len(a), len(b))
    out: list[int | None] = []
    for m, n in zip([1] * (width - len(a)) + a, [1] * (width - len(b)) + b, strict=True):
        if m != n and 1 not in (m, n) and None not in (m, n):
            raise ShapeError(f"The shapes cannot be broadcast together. Received: {_shown(a)} and {_shown(b)}.")
        fixed = [s for s in (m, n) if s is not None and s != 1]
        out.append(fixed[0] if fixed else 1 if m == n == 1 else None)
    return TensorShape(out)


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """The shape that two shape vectors broadcast to, as an int32 vector."""
    a, b = as_sizes(shape_x), as_sizes(shape_y)
    width = max(len(a), len(b))
    out: list[Size] = []
    for m, n in zip((1,) * (width - len(a)) + a, (1,) * (width - len(b)) + b, strict=True):
        if m != n and 1 not in (m, n):
            raise InvalidArgumentError(f"The shapes cannot be broadcast together. Received: {_shown(a)} and {_shown(b)}.")
        out.append(n if m == 1 else m)
    return sizes_tensor(tuple(out), int32)


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """The order of the elements reversed along each axis in ``axis``."""
    x = as_tensor(tensor)
    count = len(sizes_of(x))
    axes = tuple(sorted({as_axis(a, count) for a in as_integers(axis)}))
    return apply("reverse", (x,), axes=axes) if axes else x


def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """The tensor repeated ``multiples[i]`` times along axis i."""
    x = as_tensor(input)
    here, times = sizes_of(x), as_sizes(multiples)
    if len(times) != len(here):
        raise ShapeError(f"multiples needs one entry per axis of {_shown(here)}. Received: multiples={_shown(times)}.")
    if all(t == 1 for t in times):
        return x
    apart = apply("reshape", (x,), shape=tuple(s for size in here for s in (1, size)))
    wide = apply("broadcast_to", (apart,), shape=tuple(s for pair in zip(times, here, strict=True) for s in pair))
    return apply("reshape", (wide,), shape=tuple(t * s for t, s in zip(times, here, strict=True)))


def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Tensor:
    """The elements shifted along the axes; those pushed over the end come back at the start. ``shift`` must be static."""
    x = as_tensor(input)
    shifts, axes = as_integers(shift), as_integers(axis)
    if len(shifts) != len(axes):
        raise ShapeError(f"shift and axis must have the same length. Received: shift={shifts}, axis={axes}.")
    for by, where in zip(shifts, axes, strict=True):
        here = sizes_of(x)
        at = as_axis(where, len(here))
        length = fixed_size(here[at], "roll needs an axis of fixed size")
        cut = -as_integer(by) % length if length else 0
        if cut:
            parts = [part_of(x, at, cut, length - cut), part_of(x, at, 0, cut)]
            x = apply("concat", parts, axis=at)
    return x


def part_of(x: Tensor, axis: int, begin: Size, size: Size) -> Tensor:
    """``size`` consecutive slices along an axis."""
    here = sizes_of(x)
    first = tuple(begin if i == axis else 0 for i in range(len(here)))
    sizes = tuple(size if i == axis else s for i, s in enumerate(here))
    return apply("slice", (x,), begin=first, shape=sizes, strides=(1,) * len(here))
