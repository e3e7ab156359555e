"""The main job: a digit classifier trained on real images, by ``fit`` and by a loop of one's own, compiled and eager.

In: nothing but the images shipped with the package; out: progress bars, test accuracy, and what compiling brought.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import weft
from weft import keras
from weft.graph.record import record

BATCH = 32
WANTED_ACCURACY = 0.95


def run(*, eager: bool = False, epochs: int = 12) -> int:
    """Runs the demo; returns 0 if both models reach the wanted test accuracy, else 1."""
    if eager:
        weft.config.run_functions_eagerly(True)
    keras.utils.set_random_seed(1)
    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    x_train, x_test = x_train.reshape(-1, 64) / 16.0, x_test.reshape(-1, 64) / 16.0
    print(f"UCI handwritten digits: {len(x_train)} images of 8x8 pixels to learn from, {len(x_test)} to test on.\n")

    print("1. model.fit, one compiled call per batch")
    by_fit = train_with_fit((x_train, y_train), (x_test, y_test), epochs)

    print("\n2. The same model in a loop of our own, its train step decorated with @weft.function")
    loop = make_loop()
    by_loop = loop.train((x_train, y_train), (x_test, y_test), epochs)

    print("\n3. The same loop without the decorator: op by op, as a debugger sees it")
    make_loop(decorate=lambda f: f).train((x_train, y_train), (x_test, y_test), max(1, epochs // 6))

    print(f"\nTest accuracy: fit {by_fit:.4f}, own loop {by_loop:.4f}")
    if not eager:
        print()
        report(loop, x_train, y_train)
    return 0 if min(by_fit, by_loop) >= WANTED_ACCURACY else 1


def make_model() -> Any:
    """A 64-64-10 multilayer perceptron that returns logits."""
    return keras.Sequential([keras.Input(shape=(64,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10)])


def train_with_fit(train: Any, test: Any, epochs: int) -> float:
    """Trains by ``fit`` with progress bars; returns the test accuracy."""
    model = make_model()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss=loss, metrics=["accuracy"])
    model.fit(*train, batch_size=BATCH, epochs=epochs, validation_data=test, verbose=1)
    return float(model.evaluate(*test, verbose=0)[1])


@record(frozen=False)
class Loop:
    """A training loop written by hand: steps, and the metrics they update."""

    train_step: Any
    test_step: Any
    train_accuracy: Any
    test_accuracy: Any
    first_call_s: float = 0.0

    def train(self, train: Any, test: Any, epochs: int) -> float:
        """Runs the epochs, printing one line each; returns the last test accuracy."""
        batches = weft.data.Dataset.from_tensor_slices((_float32(train[0]), train[1])).shuffle(len(train[0]), seed=1).batch(BATCH)
        test_batches = weft.data.Dataset.from_tensor_slices((_float32(test[0]), test[1])).batch(BATCH)
        accuracy = 0.0
        for epoch in range(epochs):
            started = time.perf_counter()
            for x, y in batches:
                loss = self.train_step(x, y)
                self.first_call_s = self.first_call_s or time.perf_counter() - started
            seconds = time.perf_counter() - started
            for x, y in test_batches:
                self.test_step(x, y)
            accuracy = float(self.test_accuracy.result())
            print(
                f"Epoch {epoch + 1:2d}/{epochs} - {seconds * 1e3:6.1f} ms - loss of the last batch: {float(loss):.4f} - "
                f"accuracy: {float(self.train_accuracy.result()):.4f} - test accuracy: {accuracy:.4f}"
            )
            self.train_accuracy.reset_state()
            self.test_accuracy.reset_state()
        return accuracy


def make_loop(decorate: Callable[..., Any] | None = None) -> Loop:
    """A model with a train and a test step as one writes them with TensorFlow; ``decorate`` replaces ``weft.function``."""
    compiled = decorate or weft.function
    model = make_model()
    optimizer = keras.optimizers.Adam(3e-3)
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    train_accuracy = keras.metrics.SparseCategoricalAccuracy()
    test_accuracy = keras.metrics.SparseCategoricalAccuracy()

    @compiled
    def train_step(x: Any, y: Any) -> Any:
        with weft.GradientTape() as tape:
            logits = model(x, training=True)
            loss = loss_fn(y, logits)
        gradients = tape.gradient(loss, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
        train_accuracy.update_state(y, logits)
        return loss

    @compiled
    def test_step(x: Any, y: Any) -> None:
        test_accuracy.update_state(y, model(x, training=False))

    return Loop(train_step, test_step, train_accuracy, test_accuracy)


def report(loop: Loop, x_train: Any, y_train: Any) -> None:
    """Prints what compiling the train step brought, and where to look next."""
    x, y = weft.constant(_float32(x_train[:BATCH])), weft.constant(y_train[:BATCH])
    fresh = make_loop()  # so that the first call is timed from the trace on; its kernels are known by now
    comparison = weft.debug.compare(fresh.train_step, x, y, steps=50)
    print(comparison)
    gain = (comparison.eager_us - comparison.graph_us) * 1e-6
    paid = loop.first_call_s / gain
    print(f"  In loop 2 the first step, kernels still unknown, took {loop.first_call_s:.2f} s: paid after {paid:,.0f} steps.")
    graph = loop.train_step.graph()
    print("\nWhere to look next")
    print(f"  the graph, {len(graph.splitlines())} lines: print(train_step.graph())  It begins:")
    print("\n".join(f"    {line}" for line in graph.splitlines()[:8]))
    print(f"  the generated Python module: {loop.train_step.source()}")
    print("  everything op by op, for a debugger: python -m weft demo --eager")


def _float32(images: Any) -> Any:
    return images.astype("float32")
