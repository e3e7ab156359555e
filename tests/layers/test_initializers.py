"""Initializers: defaults, distributions, seeds, fans."""

from __future__ import annotations

import math

import numpy as np
import pytest

import weft
from weft import keras
from weft.layers import initializers

BOUNDED = {  # name -> half width of the uniform distribution for shape (200, 300)
    "glorot_uniform": math.sqrt(6 / 500),
    "he_uniform": math.sqrt(6 / 200),
    "lecun_uniform": math.sqrt(3 / 200),
    "random_uniform": 0.05,
}
SPREAD = {  # name -> (standard deviation, whether cut at two of the underlying normal's)
    "glorot_normal": (math.sqrt(2 / 500), True),
    "he_normal": (math.sqrt(2 / 200), True),
    "lecun_normal": (math.sqrt(1 / 200), True),
    "random_normal": (0.05, False),
    "truncated_normal": (0.05 * initializers.TRUNCATED_STDDEV, True),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_uniform_ones(name):
    values = initializers.get(name)((200, 300)).numpy()
    limit = BOUNDED[name]
    assert values.dtype == np.float32
    assert np.abs(values).max() <= limit * 1.0001
    assert np.abs(values).max() > limit * 0.999
    assert abs(values.std() - limit / math.sqrt(3)) < limit * 0.01
    assert abs(values.mean()) < limit * 0.01


@pytest.mark.parametrize("name", SPREAD)
def test_normal_ones(name):
    stddev, cut = SPREAD[name]
    values = initializers.get(name)((200, 300)).numpy()
    assert abs(values.std() - stddev) < stddev * 0.02
    assert (np.abs(values).max() <= 2.0001 * stddev / initializers.TRUNCATED_STDDEV) == cut


def test_values_are_tensors_inside_and_outside_a_function():
    make = weft.zeros_initializer()
    assert isinstance(make(shape=[2]), weft.Tensor)
    assert weft.function(lambda: make([2]) + 1.0)().numpy().tolist() == [1.0, 1.0]


def test_plain_ones():
    assert not initializers.get("zeros")((2, 3)).numpy().any()
    assert initializers.get("ones")((2, 3), "float64").numpy().tolist() == [[1.0] * 3] * 2
    assert initializers.Constant(2.5)((2,)).numpy().tolist() == [2.5, 2.5]
    np.testing.assert_array_equal(initializers.Identity(3.0)((2, 3)), [[3, 0, 0], [0, 3, 0]])


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 3, 4)])
def test_orthogonal_rows_or_columns(shape):
    matrix = initializers.Orthogonal(seed=1)(shape).numpy().reshape(-1, shape[-1]).astype("float64")
    product = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-6)


def test_fans_count_windows_times_channels():
    assert initializers.compute_fans(()) == (1, 1)
    assert initializers.compute_fans((7,)) == (7, 7)
    assert initializers.compute_fans((3, 4)) == (3, 4)
    assert initializers.compute_fans((5, 5, 3, 4)) == (75, 100)


def test_equal_seeds_give_equal_weights():
    a, b = initializers.GlorotUniform(seed=3), initializers.GlorotUniform(seed=3)
    np.testing.assert_array_equal(a((3, 4)), b((3, 4)))
    np.testing.assert_array_equal(a((3, 4)), a((3, 4)))
    assert np.any(initializers.GlorotUniform()((3, 4)) != initializers.GlorotUniform()((3, 4)))
    values = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        values.append(keras.layers.Dense(3)(np.ones((1, 2))).numpy())
    np.testing.assert_array_equal(*values)


def test_settings_survive_serialisation():
    made = initializers.get(
        {"class_name": "VarianceScaling", "config": {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}}
    )
    assert made.get_config() == {"seed": None, "scale": 2.0, "mode": "fan_out", "distribution": "uniform"}
    for name in ("HeNormal", "he_normal", "Zeros", "zeros", "uniform", "normal", "orthogonal"):
        made = initializers.get(name)
        assert initializers.deserialize(initializers.serialize(made)).get_config() == made.get_config()
    assert initializers.get(None) is None
    with pytest.raises(ValueError, match="only makes matrices"):
        initializers.Identity()((2, 2, 2))
    with pytest.raises(ValueError, match="weight's shape"):
        initializers.get(np.ones(3))((4,))
