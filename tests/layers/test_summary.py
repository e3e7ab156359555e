"""The summary's text equals the one Keras 3 prints, character for character."""

from __future__ import annotations

from pathlib import Path

import pytest

import weft
from weft import keras
from weft.keras import layers

GOLDEN = (Path(__file__).parent.parent / "golden" / "summaries.txt").read_text().split("\f")


def texts():
    """The models of the golden script."""
    out = []

    def show(model, **arguments):
        model.summary(print_fn=out.append, **arguments)

    keras.utils.clear_session()
    m = keras.Sequential(
        [keras.Input((784,)), layers.Dense(64, activation="relu"), layers.Dropout(0.2), layers.Dense(10, activation="softmax")],
        name="digits",
    )
    show(m)
    show(m, line_length=45)
    show(m, show_trainable=True)
    a, b = keras.Input((8,), name="a_rather_long_input_name_for_the_table"), keras.Input((4,), name="b")
    z = layers.Concatenate()([layers.Dense(3, name="d")(a), layers.Dense(3, name="e")(b)])
    z = layers.BatchNormalization()(z)
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(5)], name="inner")
    f = keras.Model([a, b], [layers.Dense(2, name="out")(inner(z)), layers.Dense(1, name="out2")(z)], name="two_ways")
    show(f)
    show(f, expand_nested=True)
    inner.trainable = False
    show(f, show_trainable=True, line_length=100)
    show(keras.Sequential([layers.Dense(3), layers.Dense(2)], name="unbuilt"))
    x = keras.Input((4,), name="inp")
    show(keras.Model(x, layers.Dense(4, name="dd")(x) + x * 2.0, name="operators"))
    shared = layers.Dense(4, name="shared")
    show(keras.Model(x, shared(shared(x)), name="sharing"))
    return out


@pytest.fixture
def narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_texts_equal_keras(narrow_terminal):
    ours = texts()
    assert len(ours) == len(GOLDEN)
    for mine, theirs in zip(ours, GOLDEN, strict=True):
        cut = "\n".join(line[:80] for line in mine.split("\n"))  # Keras cuts at the terminal's width
        assert cut == theirs


def test_prints_to_standard_output(capsys, narrow_terminal):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="only")])
    model.summary()
    out = capsys.readouterr().out
    assert "│ only (Dense) " in out
    assert "Total params: 8 (32.00 B)" in out


def test_subclassed_model_shows_shapes_after_a_call(narrow_terminal):
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(3, name="first")
            self.second = layers.Dense(2, name="second")

        def call(self, x):
            return self.second(self.first(x))

    model, seen = Two(), []
    model.summary(print_fn=seen.append)
    assert "│ first (Dense)                   │ ?                      │   0 (unbuilt) │" in seen[0]
    model(weft.ones((5, 4)))
    model.summary(print_fn=seen.append)
    assert "│ first (Dense)                   │ (5, 3)                 │            15 │" in seen[1]


def test_layer_range_picks_rows():
    model = keras.Sequential([keras.Input((3,))] + [layers.Dense(2, name=f"row{i}") for i in range(4)])
    seen = []
    model.summary(print_fn=seen.append, layer_range=["row1", "row2"])
    assert [f"row{i}" in seen[0] for i in range(4)] == [False, True, True, False]
    with pytest.raises(ValueError, match="No layer has such a name"):
        model.summary(print_fn=seen.append, layer_range=["nothing", "row2"])
