"""The Fashion-MNIST pictures of the local cache. In: a path; out: 60,000 training and 10,000 test images with their labels."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np

from .local_files import Array, Split, find, load_split

SOURCE = "https://github.com/zalandoresearch/fashion-mnist"


def load_data(path: str = "fashion-mnist") -> tuple[Split, Split]:
    """``(x_train, y_train), (x_test, y_test)``: uint8 images (n, 28, 28) with values 0 to 255 and uint8 labels (n,).

    path: a folder with the four ``*-ubyte.gz`` files or an ``.npz`` file with x_train, y_train, x_test, y_test; absolute, or
    below ``~/.keras/datasets``. Raises FileNotFoundError if it is not there: nothing is downloaded.
    """
    if str(path).endswith(".npz"):
        return load_split(path, SOURCE)
    folder = find(path, SOURCE)
    return _pair(folder, "train"), _pair(folder, "t10k")


def _pair(folder: Path, part: str) -> Split:
    labels = _read(folder / f"{part}-labels-idx1-ubyte.gz", 8)
    images = _read(folder / f"{part}-images-idx3-ubyte.gz", 16)
    if not len(labels) or len(images) != len(labels) * 784:
        raise ValueError(f"Each label needs 28x28 bytes of image. Received: {len(labels)} labels, {len(images)} bytes")
    return images.reshape(len(labels), 28, 28), labels


def _read(path: Path, header: int) -> Array:
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path.name} is missing, and weft downloads nothing. Looked in {path.parent}. Source: {SOURCE}")
    with gzip.open(path, "rb") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header).copy()
