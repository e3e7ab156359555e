"""Random streams: the same eagerly and traced, restarted by seeds, distributed as they should be."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import weft as tf
from weft.graph.evaluate import evaluate
from weft.tracer.trace import trace

DRAWS: dict[str, Callable[[], Any]] = {
    "normal": lambda: tf.random.normal([3, 2]),
    "normal64": lambda: tf.random.normal([5], mean=3.0, stddev=0.5, dtype=tf.float64),
    "uniform": lambda: tf.random.uniform([4], -1, 2),
    "uniform_int": lambda: tf.random.uniform([7], 2, 9, dtype=tf.int32),
    "truncated_normal": lambda: tf.random.truncated_normal([6], stddev=2.0),
    "op_seed": lambda: tf.random.normal([3], seed=5),
    "categorical": lambda: tf.random.categorical([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]], 4),
    "shuffle": lambda: tf.random.shuffle(np.arange(10)),
    "dropout": lambda: tf.nn.dropout(np.ones((4, 4), np.float32), 0.5),
    "full_int": lambda: tf.random.get_global_generator().uniform_full_int([4], tf.int64),
    "generator": lambda: tf.random.get_global_generator().truncated_normal([3]),
}


class Traced:
    """A traced function without arguments: each call runs the graph and writes the streams back."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.traced = trace(function, [])

    def __call__(self) -> np.ndarray:
        variables = {v.ref: v.numpy() for v in self.traced.variables}
        result = evaluate(self.traced.graph, [], variables)
        for reference, value in result.writes:
            reference.owner().assign(value)
        return np.asarray(result.outputs[0])


@pytest.mark.parametrize("name", DRAWS)
def test_traced_stream_equals_eager_stream(name: str) -> None:
    draw = DRAWS[name]
    tf.random.set_seed(11)
    eager = [np.asarray(draw()) for _ in range(3)]
    compiled = Traced(draw)
    tf.random.set_seed(11)
    for expected in eager:
        np.testing.assert_array_equal(compiled(), expected)
    assert not np.array_equal(eager[0], eager[1])


@pytest.mark.parametrize("name", DRAWS)
def test_set_seed_restarts(name: str) -> None:
    tf.random.set_seed(3)
    first = np.asarray(DRAWS[name]())
    tf.random.set_seed(3)
    np.testing.assert_array_equal(DRAWS[name](), first)
    tf.random.set_seed(4)
    assert not np.array_equal(np.asarray(DRAWS[name]()), first)


def test_eager_draws_of_one_op_seed_differ() -> None:
    tf.random.set_seed(1)
    assert not np.array_equal(tf.random.uniform([4], seed=1).numpy(), tf.random.uniform([4], seed=1).numpy())
    assert not np.array_equal(tf.random.uniform([4], seed=1).numpy(), tf.random.uniform([4], seed=2).numpy())


def test_tracing_does_not_advance_the_stream() -> None:
    tf.random.set_seed(8)
    expected = tf.random.normal([2]).numpy()
    tf.random.set_seed(8)
    trace(lambda: tf.random.normal([2]), [])
    np.testing.assert_array_equal(tf.random.normal([2]), expected)


def test_generator_state_can_be_saved() -> None:
    generator = tf.random.Generator.from_seed(9)
    generator.normal([3])
    saved = generator.state.numpy()
    expected = generator.uniform([3]).numpy()
    np.testing.assert_array_equal(tf.random.Generator.from_state(saved).uniform([3]), expected)
    generator.reset(saved)
    np.testing.assert_array_equal(generator.uniform([3]), expected)
    generator.reset_from_seed(9)
    generator.skip(1)
    np.testing.assert_array_equal(generator.uniform([3]), expected)
    np.testing.assert_array_equal(tf.random.Generator(copy_from=generator).normal([2]), generator.normal([2]))


def test_generators_of_different_seeds_differ() -> None:
    a, b = tf.random.Generator.from_seed(1), tf.random.Generator.from_seed(2)
    assert not np.array_equal(a.normal([8]).numpy(), b.normal([8]).numpy())
    parts = a.split(3)
    assert len({tuple(p.normal([4]).numpy()) for p in parts}) == 3


