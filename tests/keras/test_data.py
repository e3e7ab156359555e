"""What `fit`, `evaluate` and `predict` accept as data, and how they cut it into batches."""

from __future__ import annotations

import numpy as np
import pytest

import weft
from weft import keras
from weft.keras.trainers.batch_arrays import to_array
from weft.keras.trainers.data_sources import make_source
from weft.keras.trainers.epoch_loop import EpochLoop


class Seen(keras.Model):
    """Remembers the batches it is trained on."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.batches = []

    def call(self, x):
        return self.dense(x["a"] if isinstance(x, dict) else x)

    def train_step(self, data):
        self.batches.append(data)
        return super().train_step(data)


@pytest.fixture
def seen():
    model = Seen()
    model.compile("sgd", "mse", run_eagerly=True)
    return model


X = np.arange(20, dtype="float32").reshape(10, 2)
Y = X.sum(1, keepdims=True)


def first_column(batch):
    x = batch[0] if isinstance(batch, tuple) else batch
    return x.numpy()[:, 0].tolist()


def all_first(batches):
    return [value for batch in batches for value in first_column(batch)]


def test_batches_in_order_and_shuffled(seen):
    seen.fit(X, Y, batch_size=4, shuffle=False, verbose=0)
    assert [len(b[0]) for b in seen.batches] == [4, 4, 2]
    assert all_first(seen.batches) == X[:, 0].tolist()
    orders = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        seen.batches.clear()
        seen.fit(X, Y, batch_size=4, epochs=2, verbose=0)
        orders.append([first_column(b) for b in seen.batches])
    assert orders[0] == orders[1]
    assert orders[0][:3] != orders[0][3:]
    assert sorted(v for batch in orders[0][:3] for v in batch) == X[:, 0].tolist()
    for x, y in seen.batches:
        np.testing.assert_array_equal(x.numpy().sum(1, keepdims=True), y.numpy())


def test_shuffle_within_batches(seen):
    seen.fit(X, Y, batch_size=5, shuffle="batch", verbose=0)
    assert [sorted(first_column(b)) for b in seen.batches] == [X[:5, 0].tolist(), X[5:, 0].tolist()]


def test_gathering_many_batches_at_once_loses_nothing():
    x = np.arange(70_000)[:, None].astype("float32")
    source = make_source(x, x[:, 0], batch_size=7, rng=np.random.default_rng(0), shuffle=True)
    parts = [arrays for _, arrays in source.batches()]
    assert len(parts) == source.num_batches == 10_000
    assert {len(a) for a, _ in parts} == {7}
    assert all((a[:, 0] == b).all() for a, b in parts)
    assert sorted(np.concatenate([b for _, b in parts]).tolist()) == x[:, 0].tolist()


@pytest.mark.parametrize(
    "x",
    [X.astype("float64"), X.astype("uint8"), weft.constant(X), X.tolist(), np.asfortranarray(X), X.astype(">f4")],
    ids=["float64", "uint8", "tensor", "list", "fortran", "big-endian"],
)
def test_kinds_of_arrays(seen, x):
    seen.fit(x, Y[:, 0].tolist(), batch_size=10, shuffle=False, verbose=0)
    np.testing.assert_array_equal(seen.batches[0][0].numpy(), X)
    assert np.isfinite(seen.evaluate(x, Y, verbose=0))
    assert seen.predict(x, verbose=0).shape == (10, 1)


def test_dictionaries_and_data_sets(seen):
    seen.fit({"a": X}, Y, batch_size=5, verbose=0)
    assert set(seen.batches[0][0]) == {"a"}
    data = weft.data.Dataset.from_tensor_slices((X, Y, np.ones(10, "float32"))).batch(4)
    seen.batches.clear()
    history = seen.fit(data, epochs=2, verbose=0, validation_data=data)
    assert len(seen.batches) == 6
    assert len(seen.batches[0]) == 3
    assert history.params["steps"] == 3
    assert list(history.history) == ["loss", "val_loss"]
    assert seen.evaluate(data, verbose=0) == pytest.approx(seen.evaluate(X, Y, verbose=0), rel=1e-5)
    np.testing.assert_allclose(seen.predict(data, verbose=0), seen.predict(X, verbose=0), rtol=1e-5)


def test_infinite_data_needs_steps(seen):
    data = weft.data.Dataset.from_tensor_slices((X, Y)).batch(4).repeat()
    with pytest.raises(ValueError, match="infinite"):
        seen.fit(data, verbose=0)
    seen.fit(data, steps_per_epoch=4, epochs=2, verbose=0)
    assert len(seen.batches) == 8
    assert [len(b[0]) for b in seen.batches] == [4, 4, 2, 4, 4, 2, 4, 4]


def test_generators_give_as_many_batches_as_are_asked_for(seen):
    def endless():
        while True:
            yield X[:4], Y[:4]

    seen.fit(endless(), steps_per_epoch=3, epochs=2, verbose=0, validation_data=(X, Y))
    assert len(seen.batches) == 6
    with pytest.warns(UserWarning, match="ran out of data.*5 batches.*2 batches"):
        seen.fit(iter([(X, Y)] * 2), steps_per_epoch=5, verbose=0)
    seen.batches.clear()
    seen.fit(iter([(X, Y)] * 2), verbose=0)
    assert len(seen.batches) == 2
    with pytest.warns(UserWarning, match="ran out of data"):
        history = seen.fit(iter([(X, Y)] * 2), epochs=3, verbose=0)
    assert history.epoch == [0]


def test_an_epoch_may_span_passes_and_a_pass_epochs():
    loop = EpochLoop(make_source(X, Y, batch_size=2), 2)
    epochs = [[a[0][0, 0].item() for _, a in loop.epoch()] for _ in range(2)]
    assert epochs == [[0.0, 4.0], [8.0, 12.0]]
    with pytest.warns(UserWarning, match="ran out of data"):
        assert [a[0][0, 0].item() for _, a in loop.epoch()] == [16.0]
    assert [a[0][0, 0].item() for _, a in loop.epoch()] == [0.0, 4.0]


def test_py_dataset(seen):
    class Batches(keras.utils.PyDataset):
        def __init__(self):
            self.begun = self.ended = 0

        def __len__(self):
            return 3

        def __getitem__(self, index):
            return X[index : index + 2], Y[index : index + 2]

        def on_epoch_begin(self):
            self.begun += 1

        def on_epoch_end(self):
            self.ended += 1

    batches = Batches()
    seen.fit(batches, epochs=2, verbose=0, shuffle=False)
    assert batches.ended == 2
    assert [first_column(b)[0] for b in seen.batches] == [0.0, 2.0, 4.0] * 2
    with pytest.warns(UserWarning, match="ran out of data"):
        seen.fit(batches, epochs=2, steps_per_epoch=2, verbose=0)  # the second epoch goes on in the pass of the first
    assert batches.begun == batches.ended == 4
    assert seen.predict(batches, verbose=0).shape == (6, 1)


def test_sample_and_class_weights(seen):
    seen.fit(X, Y, sample_weight=np.arange(10), batch_size=10, shuffle=False, verbose=0)
    assert seen.batches[-1][2].numpy().tolist() == list(range(10))
    classes = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    for y in (classes, classes[:, None], np.eye(3)[classes]):
        seen.fit(X, y, class_weight={0: 0.5, 2: 3.0}, batch_size=10, shuffle=False, verbose=0)
        assert seen.batches[-1][2].numpy().tolist() == [0.5, 1.0, 3.0] * 3 + [0.5]
    data = weft.data.Dataset.from_tensor_slices((X, classes)).batch(10)
    seen.fit(data, class_weight={1: 2.0}, verbose=0)
    assert seen.batches[-1][2].numpy().tolist() == [1.0, 2.0, 1.0] * 3 + [1.0]


def test_validation_split_takes_the_end(seen):
    history = seen.fit(X, Y, validation_split=0.3, batch_size=2, shuffle=False, verbose=0)
    assert all_first(seen.batches) == X[:7, 0].tolist()
    assert list(history.history) == ["loss", "val_loss"]
    history = seen.fit(X, Y, validation_data=(X, Y, np.ones(10)), epochs=4, validation_freq=2, verbose=0)
    assert [len(v) for v in history.history.values()] == [4, 2]
    history = seen.fit(X, Y, validation_data=(X, Y), epochs=3, validation_freq=[1], validation_steps=1, verbose=0)
    assert [len(v) for v in history.history.values()] == [3, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": X[:9], "y": Y}, "cardinality is ambiguous.*x: 9, y: 10"),
        ({"x": X, "y": Y, "sample_weight": np.ones(3)}, "sample_weight: 3"),
        ({"x": X[:0], "y": Y[:0]}, "at least one sample"),
        ({"x": None, "y": Y}, "must be data"),
        ({"x": np.array(["a", "b"]), "y": Y[:2]}, "must hold numbers.*<U1"),
        ({"x": np.array([object()]), "y": Y[:1]}, "must hold numbers"),
        ({"x": X.astype("complex64"), "y": Y}, "complex64"),
        ({"x": X, "y": Y, "batch_size": 0}, "batch_size must be a positive integer. Received: 0"),
        ({"x": X, "y": Y, "batch_size": 2.5}, "Received: 2.5"),
        ({"x": X, "y": Y, "validation_split": 1.5}, "validation_split must lie"),
        ({"x": X[:1], "y": Y[:1], "validation_split": 0.5}, "both sides"),
        ({"x": X, "y": Y, "class_weight": {0: 1.0}, "sample_weight": np.ones(10)}, "Only one of"),
        ({"x": X, "y": Y, "class_weight": [1.0]}, "class_weight must be a dictionary"),
        ({"x": X, "y": Y, "verbose": 3}, "verbose must be"),
        ({"x": X, "y": Y, "steps_per_epoch": 0}, "steps per epoch must be a positive integer"),
        ({"x": X, "y": Y, "validation_data": (X, Y), "validation_freq": "often"}, "validation_freq"),
        ({"x": iter([]), "y": None}, "at least one batch"),
        ({"x": iter([(X, Y[:3])]), "y": None}, "same length. Received: 10, 3"),
        ({"x": iter([(X, Y, Y, Y)]), "y": None}, "a tuple of 4"),
        ({"x": weft.data.Dataset.from_tensors((X, Y)), "y": Y}, "y must be part of the elements"),
        ({"x": X, "y": np.where(Y > 30, np.nan, Y)}, "NaN. Received: 2 NaN in y, the first in sample 8"),
    ],
)
def test_data_that_cannot_be_used(seen, arguments, message):
    with pytest.raises(ValueError, match=message):
        seen.fit(**{"verbose": 0, **arguments})


def test_what_is_no_data(seen):
    for wrong in (5, "file.csv"):
        with pytest.raises((TypeError, ValueError)):
            seen.fit(wrong, verbose=0)


def test_nan_targets_are_left_to_own_losses(seen):
    def masked(y_true, y_pred):
        known = weft.logical_not(weft.math.is_nan(y_true))
        return weft.reduce_mean(weft.where(known, weft.square(weft.where(known, y_true, y_pred) - y_pred), 0.0), axis=-1)

    seen.compile("sgd", masked, run_eagerly=True)
    y = Y.copy()
    y[3] = np.nan
    history = seen.fit(X / 20, y, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_arrays_reach_the_step_as_it_knows_them():
    for dtype in ("int64", "longlong", "uint8", ">i4", "bool"):
        array = np.zeros(3, dtype)
        assert to_array(array, "x").dtype is np.dtype(array.dtype.name)
    assert to_array(np.zeros(3, "float64"), "x").dtype == "float32"
    assert to_array(np.zeros(3, "float64"), "x", whole=False).dtype == "float64"
    whole = np.zeros((4, 2), "uint8")
    assert to_array(whole, "x") is whole  # nothing is copied without need
    assert to_array(whole.T, "x").flags.c_contiguous


@pytest.mark.parametrize("kind", ["arrays", "data set", "endless data set"])
def test_validation_steps_see_the_same_data_in_every_epoch(kind):
    x, y = np.arange(12, dtype="float32")[:, None], np.zeros((12, 1), "float32")
    data = weft.data.Dataset.from_tensor_slices((x, y)).batch(4)
    validation = {"arrays": (x, y), "data set": data, "endless data set": data.repeat()}[kind]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    size = {"validation_batch_size": 4} if kind == "arrays" else {}
    history = model.fit(x, y, epochs=4, verbose=0, validation_data=validation, validation_steps=np.int64(2), **size)
    assert history.history["val_loss"] == [17.5] * 4
