"""Properties that hold for any shapes: einsum, reshaping, joining, sorting and padding agree with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import weft as tf
from weft.graph.evaluate import evaluate
from weft.graph.ir import ArrayType
from weft.tracer.trace import trace

QUICK = settings(max_examples=40)
SIZES = {"a": 2, "b": 3, "c": 1, "d": 4}
shapes = st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple)
widths_of_three = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=3)


def filled(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


def run_traced(function: Any, *arrays: np.ndarray) -> np.ndarray:
    graph = trace(function, [ArrayType(tf.as_dtype(a.dtype), a.shape) for a in arrays]).graph
    return np.asarray(evaluate(graph, list(arrays), {}).outputs[0])


@st.composite
def equations(draw: Any) -> str:
    terms = draw(st.lists(st.text("abcd", min_size=0, max_size=3), min_size=1, max_size=3))
    labels = sorted(set("".join(terms)))
    result = draw(st.permutations(labels).flatmap(lambda p: st.integers(0, len(p)).map(lambda n: "".join(p[:n]))))
    return f"{','.join(terms)}->{result}"


@QUICK
@given(equations())
def test_einsum_equals_numpy(equation: str) -> None:
    terms = equation.partition("->")[0].split(",")
    arrays = [filled(tuple(SIZES[c] for c in term), i) for i, term in enumerate(terms)]
    np.testing.assert_allclose(tf.einsum(equation, *arrays), np.einsum(equation, *arrays), rtol=1e-5)


@QUICK
@given(shapes, st.data())
def test_split_undoes_concat(shape: tuple[int, ...], data: Any) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    parts = [filled(shape, i) for i in range(3)]
    joined = tf.concat(parts, axis)
    np.testing.assert_array_equal(joined, np.concatenate(parts, axis))
    for part, expected in zip(tf.split(joined, 3, axis), parts, strict=True):
        np.testing.assert_array_equal(part, expected)


@QUICK
@given(shapes, st.data())
def test_sort_equals_numpy_eagerly_and_traced(shape: tuple[int, ...], data: Any) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = filled(shape)
    if data.draw(st.booleans()) and x.size:
        x.flat[0] = np.nan
    expected = np.argsort(x, axis, kind="stable")
    for direction in ("ASCENDING", "DESCENDING"):
        order = np.asarray(tf.argsort(x, axis, direction))
        np.testing.assert_array_equal(order, run_traced(lambda t, d=direction: tf.argsort(t, axis, d), x))
        if direction == "ASCENDING":
            np.testing.assert_array_equal(order, expected)
        np.testing.assert_array_equal(np.take_along_axis(x, order.astype(np.int64), axis), tf.sort(x, axis, direction))


@QUICK
@given(shapes, widths_of_three, st.sampled_from(["CONSTANT", "SYMMETRIC"]))
def test_pad_equals_numpy(shape: tuple[int, ...], widths: list[tuple[int, int]], mode: str) -> None:
    pairs = [(min(a, s), min(b, s)) for (a, b), s in zip(widths, shape, strict=False)]
    x = filled(shape)
    expected = np.pad(x, pairs, mode="constant" if mode == "CONSTANT" else "symmetric")
    np.testing.assert_array_equal(tf.pad(x, pairs, mode=mode), expected)


@QUICK
@given(shapes, st.lists(st.integers(0, 3), min_size=3, max_size=3), st.integers(-5, 5))
def test_tile_repeat_roll_equal_numpy(shape: tuple[int, ...], times: list[int], shift: int) -> None:
    x = filled(shape)
    np.testing.assert_array_equal(tf.tile(x, times[: len(shape)]), np.tile(x, times[: len(shape)]))
    np.testing.assert_array_equal(tf.repeat(x, times[0], axis=-1), np.repeat(x, times[0], axis=-1))
    np.testing.assert_array_equal(tf.roll(x, shift, 0), np.roll(x, shift, 0))


@QUICK
@given(shapes, st.data())
def test_reductions_equal_numpy(shape: tuple[int, ...], data: Any) -> None:
    axes = tuple(data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True, max_size=3)))
    keep = data.draw(st.booleans())
    x = filled(shape)
    np.testing.assert_allclose(tf.reduce_sum(x, axes, keep), x.sum(axes, keepdims=keep), rtol=1e-5)
    if x.size:
        np.testing.assert_allclose(tf.reduce_mean(x, axes, keep), x.mean(axes, keepdims=keep), rtol=1e-5, atol=1e-6)
        logsumexp = np.log(np.exp(x.astype(np.float64)).sum(axes, keepdims=keep))
        np.testing.assert_allclose(tf.reduce_logsumexp(x, axes, keep), logsumexp, rtol=1e-5, atol=1e-6)
