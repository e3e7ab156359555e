"""Rows gathered by all threads of the team: every byte of them, and the same training as on one thread."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

import weft
from weft.runtime.config import config
from weft.runtime.team import team
from weft.runtime.team_gather import team_gather

pytestmark = [pytest.mark.compiles, pytest.mark.usefixtures("thread_team", "every_step_is_shared")]


@pytest.mark.parametrize("width", [1, 63, 64, 100, 3136])
@pytest.mark.parametrize("count", [0, 1, 65])
def test_rows_are_gathered_by_all(width: int, count: int) -> None:
    """Bytes at and around the cache lines that threads share rows by; and nothing beyond the rows."""
    config.intra_op_threads = 3
    assert team.start(3)
    gather = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(team_gather())
    random = np.random.default_rng(0)
    source = random.integers(0, 256, (90, width)).astype(np.uint8)
    rows = random.permutation(90)[:count].astype(np.int64)
    target = np.full((count + 1, width), 7, np.uint8)
    fields = np.array([target.ctypes.data, source.ctypes.data, width, rows.ctypes.data, count], np.int64)
    for _ in range(3):
        target[:count] = 0
        assert gather(fields.ctypes.data, None, None) == 0
        np.testing.assert_array_equal(target[:count], source[rows])
        assert (target[count] == 7).all()


def test_fit_gathers_with_all_threads() -> None:
    """The same weights as on one thread, from batches that are large enough to be gathered together. The step reads whole rows,
    so no thread gathers columns of its own."""
    x = np.random.default_rng(1).random((300, 784), np.float32)
    y = np.arange(300) % 10
    weights = []
    for threads in (1, 2, 3):
        config.intra_op_threads = threads
        weft.keras.utils.set_random_seed(3)
        layers = weft.keras.Input((784,)), weft.keras.layers.LayerNormalization(), weft.keras.layers.Dense(10)
        model = weft.keras.Sequential(layers)
        model.compile("rmsprop", weft.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(x, y, batch_size=64, epochs=3, verbose=0)
        weights.append(model.get_weights())
        assert threads == 1 or team.counters()["jobs"] + team.counters()["alone_paused"] > 2 * 3 * 4  # steps and gathers
    for other in weights[1:]:
        for a, b in zip(weights[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
