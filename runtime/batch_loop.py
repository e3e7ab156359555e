"""Many batches in one native call. In: a binding's header and whole arrays of samples; out: how many batches were run.

Rows that follow each other are not copied: the input's pointer moves. Rows in another order are gathered into a buffer of the
batch's size. Outputs go to the same arrays for every batch, or one batch behind the other. Nothing is allocated, and Python is
not entered unless the step has effects.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from weft.graph.errors import DTypeError, ShapeError
from weft.graph.record import record

from .arena import ALIGNMENT, Arena
from .batch_loop_text import LOOP, SYMBOL, TEXT
from .clock import NUMBER, clock_address
from .engine import engine
from .frame import Binding, Layout
from .gather_rows import LEAST_BYTES
from .host import machine_key
from .object_code import compiled_object
from .store import content_key
from .team import team


@record
class BatchRun:
    """Batches to run one after the other: ``count`` of ``size`` rows each, from place ``first`` on.

    sources: one array per input of the step, whole, with the samples along the first axis. order: int64 numbers of the rows, of
    which places ``first`` to ``first + count * size`` are used; None: the rows follow each other. trusted: the order is known to
    hold rows of the sources only, as a permutation does; otherwise every number used is looked at first.
    """

    sources: Sequence[np.ndarray]
    size: int
    count: int
    first: int = 0
    order: np.ndarray | None = None
    trusted: bool = False

    def rows(self, batch: int) -> slice | np.ndarray:
        """What picks the rows of one batch from a source."""
        place = slice(self.first + batch * self.size, self.first + (batch + 1) * self.size)
        return place if self.order is None else self.order[place]

    def check(self) -> None:
        """ShapeError or DTypeError unless every row that the run names exists in every source."""
        rows = min((len(a) for a in self.sources), default=0)
        end = self.first + self.count * self.size
        if self.size < 1 or self.count < 1 or self.first < 0 or self.size > rows:
            raise ShapeError(f"A run needs batches that its arrays can fill. Received: {self._text(rows)}.")
        if self.order is None:
            if end > rows:
                raise ShapeError(f"A run must end with its arrays. Received: {self._text(rows)}.")
            return
        if self.order.dtype != np.int64 or self.order.ndim != 1 or not self.order.flags.c_contiguous:
            raise DTypeError(f"Row numbers are one contiguous axis of int64. Received: {self.order.dtype}{self.order.shape}.")
        used = self.order[self.first : end]
        if end > len(self.order) or not (self.trusted or (used.min() >= 0 and used.max() < rows)):
            raise ShapeError(f"Row numbers must lie inside the arrays. Received: {self._text(rows)}.")

    def _text(self, rows: int) -> str:
        return f"{self.count} batches of {self.size} rows from place {self.first}, arrays of {rows} rows"


@record
class RunResult:
    """done: batches that were run to their end. outputs: those of the last one, or the arrays they were written into.

    error: what stopped the batch after them, not yet raised; the variables are as the last full batch left them.
    """

    done: int
    outputs: list[np.ndarray]
    error: BaseException | None = None


@functools.cache
def _function() -> Any:
    """The loop as a foreign function; ctypes releases the GIL around it."""
    code = compiled_object(content_key("batch loop", TEXT, machine_key()), lambda: TEXT, vectorize=False)
    prototype = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
    return prototype(engine.keep(code, SYMBOL))


def run_batches(
    layout: Layout,
    binding: Binding,
    run: BatchRun,
    outputs: Sequence[np.ndarray],
    *,
    spread: bool,
    seconds: float | None,
    every: int,
) -> tuple[int, int]:
    """Runs batches until all are done, one fails or ``seconds`` are over; returns (batches done, code of the failure or 0).

    run: its sources as `Layout.prepare` made them. outputs: an array per output buffer of the layout; spread: each has room for
    all batches, which are written one behind the other. every: stop for the time only after a multiple of so many batches.
    """
    feeds, drains = _feeds(layout, binding, run), _drains(layout, binding, outputs, spread)
    clock = clock_address() if seconds is not None else 0
    count = run.count if seconds is None or clock else min(run.count, every)  # without a clock: as little as possible at once
    order = 0 if run.order is None else run.order.ctypes.data + 8 * run.first
    table = np.array(
        [
            count, run.size, order, feeds.ctypes.data, len(feeds), drains.ctypes.data, len(drains), clock, NUMBER,
            int((seconds or 0) * 1e9), every, 0, _team_gather(binding) if order else 0,
            binding.rows.ctypes.data,
        ],
        np.int64,
    )  # fmt: skip
    done = int(_function()(binding.header, table.ctypes.data))
    return done, int(table[LOOP.index("code")])


def _team_gather(binding: Binding) -> int:
    """The address of what gathers batches with all threads, 0 if they do not share the step."""
    if not binding.shared or team.size < 2:
        return 0
    from .team_gather import team_gather  # brings the printing of team steps along

    return team_gather()


def fit_outputs(layout: Layout, binding: Binding, arrays: Sequence[np.ndarray], count: int) -> None:
    """ShapeError unless the arrays can take the outputs of so many batches."""
    if not layout.plain_results:
        raise ShapeError("The outputs of this step are copies, which only one batch at a time can make.")
    sizes, types = binding.output_bytes(), [t.dtype.np for _, t in layout.fresh]
    if len(arrays) != len(sizes):
        raise ShapeError(f"This step has {len(sizes)} outputs. Received: {len(arrays)} arrays.")
    for array, size, dtype in zip(arrays, sizes, types):
        if array.dtype != dtype or not array.flags.c_contiguous or not array.flags.writeable or array.nbytes < size * count:
            need = f"C-contiguous {dtype} of {size * count} bytes or more"
            raise ShapeError(f"An array for outputs must be writeable, {need}. Received: {array.dtype}{array.shape}.")


def _feeds(layout: Layout, binding: Binding, run: BatchRun) -> np.ndarray:
    """The table of inputs; the batch's buffers are made once per binding."""
    moves = [(position, index) for position, index in layout.moves if position < len(layout.inputs)]
    widths = [a.dtype.itemsize * math.prod(a.shape[1:]) for a in run.sources]
    buffers = [0] * len(run.sources)
    binding.rows[:] = 0
    left = [0] * len(run.sources)
    if run.order is not None:
        sizes = [-(-run.size * w // ALIGNMENT) * ALIGNMENT for w in widths]
        threads = 0 if binding.team_step is None else binding.team_step.gathers
        left = [threads if run.size * w >= LEAST_BYTES else 0 for w in widths]
        room = [size * max(1, count) for size, count in zip(sizes, left)]
        if binding.batch is None or binding.batch.size < sum(room):
            binding.batch = Arena(sum(room))
        buffers = list(itertools.accumulate(room[:-1], initial=binding.batch.address))
        fields = [(a.ctypes.data, w, b, s) if n else (0,) * 4 for a, w, b, s, n in zip(run.sources, widths, buffers, sizes, left)]
        binding.rows[:] = (0, run.size, 0, *itertools.chain(*fields))
    start = 0 if run.order is not None else run.first
    rows = [(index, run.sources[i].ctypes.data + start * widths[i], widths[i], buffers[i], left[i]) for i, index in moves]
    return np.array(rows, np.int64).reshape(-1, 5)


def _drains(layout: Layout, binding: Binding, outputs: Sequence[np.ndarray], spread: bool) -> np.ndarray:
    """The table of outputs."""
    count = len(layout.inputs)
    moves = [(position - count, index) for position, index in layout.moves if position >= count]
    sizes = binding.output_bytes()
    return np.array([(index, outputs[i].ctypes.data, sizes[i] if spread else 0) for i, index in moves], np.int64).reshape(-1, 3)
