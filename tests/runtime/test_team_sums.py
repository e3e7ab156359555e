"""Large sums are shared by threads, which changes no bit of them."""

from __future__ import annotations

import numpy as np
import pytest

import weft
from weft.runtime.config import config
from weft.runtime.team import team

pytestmark = [pytest.mark.compiles, pytest.mark.usefixtures("thread_team", "every_call_is_shared")]


def sums(threads: int, shape: tuple[int, int]) -> list[np.ndarray]:
    """Totals, sums of rows, and a batch normalization with its gradients, twice each."""
    config.intra_op_threads = threads

    @weft.function
    def compute(x: weft.Tensor, scale: weft.Tensor) -> list[weft.Tensor]:
        with weft.GradientTape() as tape:
            tape.watch([x, scale])
            mean = weft.reduce_mean(x, 0)
            variance = weft.reduce_mean(weft.square(x - mean), 0)
            y = (x - mean) * weft.math.rsqrt(variance + 1e-3) * scale
            loss = weft.reduce_mean(weft.square(y - 1.0))
        return [mean, variance, loss, weft.reduce_max(x), *tape.gradient(loss, [x, scale])]

    random = np.random.default_rng(0)
    x, scale = random.normal(size=shape).astype(np.float32), random.normal(size=shape[1]).astype(np.float32)
    return [t.numpy() for _ in range(2) for t in compute(x, scale)]


@pytest.mark.parametrize("shape", [(3000, 40), (512, 2048)])
@pytest.mark.parametrize("threads", [2, 3, 5])
def test_the_same_bits_for_any_number_of_threads(threads: int, shape: tuple[int, int]) -> None:
    alone = sums(1, shape)
    before = team.counters()["jobs"]
    for shared, one in zip(sums(threads, shape), alone, strict=True):
        np.testing.assert_array_equal(shared, one)
    assert team.counters()["jobs"] > before
