"""Functions that make and rearrange tensors, by NumPy's names. In: shapes, tensors, axes; out: tensors."""

from __future__ import annotations

import builtins
import itertools
from typing import Any

import numpy as np

import weft
from weft.layers.precision import floatx

from .promotion import align, convert_to_tensor, to_float


def cast(x: Any, dtype: Any) -> Any:
    """The elements in another dtype."""
    return convert_to_tensor(x, dtype)


def shape(x: Any) -> Any:
    """The shape as a tuple; sizes that change between calls stay symbolic in a traced function."""
    return tuple(convert_to_tensor(x).shape)


def convert_to_numpy(x: Any) -> np.ndarray:
    """The value as a NumPy array."""
    return np.asarray(x)


def zeros(shape: Any, dtype: Any = None) -> Any:
    """Zeros, of floatx unless told otherwise."""
    return weft.zeros(shape, dtype or floatx())


def ones(shape: Any, dtype: Any = None) -> Any:
    """Ones, of floatx unless told otherwise."""
    return weft.ones(shape, dtype or floatx())


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """``fill_value`` everywhere, of floatx unless told otherwise."""
    return weft.broadcast_to(convert_to_tensor(fill_value, dtype or floatx()), shape)


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros in the shape of x."""
    return weft.zeros_like(convert_to_tensor(x), dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones in the shape of x."""
    return weft.ones_like(convert_to_tensor(x), dtype)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones on the k-th diagonal, zeros elsewhere."""
    return weft.constant(np.eye(N, M, k), dtype or floatx())


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """Numbers from ``start`` up to but without ``stop``; int32, or floatx if a float is among the arguments."""
    if dtype is None:
        floats = builtins.any(isinstance(v, builtins.float) for v in (start, stop, step))
        dtype = floatx() if floats else "int32"
    first, last = (0, start) if stop is None else (start, stop)
    return weft.range(first, last, 1 if step is None else step, dtype=dtype)


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """``num`` evenly spaced numbers from ``start`` to ``stop``; without ``endpoint``, stop is left out."""
    first, last = (to_float(v) for v in align(start, stop))
    if not endpoint:
        last = first + (last - first) * ((num - 1) / num)
    return convert_to_tensor(weft.linspace(first, last, num, axis=axis), dtype)


def reshape(x: Any, newshape: Any) -> Any:
    """The elements under another shape; one size may be -1."""
    return weft.reshape(convert_to_tensor(x), newshape)


def ravel(x: Any) -> Any:
    """The elements in one row."""
    return weft.reshape(convert_to_tensor(x), (-1,))


def transpose(x: Any, axes: Any = None) -> Any:
    """The axes in another order; reversed if None."""
    return weft.transpose(convert_to_tensor(x), axes)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    x = convert_to_tensor(x)
    order = [*builtins.range(len(x.shape))]
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return weft.transpose(x, order)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Axes moved to other places; the others keep their order."""
    x = convert_to_tensor(x)
    rank = len(x.shape)
    froms = [a % rank for a in ([source] if isinstance(source, int) else source)]
    places = [a % rank for a in ([destination] if isinstance(destination, int) else destination)]
    order = [a for a in builtins.range(rank) if a not in froms]
    for place, axis in sorted(zip(places, froms)):
        order.insert(place, axis)
    return weft.transpose(x, order)


def expand_dims(x: Any, axis: Any) -> Any:
    """New axes of size 1."""
    x = convert_to_tensor(x)
    for a in sorted([axis] if isinstance(axis, int) else axis):
        x = weft.expand_dims(x, a)
    return x


def squeeze(x: Any, axis: Any = None) -> Any:
    """The shape without axes of size 1."""
    return weft.squeeze(convert_to_tensor(x), axis)


def broadcast_to(x: Any, shape: Any) -> Any:
    """The elements repeated to fill the shape."""
    return weft.broadcast_to(convert_to_tensor(x), shape)


def concatenate(xs: Any, axis: int = 0) -> Any:
    """Tensors behind one another."""
    return weft.concat(align(*xs), axis=axis)


def stack(x: Any, axis: int = 0) -> Any:
    """Tensors along a new axis."""
    return weft.stack(align(*x), axis=axis)


def unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    """The slices along an axis, as a list."""
    return weft.unstack(convert_to_tensor(x), num, axis)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Parts along an axis: so many equal ones, or cut before the given places."""
    x = convert_to_tensor(x)
    if isinstance(indices_or_sections, int):
        return weft.split(x, indices_or_sections, axis=axis)
    places = [0, *indices_or_sections, int(x.shape[axis])]
    return weft.split(x, [b - a for a, b in itertools.pairwise(places)], axis=axis)


def tile(x: Any, repeats: Any) -> Any:
    """The tensor repeated along its axes; missing counts are 1, missing axes are added in front."""
    x = convert_to_tensor(x)
    counts = [repeats] if isinstance(repeats, int) else [*repeats]
    rank = builtins.max(len(counts), len(x.shape))
    x = weft.reshape(x, (*(1,) * (rank - len(x.shape)), *x.shape))
    return weft.tile(x, [*[1] * (rank - len(counts)), *counts])


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Every slice along ``axis`` repeated; every element if None."""
    return weft.repeat(convert_to_tensor(x), repeats, axis=axis)


def flip(x: Any, axis: Any = None) -> Any:
    """The order of the elements reversed along the axes (None: all)."""
    x = convert_to_tensor(x)
    axes = [*builtins.range(len(x.shape))] if axis is None else [axis] if isinstance(axis, int) else axis
    return weft.reverse(x, axes)


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """Elements added around; ``pad_width``: (before, after) per axis, one pair or one number for all."""
    x = convert_to_tensor(x)
    rank = len(x.shape)
    widths = np.broadcast_to(np.asarray(pad_width), (rank, 2)).tolist()
    return weft.pad(x, widths, mode=mode.upper(), constant_values=0 if constant_values is None else constant_values)


def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """The block of that shape that begins there."""
    return weft.slice(convert_to_tensor(inputs), start_indices, shape)


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The slices along ``axis`` at these places; negative ones count from the end. None: of all elements in a row."""
    x = convert_to_tensor(x)
    if axis is None:
        x, axis = weft.reshape(x, (-1,)), 0
    places = convert_to_tensor(indices)
    places = weft.where(places < 0, places + weft.cast(weft.shape(x)[axis], places.dtype), places)
    return weft.gather(x, places, axis=axis)


def diag(x: Any, k: int = 0) -> Any:
    """The k-th diagonal of a matrix, or the matrix with this diagonal."""
    x = convert_to_tensor(x)
    return weft.linalg.diag(x, k=k) if len(x.shape) == 1 else weft.linalg.diag_part(x, k=k)


def triu(x: Any, k: int = 0) -> Any:
    """The matrix with zeros below the k-th diagonal."""
    x = convert_to_tensor(x)
    rows, columns = (int(s) for s in x.shape[-2:])
    return x * weft.constant(np.triu(np.ones((rows, columns)), k), x.dtype)


def tril(x: Any, k: int = 0) -> Any:
    """The matrix with zeros above the k-th diagonal."""
    x = convert_to_tensor(x)
    rows, columns = (int(s) for s in x.shape[-2:])
    return x * weft.constant(np.tril(np.ones((rows, columns)), k), x.dtype)
