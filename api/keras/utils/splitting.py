"""Cutting data in two. In: arrays; out: two parts, by share or by number of samples."""

from __future__ import annotations

from typing import Any

import numpy as np


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
