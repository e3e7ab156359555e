"""Small models for the tests of this folder."""

from __future__ import annotations

import numpy as np
import pytest

import weft
from weft import keras


@pytest.fixture
def linear():
    """A compiled linear model of two inputs that runs op by op, and 20 samples it can fit."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", metrics=["mae"], run_eagerly=True)
    x = np.random.default_rng(0).normal(size=(20, 2)).astype("float32")
    return model, x, x @ np.array([[1.0], [-2.0]], "float32")


@pytest.fixture(autouse=True)
def compiled_again():
    """No test leaves the whole process in eager mode."""
    yield
    weft.config.run_functions_eagerly(False)
