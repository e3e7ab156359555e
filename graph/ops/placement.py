"""Ops that write elements elsewhere: concat and pad."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..build import zeros_like
from ..dims import Dim, Shape, Size
from ..errors import ShapeError
from ..families import Layout, Place
from ..ir import Node
from ..op import Attrs, DimConflict, Sample, Types, define
from ..samples import spread


def _concat_shape(types: Types, attrs: Attrs) -> Shape:
    first, axis = types[0], attrs["axis"]
    shown = ", ".join(map(str, types))
    if not 0 <= axis < first.rank or any(t.rank != first.rank for t in types):
        raise ShapeError(f"concat needs tensors of one rank that has the axis. Received: axis {axis} of {shown}.")
    total: Size = 0
    for t in types:
        for k, (size, expected) in enumerate(zip(t.shape, first.shape, strict=True)):
            if k != axis and size != expected:
                message = f"concat needs equal sizes but along axis {axis}. Received: {shown}."
                if isinstance(size, Dim) or isinstance(expected, Dim):
                    raise DimConflict(message, size, expected)
                raise ShapeError(message)
        total = total + t.shape[axis]
    return (*first.shape[:axis], total, *first.shape[axis + 1 :])


def _offsets(types: Types, axis: int) -> list[Size]:
    out: list[Size] = []
    total: Size = 0
    for t in types:
        out.append(total)
        total = total + t.shape[axis]
    return out


def _concat_place(types: Types, attrs: Attrs) -> tuple[Place, ...]:
    axis, rank = attrs["axis"], types[0].rank
    offsets = _offsets(types, axis)
    return tuple(Place((1,) * rank, tuple(f if k == axis else 0 for k in range(rank))) for f in offsets)


def _concat_gradient(o: Any, y: Node, g: Node) -> list[Node]:
    axis, rank = y.attrs["axis"], y.rank
    parts = zip(y.args, _offsets(tuple(a.type for a in y.args), axis), strict=True)
    return [
        o.slice(g, begin=tuple(f if k == axis else 0 for k in range(rank)), shape=a.shape, strides=(1,) * rank) for a, f in parts
    ]


def _concat_samples() -> list[Sample]:
    cases: tuple[tuple[int, tuple[tuple[int, ...], ...]], ...] = (
        (0, ((2,), (3,))), (0, ((2, 3), (1, 3), (4, 3))), (1, ((2, 3), (2, 1))), (2, ((2, 1, 3), (2, 1, 2))),
        (0, ((0, 2), (3, 2))),
        (1, ((2, 2),)),
    )  # fmt: skip
    out = [Sample(tuple(spread(s, phase=0.1 * i) for i, s in enumerate(shapes)), {"axis": axis}) for axis, shapes in cases]
    return [*out, Sample((np.array([True]), np.array([False, True])), {"axis": 0}, differentiable=False)]


define(
    Layout(
        name="concat",
        params=("values",),
        attributes={"axis": ...},
        shape=_concat_shape,
        compute=lambda *arrays, axis: np.concatenate(arrays, axis),
        place=_concat_place,
        gradient=_concat_gradient,
        samples=_concat_samples,
        doc="The tensors one after the other along the axis.",
    )
)


def _padded_size(size: Size, low: Size, high: Size, interior: int) -> Size:
    gaps: Size = interior * (size - 1) if interior and size != 0 else 0
    return low + size + gaps + high


def _pad_shape(types: Types, attrs: Attrs) -> Shape:
    x, low, high, interior = types[0], attrs["low"], attrs["high"], attrs["interior"]
    amounts = (*low, *high, *interior)
    if not len(low) == len(high) == len(interior) == x.rank or any(isinstance(v, int) and v < 0 for v in amounts):
        raise ShapeError(f"pad needs one non-negative low, high and interior amount per axis. Received: {dict(attrs)} for {x}.")
    return tuple(map(_padded_size, x.shape, low, high, interior))


def _pad(x: Any, low: Any, high: Any, interior: Any, value: Any) -> Any:
    shape: Any = tuple(map(_padded_size, x.shape, low, high, interior))
    out = np.full(shape, value, x.dtype)
    if x.size:
        out[tuple(slice(a, a + (n - 1) * (i + 1) + 1, i + 1) for a, n, i in zip(low, x.shape, interior, strict=True))] = x
    return out


def _pad_place(types: Types, attrs: Attrs) -> tuple[Place, ...]:
    return (Place(tuple(i + 1 for i in attrs["interior"]), tuple(attrs["low"])),)


def _pad_gradient(o: Any, y: Node, g: Node) -> tuple[Node]:
    (x,) = y.args
    if 0 in x.shape:
        return (zeros_like(x),)
    strides = tuple(i + 1 for i in y.attrs["interior"])
    return (o.slice(g, begin=y.attrs["low"], shape=x.shape, strides=strides),)


def _pad_samples() -> list[Sample]:
    cases: tuple[tuple[tuple[int, ...], ...], ...] = (
        ((), (), (), ()), ((3,), (1,), (2,), (0,)), ((3,), (0,), (1,), (2,)), ((2, 3), (0, 1), (1, 0), (1, 0)),
        ((0, 2), (1, 0), (1, 0), (3, 0)),
        ((1, 1), (2, 0), (0, 0), (5, 0)),
    )  # fmt: skip
    keys = ("low", "high", "interior")
    out = [Sample((spread(s),), {**dict(zip(keys, rest, strict=True)), "value": 0.5}) for s, *rest in cases]
    attrs = {"low": (1,), "high": (0,), "interior": (1,), "value": 7}
    return [*out, Sample((np.array([1, 2], np.int32),), attrs, differentiable=False)]


define(
    Layout(
        name="pad",
        params=("tensor",),
        attributes={"low": ..., "high": ..., "interior": ..., "value": 0.0},
        shape=_pad_shape,
        compute=_pad,
        place=_pad_place,
        fill=lambda attrs: attrs["value"],
        gradient=_pad_gradient,
        samples=_pad_samples,
        doc="The tensor with ``low`` and ``high`` elements of the value around it and ``interior`` between neighbours, per axis.",
    )
)
