"""TensorFlow: a custom train step under tf.function, with and without XLA; Keras' own fit on TensorFlow."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import keras
import tensorflow as tf
from serve import Run, serve
from workloads import Workload

XLA = "--xla" in sys.argv


def build(w: Workload):
    model = keras.Sequential([keras.Input(shape=(w.sizes[0],))])
    for units in w.sizes[1:-1]:
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(w.sizes[-1]))
    model.set_weights(w.initial_weights())
    loss = keras.losses.MeanSquaredError() if w.sizes[-1] == 1 else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return model, loss, keras.optimizers.get(w.optimizer)


def prepare(w: Workload) -> Run:
    if w.kind == "pointwise":
        return prepare_pointwise(w)
    model, loss_fn, optimizer = build(w)
    x, y = w.data()
    if w.kind == "predict":
        return lambda steps: max(float(model.predict(x, batch_size=w.batch, verbose=0)[0, 0]) for _ in range(steps))
    if w.kind == "fit":
        model.compile(optimizer=optimizer, loss=loss_fn, jit_compile=XLA)

        def run_fit(steps: int) -> float:
            n = steps * w.batch
            return model.fit(x[:n], y[:n], batch_size=w.batch, epochs=1, verbose=0).history["loss"][-1]

        return run_fit

    @tf.function(jit_compile=XLA)
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_fn(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
        return loss

    optimizer.build(model.trainable_variables)
    x, y = tf.constant(x), tf.constant(y)

    def run(steps: int) -> float:
        for _ in range(steps):
            loss = train_step(x, y)
        return float(loss)

    return run


def prepare_pointwise(w: Workload) -> Run:
    x = tf.constant(w.data()[0].reshape(-1))
    a, b, c = tf.constant(1.5), tf.constant(-0.5), tf.constant(0.25)
    chain = tf.function(jit_compile=XLA)(lambda x: tf.nn.gelu(x * a + b) * c)

    def run(steps: int) -> float:
        for _ in range(steps):
            y = chain(x)
        return float(y[-1])

    return run


if __name__ == "__main__":
    serve("TF tf.function" + (" XLA" if XLA else ""), f"{tf.__version__}, Keras {keras.__version__}", prepare)
