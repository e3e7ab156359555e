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


@pytest.mark.parametrize(
    ("activation", "loss", "target"),
    [
        ("softmax", "sparse_categorical_crossentropy", [0, 1]),
        ("softmax", "categorical_crossentropy", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
        (weft.nn.softmax, "sparse_categorical_crossentropy", [0, 1]),
    ],
)
@pytest.mark.parametrize("eager", [True, False])
def test_crossentropy_of_a_softmax_layer_learns_where_the_softmax_has_rounded(activation, loss, target, eager):
    """Keras' numbers on TensorFlow: a loss of 300 and its gradient, not the 16.1 of a probability of 1e-7 without one."""
    bias = keras.initializers.Constant([0, 300, 0])
    layer = keras.layers.Dense(3, activation, kernel_initializer="ones", bias_initializer=bias)
    x = np.ones((2, 1), "float32")
    assert layer(x).numpy()[0].tolist() == [0.0, 1.0, 0.0]

    def gradient():
        with weft.GradientTape() as tape:
            value = keras.losses.get(loss)(np.array(target), layer(x))
        return value, tape.gradient(value, layer.bias)

    value, bias_gradient = (gradient if eager else weft.function(gradient))()
    assert value.numpy().tolist() == [300.0, 0.0]
    assert bias_gradient.numpy().tolist() == [-1.0, 1.0, 0.0]


@pytest.mark.parametrize("make", [keras.layers.Activation, lambda name: getattr(keras.activations, name)])
def test_binary_crossentropies_of_a_sigmoid_are_those_of_its_logits(make):
    logits = np.array([[40.0], [-200.0]], "float32")
    y = make("sigmoid")(weft.constant(logits))
    expected = pytest.approx([0.0, 200.0])
    assert keras.losses.binary_crossentropy([[1.0], [1.0]], y).numpy() == expected
    assert keras.losses.binary_focal_crossentropy([[1.0], [1.0]], y).numpy() == expected
    assert float(keras.losses.BinaryCrossentropy(reduction="sum")([1.0, 1.0], y)) == 200.0


def test_logits_of_a_sigmoid_are_not_taken_for_those_of_a_softmax():
    p = keras.activations.sigmoid(weft.constant([[0.0, 0.0]]))
    one = keras.losses.categorical_crossentropy([[1.0, 0.0]], keras.activations.sigmoid(weft.constant([[2.0, -2.0]])))
    assert keras.losses.categorical_crossentropy([[1.0, 0.0]], p).numpy() == pytest.approx([np.log(2)])
    assert one.numpy() == pytest.approx([np.log1p(np.exp(-2.0))])  # the sigmoids sum to 1


def test_from_logits_of_a_softmax_warns_and_takes_its_logits():
    y = keras.activations.softmax(weft.constant([[0.0, 300.0]]))
    with pytest.warns(UserWarning, match="from_logits=True"):
        value = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(np.array([0]), y)
    assert float(value) == 300.0


def test_cosine_similarity_of_a_zero_vector_has_a_finite_gradient():
    y_pred = weft.constant([[0.0, 0.0], [3.0, 4.0]])
    with weft.GradientTape() as tape:
        tape.watch(y_pred)
        loss = keras.losses.cosine_similarity([[1.0, 0.0], [1.0, 0.0]], y_pred)
    assert loss.numpy() == pytest.approx([0.0, -0.6])
    np.testing.assert_allclose(tape.gradient(loss, y_pred), [[-1e7, 0.0], [-0.128, 0.096]], rtol=1e-5)
