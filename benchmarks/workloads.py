"""The work that is timed. In: a name; out: layer sizes, batch and data, the same for every framework, and its floor.

Only NumPy is needed, so that every peer's environment can import this file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Workload:
    """Something to time.

    kind: "step" (a custom train step on one batch), "fit" (the framework's own loop), "predict" (one call of the framework's
    ``predict`` per step, on one batch) or "pointwise" (gelu(x * a + b) * c over ``rows`` floats).

    sizes: widths from input to output; the hidden layers are relu, the loss is softmax cross-entropy on integer labels, or mean
    squared error for one output. optimizer: "rmsprop", "sgd" or "adam" with Keras' defaults. rows: samples in the data set of a
    fit. steps: how many steps one round times.
    """

    name: str
    kind: str
    sizes: tuple[int, ...]
    batch: int
    optimizer: str
    steps: int
    rows: int = 0

    @property
    def weights(self) -> int:
        return sum(a * b + b for a, b in zip(self.sizes, self.sizes[1:], strict=False))

    @property
    def flops(self) -> int:
        """Multiplications and additions of the matrix products of one step; no input gradient for the first layer."""
        if self.kind == "pointwise":
            return 0
        if self.kind == "predict":
            return sum(2 * self.batch * a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))
        products = [2 * self.batch * a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False)]
        return 3 * sum(products) - products[0]

    @property
    def bytes(self) -> int:
        """Least traffic of one step: the batch once; weights and optimizer state read and written once, float32."""
        if self.kind == "pointwise":
            return 2 * 4 * self.rows
        if self.kind == "predict":
            return 4 * (self.batch * self.sizes[0] + self.weights)
        arrays = {"sgd": 1, "rmsprop": 2, "adam": 3}[self.optimizer]  # the weights and the optimizer's slots
        return 4 * (self.batch * self.sizes[0] + 2 * arrays * self.weights)

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """(x, y): one batch for a step, the whole set for a fit. The same numbers in every process."""
        rng = np.random.default_rng(7)
        count = self.rows or self.batch
        x = rng.random((count, self.sizes[0]), np.float32)
        if self.sizes[-1] == 1:
            return x, (x @ rng.random((self.sizes[0], 1), np.float32)).astype(np.float32)
        return x, rng.integers(0, self.sizes[-1], count).astype(np.int32)

    def initial_weights(self) -> list[np.ndarray]:
        """Kernel and bias per layer, Glorot uniform and zeros, the same numbers in every process."""
        rng = np.random.default_rng(11)
        out = []
        for a, b in zip(self.sizes, self.sizes[1:], strict=False):
            limit = np.sqrt(6 / (a + b))
            out += [rng.uniform(-limit, limit, (a, b)).astype(np.float32), np.zeros(b, np.float32)]
        return out


WORKLOADS = {
    w.name: w
    for w in (
        Workload("step 784-64-64-10", "step", (784, 64, 64, 10), 64, "rmsprop", 200),
        Workload("step 784-512-10", "step", (784, 512, 10), 128, "rmsprop", 60),
        Workload("step 2048-2048-2048-1000", "step", (2048, 2048, 2048, 1000), 512, "rmsprop", 2),
        Workload("fit 784-64-64-10", "fit", (784, 64, 64, 10), 64, "rmsprop", 200, rows=64 * 200),
        Workload("fit linear 2-1", "fit", (2, 1), 16, "sgd", 500, rows=16 * 500),
        Workload("predict batch 1", "predict", (784, 64, 64, 10), 1, "sgd", 20),
        Workload("predict batch 1024", "predict", (784, 64, 64, 10), 1024, "sgd", 10),
        Workload("pointwise 10^7", "pointwise", (1,), 1, "sgd", 3, rows=10**7),
    )
}
