"""Optimizers and schedules against the numbers of Keras."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import weft
from weft import keras

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "keras.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["optimizers"], ids=lambda c: f"{c['name']}{c['config']}")
def test_five_steps_are_those_of_keras(case):
    optimizer = getattr(keras.optimizers, case["name"])(**case["config"])
    variables = [weft.Variable(np.array(s, "float32")) for s in case["starts"]]
    for gradients in case["gradients"]:
        optimizer.apply_gradients(zip([weft.constant(np.array(g, "float32")) for g in gradients], variables, strict=True))
    if case["config"].get("use_ema"):
        optimizer.finalize_variable_values(variables)
    for variable, expected in zip(variables, case["values"], strict=True):
        np.testing.assert_allclose(variable.numpy(), expected, rtol=3e-6, atol=1e-6)
    assert int(optimizer.iterations) == (5 // case["config"].get("gradient_accumulation_steps", 1))


@pytest.mark.parametrize("case", GOLDEN["schedules"], ids=lambda c: f"{c['name']}{c['config']}")
def test_schedules_are_those_of_keras(case):
    schedule = getattr(keras.optimizers.schedules, case["name"])(**case["config"])
    values = [float(schedule(step)) for step in range(len(case["values"]))]
    np.testing.assert_allclose(values, case["values"], rtol=1e-5, atol=1e-8)
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert float(again(3)) == values[3]


def test_a_schedule_drives_the_steps():
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.25]))
    variable = weft.Variable([0.0])
    seen = []
    for _ in range(3):
        optimizer.apply_gradients([(weft.constant([-1.0]), variable)])
        seen.append(float(variable[0]))
    assert seen == [1.0, 2.0, 2.25]
    with pytest.raises(TypeError, match="schedule"):
        optimizer.learning_rate = 0.1


def test_learning_rate_changes_between_steps():
    optimizer = keras.optimizers.SGD(0.5)
    variable = weft.Variable([0.0])
    optimizer.apply_gradients([(weft.constant([-1.0]), variable)])
    optimizer.learning_rate = 0.25
    optimizer.apply_gradients([(weft.constant([-1.0]), variable)])
    assert float(variable[0]) == 0.75
    optimizer.learning_rate.assign(1.0)
    optimizer.apply_gradients([(weft.constant([-1.0]), variable)])
    assert float(variable[0]) == 1.75


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.1, "fast", None])
def test_learning_rates_that_make_no_sense(rate):
    with pytest.raises(ValueError, match="learning_rate must be"):
        keras.optimizers.Adam(rate)
    optimizer = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="learning_rate must be"):
        optimizer.learning_rate = rate
    assert float(optimizer.learning_rate) == pytest.approx(1e-3)


def test_names_and_configurations():
    assert isinstance(keras.optimizers.get("rmsprop"), keras.optimizers.RMSprop)
    assert isinstance(keras.optimizers.get("AdamW"), keras.optimizers.AdamW)
    with pytest.raises(ValueError, match="'adam'"):
        keras.optimizers.get("adamm")
    optimizer = keras.optimizers.SGD(0.5, momentum=0.9, nesterov=True, clipnorm=1.0)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    scheduled = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5))
    again = keras.optimizers.deserialize(keras.optimizers.serialize(scheduled))
    assert float(again.learning_rate) == pytest.approx(0.1)


def test_options_that_exclude_each_other():
    with pytest.raises(ValueError, match="Only one of"):
        keras.optimizers.SGD(clipnorm=1.0, clipvalue=1.0)
    with pytest.raises(ValueError, match="momentum"):
        keras.optimizers.SGD(momentum=2.0)
    with pytest.raises(ValueError, match="no such arguments"):
        keras.optimizers.SGD(speed=1)
    with pytest.raises(ValueError, match="weight_decay"):
        keras.optimizers.AdamW(weight_decay=None)
    with pytest.raises(ValueError, match="at least 2"):
        keras.optimizers.SGD(gradient_accumulation_steps=1)


def test_variables_and_gradients_that_do_not_fit():
    optimizer, first, second = keras.optimizers.SGD(), weft.Variable([1.0]), weft.Variable([1.0], name="second")
    with pytest.raises(ValueError, match="No gradients"):
        optimizer.apply_gradients([(None, first)])
    optimizer.apply_gradients([(weft.constant([1.0]), first)])
    with pytest.raises(ValueError, match="second"):
        optimizer.apply_gradients([(weft.constant([1.0]), second)])
    with pytest.raises(ValueError, match="built"):
        keras.optimizers.SGD().apply([weft.constant([1.0])])


def test_excluded_variables_do_not_decay():
    kernel, bias = weft.Variable([1.0], name="kernel"), weft.Variable([1.0], name="bias")
    optimizer = keras.optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply_gradients([(weft.constant([0.0]), kernel), (weft.constant([0.0]), bias)])
    assert float(kernel[0]) == pytest.approx(0.95)
    assert float(bias[0]) == 1.0


def test_own_optimizer_and_constraints():
    class Signs(keras.optimizers.Optimizer):
        def update_step(self, gradient, variable, learning_rate):
            self.assign_sub(variable, learning_rate * weft.sign(gradient))

    variable = weft.Variable([0.05, -1.0])
    variable.constraint = lambda v: weft.maximum(v, 0.0)
    Signs(0.1).apply_gradients([(weft.constant([3.0, -2.0]), variable)])
    assert variable.numpy().tolist() == [0.0, 0.0]


def test_moving_averages_leave_variables_without_gradients_alone():
    used, unused = weft.Variable([1.0]), weft.Variable([7.0])
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    for _ in range(3):
        optimizer.apply_gradients([(weft.constant([1.0]), used), (None, unused)])
    optimizer.finalize_variable_values([used, unused])
    assert float(unused[0]) == 7.0
    assert float(used[0]) == pytest.approx(0.8)
