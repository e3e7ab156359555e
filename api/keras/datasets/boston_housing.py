"""The Boston house prices of the local cache. In: a path; out: training and test rows with their prices."""

from __future__ import annotations

import numpy as np

from .local_files import Split, load_arrays

SOURCE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/boston_housing.npz"


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> tuple[Split, Split]:
    """``(x_train, y_train), (x_test, y_test)``: float64 rows (n, 13) and prices (n,), shuffled by ``seed``.

    Raises ValueError for a test_split outside [0, 1), FileNotFoundError if the file is not in the local cache.
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split must be at least 0 and below 1. Received: {test_split}")
    x, y = load_arrays(path, SOURCE, "x", "y")
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    cut = int(len(x) * (1 - test_split))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])
