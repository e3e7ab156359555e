"""Data as arrays a compiled step accepts. In: arrays, lists, tensors, data frames; out: C-contiguous arrays of weft's dtypes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from weft.graph.dtype import ALL, float16
from weft.graph.record import record
from weft.layers.precision import floatx
from weft.tracer import tree
from weft.tracer.tensor import EagerTensor
from weft.tracer.tree import Structure

_NATIVE = {d.np: d.np for d in ALL if d is not float16}  # equal dtypes to the one object that weft uses


def is_number_list(value: Any) -> bool:
    """Whether the value is a (nested) list of plain numbers, which stands for one array."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, (bool, int, float, np.generic))


def to_array(value: Any, what: str, whole: bool = True) -> np.ndarray:
    """The value as an array, C-contiguous and in the machine's byte order.

    whole: cast floating data to floatx, once for the whole data set; otherwise float64 stays, and the step casts.
    Raises ValueError for text, objects and complex numbers and for scalars, TypeError for what is no array at all.
    """
    if isinstance(value, EagerTensor):
        array: np.ndarray = value._array
    elif isinstance(value, np.ndarray) or is_number_list(value) or hasattr(value, "__array__"):
        array = np.asarray(value)
    else:
        raise TypeError(f"{what} must be an array or a list of arrays. Received: {type(value).__name__}")
    native = _NATIVE.get(array.dtype)
    if native is None or array.ndim == 0 or not array.flags.c_contiguous or (whole and native.kind == "f"):
        return _converted(array, what, whole)
    return array if array.dtype is native else array.view(native)  # compiled steps know dtypes by identity


def _converted(array: np.ndarray, what: str, whole: bool) -> np.ndarray:
    """The array in a form that compiled steps take, or the error that says why there is none."""
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{what} must hold numbers. Received: an array of dtype {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"{what} must have a batch axis. Received: a scalar")
    cast = array.dtype.kind == "f" and (whole or array.dtype.itemsize not in (4, 8))
    dtype = np.dtype(floatx() if cast else array.dtype.name)
    array = np.ascontiguousarray(array, dtype)
    return array if array.dtype is dtype else array.view(dtype)


def to_arrays(value: Any, what: str, whole: bool = True) -> Any:
    """The nested value with an array at every leaf; None stays None."""
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and is_number_list(value):
        return to_array(value, what, whole)
    if isinstance(value, dict):
        return {k: to_arrays(v, f"{what}[{k!r}]", whole) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(to_arrays(v, f"{what}[{i}]", whole) for i, v in enumerate(value))
    return to_array(value, what, whole)


@record
class Layout:
    """How a batch is put together from its arrays: the nested structure, and which of its leaves are arrays (others are None)."""

    structure: Structure
    present: tuple[bool, ...]

    def fill(self, values: Iterable[Any]) -> Any:
        """The nested structure with these values in place of the arrays."""
        given = iter(values)
        return self.structure.unflatten([next(given) if there else None for there in self.present])


def take_apart(data: Any) -> tuple[Layout, list[np.ndarray]]:
    """The layout and the arrays of nested data."""
    leaves, structure = tree.flatten(data)
    return Layout(structure, tuple(leaf is not None for leaf in leaves)), [leaf for leaf in leaves if leaf is not None]


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """``(x, y, sample_weight)`` of what a data set yields: x alone or a tuple or list of one to three; None for the rest."""
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(f"Data must be x, (x,), (x, y) or (x, y, sample_weight). Received: a tuple of {len(data)}")
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The inverse of `unpack_x_y_sample_weight`."""
    if y is None and sample_weight is None:
        return (x,) if isinstance(x, (tuple, list)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def class_weights_as_sample_weights(y: Any, class_weight: dict[int, float]) -> np.ndarray:
    """One weight per sample: that of its class, 1 for classes that are not mentioned.

    y: class numbers (n,) or (n, 1), or one-hot (n, ..., classes). Raises ValueError for several outputs or NaN.
    """
    if not isinstance(class_weight, dict):
        raise ValueError(f"class_weight must be a dictionary from class numbers to weights. Received: {class_weight!r}")
    targets = [t for t in tree.leaves_of(y) if t is not None]
    if len(targets) != 1:
        raise ValueError(f"class_weight needs exactly one target. Received: {len(targets)}")
    classes = np.asarray(targets[0])
    if classes.ndim > 1:
        classes = np.argmax(classes, axis=-1) if classes.shape[-1] != 1 else classes[..., 0]
    if classes.dtype.kind == "f" and not np.isfinite(classes).all():
        raise ValueError("class_weight needs class numbers. Received: targets that hold NaN or infinity")
    found, inverse = np.unique(np.round(classes).astype(np.int64), return_inverse=True)
    weights = np.array([class_weight.get(int(c), 1.0) for c in found], dtype=floatx())
    return weights[inverse].reshape(classes.shape)


def count_samples(named: Iterable[tuple[str, Any]]) -> int:
    """The number of samples that all arrays agree on. ValueError if they differ or if there are none."""
    sizes = [(name, len(a)) for name, value in named for a in tree.leaves_of(value) if a is not None]
    if not sizes:
        raise ValueError("There must be data. Received: none")
    if len({n for _, n in sizes}) > 1:
        listed = ", ".join(f"{name}: {n}" for name, n in sizes)
        raise ValueError(
            f"Data cardinality is ambiguous. Make sure all arrays contain the same number of samples. Received: {listed}"
        )
    if sizes[0][1] == 0:
        raise ValueError("There must be at least one sample. Received: arrays of length 0")
    return sizes[0][1]


def split_validation(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[Any, Any]:
    """``(x, y, sample_weight)`` without and of the last fraction of the samples.

    Raises ValueError for data that cannot be split and for a fraction that leaves one side empty.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"validation_split must lie between 0 and 1. Received: {fraction}")
    if hasattr(x, "element_spec") or not (isinstance(x, (dict, list, tuple)) or hasattr(x, "__array__")):
        raise ValueError(f"validation_split needs arrays; split other data yourself. Received: {type(x).__name__}")
    data = [to_arrays(v, n) for v, n in ((x, "x"), (y, "y"), (sample_weight, "sample_weight"))]
    samples = count_samples(zip(("x", "y", "sample_weight"), data, strict=True))
    cut = int(samples * (1.0 - fraction))
    if cut == 0 or cut == samples:
        raise ValueError(f"validation_split must leave samples on both sides. Received: {fraction} of {samples} samples")

    def part(piece: slice) -> Any:
        return tuple(None if v is None else tree.map_structure(lambda a: a[piece], v) for v in data)

    return part(slice(0, cut)), part(slice(cut, None))
