"""Running sums and products along one axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..build import zeros_like
from ..families import Scan
from ..ir import Node
from ..op import Sample, define
from ..samples import spread


def _accumulate(ufunc: Any, start: Any, x: Any, axis: int, exclusive: bool, reverse: bool) -> Any:
    """Runs ``ufunc`` along the axis; ``exclusive`` leaves the element itself out, ``reverse`` starts at the end."""
    if reverse:
        return np.flip(_accumulate(ufunc, start, np.flip(x, axis), axis, exclusive, False), axis)
    out = ufunc.accumulate(x, axis=axis, dtype=x.dtype)
    if exclusive:
        shifted = np.empty_like(out)
        lead = (slice(None),) * axis
        shifted[(*lead, slice(0, 1))] = start
        shifted[(*lead, slice(1, None))] = out[(*lead, slice(0, -1))]
        return shifted
    return out


def _cumsum(x: Any, axis: int, exclusive: bool, reverse: bool) -> Any:
    return _accumulate(np.add, 0, x, axis, exclusive, reverse)


def _cumprod(x: Any, axis: int, exclusive: bool, reverse: bool) -> Any:
    return _accumulate(np.multiply, 1, x, axis, exclusive, reverse)


def _samples() -> list[Sample]:
    cases: tuple[tuple[tuple[int, ...], int, bool, bool], ...] = (
        ((5,), 0, False, False), ((5,), 0, True, False), ((5,), 0, False, True), ((5,), 0, True, True), ((3, 4), 0, False, False),
        ((3, 4), 1, True, True), ((2, 3, 5), 1, False, True), ((1,), 0, True, False), ((0,), 0, False, False),
        ((0, 2), 0, True, False),
    )  # fmt: skip
    out = [Sample((spread(s, 0.4, 1.9),), {"axis": a, "exclusive": e, "reverse": r}) for s, a, e, r in cases]
    return [*out, Sample((spread((3, 4), -9, 9, np.int32),), {"axis": 1}, differentiable=False)]


def _cumsum_gradient(o: Any, y: Node, g: Node) -> tuple[Node]:
    return (o.cumsum(g, axis=y.attrs["axis"], exclusive=y.attrs["exclusive"], reverse=not y.attrs["reverse"]),)


define(
    Scan(
        name="cumsum",
        params=("x",),
        attributes={"axis": 0, "exclusive": False, "reverse": False},
        start=lambda dtype: dtype.np.type(0),
        combine="acc + a",
        compute=_cumsum,
        gradient=_cumsum_gradient,
        samples=_samples,
        doc="The sum of the elements up to each place along the axis.",
    )
)


def _cumprod_gradient(o: Any, y: Node, g: Node) -> tuple[Node]:
    """By division, as in TensorFlow: 0, not the true slope, where an element is 0."""
    (x,) = y.args
    if 0 in x.shape:
        return (zeros_like(x),)
    sums = o.cumsum(o.mul(g, y), axis=y.attrs["axis"], exclusive=y.attrs["exclusive"], reverse=not y.attrs["reverse"])
    return (o.div_no_nan(sums, x),)


define(
    Scan(
        name="cumprod",
        params=("x",),
        attributes={"axis": 0, "exclusive": False, "reverse": False},
        start=lambda dtype: dtype.np.type(1),
        combine="acc * a",
        compute=_cumprod,
        gradient=_cumprod_gradient,
        samples=_samples,
        doc="The product of the elements up to each place along the axis. The gradient by an element that is 0 is 0.",
    )
)
