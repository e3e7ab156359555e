"""Ops that read elements elsewhere: reshape, transpose, broadcast_to, slice, reverse."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..build import reshape, zeros_like
from ..dims import Dim, Shape, Size, product
from ..errors import ShapeError
from ..families import Layout, View
from ..ir import Node
from ..op import Attrs, DimConflict, Sample, Types, broadcast_shapes, define
from ..samples import spread


def _reshaped(types: Types, attrs: Attrs) -> Shape:
    before, after = types[0].size, product(attrs["shape"])
    if before != after:
        message = f"reshape must keep the number of elements. Received: {types[0]} to shape {attrs['shape']}."
        if isinstance(before, Dim) or isinstance(after, Dim):
            raise DimConflict(message, before, after)
        raise ShapeError(message)
    return tuple(attrs["shape"])


define(
    Layout(
        name="reshape",
        params=("tensor",),
        attributes={"shape": ...},
        shape=_reshaped,
        compute=lambda x, shape: x.reshape(shape),
        linear=True,
        gradient=lambda o, y, g: (reshape(g, y.args[0].shape),),
        samples=lambda: [
            Sample((spread(a),), {"shape": b})
            for a, b in (((6,), (2, 3)), ((2, 3, 5), (5, 6)), ((), (1, 1)), ((1,), ()), ((0, 3), (0,)), ((3, 4), (3, 4)))
        ],
        doc="The same elements in row-major order under another shape.",
    )
)


def _transposed(types: Types, attrs: Attrs) -> Shape:
    perm = attrs["perm"]
    if sorted(perm) != list(range(types[0].rank)):
        raise ShapeError(f"transpose needs each axis once. Received: perm {perm} for {types[0]}.")
    return tuple(types[0].shape[p] for p in perm)


def _transpose_view(types: Types, attrs: Attrs) -> View:
    rank = types[0].rank
    return View(tuple(attrs["perm"].index(k) for k in range(rank)), (1,) * rank, (0,) * rank)


define(
    Layout(
        name="transpose",
        params=("a",),
        attributes={"perm": ...},
        shape=_transposed,
        compute=lambda x, perm: x.transpose(perm),
        view=_transpose_view,
        gradient=lambda o, y, g: (o.transpose(g, perm=tuple(y.attrs["perm"].index(k) for k in range(y.rank))),),
        samples=lambda: [
            Sample((spread(s),), {"perm": p})
            for s, p in (((), ()), ((3, 4), (1, 0)), ((2, 3, 5), (2, 0, 1)), ((2, 3, 5), (0, 2, 1)), ((0, 3), (1, 0)))
        ],
        doc="Axis ``i`` of the result is axis ``perm[i]`` of the argument.",
    )
)


def _broadcasted(types: Types, attrs: Attrs) -> Shape:
    shape = tuple(attrs["shape"])
    out = broadcast_shapes([types[0].shape, shape], lambda: f"{types[0]} to shape {shape}")
    if out != shape:
        raise ShapeError(f"broadcast_to cannot shrink an axis. Received: {types[0]} to shape {shape}.")
    return out


def _broadcast_view(types: Types, attrs: Attrs) -> View:
    x = types[0]
    lead = len(attrs["shape"]) - x.rank
    axis = tuple(None if s == 1 else k + lead for k, s in enumerate(x.shape))
    return View(axis, (1,) * x.rank, (0,) * x.rank)


define(
    Layout(
        name="broadcast_to",
        params=("input",),
        attributes={"shape": ...},
        shape=_broadcasted,
        compute=lambda x, shape: np.broadcast_to(x, shape),
        view=_broadcast_view,
        gradient=lambda o, y, g: (g,),
        samples=lambda: [
            Sample((spread(a),), {"shape": b})
            for a, b in (((), ()), ((), (2, 3)), ((3,), (2, 3)), ((3, 1), (3, 4)), ((1, 4), (2, 3, 4)), ((1,), (0,)), ((5,),) * 2)
        ],
        doc="The tensor repeated along its axes of size 1 and along new leading axes.",
    )
)


def _sliced(types: Types, attrs: Attrs) -> Shape:
    x, begin, shape, strides = types[0], attrs["begin"], attrs["shape"], attrs["strides"]
    if not len(begin) == len(shape) == len(strides) == x.rank or 0 in strides:
        raise ShapeError(f"slice needs one begin, size and non-zero stride per axis. Received: {dict(attrs)} for {x}.")
    for size, first, count, stride in zip(x.shape, begin, shape, strides, strict=True):
        last = first + (count - 1) * stride
        known = all(isinstance(v, int) for v in (size, first, count))
        if known and (count < 0 or (count and not (0 <= first < size and 0 <= last < size))):
            raise ShapeError(f"slice reaches outside its tensor. Received: {dict(attrs)} for {x}.")
    return tuple(shape)


def _axis_slice(first: int, count: int, stride: int) -> slice:
    stop = first + count * stride
    return slice(0, 0) if count == 0 else slice(first, None if stop < 0 else stop, stride)


def _slice(x: Any, begin: Any, shape: Any, strides: Any) -> Any:
    return x[(*map(_axis_slice, begin, shape, strides), ...)]


def _slice_view(types: Types, attrs: Attrs) -> View:
    return View(tuple(range(types[0].rank)), tuple(attrs["strides"]), tuple(attrs["begin"]))


def _slice_gradient(o: Any, y: Node, g: Node) -> tuple[Node]:
    """Puts the gradient back to where it was read; backward axes are reversed first."""
    (x,) = y.args
    if 0 in y.shape:
        return (zeros_like(x),)
    backward = tuple(k for k, s in enumerate(y.attrs["strides"]) if s < 0)
    if backward:
        g = o.reverse(g, axes=backward)
    low: list[Size] = []
    high: list[Size] = []
    for size, first, count, stride in zip(x.shape, y.attrs["begin"], y.shape, y.attrs["strides"], strict=True):
        last = first + (count - 1) * stride
        low.append(first if stride > 0 else last)
        high.append(size - 1 - (last if stride > 0 else first))
    interior = tuple(abs(s) - 1 for s in y.attrs["strides"])
    return (o.pad(g, low=tuple(low), high=tuple(high), interior=interior, value=0.0),)


def _slice_samples() -> list[Sample]:
    cases: tuple[tuple[tuple[int, ...], ...], ...] = (
        ((5,), (1,), (3,), (1,)), ((5,), (4,), (5,), (-1,)), ((6,), (1,), (3,), (2,)), ((6,), (5,), (2,), (-3,)),
        ((), (), (), ()),
        ((3, 4), (1, 0), (2, 4), (1, 1)), ((3, 4), (2, 3), (2, 2), (-2, -2)), ((3, 4), (0, 2), (3, 0), (1, 1)),
        ((0, 2), (0, 1), (0, 1), (1, 1)),
    )  # fmt: skip
    return [Sample((spread(x),), {"begin": b, "shape": n, "strides": s}) for x, b, n, s in cases]


define(
    Layout(
        name="slice",
        params=("input_",),
        attributes={"begin": ..., "shape": ..., "strides": ...},
        shape=_sliced,
        compute=_slice,
        view=_slice_view,
        gradient=_slice_gradient,
        samples=_slice_samples,
        doc="Along each axis ``shape`` elements from ``begin`` on, ``strides`` apart; negative strides run backwards.",
    )
)


def _reverse_shape(types: Types, attrs: Attrs) -> Shape:
    if any(not 0 <= a < types[0].rank for a in attrs["axes"]):
        raise ShapeError(f"reverse over axes {attrs['axes']} of {types[0]}.")
    return types[0].shape


def _reverse_view(types: Types, attrs: Attrs) -> View:
    x, axes = types[0], attrs["axes"]
    strides = tuple(-1 if k in axes else 1 for k in range(x.rank))
    return View(tuple(range(x.rank)), strides, tuple(s - 1 if k in axes else 0 for k, s in enumerate(x.shape)))


define(
    Layout(
        name="reverse",
        params=("tensor",),
        attributes={"axes": ...},
        shape=_reverse_shape,
        compute=lambda x, axes: np.flip(x, axes) if axes else x,
        view=_reverse_view,
        gradient=lambda o, y, g: (o.reverse(g, axes=y.attrs["axes"]),),
        samples=lambda: [
            Sample((spread(s),), {"axes": a})
            for s, a in (((4,), (0,)), ((3, 4), (1,)), ((3, 4), (0, 1)), ((0, 2), (0,)), ((), ()))
        ],
        doc="The elements in opposite order along the axes.",
    )
)
