"""The progress bar's text, character by character, against Keras with the same clock."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from weft import keras
from weft.keras.trainers.progress_bar import print_message

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "keras.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["bars"], ids=lambda c: f"{c['target']}-{c['verbose']}")
def test_text_is_that_of_keras(case, monkeypatch, capsys):
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    bar = keras.utils.Progbar(case["target"], verbose=case["verbose"], **case["options"])
    for current, seconds, values in case["updates"]:
        now[0] += seconds
        last = case["target"] is None and current == 4
        bar.update(current, values, finalize=True if last else None)
    assert capsys.readouterr().out == case["text"]


@pytest.mark.parametrize("case", GOLDEN["texts"], ids=lambda c: f"verbose {c['verbose']}")
def test_whole_runs_print_what_keras_prints(case, monkeypatch, capsys):
    fit = next(c for c in GOLDEN["fits"] if c["title"] == case["title"])
    x, y = np.array(fit["x"], "float32"), np.array(fit["y"])
    layers = [keras.layers.Dense(d["units"], activation=d["activation"]) for d in fit["layers"]]
    model = keras.Sequential([keras.Input((5,)), *layers])
    model.set_weights([np.array(d[k], "float32") for d in fit["layers"] for k in ("kernel", "bias")])
    name, config = fit["compile"]["optimizer"]
    model.compile(**{**fit["compile"], "optimizer": getattr(keras.optimizers, name)(**config)}, run_eagerly=True)
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    verbose = case["verbose"]
    model.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=verbose, validation_split=0.2)
    model.fit(x, y, batch_size=16, epochs=1, shuffle=False, verbose=verbose)
    model.evaluate(x, y, batch_size=16, verbose=verbose)
    model.predict(x, batch_size=16, verbose=verbose)
    assert capsys.readouterr().out == case["text"]


def test_add_and_bad_arguments(capsys):
    bar = keras.utils.Progbar(2)
    bar.add(1, [("loss", 1.0)])
    bar.add(1, [("loss", 3.0)])
    assert "2/2" in capsys.readouterr().out
    with pytest.raises(ValueError, match="Only one of"):
        keras.utils.Progbar(2, stateful_metrics=["a"], stateless_metrics=["b"])


def test_encodings_without_the_bar_character(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    print_message("a━b")
    assert out.buffer.getvalue() == b"a=b\n"
