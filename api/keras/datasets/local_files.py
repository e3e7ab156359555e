"""Data sets of the usual local cache. In: a file name; out: its arrays, or an error that says where the file was looked for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

Array = np.ndarray
Split = tuple[Array, Array]


def cache_folder() -> Path:
    """``$KERAS_HOME/datasets``, by default ``~/.keras/datasets``, the folder where Keras keeps downloaded data sets."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def find(path: str | os.PathLike[str], source: str) -> Path:
    """The file or folder: an absolute path as it is, another below the cache folder or, failing that, the current folder.

    Raises FileNotFoundError naming the places looked at and where a copy can be had: weft downloads nothing.
    """
    wanted = Path(path).expanduser()
    places = [wanted] if wanted.is_absolute() else [cache_folder() / wanted, Path.cwd() / wanted]
    for place in places:
        if place.exists():
            return place
    looked = " nor ".join(str(p) for p in places)
    raise FileNotFoundError(
        f"The data set is not on this computer, and weft downloads nothing. Looked at {looked}. "
        f"Get it from {source}, put it there or pass path=..."
    )


def load_arrays(path: str | os.PathLike[str], source: str, *names: str) -> list[Array]:
    """The named arrays of an ``.npz`` file; object arrays are refused."""
    place = find(path, source)
    with np.load(place, allow_pickle=False) as data:
        missing = [n for n in names if n not in data]
        if missing:
            raise ValueError(f"The file must hold the arrays {', '.join(names)}. Received: {place} with {', '.join(data.files)}")
        return [data[n] for n in names]


def load_split(path: str | os.PathLike[str], source: str) -> tuple[Split, Split]:
    """``(x_train, y_train), (x_test, y_test)`` of an ``.npz`` file with arrays of these names."""
    x_train, y_train, x_test, y_test = load_arrays(path, source, "x_train", "y_train", "x_test", "y_test")
    return (x_train, y_train), (x_test, y_test)
