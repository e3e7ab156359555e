"""Callbacks: which hooks are called with what, and what the ready-made ones do."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from weft import keras


class Recorder(keras.callbacks.Callback):
    """Writes down every hook but those of batches."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        if not name.startswith("on_") or "batch" in name:
            return value

        def hook(*args, **kwargs):
            self.calls.append((name, *(a for a in args if isinstance(a, int))))
            return value(*args, **kwargs)

        return hook


def test_order_of_hooks_in_fit(linear):
    model, x, y = linear
    recorder = Recorder()
    model.fit(x, y, epochs=2, verbose=0, validation_data=(x, y), callbacks=[recorder])
    epoch = [("on_test_begin",), ("on_test_end",)]
    expected = [("on_train_begin",)]
    for i in range(2):
        expected += [("on_epoch_begin", i), *epoch, ("on_epoch_end", i)]
    assert recorder.calls == [*expected, ("on_train_end",)]


def test_batch_hooks_and_their_logs(linear):
    model, x, y = linear
    seen = []

    class Batches(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(("begin", batch, logs))

        def on_train_batch_end(self, batch, logs=None):
            seen.append(("end", batch, sorted(logs)))
            assert all(isinstance(v, float) for v in logs.values())

        def on_test_batch_end(self, batch, logs=None):
            seen.append(("test", batch, sorted(logs)))

        def on_predict_batch_end(self, batch, logs=None):
            seen.append(("predict", batch, logs["outputs"].shape))

    model.fit(x, y, batch_size=8, verbose=0, callbacks=Batches())
    assert [s[:2] for s in seen] == [(w, b) for b in range(3) for w in ("begin", "end")]
    assert seen[0][2] == {}
    assert seen[1][2] == ["loss", "mae"]
    seen.clear()
    model.evaluate(x, y, batch_size=10, verbose=0, callbacks=[Batches()])
    model.predict(x, batch_size=15, verbose=0, callbacks=[Batches()])
    assert seen == [("test", 0, ["loss", "mae"]), ("test", 1, ["loss", "mae"]), ("predict", 0, (15, 1)), ("predict", 1, (5, 1))]


def test_old_batch_hooks_still_work(linear):
    model, x, y = linear
    seen = []

    class Old(keras.callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"] > 0))

    model.fit(x, y, batch_size=10, verbose=0, callbacks=[Old()])
    assert seen == [(0, True), (1, True)]


def test_steps_per_execution_numbers_batches_like_keras(linear):
    model, x, y = linear
    model.compile("sgd", "mse", steps_per_execution=2, run_eagerly=True)
    seen = []
    hooks = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(("begin", batch)),
        on_train_batch_end=lambda batch, logs: seen.append(("end", batch)),
    )
    model.fit(x, y, batch_size=4, verbose=0, callbacks=[hooks])  # 5 batches
    assert seen == [("begin", 0), ("end", 1), ("begin", 2), ("end", 3), ("begin", 4), ("end", 5)]


def test_history_and_params(linear):
    model, x, y = linear
    seen = {}
    look = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: seen.update(look.params))
    history = model.fit(x, y, epochs=3, initial_epoch=1, batch_size=5, verbose=0, callbacks=[look])
    assert seen == {"verbose": 0, "epochs": 3, "steps": 4}
    assert history is model.history
    assert history.epoch == [1, 2]
    assert list(history.history) == ["loss", "mae"]
    assert history.history["loss"][1] < history.history["loss"][0]


def test_early_stopping_stops_and_restores(linear, capsys):
    model, x, y = linear
    stop = keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True, verbose=1)
    worse = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(loss=[3.0, 1.0, 2.0, 2.0, 0.5][epoch]))
    kept = {}

    def keep(epoch, logs):
        kept[epoch] = model.get_weights()

    history = model.fit(
        x, y, epochs=5, verbose=0, callbacks=[worse, keras.callbacks.LambdaCallback(on_epoch_end=keep), stop]
    )
    assert history.history["loss"] == [3.0, 1.0, 2.0]
    assert stop.stopped_epoch == 2
    assert all((a == b).all() for a, b in zip(model.get_weights(), kept[1], strict=True))
    assert "Epoch 3: early stopping" in capsys.readouterr().out


def test_early_stopping_asks_the_metric_for_its_direction(linear):
    model, x, y = linear
    model.compile("sgd", "mse", metrics=[keras.metrics.BinaryAccuracy(name="hits")], run_eagerly=True)
    stop = keras.callbacks.EarlyStopping("val_hits", patience=0)
    values = [0.1, 0.2, 0.15, 0.3]
    change = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(val_hits=values[epoch]))
    history = model.fit(x, y, epochs=4, verbose=0, callbacks=[change, stop])
    assert history.epoch == [0, 1, 2]
    with pytest.raises(ValueError, match="mode='max'"):
        unknown = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(strange=1.0))
        model.fit(x, y, verbose=0, callbacks=[unknown, keras.callbacks.EarlyStopping("strange")])


def test_monitoring_what_is_not_there_warns(linear):
    model, x, y = linear
    with pytest.warns(UserWarning, match="val_loss.*Available metrics are: loss, mae"):
        model.fit(x, y, verbose=0, callbacks=[keras.callbacks.EarlyStopping()])


