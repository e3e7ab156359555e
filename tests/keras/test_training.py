"""The training loop: own steps, several outputs, losses that are added, changes between fits, interruptions."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import weft
from weft import keras
from weft.errors import InvalidArgumentError


def test_compile_comes_first():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    for method in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match=rf"You must call `compile\(\)` before calling `{method}\(\)`"):
            getattr(model, method)(x, y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizer": "adamm", "loss": "mse"}, "'adam'"),
        ({"optimizer": "sgd", "loss": "mean_square_error"}, "'mean_squared_error'"),
        ({"optimizer": "sgd", "loss": "mse", "metrics": ["acuracy"]}, "[Aa]ccuracy"),
        ({"optimizer": "sgd", "loss": "mse", "metrics": "accuracy"}, "metrics must be a list"),
        ({"optimizer": "sgd", "loss": "mse", "steps_per_execution": 0}, "steps_per_execution"),
        ({"optimizer": 3, "loss": "mse"}, "optimizer"),
    ],
)
def test_unknown_names_are_found_at_compile(arguments, message):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=message):
        model.compile(**arguments)


def test_on_batch(linear):
    model, x, y = linear
    first = model.train_on_batch(x, y)
    assert len(first) == 2
    second = model.train_on_batch(x, y, return_dict=True)
    assert second["loss"] < first[0]
    after = model.test_on_batch(x, y, return_dict=True)
    assert after == model.evaluate(x, y, return_dict=True, verbose=0)  # of this batch alone, whatever came before
    assert after["loss"] < second["loss"]
    np.testing.assert_allclose(model.predict_on_batch(x), model.predict(x, verbose=0), rtol=1e-6)
    weighted = model.test_on_batch(x, y, sample_weight=np.zeros(20))
    assert weighted[0] < second["loss"]


def test_own_train_step(linear):
    _, x, y = linear

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)
            self.tracker = keras.metrics.Mean(name="tracked")

        def call(self, x):
            return self.dense(x)

        @property
        def metrics(self):
            return [self.tracker]

        def train_step(self, data):
            x, y = data
            with weft.GradientTape() as tape:
                loss = weft.reduce_mean(weft.abs(self(x, training=True) - y))
            self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights, strict=True))
            self.tracker.update_state(loss)
            return {"tracked": self.tracker.result(), "twice": 2.0 * self.tracker.result()}

    model = Own()
    model.compile(keras.optimizers.SGD(0.05), run_eagerly=True)
    history = model.fit(x, y, epochs=2, batch_size=5, verbose=0)
    assert list(history.history) == ["tracked", "twice"]
    np.testing.assert_allclose(history.history["twice"], 2 * np.array(history.history["tracked"]), rtol=1e-6)
    assert history.history["tracked"][1] < history.history["tracked"][0]


def test_own_compute_loss_without_training_argument(linear):
    _, x, y = linear

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_initializer="zeros")

        def call(self, x):
            return self.dense(x)

        def compute_loss(self, x, y, y_pred, sample_weight):
            return weft.reduce_sum(weft.square(y - y_pred))

    model = Own()
    model.compile("sgd", run_eagerly=True)
    assert model.evaluate(x, y, batch_size=20, verbose=0) == pytest.approx(float((y**2).sum()), rel=1e-5)


def test_no_loss_is_an_error(linear):
    model, x, y = linear
    model.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="No loss to compute"):
        model.fit(x, y, verbose=0)
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(ValueError, match="needs targets"):
        model.fit(x, verbose=0)


def test_regularizers_and_added_losses(linear):
    _, x, y = linear

    class Penalty(keras.layers.Layer):
        def call(self, x):
            self.add_loss(3.0 * weft.reduce_mean(weft.square(x)))
            return x

    model = keras.Sequential([keras.Input((2,)), Penalty(), keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.5))])
    model.compile("sgd", "mse", run_eagerly=True)
    kernel, bias = (w.numpy() for w in model.weights)
    expected = np.mean((x @ kernel + bias - y) ** 2) + 3 * np.mean(x**2) + 0.5 * np.sum(kernel**2)
    assert model.evaluate(x, y, batch_size=20, verbose=0) == pytest.approx(float(expected), rel=1e-5)
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=3, verbose=0)
    assert model.evaluate(x, y, verbose=0) < before


def two_outputs():
    inputs = keras.Input((2,), name="features")
    number = keras.layers.Dense(1, name="number")(inputs)
    kind = keras.layers.Dense(3, activation="softmax", name="kind")(inputs)
    return keras.Model(inputs, [number, kind])


X2 = np.random.default_rng(1).normal(size=(12, 2)).astype("float32")
NUMBER = X2.sum(1, keepdims=True)
KIND = np.arange(12) % 3


@pytest.mark.parametrize(
    "losses",
    [
        {"number": "mse", "kind": "sparse_categorical_crossentropy"},
        ["mse", keras.losses.SparseCategoricalCrossentropy()],
    ],
    ids=["dict", "list"],
)
def test_several_outputs(losses):
    model = two_outputs()
    metrics = {"kind": "accuracy", "number": ["mae"]}
    model.compile("sgd", losses, loss_weights={"number": 2.0, "kind": 0.5}, metrics=metrics, run_eagerly=True)
    logs = model.evaluate(X2, {"number": NUMBER, "kind": KIND}, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(2 * logs["number_loss"] + 0.5 * logs["kind_loss"], rel=1e-5)
    assert set(logs) == {"loss", "number_loss", "kind_loss", "number_mae", "kind_accuracy"}
    listed = model.evaluate(X2, [NUMBER, KIND], verbose=0)
    assert dict(zip(model.metrics_names, listed, strict=True)) == pytest.approx(logs)
    assert [p.shape for p in model.predict(X2, verbose=0)] == [(12, 1), (12, 3)]
    weighted = model.evaluate(X2, [NUMBER, KIND], sample_weight=[np.zeros(12), np.ones(12)], verbose=0, return_dict=True)
    assert weighted["number_loss"] == 0.0
    assert weighted["kind_loss"] == pytest.approx(logs["kind_loss"])


@pytest.mark.parametrize("losses", [[None, "sparse_categorical_crossentropy"], {"kind": "crossentropy"}], ids=["list", "dict"])
def test_outputs_without_loss_are_not_trained(losses):
    model = two_outputs()
    model.compile("sgd", losses, run_eagerly=True)
    before = model.get_layer("number").get_weights()
    history = model.fit(X2, KIND if isinstance(losses, list) else {"kind": KIND}, epochs=2, verbose=0)
    assert list(history.history) == ["loss"]
    assert all((a == b).all() for a, b in zip(before, model.get_layer("number").get_weights(), strict=True))


@pytest.mark.parametrize(
    "arguments",
    [
        {"loss": {"numbr": "mse"}},
        {"loss": "mse", "loss_weights": {"numbr": 1.0}},
        {"loss": "mse", "metrics": {"numbr": ["mae"]}},
    ],
)
def test_outputs_that_do_not_exist(arguments):
    with pytest.raises(ValueError, match=r"numbr.*Did you mean 'number'"):
        two_outputs().compile("sgd", **arguments)


def test_targets_that_do_not_fit_the_outputs():
    model = two_outputs()
    model.compile("sgd", ["mse", "sparse_categorical_crossentropy"], run_eagerly=True)
    with pytest.raises(ValueError, match="one entry per output"):
        model.fit(X2, [NUMBER, KIND, KIND], verbose=0)
    with pytest.raises(ValueError, match=r"kind.*needs targets"):
        model.fit(X2, {"number": NUMBER}, verbose=0)


def test_metric_names_before_and_after_training(linear):
    model, x, y = linear
    model.compile("sgd", "mse", metrics=["mae", keras.metrics.RootMeanSquaredError(name="root")], run_eagerly=True)
    assert model.metrics_names == ["loss", "mae", "root"]
    model.fit(x, y, verbose=0)
    assert model.metrics_names == ["loss", "mae", "root"]
    result = model.evaluate(x, y, verbose=0)
    assert result[2] == pytest.approx(result[0] ** 0.5, rel=1e-5)


def test_freezing_a_layer_between_fits(linear):
    _, x, y = linear
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(x, y, verbose=0)
    model.layers[0].trainable = False
    before = [w.copy() for w in model.get_weights()]
    model.fit(x, y, verbose=0)
    changed = [bool((a != b).any()) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True]


def test_interrupted_fit_leaves_usable_weights(linear):
    model, x, y = linear
    steps = []

    def interrupt(batch, logs):
        steps.append([w.copy() for w in model.get_weights()])
        if len(steps) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=4, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)])
    assert all((a == b).all() for a, b in zip(model.get_weights(), steps[-1], strict=True))
    assert int(model.optimizer.iterations) == 3
    before = model.evaluate(x, y, verbose=0)[0]
    model.fit(x, y, batch_size=4, epochs=3, verbose=0)
    assert model.evaluate(x, y, verbose=0)[0] < before


def test_stop_training_from_a_callback(linear):
    model, x, y = linear
    stop = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: setattr(model, "stop_training", batch == 1))
    seen = keras.callbacks.LambdaCallback()
    history = model.fit(x, y, batch_size=4, epochs=3, verbose=0, callbacks=[stop, seen])
    assert history.epoch == [0]
    assert int(model.optimizer.iterations) == 2


def test_failed_fit_can_be_repeated(linear):
    model, x, y = linear
    with pytest.raises(ValueError, match="shape"):
        model.fit(np.ones((20, 3), "float32"), y, verbose=0)
    model.fit(x, y, verbose=0)


@pytest.mark.compiles
def test_labels_out_of_range():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="softmax")])
    for eager in (True, False):
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=eager)
        before = model.get_weights()
        for wrong in (3, -1):
            with pytest.raises(InvalidArgumentError) as caught:
                model.fit(X2, np.where(np.arange(12) == 7, wrong, KIND), verbose=0, shuffle=False, batch_size=12)
            assert "In batch 0 of the training data." in caught.value.__notes__
        assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
        model.fit(X2, KIND, verbose=0)


@pytest.mark.compiles
def test_one_trace_serves_every_batch_size_and_learning_rate(linear):
    _, x, y = linear
    traces = []

    class Counted(keras.Sequential):
        def train_step(self, data):
            traces.append(data[0].shape)
            return super().train_step(data)

    model = Counted([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(x, y, batch_size=8, verbose=0)  # 8, 8, 4
    model.optimizer.learning_rate = 0.01
    model.fit(x, y, batch_size=7, verbose=0)
    model.train_on_batch(x[:1], y[:1])
    assert len(traces) == 1
    before = model.get_weights()
    model.optimizer.learning_rate = 0.0
    model.fit(x, y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.compiles
def test_compiled_and_eager_agree_on_a_model_built_while_training(linear):
    _, x, y = linear

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = keras.layers.Dense(4, activation="tanh", kernel_initializer=keras.initializers.Constant(0.3))
            self.out = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(-0.2))

        def call(self, x):
            return self.out(self.hidden(x))

    curves = []
    for eager in (True, False):
        model = Own()
        model.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"], run_eagerly=eager)
        history = model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0, validation_data=(x, y))
        curves.append(history.history)
    assert list(curves[0]) == list(curves[1])
    for name, values in curves[0].items():
        np.testing.assert_allclose(curves[1][name], values, rtol=1e-5, err_msg=name)


def test_run_functions_eagerly_reaches_fit(linear):
    _, x, y = linear
    seen = []

    class Looking(keras.Sequential):
        def train_step(self, data):
            seen.append(float(weft.reduce_sum(data[1])))  # only eager tensors have a value
            return super().train_step(data)

    model = Looking([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    weft.config.run_functions_eagerly(True)
    model.fit(x, y, batch_size=10, verbose=0)
    assert len(seen) == 2


def test_several_inputs_by_list_and_by_name():
    a, b = keras.Input((2,), name="left"), keras.Input((3,), name="right")
    total = keras.layers.Dense(1, name="total")(keras.layers.Concatenate()([a, b]))
    model = keras.Model([a, b], {"sum": total, "twice": 2.0 * total})
    model.compile("sgd", {"sum": "mse"}, run_eagerly=True)
    right = np.ones((12, 3), "float32")
    before = model.evaluate([X2, right], {"sum": NUMBER}, verbose=0)
    model.fit({"right": right, "left": X2}, {"sum": NUMBER}, epochs=5, verbose=0)
    assert model.evaluate({"left": X2, "right": right}, {"sum": NUMBER}, verbose=0) < before
    outputs = model.predict([X2, right], batch_size=5, verbose=0)
    np.testing.assert_allclose(outputs["twice"], 2 * outputs["sum"], rtol=1e-6)


def test_a_copy_trains_on_its_own(linear):
    model, x, y = linear
    model.fit(x, y, verbose=0)
    other = copy.deepcopy(model)
    before = model.get_weights()
    other.fit(x, y, epochs=2, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    model.fit(x, y, verbose=0)
    assert int(other.optimizer.iterations) == 3
    assert int(model.optimizer.iterations) == 2


@pytest.mark.compiles
def test_sequences_of_varying_length():
    traces = []

    class Means(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x):
            traces.append(x.shape)
            return self.dense(weft.reduce_mean(x, axis=1))

    rng = np.random.default_rng(0)
    lengths = [3, 5, 4, 7, 6, 2, 9]
    batches = [(rng.normal(size=(4, n, 2)).astype("float32"), np.ones((4, 1), "float32")) for n in lengths]
    curves = []
    for eager in (False, True):
        keras.utils.set_random_seed(1)
        model = Means()
        model.compile("sgd", "mse", run_eagerly=eager)
        curves.append(model.fit(iter(batches), verbose=0).history["loss"])
        assert eager or len(traces) <= 2  # one for the first length, one for all others
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-5)


@pytest.mark.compiles
def test_same_seed_same_run(linear):
    _, x, y = linear
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(11)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(x, y, batch_size=8, epochs=2, verbose=0)
        runs.append(model.get_weights())
    assert all((a == b).all() for a, b in zip(*runs, strict=True))
