"""The batches of each epoch. In: a source and how many steps an epoch has; out: batches, with warnings where data runs out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from .array_pass import ArrayPass
from .data_sources import ArraySource, Batch, Source


class EpochLoop:
    """Walks a source epoch by epoch.

    steps: batches per epoch; then one pass over the data may serve several epochs. None: every epoch is one pass.
    anew: every epoch begins a new pass if the source can (validation, which is to see the same data each time).
    num_batches: of an epoch; None until the first pass over data of unknown length is over.
    """

    def __init__(self, source: Source, steps: int | None, anew: bool = False) -> None:
        whole = isinstance(steps, (int, np.integer)) and not isinstance(steps, bool)
        if steps is not None and not (whole and steps >= 1):
            raise ValueError(f"The number of steps per epoch must be a positive integer. Received: {steps!r}")
        steps = None if steps is None else int(steps)
        self.source = source
        self.steps = steps
        self.anew = anew and source.restartable
        self.num_batches = steps or source.num_batches
        self._running: Iterator[Batch] | None = None
        self._rest: ArrayPass | None = None  # what the next epoch's steps have left of a pass over arrays
        self._passes = 0

    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch. Warns if there are fewer than ``steps``."""
        if self.anew:
            self._running = None
        self.source.begin_epoch()
        yield from self._one_pass() if self.steps is None else self._some_steps(self.steps)
        self.source.end_epoch()

    def array_epoch(self) -> ArrayPass | None:
        """The next epoch in one piece, if the source is whole arrays; otherwise None, and `epoch` is the way."""
        if not isinstance(self.source, ArraySource):
            return None
        if self.steps is None:
            return self.source.one_pass()
        rest = self._rest if not self.anew and self._rest is not None and self._rest.samples else self.source.one_pass()
        epoch = rest.part(0, self.steps)
        self._rest = rest.part(epoch.total_batches, rest.total_batches)
        return epoch

    def end_array_epoch(self, epoch: ArrayPass) -> None:
        """Warns if the epoch had fewer batches than ``steps``."""
        if self.steps is not None and epoch.total_batches < self.steps:
            self._warn(epoch.total_batches)

    def _one_pass(self) -> Iterator[Batch]:
        count = 0
        if self._passes and not self.source.restartable:
            self._warn(0)
            return
        self._passes += 1
        for batch in self.source.batches():
            count += 1
            yield batch
        if self.num_batches is None:
            self.num_batches = count

    def _some_steps(self, steps: int) -> Iterator[Batch]:
        for done in range(steps):
            batch = self._next(fresh=done == 0)
            if batch is None:
                self._warn(done)
                return
            yield batch

    def _next(self, fresh: bool) -> Batch | None:
        """The next batch; at the beginning of an epoch a finished pass is followed by a new one."""
        batch = None if self._running is None else next(self._running, None)
        if batch is None and fresh and (self.source.restartable or not self._passes):
            self._passes += 1
            self._running = self.source.batches()
            batch = next(self._running, None)
        if batch is None:
            self._running = None
        return batch

    def _warn(self, done: int) -> None:
        asked = "another pass over the data" if self.steps is None else f"{self.steps} batches"
        warnings.warn(
            f"Your input ran out of data; interrupting training. The epoch needs {asked}, and there were {done} batches left. "
            "Make sure that your dataset or generator can generate at least `steps_per_epoch * epochs` batches. "
            "You may need to use the `.repeat()` function when building your dataset.",
            stacklevel=2,
        )
