"""The UCI handwritten digits, shipped with weft. In: nothing; out: 1,442 training and 355 test images with their labels."""

from __future__ import annotations

from importlib import resources

import numpy as np

from .local_files import Split


def load_data() -> tuple[Split, Split]:
    """``(x_train, y_train), (x_test, y_test)``: 8x8 images of handwritten digits.

    Images are uint8 of shape (n, 8, 8) with values 0 to 16, labels uint8 of shape (n,) with values 0 to 9. There are 1,442
    training and 355 test images; of each class every fifth image of the original file is a test image. No download is made:
    the file is part of the package. Source and licence (CC BY 4.0): ``digits-LICENCE.txt`` beside this module.
    """
    with resources.files(__package__).joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as data:
        return (data["x_train"], data["y_train"]), (data["x_test"], data["y_test"])
