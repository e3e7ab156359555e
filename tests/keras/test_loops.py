"""The run time's loop over many batches against the loop in Python, and what happens when either is stopped."""

from __future__ import annotations

import _thread
import threading

import numpy as np
import pytest

from weft import keras
from weft.errors import InvalidArgumentError
from weft.keras.trainers import loops

pytestmark = pytest.mark.compiles

RNG = np.random.default_rng(4)
X = RNG.normal(size=(203, 6)).astype("float32")
Y = RNG.integers(0, 3, 203)
EVERY_BATCH = keras.callbacks.LambdaCallback(
    on_train_batch_end=lambda batch, logs: None,
    on_test_batch_end=lambda batch, logs: None,
    on_predict_batch_end=lambda batch, logs: None,
)


def make_model(**options):
    keras.utils.set_random_seed(7)
    layers = [keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.3), keras.layers.Dense(3, activation="softmax")]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"shuffle": "batch"}], ids=["shuffled", "in order", "in batches"])
def test_both_loops_give_the_same_bits(options):
    runs = []
    for callbacks in (None, [EVERY_BATCH]):
        model = make_model()
        weights = np.linspace(0, 2, 203)
        history = model.fit(X, Y, batch_size=10, epochs=3, sample_weight=weights, verbose=0, callbacks=callbacks, **options)
        evaluated = model.evaluate(X, Y, batch_size=10, verbose=0, callbacks=callbacks)
        predicted = model.predict(X, batch_size=10, verbose=0, callbacks=callbacks)
        runs.append([*model.get_weights(), predicted, np.array(evaluated), np.array(list(history.history.values()))])
    for native, by_batch in zip(*runs, strict=True):
        np.testing.assert_array_equal(native, by_batch)


def test_the_loop_comes_back_for_the_bar(monkeypatch, capsys):
    monkeypatch.setattr(loops, "SECONDS", 0.0)
    model = make_model(steps_per_execution=3)
    model.fit(X, Y, batch_size=10, verbose=1)
    assert int(model.optimizer.iterations) == 21
    assert "21/21" in capsys.readouterr().out
    assert model.predict(X, batch_size=10, verbose=1).shape == (203, 3)


def test_stopping_between_batches(monkeypatch):
    monkeypatch.setattr(loops, "SECONDS", 0.0)
    model = make_model()

    class Stop(keras.callbacks.ProgbarLogger):
        def is_due(self, batch, in_test=False):
            model.stop_training = batch >= 4
            return False

    history = model.fit(X, Y, batch_size=10, epochs=3, verbose=0, callbacks=[Stop()])
    assert int(model.optimizer.iterations) == 5
    assert history.epoch == [0]


def test_a_failing_batch_is_named_and_changes_nothing():
    labels = Y.copy()
    labels[77] = 5
    reference = make_model()
    reference.fit(X[:70], Y[:70], batch_size=10, shuffle=False, verbose=0)
    model = make_model()
    with pytest.raises(InvalidArgumentError) as caught:
        model.fit(X, labels, batch_size=10, shuffle=False, verbose=0)
    assert "In batch 7 of the training data." in caught.value.__notes__
    assert int(model.optimizer.iterations) == 7
    for a, b in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_interruption_while_native_code_runs():
    model = make_model()
    model.fit(X, Y, batch_size=10, verbose=0)  # compiles
    before = int(model.optimizer.iterations)
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=10, epochs=10**7, verbose=0)
    timer.join()
    assert int(model.optimizer.iterations) > before
    assert all(np.isfinite(w).all() for w in model.get_weights())
    model.fit(X, Y, batch_size=10, verbose=0)


def test_predictions_that_are_views_and_several_outputs():
    inputs = keras.Input((6,))
    flat, total = keras.layers.Reshape((2, 3))(inputs), keras.layers.Dense(1)(inputs)
    model = keras.Model(inputs, {"same": inputs, "flat": flat, "sum": total})
    outputs = model.predict(X, batch_size=10, verbose=0)
    np.testing.assert_array_equal(outputs["same"], X)
    np.testing.assert_array_equal(outputs["flat"], X.reshape(-1, 2, 3))
    assert outputs["sum"].shape == (203, 1)
    outputs["same"][0] = 0  # what predict returns belongs to the caller
    assert X[0].any()
