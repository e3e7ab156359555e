"""`fit`, `evaluate` and `predict` against the numbers of Keras on the same weights and data, compiled and op by op."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from weft import keras

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "keras.json").read_text())


def run(case, run_eagerly):
    layers = [keras.layers.Dense(d["units"], activation=d["activation"]) for d in case["layers"]]
    model = keras.Sequential([keras.Input((5,)), *layers])
    model.set_weights([np.array(d[k], "float32") for d in case["layers"] for k in ("kernel", "bias")])
    name, config = case["compile"]["optimizer"]
    optimizer = getattr(keras.optimizers, name)(**config)
    model.compile(**{**case["compile"], "optimizer": optimizer}, run_eagerly=run_eagerly)
    x, y = np.array(case["x"], "float32"), np.array(case["y"], "int64" if case["integers"] else "float32")
    options = {k: np.array(v, "float32") if k == "sample_weight" else v for k, v in case["fit"].items()}
    if "class_weight" in options:
        options["class_weight"] = {int(k): v for k, v in options["class_weight"].items()}
    history = model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0, **options)
    return model, x, y, history


@pytest.mark.compiles
@pytest.mark.parametrize("run_eagerly", [False, True], ids=["compiled", "eager"])
@pytest.mark.parametrize("case", GOLDEN["fits"], ids=lambda c: c["title"])
def test_training_is_that_of_keras(case, run_eagerly):
    model, x, y, history = run(case, run_eagerly)
    assert list(history.history) == list(case["history"])
    for name, expected in case["history"].items():
        np.testing.assert_allclose(history.history[name], expected, rtol=2e-5, atol=2e-6, err_msg=name)
    for weight, expected in zip(model.get_weights(), case["weights"], strict=True):
        np.testing.assert_allclose(weight, expected, rtol=2e-5, atol=2e-6)
    evaluated = model.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
    assert evaluated == pytest.approx(case["evaluate"], rel=2e-5, abs=2e-6)
    listed = model.evaluate(x, y, batch_size=16, verbose=0)
    assert dict(zip(model.metrics_names, np.atleast_1d(listed).tolist(), strict=True)) == pytest.approx(evaluated)
    if len(evaluated) == np.size(case["evaluate_list"]):  # Keras repeats a name that is both a metric and a weighted one
        np.testing.assert_allclose(listed, case["evaluate_list"], rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(model.predict(x[:4], verbose=0), case["predict"], rtol=2e-5, atol=2e-6)
