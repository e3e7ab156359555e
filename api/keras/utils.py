"""Helpers by Keras' names. In: labels, arrays, seeds; out: one-hot rows, normalized rows, a reproducible run."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from weft.layers.naming import reset_names
from weft.layers.symbolic import KerasTensor
from weft.tracer import EagerTensor, ops

from .saving import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    register_keras_serializable,
    serialize_keras_object,
)
from .trainers import Progbar, PyDataset, pack_x_y_sample_weight, unpack_x_y_sample_weight

Sequence = PyDataset  # Keras 2's name

__all__ = [
    "CustomObjectScope", "Progbar", "PyDataset", "Sequence", "clear_session", "custom_object_scope", "deserialize_keras_object",
    "get_custom_objects", "is_keras_tensor", "normalize", "pack_x_y_sample_weight", "register_keras_serializable",
    "serialize_keras_object", "set_random_seed", "split_dataset", "to_categorical", "unpack_x_y_sample_weight",
]  # fmt: skip


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Class numbers as one-hot rows: shape (...,) or (..., 1) becomes (..., num_classes), a NumPy array of float64.

    num_classes: the largest number plus one if None. ValueError for a number that does not fit. Tensors give tensors (float32).
    """
    labels = np.asarray(x, dtype=np.int64)
    shape = labels.shape[:-1] if labels.ndim > 1 and labels.shape[-1] == 1 else labels.shape
    flat = labels.reshape(-1)
    count = num_classes or (int(flat.max()) + 1 if flat.size else 0)
    if flat.size and (flat.min() < 0 or flat.max() >= count):
        raise ValueError(
            f"Class numbers must lie in 0...{count - 1} for num_classes={count}. "
            f"Received: numbers from {flat.min()} to {flat.max()}."
        )
    rows = np.zeros((flat.size, count))
    rows[np.arange(flat.size), flat] = 1.0
    rows = rows.reshape((*shape, count))
    return EagerTensor(rows.astype(np.float32)) if isinstance(x, EagerTensor) else rows


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """The array divided by its norm of that order along ``axis``; rows of zeros stay."""
    array = np.asarray(x)
    norm = np.atleast_1d(np.linalg.norm(array, order, axis))
    norm[norm == 0] = 1
    out = array / np.expand_dims(norm, axis)
    return EagerTensor(out.astype(array.dtype)) if isinstance(x, EagerTensor) else out


def set_random_seed(seed: int) -> None:
    """Seeds Python's, NumPy's and weft's generators, so that the same program gives the same numbers."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"Expected `seed` argument to be an integer from 0 to 2**32 - 1. Received: seed={seed!r}")
    random.seed(int(seed))
    np.random.seed(int(seed))
    ops.random.set_seed(int(seed))


def clear_session(free_memory: bool = True) -> None:
    """Starts the counting of automatic names again."""
    reset_names()


def is_keras_tensor(x: Any) -> bool:
    """Whether the value is a symbolic tensor, as `keras.Input` gives."""
    return isinstance(x, KerasTensor)


def split_dataset(dataset: Any, left_size: Any = None, right_size: Any = None, shuffle: bool = False, seed: Any = None) -> Any:
    """Arrays (alone, or in a tuple or list) cut in two along the first axis.

    left_size, right_size: a share between 0 and 1, or a number of samples; one of them may be left out. Returns two structures of
    NumPy arrays like the one given.
    """
    single = not isinstance(dataset, (list, tuple))
    arrays = [np.asarray(a) for a in ([dataset] if single else dataset)]
    total = len(arrays[0])
    if any(len(a) != total for a in arrays):
        raise ValueError(f"All arrays must have the same length. Received: lengths {[len(a) for a in arrays]}")
    left, right = _part(left_size, total), _part(right_size, total)
    if left is None and right is None:
        raise ValueError("At least one of left_size and right_size must be given. Received: None for both.")
    left = total - right if left is None and right is not None else left
    right = total - left if right is None and left is not None else right
    assert left is not None and right is not None
    if left <= 0 or right <= 0 or left + right > total:
        raise ValueError(f"The parts must not be empty nor exceed {total} samples. Received: {left_size=}, {right_size=}")
    order = np.random.default_rng(seed).permutation(total) if shuffle else np.arange(total)
    parts = [[a[order[:left]] for a in arrays], [a[order[left : left + right]] for a in arrays]]
    return tuple(p[0] if single else type(dataset)(p) for p in parts)


def _part(size: Any, total: int) -> int | None:
    return None if size is None else round(size * total) if isinstance(size, float) else int(size)
