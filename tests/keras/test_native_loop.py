"""`fit`, `evaluate` and `predict` in the native loop: bit for bit what one call per batch gives, for every kind of input."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest

import weft
from weft import keras
from weft.errors import InvalidArgumentError
from weft.keras.trainers import loops
from weft.runtime.executable import CompiledStep

pytestmark = pytest.mark.compiles

RNG = np.random.default_rng(4)
X = RNG.normal(size=(103, 6)).astype("float32")
Y = RNG.integers(0, 3, 103)


class EveryBatch(keras.callbacks.Callback):
    """Wants every batch, so that the loop is one call per batch."""

    def on_train_batch_end(self, batch, logs=None):
        pass

    def on_test_batch_end(self, batch, logs=None):
        pass

    def on_predict_batch_end(self, batch, logs=None):
        pass


def classifier(*extra, **options):
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, "relu"), *extra, keras.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


def two_inputs():
    keras.utils.set_random_seed(7)
    a, b = keras.Input((6,), name="a"), keras.Input((2,), name="b")
    hidden = keras.layers.Dense(5, "tanh")(keras.layers.Concatenate()([a, b]))
    named = keras.layers.Dense(3, "softmax", name="class")(hidden)
    outputs = {"class": named, "size": keras.layers.Dense(1, name="size")(hidden)}
    model = keras.Model({"a": a, "b": b}, outputs)
    model.compile("sgd", {"class": "sparse_categorical_crossentropy", "size": "mse"}, metrics={"size": ["mae"]})
    return model


def values(logs):
    return [np.asarray(logs[name]) for name in sorted(logs)]


def everything(make, x, y, callbacks=None, **fit):
    """All that a training, an evaluation and a prediction leave behind."""
    model = make()
    history = model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks, **fit)
    evaluated = model.evaluate(x, y, batch_size=8, verbose=0, callbacks=callbacks, return_dict=True)
    predicted = model.predict(x, batch_size=8, verbose=0, callbacks=callbacks)
    parts = values(predicted) if isinstance(predicted, dict) else [predicted]
    slots = [v.numpy() for v in model.optimizer.variables]
    return [*model.get_weights(), *slots, *values(history.history), *values(evaluated), *parts]


def assert_same(native, by_batch):
    for a, b in zip(native, by_batch, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def native_batches(monkeypatch):
    """Counts the batches that went through the native loop."""
    counts = []
    original = CompiledStep.run_many

    def run_many(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        counts.append(result.done)
        return result

    monkeypatch.setattr(CompiledStep, "run_many", run_many)
    return counts


@pytest.mark.parametrize(
    "fit",
    [
        {},
        {"shuffle": False},
        {"shuffle": "batch"},
        {"class_weight": {0: 0.5, 1: 2.0, 2: 1.0}},
        {"sample_weight": np.linspace(0, 2, 103)},
        {"validation_split": 0.3},
        {"validation_data": (X[:21], Y[:21], np.linspace(1, 2, 21))},
        {"steps_per_epoch": 5},
        {"steps_per_epoch": 9},
    ],
    ids=str,
)
def test_the_same_bits(fit, native_batches):
    def run(callbacks):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nine of thirteen batches an epoch: the second epoch runs out of data
            return everything(classifier, X, Y, callbacks, **fit)

    native = run(None)
    assert sum(native_batches) >= 26
    native_batches.clear()
    assert_same(native, run([EveryBatch()]))
    assert not native_batches


@pytest.mark.parametrize(
    "extra",
    [lambda: [keras.layers.Dropout(0.4)], lambda: [keras.layers.BatchNormalization()], lambda: [keras.layers.GaussianNoise(0.3)]],
    ids=["dropout", "batch normalization", "noise"],
)
def test_layers_with_state(extra, native_batches):
    native = everything(lambda: classifier(*extra()), X, Y)
    assert sum(native_batches) == 2 * 12 + 12 + 12
    assert_same(native, everything(lambda: classifier(*extra()), X, Y, [EveryBatch()]))


def test_dictionaries_of_inputs_and_outputs(native_batches):
    x = {"a": X, "b": RNG.integers(0, 9, (103, 2)).astype("uint8")}
    y = {"class": Y, "size": X[:, :1].astype("float64")}
    native = everything(two_inputs, x, y)
    assert sum(native_batches) == 48
    assert_same(native, everything(two_inputs, x, y, [EveryBatch()]))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float64", "bool"])
def test_dtypes_of_inputs(dtype, native_batches):
    x = RNG.integers(0, 2 if dtype == "bool" else 100, (40, 6)).astype(dtype)
    assert_same(everything(classifier, x, Y[:40]), everything(classifier, x.astype("float32"), Y[:40]))
    assert sum(native_batches) == 2 * 20


def test_layouts_of_inputs():
    wide = np.repeat(X, 2, 1)
    expected = everything(classifier, X, Y)
    for x in (np.asfortranarray(X), wide[:, ::2], X[::-1].copy()[::-1], X.tolist(), weft.constant(X)):
        assert_same(everything(classifier, x, Y), expected)


def test_hooks_see_every_batch_and_running_logs():
    seen = []
    log = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(("begin", batch)),
        on_train_batch_end=lambda batch, logs: seen.append((batch, dict(logs))),
    )
    model = classifier()
    history = model.fit(X, Y, batch_size=25, shuffle=False, verbose=0, callbacks=[log])
    assert [s[1] for s in seen[::2]] == [0, 1, 2, 3, 4] == [s[0] for s in seen[1::2]]
    steps, totals = classifier(), np.zeros(2)
    for (_, logs), start in zip(seen[1::2], range(0, 103, 25)):
        batch = X[start : start + 25], Y[start : start + 25]
        totals += np.multiply(len(batch[1]), steps.train_on_batch(*batch))
        np.testing.assert_allclose([logs["loss"], logs["accuracy"]], totals / min(start + 25, 103), rtol=1e-6)
    assert history.history["loss"] == [seen[-1][1]["loss"]]


@pytest.mark.parametrize("size", [2, 5, 13, 50])
def test_steps_per_execution(size, native_batches):
    seen = []

    class Log(EveryBatch):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(batch)

        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"]))

    hooked = everything(lambda: classifier(steps_per_execution=size), X, Y, [Log()])
    assert max(native_batches) <= size
    native, native_batches[:] = seen.copy(), []
    assert_same(hooked, everything(classifier, X, Y, [EveryBatch()]))
    seen.clear()
    executions = -(-13 // size)
    assert native[::2] == [i * size for i in range(executions)] * 2
    assert [batch for batch, _ in native[1::2]] == [i * size + size - 1 for i in range(executions)] * 2
    everything(lambda: classifier(run_eagerly=True, steps_per_execution=size), X, Y, [Log()])
    assert native[::2] == seen[::2]
    assert [b for b, _ in native[1::2]] == [b for b, _ in seen[1::2]]
    np.testing.assert_allclose([v for _, v in native[1::2]], [v for _, v in seen[1::2]], rtol=1e-4)


def test_early_stopping():
    runs = []
    for callbacks in ([], [EveryBatch()]):
        model = classifier()
        stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True, min_delta=0.01)
        history = model.fit(X, Y, epochs=60, validation_split=0.5, verbose=0, callbacks=[stop, *callbacks])
        assert len(history.epoch) < 60
        runs.append([*model.get_weights(), *values(history.history)])
    assert_same(*runs)


@pytest.mark.parametrize("callbacks", [None, [EveryBatch()]], ids=["native", "by batch"])
def test_a_bad_label_in_the_middle(callbacks):
    labels = Y.copy()
    labels[45] = 9
    model = classifier()
    with pytest.raises(InvalidArgumentError) as caught:
        model.fit(X, labels, batch_size=8, shuffle=False, verbose=0, callbacks=callbacks)
    assert "In batch 5 of the training data." in caught.value.__notes__
    expected = classifier()
    expected.fit(X[:40], Y[:40], batch_size=8, shuffle=False, verbose=0, callbacks=callbacks)
    assert_same(model.get_weights(), expected.get_weights())
    with pytest.raises(InvalidArgumentError) as caught:
        model.evaluate(X, labels, batch_size=8, verbose=0, callbacks=callbacks)
    assert "In batch 5 of the evaluation data." in caught.value.__notes__


def test_an_interruption_in_an_effect():
    class Noisy(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            weft.print("step", end=" ")
            return self.dense(x)

    model = Noisy()
    model.compile("sgd", "mse")
    model.fit(X, X[:, :1], batch_size=8, verbose=0)
    before = model.get_weights()

    class Broken:
        written = 0

        def write(self, text):
            self.written += 1
            if self.written > 3:
                raise KeyboardInterrupt

        def flush(self):
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", Broken())
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, X[:, :1], batch_size=8, shuffle=False, verbose=0)
    done = int(model.optimizer.iterations) - 13
    assert 0 < done < 13
    interrupted = model.get_weights()
    model.set_weights(before)
    model.fit(X[: 8 * done], X[: 8 * done, :1], batch_size=8, shuffle=False, verbose=0)
    assert_same(interrupted, model.get_weights())


def test_python_wakes_for_time_alone(monkeypatch, native_batches):
    monkeypatch.setattr(loops, "SECONDS", 0.0)
    model = classifier()
    model.fit(X, Y, batch_size=8, verbose=0)
    assert native_batches == [1] * 12
    monkeypatch.setattr(loops, "SECONDS", 60.0)
    native_batches.clear()
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert native_batches == [12, 12]


def test_batches_allocate_nothing(native_batches):
    x = np.tile(X, (40, 1))
    y = np.tile(Y, 40)
    model = classifier()
    model.fit(x, y, batch_size=8, verbose=0)

    def peak(samples):
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        model.fit(x[:samples], y[:samples], batch_size=8, verbose=0, shuffle=False)
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()
    try:
        for samples in (80, 4120, 80, 4120):
            peak(samples)
        few, many = peak(80), peak(4120)
    finally:
        tracemalloc.stop()
    assert many - few < 5050  # 505 further batches: less than 10 bytes for each


def test_predict_writes_into_one_array(native_batches):
    model = classifier()
    model.predict(X, batch_size=8, verbose=0)
    big = np.tile(X, (300, 1))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        out = model.predict(big, batch_size=8, verbose=0)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert out.shape == (30900, 3)
    assert peak < out.nbytes + 100_000
    np.testing.assert_array_equal(out, model.predict(big, batch_size=8, verbose=0, callbacks=[EveryBatch()]))


def test_memory_before_the_first_step():
    model = classifier(keras.layers.BatchNormalization())
    report = model.memory(X, Y, batch_size=16)
    assert int(model.optimizer.iterations) == 0
    count = sum(w.numpy().size for w in model.trainable_weights)
    assert report.variables["parameters"] == 4 * count
    assert report.variables["other weights"] == 4 * 2 * 8
    assert report.variables["optimizer slots"] >= 2 * 4 * count
    assert report.variables["metric states"] == 16
    assert report.inputs == 16 * (6 * 4 + 8)
    assert report.total == sum(report.variables.values()) + report.constants + report.arena + report.inputs + report.outputs
    assert model.memory(X, Y, batch_size=64).arena > report.arena
    assert model.memory(X, batch_size=16, mode="predict").total < report.total
    assert model.memory(weft.data.Dataset.from_tensor_slices((X, Y)).batch(16)) == report
    model.fit(X[:96], Y[:96], batch_size=16, verbose=0)
    concrete, _ = model.concrete_step("train", X, Y)
    (frame,) = concrete.compiled.executable.free
    assert (frame._arena.size, frame.current.batch.size) == (report.arena, report.inputs)
    with pytest.raises(ValueError, match="mode must be"):
        model.memory(X, Y, mode="training")


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
def test_frozen_layers_are_seen_without_compile(eager):
    norm = keras.layers.BatchNormalization(center=False, scale=False, momentum=0.5)
    dense = keras.layers.Dense(1, kernel_regularizer="l2")
    model = keras.Sequential([keras.Input((6,)), norm, dense])
    model.compile(keras.optimizers.SGD(0.0), "mse", run_eagerly=eager)
    model.fit(X, X[:, :1], verbose=0)
    moved = norm.moving_mean.numpy()
    norm.trainable = False  # without weights of its own to train
    model.fit(X, X[:, :1], verbose=0)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), moved)
    with_penalty = model.evaluate(X, X[:, :1], verbose=0)
    dense.trainable = False
    penalty = 0.01 * np.sum(dense.kernel.numpy() ** 2)
    assert model.evaluate(X, X[:, :1], verbose=0) == pytest.approx(with_penalty - penalty, rel=1e-5)
