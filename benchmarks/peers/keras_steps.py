"""What is timed of Keras, weft's and others'. In: a workload, the packages to run it with; out: what runs so many steps of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from serve import Run
from workloads import Workload


def build(keras: Any, w: Workload) -> tuple[Any, Any]:
    """(model with the workload's weights, its loss)."""
    model = keras.Sequential([keras.Input(shape=(w.sizes[0],))])
    for units in w.sizes[1:-1]:
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(w.sizes[-1]))
    model.set_weights(w.initial_weights())
    losses = keras.losses
    return model, losses.MeanSquaredError() if w.sizes[-1] == 1 else losses.SparseCategoricalCrossentropy(from_logits=True)


def prepare_loop(model: Any, w: Workload, x: np.ndarray, y: np.ndarray) -> Run:
    """Keras' own loop of a compiled model, over as many batches as there are steps; or a call of ``predict`` for each step."""
    if w.kind == "predict":
        return lambda steps: max(float(model.predict(x, batch_size=w.batch, verbose=0)[0, 0]) for _ in range(steps))

    def run(steps: int) -> float:
        n = steps * w.batch
        return model.fit(x[:n], y[:n], batch_size=w.batch, epochs=1, verbose=0).history["loss"][-1]

    return run


def prepare_tensorflow(tf: Any, keras: Any, function: Callable[..., Any], w: Workload, **options: Any) -> Run:
    """A workload under TensorFlow's names. function: what traces a step. options: of ``compile``."""
    if w.kind == "pointwise":
        a, b, c = tf.constant(1.5), tf.constant(-0.5), tf.constant(0.25)
        chain = function(lambda x: tf.nn.gelu(x * a + b) * c)
        return repeat(chain, [tf.constant(w.data()[0].reshape(-1))], lambda y: float(y[-1]))
    model, loss_fn = build(keras, w)
    x, y = w.data()
    optimizer = keras.optimizers.get(w.optimizer)
    if w.kind != "step":
        model.compile(optimizer=optimizer, loss=loss_fn, **options)
        return prepare_loop(model, w, x, y)
    optimizer.build(model.trainable_variables)

    @function
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_fn(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
        return loss

    return repeat(train_step, [tf.constant(x), tf.constant(y)], float)


def repeat(step: Callable[..., Any], arguments: list[Any], read: Callable[[Any], float]) -> Run:
    """Calls the step n times. read: a number of the last result, which waits for it."""

    def run(steps: int) -> float:
        for _ in range(steps):
            result = step(*arguments)
        return read(result)

    return run
