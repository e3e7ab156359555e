"""The MNIST digits of the local cache. In: a path; out: 60,000 training and 10,000 test images with their labels."""

from __future__ import annotations

from .local_files import Split, load_split

SOURCE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"


def load_data(path: str = "mnist.npz") -> tuple[Split, Split]:
    """``(x_train, y_train), (x_test, y_test)``: uint8 images (n, 28, 28) with values 0 to 255 and uint8 labels (n,).

    path: absolute, or below ``~/.keras/datasets`` (``$KERAS_HOME/datasets``). Raises FileNotFoundError if it is not there:
    nothing is downloaded.
    """
    return load_split(path, SOURCE)
