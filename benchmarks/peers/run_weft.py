"""weft's side of the comparison."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from serve import Run, serve
from workloads import Workload

import weft as tf
from weft import keras


def prepare(w: Workload, function=tf.function) -> Run:
    if w.kind == "pointwise":
        return prepare_pointwise(w, function)
    model = keras.Sequential([keras.Input(shape=(w.sizes[0],))])
    for units in w.sizes[1:-1]:
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(w.sizes[-1]))
    model.set_weights(w.initial_weights())
    x, y = w.data()
    losses = keras.losses
    loss_fn = losses.MeanSquaredError() if w.sizes[-1] == 1 else losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.get(w.optimizer)
    if w.kind == "predict":
        return lambda steps: max(float(model.predict(x, batch_size=w.batch, verbose=0)[0, 0]) for _ in range(steps))
    if w.kind == "fit":
        model.compile(optimizer=optimizer, loss=loss_fn)

        def run_fit(steps: int) -> float:
            n = steps * w.batch
            return model.fit(x[:n], y[:n], batch_size=w.batch, epochs=1, verbose=0).history["loss"][-1]

        return run_fit

    @function
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_fn(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
        return loss

    x, y = tf.constant(x), tf.constant(y)

    def run(steps: int) -> float:
        for _ in range(steps):
            loss = train_step(x, y)
        return float(loss)

    return run


def prepare_pointwise(w: Workload, function) -> Run:
    x = tf.constant(w.data()[0].reshape(-1))
    a, b, c = tf.constant(1.5), tf.constant(-0.5), tf.constant(0.25)
    chain = function(lambda x: tf.nn.gelu(x * a + b) * c)

    def run(steps: int) -> float:
        for _ in range(steps):
            y = chain(x)
        return float(y[-1])

    return run


if __name__ == "__main__":
    if "--eager" in sys.argv:
        serve("weft eager", tf.__version__, lambda w: prepare(w, function=lambda f: f))
    else:
        serve("weft", tf.__version__, prepare)
