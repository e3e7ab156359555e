"""The progress bar's text, character by character, against Keras with the same clock."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

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
