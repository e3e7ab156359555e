"""Programs as TensorFlow's guides write them, with only the import changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import weft as tf
from weft import keras


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.runtime.config.config, "cache_dir", None)


def linear_data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(seed).uniform(-1, 1, (128, 2)).astype(np.float32)
    return x, (x @ np.float32([[2.0], [-3.0]]) + 0.5).astype(np.float32)


class LinearModel:
    """A linear classifier written by hand, with its training step as a method."""

    def __init__(self) -> None:
        self.w = tf.Variable(tf.random.uniform(shape=(2, 1), minval=-0.1, maxval=0.1, seed=1))
        self.b = tf.Variable(tf.zeros(shape=(1,)))

    def __call__(self, x: Any) -> Any:
        return tf.matmul(x, self.w) + self.b

    @tf.function
    def train_step(self, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(y - self(x)))
        grad_w, grad_b = tape.gradient(loss, [self.w, self.b])
        self.w.assign_sub(grad_w * 0.5)
        self.b.assign_sub(grad_b * 0.5)
        return loss


@pytest.mark.compiles
def test_linear_regression_by_hand_over_a_dataset() -> None:
    tf.random.set_seed(1)
    model = LinearModel()
    dataset = tf.data.Dataset.from_tensor_slices(linear_data()).shuffle(buffer_size=128).batch(48)
    for _ in range(60):
        for x, y in dataset:
            loss = model.train_step(x, y)
    assert float(loss) < 1e-5
    np.testing.assert_allclose(model.w, [[2.0], [-3.0]], atol=0.02)
    assert model.train_step.experimental_get_tracing_count() == 2  # full batches, then any size


@pytest.mark.compiles
def test_compiled_random_numbers_equal_eager_ones() -> None:
    def draw() -> Any:
        shuffled = tf.random.shuffle(tf.range(6))
        return tf.random.normal([5]), tf.random.uniform([3], seed=2), shuffled, tf.random.normal([2], dtype="float64")

    compiled = tf.function(draw)
    tf.random.set_seed(4)
    eager = [[np.asarray(v) for v in draw()] for _ in range(2)]
    tf.random.set_seed(4)
    for expected in eager:
        for a, b in zip(compiled(), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.compiles
def test_one_compiled_function_serves_every_batch_size() -> None:
    @tf.function
    def normalise(x: Any) -> Any:
        mean, variance = tf.nn.moments(x, axes=[0])
        return tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3), tf.shape(x)[0]

    for size in (4, 7, 3, 9):
        x = np.random.default_rng(size).normal(size=(size, 3)).astype(np.float32)
        out, count = normalise(x)
        np.testing.assert_allclose(out, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), rtol=2e-5, atol=2e-6)
        assert int(count) == size
    assert normalise.experimental_get_tracing_count() == 2


@pytest.mark.compiles
def test_function_that_needs_a_fixed_size_is_traced_for_it() -> None:
    @tf.function
    def rows(x: Any) -> Any:
        return sum(tf.unstack(x), tf.zeros([2]))

    for size in (2, 3, 4):
        assert rows(tf.ones([size, 2])).numpy().tolist() == [size, size]


@pytest.mark.compiles
def test_softmax_classifier_with_keras_parts() -> None:
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)
    y = (x[:, 0] > x[:, 1]).astype(np.int64)
    model = keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(2)])
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(0.01)
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(256).batch(60)

    @tf.function
    def train_step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            loss = loss_fn(y, logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        accuracy.update_state(y, logits)
        return loss

    for _ in range(15):
        accuracy.reset_state()
        for batch_x, batch_y in dataset:
            train_step(batch_x, batch_y)
    assert float(accuracy.result()) > 0.95


def test_the_guide_to_tensors() -> None:
    rank_2 = tf.constant([[1, 2], [3, 4], [5, 6]], dtype=tf.float16)
    assert str(rank_2).startswith("tf.Tensor(\n[[1. 2.]") and rank_2.shape == (3, 2)
    a, b = tf.constant([[1, 2], [3, 4]]), tf.ones([2, 2], dtype=tf.int32)
    assert (a @ b).numpy().tolist() == [[3, 3], [7, 7]] and (a * b).numpy().tolist() == a.numpy().tolist()
    c = tf.constant([[4.0, 5.0], [10.0, 1.0]])
    assert float(tf.reduce_max(c)) == 10.0 and tf.math.argmax(c).numpy().tolist() == [1, 0]
    x = tf.constant([[1], [2], [3]])
    assert tf.reshape(x, [1, -1]).shape.as_list() == [1, 3]
    assert tf.cast(tf.constant([2.2, 3.3], dtype=tf.float64), dtype=tf.uint8).numpy().tolist() == [2, 3]
    assert tf.broadcast_to([1, 2, 3], [3, 3]).numpy().tolist() == [[1, 2, 3]] * 3
    assert tf.zeros([3, 2, 4, 5]).shape[-1] == 5


def test_the_guide_to_gradients() -> None:
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x**2
    assert float(tape.gradient(y, x)) == 6.0
    w, b = tf.Variable(tf.ones((3, 2)), name="w"), tf.Variable(tf.zeros(2, dtype=tf.float32), name="b")
    with tf.GradientTape(persistent=True) as tape:
        loss = tf.reduce_mean((tf.constant([[1.0, 2.0, 3.0]]) @ w + b) ** 2)
    gradients = tape.gradient(loss, {"w": w, "b": b})
    assert gradients["b"].numpy().tolist() == [6.0, 6.0] and tape.gradient(loss, w).shape == w.shape
    x = tf.Variable(1.0)
    with tf.GradientTape() as t2:
        with tf.GradientTape() as t1:
            y = x * x * x
        dy = t1.gradient(y, x)
    assert float(t2.gradient(dy, x)) == 6.0


def test_the_guide_to_data() -> None:
    dataset = tf.data.Dataset.from_tensor_slices([8, 3, 0, 8, 2, 1])
    assert dataset.reduce(0, lambda state, value: state + value).numpy() == 22
    assert [e.numpy() for e in dataset][:2] == [8, 3]
    increasing = tf.data.Dataset.range(100)
    decreasing = tf.data.Dataset.range(0, -100, -1)
    zipped = tf.data.Dataset.zip((increasing, decreasing)).batch(4)
    first = next(iter(zipped))
    assert first[1].numpy().tolist() == [0, -1, -2, -3]
    images = np.zeros((6, 4, 4), np.uint8)
    prepared = (
        tf.data.Dataset.from_tensor_slices((images, np.arange(6)))
        .map(lambda image, label: (tf.cast(image, tf.float32) / 255.0, label), num_parallel_calls=tf.data.AUTOTUNE)
        .cache()
        .shuffle(6)
        .batch(4)
        .prefetch(tf.data.AUTOTUNE)
    )
    assert [x.shape.as_list() for x, _ in prepared] == [[4, 4, 4], [2, 4, 4]]
