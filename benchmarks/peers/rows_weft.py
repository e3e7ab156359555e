"""weft: the cases of `row_cases.py`, traced once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from row_cases import Call, Case, limit_cores, serve

limit_cores()

import weft as tf  # noqa: E402 - reads how many cores there are


def forward(case: Case, x: tf.Tensor, *rows: tf.Tensor) -> tf.Tensor:
    if case.kind.endswith("sum"):
        return tf.reduce_sum(x, 0 if case.kind == "column_sum" else None)
    if case.kind == "softmax":
        return tf.nn.softmax(x)
    if case.kind == "logsumexp":
        return tf.reduce_logsumexp(x, -1)
    mean, variance = tf.nn.moments(x, list(case.axes), keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, rows[1], rows[0], 1e-5)


def build(case: Case) -> tuple[Callable[..., object], tuple[tf.Tensor, ...]]:
    arguments, gradient = case.data()

    def step(gradient: tf.Tensor, *arguments: tf.Tensor) -> object:
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            result = forward(case, *arguments)
        return [result, *tape.gradient(result, arguments, gradient)]

    function = tf.function(step if case.backward else lambda *a: forward(case, *a))
    arrays = (gradient, *arguments) if case.backward else arguments
    return function, tuple(map(tf.constant, arrays))


def prepare(case: Case) -> Call:
    function, arrays = build(case)
    return lambda: function(*arrays)


def facts(case: Case) -> dict[str, float]:
    """What the profiler says of the kernels, without the call."""
    function, arrays = build(case)
    profile = tf.debug.profile(function, *arrays, steps=100)
    return {"kernels": profile.kernel_seconds, "floor": profile.floor, "calls": len(profile.rows)}


if __name__ == "__main__":
    serve(f"weft {tf.__version__}", prepare, facts)
