"""Labels and rows of numbers. In: class numbers, arrays; out: one-hot rows, rows of length one."""

from __future__ import annotations

from typing import Any

import numpy as np

from weft.tracer import EagerTensor


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
