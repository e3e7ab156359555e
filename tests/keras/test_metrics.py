"""Metrics against the numbers of Keras, batch after batch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import weft
from weft import keras

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "keras.json").read_text())
PAIRS = [c for c in GOLDEN["metrics"] if "y_true" in c]
VALUES = [c for c in GOLDEN["metrics"] if "values" in c]


@pytest.mark.parametrize("case", PAIRS, ids=lambda c: f"{c['name']}{c['config'] or ''}{'-weighted' if c['weight'] else ''}")
def test_results_are_those_of_keras(case):
    y_true = np.array(case["y_true"], "int64" if case["integers"] else "float32")
    y_pred = np.array(case["y_pred"], "float32")
    weight = None if case["weight"] is None else np.array(case["weight"], "float32")
    metric = getattr(keras.metrics, case["name"])(**case["config"])
    for part, expected in zip((slice(0, case["half"]), slice(case["half"], None)), case["results"], strict=True):
        metric.update_state(y_true[part], y_pred[part], None if weight is None else weight[part])
        np.testing.assert_allclose(metric.result().numpy(), expected, rtol=2e-5, atol=2e-6)
    metric.reset_state()
    assert all(not v.numpy().any() for v in metric.variables)


@pytest.mark.parametrize("case", VALUES, ids=lambda c: f"{c['name']}{np.shape(c['values'])}")
def test_means_and_sums(case):
    metric = getattr(keras.metrics, case["name"])()
    weight = None if case["weight"] is None else np.array(case["weight"], "float32")
    result = metric(np.array(case["values"], "float32"), sample_weight=weight)
    np.testing.assert_allclose(float(result), case["result"], rtol=1e-6)


def test_names_strings_and_configurations():
    assert keras.metrics.Mean().name == "mean"
    assert isinstance(keras.metrics.get("mse"), keras.metrics.MeanSquaredError)
    assert isinstance(keras.metrics.get("AUC"), keras.metrics.AUC)
    assert isinstance(keras.metrics.get("binary_accuracy"), keras.metrics.BinaryAccuracy)
    with pytest.raises(ValueError, match="precision"):
        keras.metrics.get("precison")
    metric = keras.metrics.Precision(thresholds=[0.2, 0.4], name="p")
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert isinstance(again, keras.metrics.Precision)
    assert again.get_config() == metric.get_config()
    config = keras.metrics.serialize(keras.metrics.MeanSquaredError())
    assert config["module"] == "keras.metrics"  # there is a loss of that name too
    assert isinstance(keras.saving.deserialize_keras_object(config), keras.metrics.MeanSquaredError)
    assert isinstance(keras.metrics.get({**config, "module": None}), keras.metrics.MeanSquaredError)
    auc = keras.metrics.AUC(thresholds=[0.5, 0.25], curve="PR")
    assert keras.metrics.AUC.from_config(auc.get_config()).thresholds == auc.thresholds


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"within \[0, 1\]"):
        keras.metrics.Precision(thresholds=1.5)
    with pytest.raises(ValueError, match="num_thresholds"):
        keras.metrics.AUC(num_thresholds=1)
    with pytest.raises(ValueError, match="curve must be one of"):
        keras.metrics.AUC(curve="ROCK")
    with pytest.raises(ValueError, match="between 0 and 1"):
        keras.metrics.BinaryAccuracy(threshold=2)


def test_own_metric():
    class Largest(keras.metrics.Metric):
        def __init__(self, name="largest"):
            super().__init__(name=name)
            self.top = self.add_weight(shape=(), initializer="zeros", name="top")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.top.assign(weft.maximum(self.top, weft.reduce_max(y_pred)))

        def result(self):
            return self.top

    metric = Largest()
    metric.update_state(None, weft.constant([1.0, 5.0]))
    metric.update_state(None, weft.constant([2.0]))
    assert float(metric.result()) == 5.0
    metric.reset_states()
    assert float(metric.result()) == 0.0


def test_empty_mean_is_zero():
    assert float(keras.metrics.Mean().result()) == 0.0
    assert float(keras.metrics.Precision().result()) == 0.0


def test_functions_are_named_as_keras_names_them():
    def diceScore(y_true, y_pred):
        return weft.reduce_mean(y_pred, -1)

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[diceScore, lambda y_true, y_pred: y_pred], run_eagerly=True)
    history = model.fit(np.ones((4, 2)), np.ones(4), verbose=0).history
    assert list(history) == ["dice_score", "lambda", "loss"]
    assert model.metrics_names == ["loss", "dice_score", "lambda"]
