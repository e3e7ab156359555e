"""Which steps flush denormal numbers: those that update floating-point variables, on one thread and on several."""

from __future__ import annotations

import numpy as np
import pytest

import weft as tf

TINY = np.float32(2e-38)  # normal; a quarter of it is denormal


@pytest.mark.compiles
def test_functions_without_state_keep_denormals():
    f = tf.function(lambda x: x * 0.25)
    x = np.full(5, TINY)
    assert f(x).numpy().tolist() == (x * np.float32(0.25)).tolist()
    assert f(x).numpy()[0] > 0


@pytest.mark.compiles
def test_steps_that_update_variables_flush_and_restore():
    v = tf.Variable(np.full(5, TINY))
    count = tf.Variable(0)

    @tf.function
    def decay():
        v.assign(v * 0.25)

    @tf.function
    def tick(x):
        count.assign_add(1)
        return x * 0.25

    decay()
    assert v.numpy().tolist() == [0.0] * 5
    assert TINY * np.float32(0.25) > 0, "the caller's setting is back"
    assert tick(np.full(5, TINY)).numpy()[0] > 0, "an integer variable is no reason to flush"


@pytest.mark.compiles
def test_threads_flush_too():
    v = tf.Variable(np.full((512, 4096), TINY))

    @tf.function
    def decay():
        v.assign(tf.exp(tf.zeros_like(v)) * v * 0.25)

    tf.config.threading.set_intra_op_parallelism_threads(2)
    try:
        for _ in range(3):
            v.assign(np.full((512, 4096), TINY))
            decay()
            assert not v.numpy().any()
    finally:
        tf.config.threading.set_intra_op_parallelism_threads(0)
