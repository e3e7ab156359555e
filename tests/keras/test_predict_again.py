"""The short way of `predict` and `predict_on_batch`: what the general way gives, and only for arrays like those before."""

from __future__ import annotations

import time

import numpy as np
import pytest

import weft
from weft import keras

pytestmark = pytest.mark.compiles

X = np.random.default_rng(4).normal(size=(24, 6)).astype(np.float32)


def network(*extra) -> keras.Model:
    keras.utils.set_random_seed(7)
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, "relu"), *extra, keras.layers.Dense(3)])


@pytest.fixture
def shortened(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each prediction took the short way, in order."""
    seen: list[bool] = []
    plain = keras.Model._predict_again

    def watch(self, x, batch_size):
        result = plain(self, x, batch_size)
        seen.append(result is not NotImplemented)
        return result

    monkeypatch.setattr(keras.Model, "_predict_again", watch)
    return seen


def test_equal_to_the_general_way(shortened: list[bool]) -> None:
    model = network()
    general = model.predict(X, verbose=0, steps=1, batch_size=24)
    for x in (X, X.copy(), weft.constant(X)):
        model.predict(x, verbose=0)
        assert np.array_equal(model.predict(x, verbose=0), general)
        assert np.array_equal(model.predict_on_batch(x), general)
    assert shortened == [True] * 9


def test_results_are_the_users_own() -> None:
    model = network()
    first = [model.predict(X, verbose=0) for _ in range(3)]
    assert type(first[0]) is np.ndarray
    before = first[2].copy()
    first[0][...] = 0
    first[1][...] = 1
    assert np.array_equal(first[2], before) and np.array_equal(model.predict(X, verbose=0), before)


def test_weights_of_now() -> None:
    model = network()
    for _ in range(2):
        before = model.predict(X, verbose=0)
        model.set_weights([w * 2 for w in model.get_weights()])
        assert not np.allclose(model.predict(X, verbose=0), before)


def test_other_arrays_take_the_general_way(shortened: list[bool]) -> None:
    model = network()
    whole = model.predict(X, verbose=0)
    shortened.clear()
    odd = (
        (X[:5], whole[:5]), (X.astype(np.float64), whole), (X[::2], whole[::2]), (X.tolist(), whole),
        (np.asfortranarray(X), whole),
    )  # fmt: skip
    for x, expected in odd:
        assert np.allclose(model.predict(x, verbose=0), expected, atol=1e-6)
    assert shortened == [False] * len(odd)
    for size in (7, np.int64(24)):
        model.predict(X, verbose=0)
        shortened.clear()
        assert np.allclose(model.predict(X, batch_size=size, verbose=0), whole, atol=1e-6)
        assert shortened == [False]
    with pytest.raises(ValueError, match="batch_size must be a positive integer"):
        model.predict(X, batch_size="many", verbose=0)
    with pytest.raises(ValueError):
        model.predict(X[0, 0], verbose=0)


def test_callbacks_and_the_bar_are_called(capsys: pytest.CaptureFixture[str]) -> None:
    class Counts(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.batches = 0

        def on_predict_batch_end(self, batch, logs=None):
            self.batches += 1

    model, counts = network(), Counts()
    for _ in range(3):
        model.predict(X, verbose=0)
    model.predict(X, verbose=0, callbacks=[counts])
    assert counts.batches == 1
    capsys.readouterr()
    model.predict(X, verbose=1)
    assert "1/1" in capsys.readouterr().out


def test_settings_that_change_the_step() -> None:
    model = network()
    expected = model.predict(X, verbose=0)
    weft.config.run_functions_eagerly(True)
    try:
        assert np.allclose(model.predict(X, verbose=0), expected, atol=1e-5)
    finally:
        weft.config.run_functions_eagerly(False)
    keras.backend.set_floatx("float64")
    try:
        assert np.allclose(model.predict(X, verbose=0), expected, atol=1e-5)
    finally:
        keras.backend.set_floatx("float32")
    model.compile("sgd", "mse", run_eagerly=True)
    assert np.allclose(model.predict(X, verbose=0), expected, atol=1e-5)


def test_nested_outputs_and_inputs(shortened: list[bool]) -> None:
    x = keras.Input((6,))
    model = keras.Model(x, {"a": keras.layers.Dense(2)(x), "b": [keras.layers.Dense(1)(x)]})
    first = model.predict(X, verbose=0)
    again = model.predict(X, verbose=0)
    assert shortened == [False, True] and set(again) == {"a", "b"}
    assert np.array_equal(first["a"], again["a"]) and np.array_equal(first["b"][0], again["b"][0])


def test_nested_inputs(shortened: list[bool]) -> None:
    inputs = [keras.Input((6,), name="p"), keras.Input((6,), name="q")]
    model = keras.Model(inputs, inputs[0] - 2 * inputs[1])
    y, tensor = X * 3, weft.constant(X)
    for first in ([X, y], (X, y), {"p": X, "q": y}):
        for x in (first, type(first)(first), first):
            assert np.allclose(model.predict(x, verbose=0), X - 2 * y)
    assert np.allclose(model.predict({"q": X, "p": y}, verbose=0), y - 2 * X)
    assert np.allclose(model.predict({"q": tensor, "p": y}, verbose=0), y - 2 * X)
    assert shortened == [False, True, True] * 3 + [True, True]
    shortened.clear()
    for wrong in ([X, y[:5]], [X], [X.tolist(), y.tolist()], [], {}):
        with pytest.raises((ValueError, TypeError)):
            model.predict(wrong, verbose=0)
    assert not any(shortened)


def test_random_layers_and_stopping() -> None:
    model = network(keras.layers.Dropout(0.5))
    model.stop_predicting = True
    a, b, c = (model.predict(X, verbose=0) for _ in range(3))
    assert np.array_equal(a, b) and np.array_equal(b, c) and model.stop_predicting is False


def test_one_sample_takes_microseconds() -> None:
    model = network()
    x = X[:1]
    times = []
    for _ in range(500):
        started = time.perf_counter()
        model.predict(x, verbose=0)
        times.append(time.perf_counter() - started)
    assert min(times) < 60e-6
