"""Indexed reading and its transpose, indexed accumulation. An index outside the axis raises `IndexRangeError`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dims import Shape
from ..errors import DTypeError, IndexRangeError, ShapeError
from ..families import Gather
from ..ir import ArrayType, Node
from ..op import Attrs, DimConflict, Sample, Types, define
from ..samples import spread


def _gathered(params: Shape, indices: ArrayType, axis: int, batch_dims: int, what: str) -> Shape:
    if not indices.dtype.is_integer:
        raise DTypeError(f"{what} needs integer indices. Received: {indices}.")
    message = (
        f"{what} needs batch_dims <= axis < rank and equal leading sizes. "
        f"Received: axis {axis}, batch_dims {batch_dims}, shape {params}, indices {indices}."
    )
    if not 0 <= batch_dims <= min(axis, indices.rank) or axis >= len(params):
        raise ShapeError(message)
    for a, b in zip(params[:batch_dims], indices.shape[:batch_dims]):
        if a != b:
            raise ShapeError(message) if isinstance(a, int) and isinstance(b, int) else DimConflict(message, a, b)
    return (*params[:axis], *indices.shape[batch_dims:], *params[axis + 1 :])


def _gather_rule(types: Types, attrs: Attrs) -> ArrayType:
    params, indices = types
    return ArrayType(params.dtype, _gathered(params.shape, indices, attrs["axis"], attrs["batch_dims"], "gather"))


def _check(indices: np.ndarray, size: int) -> None:
    if indices.size and not (int(indices.min()) >= 0 and int(indices.max()) < size):
        bad = indices[(indices < 0) | (indices >= size)].flat[0]
        raise IndexRangeError(f"An index must lie in [0, {size}). Received: {bad}.")


def _index(shape: tuple[int, ...], indices: np.ndarray, axis: int, batch_dims: int) -> tuple[Any, ...]:
    """The subscript that reads or writes along ``axis``, for NumPy's advanced indexing with the axes of `_gathered`."""
    rest = indices.ndim - batch_dims
    rank = axis + rest
    out: list[Any] = [np.arange(n).reshape(n, *(1,) * (rank - k - 1)) for k, n in enumerate(shape[:axis])]
    middle = (*indices.shape[:batch_dims], *(1,) * (axis - batch_dims), *indices.shape[batch_dims:])
    return (*out, indices.reshape(middle))


def _gather(params: Any, indices: Any, axis: int, batch_dims: int) -> Any:
    _check(indices, params.shape[axis])
    if batch_dims == 0:
        return np.asarray(np.take(params, indices, axis))
    return params[_index(params.shape, indices, axis, batch_dims)]


def _gather_gradient(o: Any, y: Node, g: Node) -> tuple[Node, None]:
    params, indices = y.args
    return o.scatter_add(g, indices, shape=params.shape, axis=y.attrs["axis"], batch_dims=y.attrs["batch_dims"]), None


_CASES: tuple[tuple[tuple[int, ...], tuple[int, ...], int, int], ...] = (
    ((5,), (3,), 0, 0), ((5,), (), 0, 0), ((5, 2), (4,), 0, 0), ((5, 2), (2, 3), 0, 0), ((3, 5), (4,), 1, 0),
    ((3, 5), (3,), 1, 1),
    ((3, 5), (3, 2), 1, 1), ((2, 3, 5), (2, 4), 2, 1), ((2, 5, 3), (2, 4), 1, 1), ((2, 2, 5), (2, 2, 3), 2, 2),
    ((4, 3), (0,), 0, 0),
    ((5, 0), (2,), 0, 0),
)  # fmt: skip


def _indices(shape: tuple[int, ...], size: int, dtype: Any = np.int64) -> np.ndarray:
    return (np.arange(int(np.prod(shape)), dtype=dtype) * 3 % size).reshape(shape)


def _gather_samples() -> list[Sample]:
    out = [Sample((spread(p), _indices(i, p[axis])), {"axis": axis, "batch_dims": b}) for p, i, axis, b in _CASES]
    return [*out, Sample((spread((4,), dtype=np.int32), _indices((2,), 4, np.int32)), {"axis": 0}, differentiable=False)]


define(
    Gather(
        name="gather",
        params=("params", "indices"),
        attributes={"axis": 0, "batch_dims": 0},
        rule=_gather_rule,
        compute=_gather,
        gradient=_gather_gradient,
        samples=_gather_samples,
        doc="The entries of ``params`` along ``axis`` that ``indices`` names; the first ``batch_dims`` axes go in step.",
    )
)


def _scatter_rule(types: Types, attrs: Attrs) -> ArrayType:
    updates, indices = types
    expected = _gathered(tuple(attrs["shape"]), indices, attrs["axis"], attrs["batch_dims"], "scatter_add")
    if updates.shape != expected:
        raise ShapeError(f"scatter_add needs updates of shape {expected}. Received: {updates}, indices {indices}.")
    return ArrayType(updates.dtype, tuple(attrs["shape"]))


def _scatter_add(updates: Any, indices: Any, shape: Any, axis: int, batch_dims: int) -> Any:
    _check(indices, shape[axis])
    out = np.zeros(shape, updates.dtype)
    np.add.at(out, _index(shape, indices, axis, batch_dims), updates)
    return out


def _scatter_samples() -> list[Sample]:
    out = []
    for shape, i, axis, b in _CASES:
        gathered = (*shape[:axis], *i[b:], *shape[axis + 1 :])
        attrs = {"shape": shape, "axis": axis, "batch_dims": b}
        out.append(Sample((spread(gathered), _indices(i, shape[axis])), attrs))
    return out


define(
    Gather(
        name="scatter_add",
        params=("updates", "indices"),
        attributes={"shape": ..., "axis": 0, "batch_dims": 0},
        rule=_scatter_rule,
        compute=_scatter_add,
        scatters=True,
        gradient=lambda o, y, g: (o.gather(g, y.args[1], axis=y.attrs["axis"], batch_dims=y.attrs["batch_dims"]), None),
        samples=_scatter_samples,
        doc="Zeros of ``shape`` plus the updates, in row-major order, where `gather` would read with these indices.",
    )
)
