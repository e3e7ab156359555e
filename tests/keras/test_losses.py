"""Losses against the numbers of Keras, and what they do with bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import weft
from weft import keras
from weft.errors import InvalidArgumentError

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "keras.json").read_text())


def targets(case):
    return np.array(case["y_true"], "int64" if case["integers"] else "float32")


@pytest.mark.parametrize("case", GOLDEN["losses"], ids=lambda c: f"{c['name']}{c['config'] or ''}")
def test_values_are_those_of_keras(case):
    y_true, y_pred = targets(case), np.array(case["y_pred"], "float32")
    for reduction, weighted, expected in case["values"]:
        loss = getattr(keras.losses, case["name"])(reduction=reduction, **case["config"])
        weight = np.array(case["weight"], "float32") if weighted else None
        value = loss(y_true, y_pred, sample_weight=weight).numpy()
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=2e-6, err_msg=f"{reduction} {weighted}")


@pytest.mark.parametrize("name", ["mse", "MSE", "mean_squared_error", "bce", "kld", "huber", "log_cosh", "categorical_hinge"])
def test_functions_by_name(name):
    assert callable(keras.losses.get(name))
    assert keras.losses.get(name) is keras.losses.get(keras.losses.get(name))


def test_classes_by_name_and_configuration():
    assert isinstance(keras.losses.get("MeanSquaredError"), keras.losses.MeanSquaredError)
    loss = keras.losses.Huber(delta=0.5, reduction="sum", name="h")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, keras.losses.Huber)
    assert again.get_config() == {"name": "h", "reduction": "sum", "delta": 0.5}
    assert keras.losses.get(None) is None


def test_unknown_name_gets_near_matches():
    with pytest.raises(ValueError, match="sparse_categorical_crossentropy"):
        keras.losses.get("sparse_categorical_crossentrop")


def test_labels_beyond_the_classes():
    p = np.full((2, 3), 1 / 3, "float32")
    for from_logits in (False, True):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
        for wrong in ([0, 3], [-1, 0]):
            with pytest.raises(InvalidArgumentError):
                loss(np.array(wrong), p)
        with pytest.raises(InvalidArgumentError):
            loss(np.array([0.0, np.nan]), p)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="same shape"):
        keras.losses.CategoricalCrossentropy()(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match="one axis less"):
        keras.losses.SparseCategoricalCrossentropy()(np.ones((2, 3), "int32"), np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"needs one-hot targets.*Class numbers go with sparse_categorical"):
        keras.losses.CategoricalCrossentropy()(np.array([0, 1]), np.ones((2, 4)))
    with pytest.raises(ValueError, match="reduction must be one of"):
        keras.losses.MeanSquaredError(reduction="average")


def test_own_loss_gets_float_targets():
    class Absolute(keras.losses.Loss):
        def call(self, y_true, y_pred):
            assert y_true.dtype == y_pred.dtype == "float32"
            return weft.reduce_max(weft.abs(y_true - y_pred), axis=-1)

    assert float(Absolute()(np.array([[1, 2]]), np.array([[1.5, 4.0]]))) == 2.0
    assert Absolute().name.startswith("absolute")