def test_csv_logger(linear, tmp_path):
    model, x, y = linear
    path = tmp_path / "log.csv"
    model.fit(x, y, epochs=2, verbose=0, callbacks=[keras.callbacks.CSVLogger(path)])
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert list(rows[0]) == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert [r["epoch"] for r in rows] == ["0", "1"]
    assert rows[0]["val_loss"] == "NA"
    model.fit(x, y, verbose=0, callbacks=[keras.callbacks.CSVLogger(path, append=True)])
    assert len(path.read_text().splitlines()) == 4
    model.fit(x, y, verbose=0, validation_data=(x, y), callbacks=[keras.callbacks.CSVLogger(str(path), separator=";")])
    assert path.read_text().splitlines()[0] == "epoch;loss;mae;val_loss;val_mae"


def test_learning_rate_scheduler(linear, capsys):
    model, x, y = linear
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2, verbose=1)
    history = model.fit(x, y, epochs=2, verbose=0, callbacks=[schedule])
    np.testing.assert_allclose(history.history["learning_rate"], [0.05, 0.025], rtol=1e-6)
    assert "\nEpoch 2: LearningRateScheduler setting learning rate to 0.025" in capsys.readouterr().out
    model.fit(x, y, verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.5)])
    assert float(model.optimizer.learning_rate) == 0.5
    for bad, message in ((lambda e: "fast", "must return a float"), (lambda e: float("nan"), "learning_rate must be finite")):
        with pytest.raises(ValueError, match=message):
            model.fit(x, y, verbose=0, callbacks=[keras.callbacks.LearningRateScheduler(bad)])


def test_reduce_on_plateau(linear):
    model, x, y = linear
    model.optimizer.learning_rate = 1.0
    reduce = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_lr=0.2)
    flat = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(loss=1.0))
    history = model.fit(x, y, epochs=9, verbose=0, callbacks=[flat, reduce])
    np.testing.assert_allclose(
        history.history["learning_rate"], [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2], rtol=1e-6
    )
    with pytest.raises(ValueError, match="factor"):
        keras.callbacks.ReduceLROnPlateau(factor=1.0)


def test_terminate_on_nan(linear, capsys):
    model, x, y = linear
    x = x.copy()
    x[12] = np.inf
    history = model.fit(x, y, batch_size=5, epochs=3, shuffle=False, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert len(history.epoch) == 1
    assert "Batch 2: Invalid loss, terminating training" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="batch 0"):
        model.fit(x, y, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN(raise_error=True)])


def test_lambda_callback_knows_its_hooks():
    with pytest.raises(TypeError, match="on_epoch_end"):
        keras.callbacks.LambdaCallback(on_epoch_ends=print)


def test_what_is_no_callback(linear):
    model, x, y = linear
    for wrong in (keras.callbacks.History, "history"):
        with pytest.raises(TypeError, match="callbacks must be"):
            model.fit(x, y, verbose=0, callbacks=[wrong])


def test_progress_of_a_whole_fit(linear, capsys):
    model, x, y = linear
    model.fit(x, y, batch_size=10, epochs=2, verbose=2, validation_data=(x, y))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/2"
    assert lines[1].startswith("2/2 - 0s - ")
    assert [part.split(":")[0] for part in lines[1].split(" - ")[3:]] == ["loss", "mae", "val_loss", "val_mae"]
    model.fit(x, y, batch_size=10, epochs=1)
    out = capsys.readouterr().out
    assert "Epoch" not in out
    assert out.count("\n") == 1
    assert "\x1b[1m2/2\x1b[0m \x1b[32m" + "━" * 20 in out
    model.evaluate(x, y, verbose=1)
    assert "mae: " in capsys.readouterr().out
    model.fit(x, y, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_monitored_name_that_no_metric_has(linear):
    model, x, y = linear
    for callback in (keras.callbacks.EarlyStopping("val_los"), keras.callbacks.ReduceLROnPlateau("lss")):
        with pytest.raises(ValueError, match="cannot tell whether '(val_los|lss)'"):
            model.fit(x, y, verbose=0, callbacks=[callback])
    with pytest.warns(UserWarning, match="`val_loss`, which is not available. Available metrics are: loss, mae"):
        model.fit(x, y, verbose=0, callbacks=[keras.callbacks.EarlyStopping()])


def test_monitoring_the_metric_of_one_output():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, [keras.layers.Dense(1, name=name)(inputs) for name in "pq"])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[["accuracy"], ["mae"]], run_eagerly=True)
    x, y = np.ones((4, 2)), np.ones((4, 1))
    for name in ("p_accuracy", "q_mae", "q_loss"):
        history = model.fit(x, [y, y], epochs=9, verbose=0, callbacks=[keras.callbacks.EarlyStopping(name, patience=2)])
        assert len(history.epoch) == 3


def test_predictions_of_an_execution_of_several_steps(linear):
    model, x, _ = linear
    model.compile("sgd", "mse", steps_per_execution=3, run_eagerly=True)
    seen = []
    hook = keras.callbacks.LambdaCallback(on_predict_batch_end=lambda batch, logs: seen.append((batch, logs["outputs"])))
    predicted = model.predict(x, batch_size=4, verbose=0, callbacks=[hook])
    assert [batch for batch, _ in seen] == [2, 5]
    np.testing.assert_array_equal(np.concatenate([outputs for _, outputs in seen]), predicted)
