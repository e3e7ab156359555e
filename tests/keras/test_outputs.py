"""Targets, losses and results of models with one output in a list, and with several in a dictionary. Numbers are Keras 3's."""

from __future__ import annotations

import numpy as np
import pytest

from weft import keras

X = np.ones((5, 2), "float32")
Y = {"zz": np.ones((5, 1)), "aa": np.zeros((5, 2)), "mm": np.full((5, 1), 3.0)}


def named_outputs(**options):
    inputs = keras.Input((2,))
    outputs = {name: keras.layers.Dense(y.shape[1], name=f"{name}_layer")(inputs) for name, y in Y.items()}
    model = keras.Model(inputs, outputs)
    model.set_weights([np.ones(w.shape) for w in model.get_weights()])
    model.compile("sgd", run_eagerly=True, **options)
    return model


def test_one_output_in_a_list_comes_alone():
    inputs = keras.Input((2,))
    model = keras.Model([inputs], [keras.layers.Dense(1)(inputs)])
    assert model(X).shape == (5, 1)
    assert model.predict(X, verbose=0).shape == model.predict_on_batch(X).shape == (5, 1)
    assert keras.Model(inputs, keras.layers.Dense(3)(model(inputs))).predict(X, verbose=0).shape == (5, 3)
    model.compile("sgd", ["mse"])
    assert model.fit(X, [X[:, :1]], verbose=0).history.keys() == {"loss"}


@pytest.mark.parametrize("targets", [Y, [Y[name] for name in sorted(Y)]], ids=["dictionary", "list"])
def test_lists_belong_to_the_sorted_names(targets):
    options = {"loss": ["mse", "mae", "mse"], "loss_weights": [1.0, 10.0, 100.0], "metrics": [["mae"], ["mse"], []]}
    model = named_outputs(**options)
    assert model.evaluate(X, targets, verbose=0) == [409.0, 4.0, 9.0, 0.0, 3.0, 0.0]
    assert model.metrics_names == ["loss", "zz_loss", "aa_loss", "mm_loss", "aa_mae", "mm_mse"]
    logs = {"aa_loss": 9.0, "aa_mae": 3.0, "loss": 409.0, "mm_loss": 0.0, "mm_mse": 0.0, "zz_loss": 4.0}
    assert model.evaluate(X, targets, verbose=0, return_dict=True) == logs


def test_results_follow_the_dictionary_of_losses():
    model = named_outputs(loss={"mm": "mse", "zz": "mse", "aa": "mae"}, loss_weights={"aa": 1.0, "zz": 10.0, "mm": 100.0})
    assert model.evaluate(X, Y, verbose=0) == [43.0, 0.0, 4.0, 3.0]
    model = named_outputs(loss={"mm": "mse", "aa": "mae"})
    assert model.evaluate(X, Y, verbose=0) == [3.0, 0.0, 3.0]
