"""keras.random: distributions, seeds, streams."""

from __future__ import annotations

import numpy as np

import weft
from weft import keras


def test_numbers_have_the_moments_and_bounds_of_their_distribution():
    keras.utils.set_random_seed(0)
    normal = keras.random.normal((4000,), 2.0, 3.0).numpy()
    assert abs(normal.mean() - 2) < 0.2
    assert abs(normal.std() - 3) < 0.2
    cut = keras.random.truncated_normal((4000,)).numpy()
    assert np.abs(cut).max() <= 2
    even = keras.random.uniform((4000,), -1.0, 3.0).numpy()
    assert -1 <= even.min() < -0.9
    assert 2.9 < even.max() < 3
    whole = keras.random.randint((4000,), 2, 5).numpy()
    assert set(whole) == {2, 3, 4}
    assert keras.random.normal((2,), dtype="float64").dtype == "float64"


def test_an_integer_seed_repeats_and_a_generator_goes_on():
    a, b = (keras.random.normal((3,), seed=7).numpy() for _ in range(2))
    np.testing.assert_array_equal(a, b)
    stream = keras.random.SeedGenerator(7)
    c, d = (keras.random.normal((3,), seed=stream).numpy() for _ in range(2))
    assert (c != d).all()
    again = keras.random.SeedGenerator.from_config(stream.get_config())
    np.testing.assert_array_equal(keras.random.normal((3,), seed=again).numpy(), c)


def test_shuffle_and_categorical_and_dropout():
    x = np.arange(12.0, dtype="float32").reshape(3, 4)
    mixed = keras.random.shuffle(x, axis=1, seed=1).numpy()
    np.testing.assert_array_equal(np.sort(mixed, axis=1), x)
    drawn = keras.random.categorical(weft.math.log([[0.7, 0.3, 1e-9]]), 3000, seed=2).numpy()
    counts = np.bincount(drawn[0], minlength=3)
    assert abs(counts[0] / 3000 - 0.7) < 0.05
    assert counts[2] == 0
    dropped = keras.random.dropout(np.ones((50, 50), "float32"), 0.25, seed=3).numpy()
    np.testing.assert_allclose(np.unique(dropped), [0.0, 4 / 3], rtol=1e-6)
    assert abs(dropped.mean() - 1) < 0.1
