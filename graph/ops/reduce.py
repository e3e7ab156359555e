"""Reductions over sorted, non-negative ``axes``: sums, products, extremes, truth, and the positions of extremes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..build import reshape
from ..dims import product
from ..dtype import DType, int64
from ..families import Reduce
from ..ir import Node
from ..op import Sample, define
from ..samples import NONFINITE, spread

ADD: Any = np.add  # Any: NumPy's stubs know neither a variable keepdims nor a variable axis
MULTIPLY: Any = np.multiply
MAXIMUM: Any = np.maximum
MINIMUM: Any = np.minimum

_CASES: tuple[tuple[tuple[int, ...], tuple[int, ...], bool], ...] = (
    ((), (), False), ((5,), (0,), False), ((3, 4), (0,), False), ((3, 4), (1,), True), ((3, 4), (0, 1), False),
    ((2, 3, 5), (1,), False), ((2, 3, 5), (0, 2), True), ((3, 1), (1,), False), ((0,), (0,), False), ((3, 0), (1,), True),
    ((0, 4), (1,), False), ((2, 3), (), False),
)  # fmt: skip


def _samples(kind: str, infinite_if_empty: bool) -> Callable[[], list[Sample]]:
    def make() -> list[Sample]:
        if kind == "b":
            return [Sample((spread(s) > 0,), {"axes": axes, "keepdims": k}) for s, axes, k in _CASES]
        smooth = [not (infinite_if_empty and any(s[a] == 0 for a in axes)) for s, axes, _ in _CASES]
        cases = zip(_CASES, smooth, strict=True)
        out = [Sample((spread(s, -1.5, 1.5),), {"axes": axes, "keepdims": k}, d) for (s, axes, k), d in cases]
        out.append(Sample((NONFINITE.reshape(3, 2),), {"axes": (1,)}, differentiable=False))
        return [*out, *(Sample((spread((3, 4), -9, 9, d),), {"axes": (0,)}, differentiable=False) for d in (np.int32, np.uint8))]

    return make


def _with_axes(y: Node, value: Node) -> Node:
    """``value``, of the reduction's shape, with the reduced axes put back as size 1."""
    axes = y.attrs["axes"]
    return reshape(value, tuple(1 if i in axes else s for i, s in enumerate(y.args[0].shape)))


def _sum_gradient(o: Any, y: Node, g: Node) -> tuple[Node]:
    return (o.broadcast_to(_with_axes(y, g), shape=y.args[0].shape),)


def _share_gradient(o: Any, y: Node, g: Node) -> tuple[Node]:
    """Equal winners share the gradient equally, as in TensorFlow."""
    (x,) = y.args
    winners = o.cast(o.equal(x, _with_axes(y, y)), dtype=x.dtype)
    count = o.reduce_sum(winners, axes=y.attrs["axes"], keepdims=True)
    return (o.mul(o.div(winners, count), _with_axes(y, g)),)


def _product_gradient(o: Any, y: Node, g: Node) -> tuple[Node]:
    """The product of all other elements, by running products from both sides, so that zeros need no division."""
    (x,) = y.args
    axes = y.attrs["axes"]
    perm = (*(i for i in range(x.rank) if i not in axes), *axes)
    moved = o.transpose(x, perm=perm)
    kept = x.rank - len(axes)
    rows = reshape(moved, (*moved.shape[:kept], product(moved.shape[kept:])))
    before = o.cumprod(rows, axis=kept, exclusive=True, reverse=False)
    after = o.cumprod(rows, axis=kept, exclusive=True, reverse=True)
    others = o.transpose(reshape(o.mul(before, after), moved.shape), perm=tuple(perm.index(i) for i in range(x.rank)))
    return (o.mul(others, _with_axes(y, g)),)


def _add(x: Any, axis: Any, keepdims: bool) -> Any:
    return ADD.reduce(x, axis=axis, dtype=x.dtype, keepdims=keepdims)


