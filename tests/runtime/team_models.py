"""A model for tests of the thread team. In: a number of threads; out: a train step whose numbers follow from a seed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import weft
from weft.codegen.program import Program
from weft.runtime.config import config
from weft.runtime.team import thread_count

WIDTHS = (40, 96, 7)


def all_calls(program: Program, dims: Mapping[str, int]) -> frozenset[int]:
    """However short they are, and also of programs that are written by hand and do not list them."""
    return frozenset(range(100)) if thread_count() > 1 else frozenset()


class Model:
    """A train step over two dense layers with RMSprop; everything follows from the seed."""

    def __init__(self, threads: int) -> None:
        config.intra_op_threads = threads
        random = np.random.default_rng(3)
        shapes = [(WIDTHS[0], WIDTHS[1]), (WIDTHS[1],), (WIDTHS[1], WIDTHS[2]), (WIDTHS[2],)]
        self.weights = [weft.Variable(random.normal(0, 0.1, s).astype(np.float32)) for s in shapes]
        self.squares = [weft.Variable(np.zeros(s, np.float32)) for s in shapes]
        self.random = random
        self.step = weft.function(self.train)

    def train(self, x: weft.Tensor, y: weft.Tensor) -> weft.Tensor:
        w1, b1, w2, b2 = self.weights
        with weft.GradientTape() as tape:
            h = weft.nn.relu(weft.matmul(x, w1) + b1)
            logits = weft.matmul(h, w2) + b2
            loss = weft.reduce_mean(weft.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        for v, s, g in zip(self.weights, self.squares, tape.gradient(loss, self.weights), strict=True):
            s.assign(0.9 * s + 0.1 * g * g)
            v.assign_sub(0.01 * g / (weft.sqrt(s) + 1e-7))
        return loss

    def run(self, steps: int, batch: int = 64) -> list[np.ndarray]:
        """The losses of so many steps and the weights after them."""
        losses = []
        for _ in range(steps):
            x = self.random.normal(size=(batch, WIDTHS[0])).astype(np.float32)
            losses.append(self.step(weft.constant(x), weft.constant(self.random.integers(0, WIDTHS[2], batch))).numpy())
        return [np.array(losses), *(v.numpy() for v in (*self.weights, *self.squares))]


def assert_same(a: list[np.ndarray], b: list[np.ndarray]) -> None:
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)
