"""How to look inside a compiled step: its graph, its generated module, why it was traced, what it costs, and eager debugging."""

from __future__ import annotations

import weft as tf
from weft import keras


def make_step():
    """A small model's train step."""
    model = keras.Sequential([keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10)])
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.RMSprop()

    @tf.function
    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_fn(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights))
        return loss

    return train_step


def main() -> None:
    """Prints what there is to see."""
    (images, labels), _ = keras.datasets.digits.load_data()
    x, y = images.reshape(-1, 64).astype("float32") / 16, labels.astype("int32")
    step = make_step()
    step(x[:32], y[:32])
    step(x[:20], y[:20])  # another batch size: the last trace
    print(step.explain())
    print(step.graph(x[:7], y[:7]))
    print("generated module:", step.source(x[:7], y[:7]))
    print(tf.debug.compare(step, x[:32], y[:32]))
    print(tf.debug.profile(step, x[:32], y[:32]))
    tf.config.run_functions_eagerly(True)  # from here on a debugger stops in train_step's own lines
    try:
        print("eagerly:", float(step(x[:32], y[:32])))
    finally:
        tf.config.run_functions_eagerly(False)


if __name__ == "__main__":
    main()
