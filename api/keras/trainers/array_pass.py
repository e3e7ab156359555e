"""One pass over whole arrays. In: arrays, an order of the samples, a batch size; out: batches, or runs of many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from weft.graph.record import record, replace

from .batch_arrays import Layout

if TYPE_CHECKING:
    from weft.runtime.batch_loop import BatchRun

BLOCK_BYTES = 1 << 17  # what a gather copies at once; it stays in the second-level cache
Arrays = list[np.ndarray]


@record
class ArrayPass:
    """A pass over whole arrays, or a part of one.

    order: int64 numbers of the samples, a permutation; None for their own order. size: of a batch; the last one may be smaller.
    start: where in the order this part begins; samples: how many belong to it. Batches are numbered from 0 in every part.
    """

    layout: Layout
    arrays: Arrays
    samples: int
    size: int
    order: np.ndarray | None
    start: int = 0

    @property
    def full_batches(self) -> int:
        """The number of batches that are not smaller than the others."""
        return self.samples // self.size

    @property
    def total_batches(self) -> int:
        return -(-self.samples // self.size)

    def part(self, first: int, end: int) -> ArrayPass:
        """The batches from ``first`` to before ``end``, as far as there are any."""
        samples = min(end * self.size, self.samples) - first * self.size
        return replace(self, start=self.start + first * self.size, samples=max(samples, 0))

    def batch(self, number: int) -> Arrays:
        """The arrays of one batch: views if the order is the samples' own, copies otherwise."""
        end = min((number + 1) * self.size, self.samples)
        place = slice(self.start + number * self.size, self.start + end)
        if self.order is None:
            return [a[place] for a in self.arrays]
        return [a.take(self.order[place], 0) for a in self.arrays]

    def example(self) -> Arrays:
        """Views with the dtypes and shapes of the first batch, whatever its samples."""
        return [a[: min(self.size, self.samples)] for a in self.arrays]

    def batches(self) -> Iterator[tuple[Layout, Arrays]]:
        """All batches. Small ones are gathered many at a time, then sliced."""
        layout, arrays, size = self.layout, self.arrays, self.size
        if self.order is None:
            for number in range(self.total_batches):
                yield layout, self.batch(number)
            return
        block = size * max(1, BLOCK_BYTES // max(1, size * sum(a[:1].nbytes for a in arrays)))
        for first in range(0, self.samples, block):
            index = self.order[self.start + first : self.start + min(first + block, self.samples)]
            gathered = [a.take(index, 0) for a in arrays]
            for start in range(0, len(index), size):
                yield layout, [a[start : start + size] for a in gathered]

    def run(self, first: int) -> BatchRun:
        """The full batches from this one on, for `weft.runtime`'s loop over many batches."""
        place = self.start + first * self.size
        from weft.runtime.batch_loop import BatchRun  # single batches need no loop

        return BatchRun(self.arrays, self.size, self.full_batches - first, place, self.order, trusted=True)


def part_of(outputs: Sequence[np.ndarray], first: int, end: int) -> Arrays:
    """The rows of outputs that belong to some batches, as views."""
    return [o[first:end] for o in outputs]
