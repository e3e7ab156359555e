"""What a further batch costs in `fit`, `evaluate` and `predict` beyond the raw step, in microseconds.

In: nothing. Out: a table. The cost of a batch is the difference between a long and a short run over the number of batches between
them, so what a call costs once does not count; it is listed by itself. The raw step is one native call on the same arrays, again
and again. All are measured in turns in one process; the smallest of many counts.

    python benchmarks/loop_cost.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from weft import keras

SHORT, LONG, ROUNDS = 500, 2500, 15
BATCH = 16


class EveryBatch(keras.callbacks.Callback):
    """Makes `fit` call Python for each batch."""

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        pass


def make_model() -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def make_raw_step(model: keras.Model, x: np.ndarray, y: np.ndarray) -> Callable[[int], None]:
    """So many native calls of the train step on one batch."""
    concrete, _ = model.concrete_step("train", x, y)
    binding = concrete.compiled.executable._take_frame().bind([x, y])
    arrays = (x, y, *binding.make_outputs())

    def run(batches: int) -> None:
        for _ in range(batches):
            binding.call(arrays)

    return run


def make_runs() -> dict[str, Callable[[int], object]]:
    """What is measured, by name: each takes a number of batches."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(LONG * BATCH, 2)).astype("float32")
    y = x @ np.array([[1.0], [-2.0]], "float32")
    model = make_model()

    def over(run: Callable[..., object], *data: np.ndarray, **options: object) -> Callable[[int], object]:
        return lambda batches: run(*(d[: batches * BATCH] for d in data), batch_size=BATCH, verbose=0, **options)

    return {
        "raw step": make_raw_step(model, x[:BATCH], y[:BATCH]),
        "fit": over(model.fit, x, y),
        "fit, shuffle=False": over(model.fit, x, y, shuffle=False),
        "fit, a callback for each batch": over(model.fit, x, y, callbacks=[EveryBatch()]),
        "evaluate": over(model.evaluate, x, y),
        "predict": over(model.predict, x),
    }


def measure() -> dict[str, float]:
    """Microseconds by name."""
    runs = make_runs()
    best: dict[tuple[str, int], float] = {}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            for batches in (SHORT, LONG):
                started = time.perf_counter()
                run(batches)
                taken = (time.perf_counter() - started) * 1e6
                best[name, batches] = min(taken, best.get((name, batches), taken))
    costs = {}
    for name in runs:
        costs[name] = (best[name, LONG] - best[name, SHORT]) / (LONG - SHORT)
        costs[f"{name}, once per call"] = best[name, SHORT] - SHORT * costs[name]
    return costs


if __name__ == "__main__":
    for name, cost in measure().items():
        print(f"{name:<50} {cost:>10.2f} us")
