"""The data sets: the shipped digits, and files of the local cache."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from weft import keras


def test_digits_are_real_and_complete():
    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    assert (x_train.shape, x_test.shape) == ((1442, 8, 8), (355, 8, 8))
    assert x_train.dtype == y_train.dtype == np.uint8
    images = np.concatenate([x_train, x_test])
    assert (images.min(), images.max()) == (0, 16)
    assert np.bincount(np.concatenate([y_train, y_test])).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(y_test).min() >= 34
    assert len({i.tobytes() for i in images}) == 1797  # no image is in both parts
    # The first image of the original file, a zero.
    assert x_train[0].tolist()[0] == [0, 0, 5, 13, 9, 1, 0, 0]
    assert y_train[0] == 0


def test_local_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"downloads nothing.*datasets/mnist.npz"):
        keras.datasets.mnist.load_data()
    folder = tmp_path / "datasets"
    folder.mkdir()
    arrays = {"x_train": np.zeros((3, 28, 28), "uint8"), "y_train": np.arange(3, dtype="uint8")}
    np.savez(folder / "mnist.npz", **arrays, x_test=np.ones((2, 28, 28), "uint8"), y_test=np.zeros(2, "uint8"))
    (x_train, y_train), (x_test, _) = keras.datasets.mnist.load_data()
    assert (x_train.shape, y_train.tolist(), len(x_test)) == ((3, 28, 28), [0, 1, 2], 2)
    np.savez(tmp_path / "other.npz", x=np.zeros(2))
    with pytest.raises(ValueError, match="must hold the arrays x_train"):
        keras.datasets.mnist.load_data(str(tmp_path / "other.npz"))


def test_fashion_mnist_folder(tmp_path):
    for part, count in (("train", 3), ("t10k", 2)):
        with gzip.open(tmp_path / f"{part}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(bytes(8) + bytes(range(count)))
        with gzip.open(tmp_path / f"{part}-images-idx3-ubyte.gz", "wb") as file:
            file.write(bytes(16) + bytes([7]) * (784 * count))
    (x_train, y_train), (x_test, _) = keras.datasets.fashion_mnist.load_data(str(tmp_path))
    assert (x_train.shape, y_train.tolist(), x_test.shape) == ((3, 28, 28), [0, 1, 2], (2, 28, 28))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels"):
        keras.datasets.fashion_mnist.load_data(str(tmp_path))


def test_boston_housing(tmp_path):
    path = tmp_path / "boston_housing.npz"
    np.savez(path, x=np.arange(20.0).reshape(10, 2), y=np.arange(10.0))
    (x_train, y_train), (x_test, y_test) = keras.datasets.boston_housing.load_data(str(path))
    assert (len(x_train), len(x_test)) == (8, 2)
    assert sorted([*y_train, *y_test]) == list(range(10))
    np.testing.assert_array_equal(x_train[:, 0], 2 * y_train)
    with pytest.raises(ValueError, match="test_split"):
        keras.datasets.boston_housing.load_data(str(path), test_split=1.0)
