"""Steps for batches of several shapes: one that serves them all where that can be, and a wrong batch that leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest

from weft import keras
from weft.errors import ShapeError

pytestmark = pytest.mark.compiles

X = np.linspace(-1, 1, 15, dtype="float32").reshape(5, 3)
Y = np.ones((5, 2), "float32")


def make_model():
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    return model


def test_wrong_features_are_refused_and_forgotten():
    model = make_model()
    before = model.predict(X, verbose=0)
    for wrong in (X[:, :2], np.ones((5, 7))):
        with pytest.raises(ValueError, match=r"expected shape=\(None, 3\), found shape=\(None, [27]\)"):
            model.predict(wrong, verbose=0)
        np.testing.assert_array_equal(model.predict(X, verbose=0), before)
    loss = model.evaluate(X, Y, verbose=0)
    with pytest.raises(ValueError, match="expected shape"):
        model.fit(X[:, :2], Y, verbose=0)
    assert model.train_on_batch(X, Y) > 0
    assert model.evaluate(X, Y, verbose=0) != loss


def test_wrong_targets_are_refused_and_forgotten():
    model = make_model()
    loss = model.evaluate(X, Y, verbose=0)
    with pytest.raises(ShapeError, match="7 against 2"):
        model.evaluate(X, np.ones((5, 7)), verbose=0)
    assert model.evaluate(X, Y, verbose=0) == loss


def test_targets_and_weights_with_and_without_an_axis_of_one():
    model = make_model()
    loss = model.evaluate(X, Y, verbose=0)
    for targets in (np.ones((5, 1)), Y, np.ones((5, 1))):
        assert model.evaluate(X, targets, verbose=0) == loss
    with pytest.raises(ShapeError, match="5 against batch"):
        model.test_on_batch(X[:4], Y[:4], sample_weight=np.ones((4, 5)))
    for weight in (np.ones((5, 1)), np.ones(5), np.ones((5, 1))):
        assert model.test_on_batch(X, Y, sample_weight=weight) == loss


def test_sequences_of_varying_length_share_a_step():
    traces = []

    class Counted(keras.Sequential):
        def test_step(self, data):
            traces.append(str(data[0].shape))
            return super().test_step(data)

    model = Counted([keras.Input((None, 3)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for length in (4, 6, 1, 9, 4, 6):
        x = np.ones((2, length, 3))
        expected = np.mean((model.predict(x, verbose=0) - 0.5) ** 2)
        assert model.evaluate(x, np.full((2, length, 1), 0.5), verbose=0) == pytest.approx(expected, rel=1e-6)
    assert len(set(traces)) == 2