def _multiply(x: Any, axis: Any, keepdims: bool) -> Any:
    return MULTIPLY.reduce(x, axis=axis, dtype=x.dtype, keepdims=keepdims)


def _lowest(dtype: DType) -> Any:
    return dtype.np.type(-np.inf) if dtype.is_floating else dtype.min


def _highest(dtype: DType) -> Any:
    return dtype.np.type(np.inf) if dtype.is_floating else dtype.max


def _bound(dtype: np.dtype[Any], sign: int) -> Any:
    if dtype.kind == "f":
        return dtype.type(sign * np.inf)
    return np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min


def _maximum(x: Any, axis: Any, keepdims: bool) -> Any:
    return MAXIMUM.reduce(x, axis=axis, keepdims=keepdims, initial=_bound(x.dtype, -1))


def _minimum(x: Any, axis: Any, keepdims: bool) -> Any:
    return MINIMUM.reduce(x, axis=axis, keepdims=keepdims, initial=_bound(x.dtype, 1))


def _reduce(name: str, start: Any, combine: str, ufunc: Any, gradient: Any, doc: str, kinds: str = "fiu") -> None:
    define(
        Reduce(
            name=name,
            params=("input_tensor",),
            attributes={"axes": ..., "keepdims": False},
            start=start,
            combine=combine,
            ufunc=ufunc,
            kinds=kinds,
            gradient=gradient,
            samples=_samples(kinds, gradient is _share_gradient),
            doc=doc,
        )
    )


_reduce("reduce_sum", lambda d: d.np.type(0), "acc + a", _add, _sum_gradient, "The sum; 0 of no elements.")
_reduce("reduce_prod", lambda d: d.np.type(1), "acc * a", _multiply, _product_gradient, "The product; 1 of no elements.")
_reduce(
    "reduce_max",
    _lowest,
    "maximum(acc, a)",
    _maximum,
    _share_gradient,
    "The largest element, NaN if one is NaN; of no elements -inf or the least integer. Ties share the gradient.",
)
_reduce(
    "reduce_min",
    _highest,
    "minimum(acc, a)",
    _minimum,
    _share_gradient,
    "The smallest element, NaN if one is NaN; of no elements inf or the largest integer. Ties share the gradient.",
)
_reduce("reduce_any", lambda d: False, "acc | a", np.logical_or.reduce, None, "Whether an element is true; false of none.", "b")
_reduce("reduce_all", lambda d: True, "acc & a", np.logical_and.reduce, None, "Whether all are true; true of none.", "b")


def _position_samples() -> list[Sample]:
    cases: tuple[tuple[tuple[int, ...], int], ...] = (((5,), 0), ((3, 4), 0), ((3, 4), 1), ((2, 3, 5), 1), ((1,), 0), ((0, 3), 1))
    out = [Sample((spread(s),), {"axes": (a,)}) for s, a in cases]
    out.append(Sample((np.array([[1, 3, 3], [np.nan, 5, np.nan], [-np.inf, -np.inf, np.inf]], np.float32),), {"axes": (1,)}))
    return [*out, Sample((np.array([[4, 4, 1], [0, -2, -2]], np.int32),), {"axes": (1,)})]


def _position(name: str, combine: str, ufunc: Any, doc: str) -> None:
    define(
        Reduce(
            name=name,
            params=("input",),
            attributes={"axes": ..., "dtype": int64},
            start=None,
            combine=combine,
            ufunc=ufunc,
            index=True,
            samples=_position_samples,
            doc=doc,
        )
    )


_position(
    "argmax",
    "(a > acc) | ((a != a) & (acc == acc))",
    np.argmax,
    "The position of the largest element along the one axis: the first of equals, or the first NaN.",
)
_position(
    "argmin",
    "(a < acc) | ((a != a) & (acc == acc))",
    np.argmin,
    "The position of the smallest element along the one axis: the first of equals, or the first NaN.",
)
