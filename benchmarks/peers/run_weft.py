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
    model = keras.Sequential([keras.Input(shape=(w.sizes[0],))])
    for units in w.sizes[1:-1]:
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(w.sizes[-1]))
    model.set_weights(w.initial_weights())
    x, y = w.data()
    loss_fn = keras.losses.MeanSquaredError() if w.sizes[-1] == 1 else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.get(w.optimizer)
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


if __name__ == "__main__":
    if "--eager" in sys.argv:
        serve("weft eager", tf.__version__, lambda w: prepare(w, function=lambda f: f))
    else:
        serve("weft", tf.__version__, prepare)