def test_split_and_fold_in_give_new_seeds() -> None:
    seeds = tf.random.split([1, 2], 3).numpy()
    assert seeds.shape == (3, 2) and seeds.dtype == np.int32 and len({tuple(s) for s in seeds}) == 3
    folded = [tuple(tf.random.fold_in([1, 2], i).numpy()) for i in range(4)]
    assert len(set(folded)) == 4
    np.testing.assert_array_equal(tf.random.stateless_uniform([3], seeds[0]), tf.random.stateless_uniform([3], seeds[0]))


def test_stateless_functions_leave_the_stream_alone() -> None:
    tf.random.set_seed(2)
    expected = tf.random.normal([2]).numpy()
    tf.random.set_seed(2)
    tf.random.stateless_normal([2], [3, 4])
    tf.random.stateless_truncated_normal([2], [3, 4])
    tf.random.stateless_categorical([[0.0, 1.0]], 2, [3, 4])
    np.testing.assert_array_equal(tf.random.normal([2]), expected)


def test_threads_never_share_a_key() -> None:
    generator = tf.random.Generator.from_seed(1)
    with ThreadPoolExecutor(4) as pool:
        keys = list(pool.map(lambda _: tuple(generator.next_key().numpy()), range(200)))
    assert len(set(keys)) == 200


def test_numbers_have_the_moments_and_bounds_of_their_distribution() -> None:
    tf.random.set_seed(0)
    normal = tf.random.normal([40000], 2.0, 3.0).numpy()
    assert abs(normal.mean() - 2) < 0.06 and abs(normal.std() - 3) < 0.06
    uniform = tf.random.uniform([40000], -1, 3).numpy()
    assert uniform.min() >= -1 and uniform.max() <= 3 and abs(uniform.mean() - 1) < 0.03
    truncated = tf.random.truncated_normal([40000]).numpy()
    assert np.abs(truncated).max() <= 2 and abs(truncated.std() - 0.8796) < 0.02
    integers = tf.random.uniform([40000], -2, 3, dtype=tf.int64).numpy()
    counts = np.bincount(integers + 2, minlength=5)
    assert counts.sum() == 40000 and np.abs(counts - 8000).max() < 400
    classes = tf.random.categorical([[0.0, np.log(3.0)]], 40000).numpy()[0]
    assert abs(classes.mean() - 0.75) < 0.01
    kept = tf.nn.dropout(tf.ones([40000]), 0.25).numpy()
    assert set(np.unique(kept)) == {np.float32(0), np.float32(1 / 0.75)} and abs((kept > 0).mean() - 0.75) < 0.01


def test_full_range_integers_reach_both_ends_of_the_range() -> None:
    tf.random.set_seed(1)
    generator = tf.random.get_global_generator()
    for dtype in (tf.uint8, tf.int32, tf.int64, tf.uint64):
        values = generator.uniform_full_int([4000], dtype).numpy().astype(np.float64)
        low, high = float(dtype.min), float(dtype.max)
        assert values.min() < low + (high - low) / 50 and values.max() > high - (high - low) / 50


def test_shuffle_permutes_rows() -> None:
    tf.random.set_seed(1)
    x = np.arange(60).reshape(30, 2)
    out = tf.random.shuffle(x).numpy()
    assert not np.array_equal(out, x)
    np.testing.assert_array_equal(out[np.argsort(out[:, 0])], x)


def test_dropout_noise_shape() -> None:
    tf.random.set_seed(1)
    out = tf.nn.dropout(tf.ones([30, 5]), 0.5, noise_shape=[None, 1]).numpy()
    assert (out == out[:, :1]).all() and len(np.unique(out)) == 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tf.random.uniform([2], dtype=tf.int32), ValueError, "maxval"),
        (lambda: tf.random.uniform([2], 5, 5, dtype=tf.int32), ValueError, "minval must be below maxval"),
        (lambda: tf.random.normal([2], dtype=tf.int32), tf.errors.InvalidArgumentError, "floating"),
        (lambda: tf.random.stateless_normal([2], [1, 2, 3]), ValueError, "two integers"),
        (lambda: tf.random.Generator(), ValueError, "exactly one"),
        (lambda: tf.random.Generator.from_state([1, 2, 3]), ValueError, "two numbers"),
        (lambda: tf.nn.dropout([1.0], 1.0), ValueError, r"\[0, 1\)"),
        (lambda: tf.nn.dropout([1.0], -0.1), ValueError, r"\[0, 1\)"),
        (lambda: tf.nn.dropout([1], 0.5), ValueError, "floating"),
    ],
)
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
