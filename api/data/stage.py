"""`Stage`: one step of a pipeline. In: another stage, or a source; out: elements, as often as it is opened.

Stages that only choose rows of arrays in memory (slices, shuffle, repeat, take, skip) say so by ``source`` and ``runs``: then a
batch is one NumPy gather instead of many small copies.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from weft.tracer.tree import Structure

from .elements import Form, Row

INFINITE, UNKNOWN = -1, -2  # TensorFlow's numbers for cardinalities


class Stage:
    """A data set without its public methods. Subclasses define ``form``, ``cardinality`` and either ``open`` or ``runs``."""

    @property
    def form(self) -> Form:
        """Structure and specs of the elements."""
        raise NotImplementedError

    @property
    def structure(self) -> Structure:
        """How elements are nested. Asked for after the first element was made: a function that is mapped need not be traced."""
        return self.form.structure

    @property
    def cardinality(self) -> int:
        """The number of elements, `INFINITE` or `UNKNOWN`."""
        return UNKNOWN

    @property
    def source(self) -> Arrays | None:
        """The arrays whose rows the elements are, or None if they are computed."""
        return None

    def runs(self) -> Iterator[np.ndarray]:
        """Row numbers of one pass in pieces of any length; only if there is a ``source``."""
        raise NotImplementedError

    def open(self) -> Iterator[Row]:
        """The elements of one pass, from the start."""
        source = self.source
        assert source is not None, "a stage without a source opens itself"
        for run in self.runs():
            for i in run:
                yield tuple(np.asarray(a[i]) for a in source.arrays)


class Arrays(Stage):
    """The rows of arrays of equal length."""

    def __init__(self, arrays: Row, form: Form) -> None:
        self.arrays = arrays
        self.length = len(arrays[0])
        self._form = form

    @property
    def form(self) -> Form:
        return self._form

    @property
    def cardinality(self) -> int:
        return self.length

    @property
    def source(self) -> Arrays:
        return self

    def runs(self) -> Iterator[np.ndarray]:
        yield np.arange(self.length)

    def gather(self, rows: np.ndarray) -> Row:
        """The rows of these numbers; without a copy where they follow each other."""
        if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
            return tuple(a[rows[0] : rows[0] + len(rows)] for a in self.arrays)
        return tuple(a[rows] for a in self.arrays)


def cut(runs: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The same numbers in pieces of ``size``, the last one perhaps smaller."""
    held = np.empty(0, np.int64)
    for run in runs:
        held = np.concatenate([held, run]) if len(held) else run
        full = len(held) // size * size
        for start in range(0, full, size):
            yield held[start : start + size]
        held = held[full:]
    if len(held):
        yield held
