"""Stages that choose and order elements without changing them: shuffle, repeat, take, skip, shard, concatenate."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from weft.tracer.tree import Structure

from .elements import Form, Row
from .stage import INFINITE, UNKNOWN, Arrays, Stage

T = TypeVar("T")


class Selection(Stage):
    """A stage whose elements are elements of another one."""

    def __init__(self, child: Stage) -> None:
        self.child = child

    @property
    def form(self) -> Form:
        return self.child.form

    @property
    def structure(self) -> Structure:
        return self.child.structure

    @property
    def cardinality(self) -> int:
        return self.child.cardinality

    @property
    def source(self) -> Arrays | None:
        return self.child.source

    def runs(self) -> Iterator[np.ndarray]:
        return self.child.runs()

    def open(self) -> Iterator[Row]:
        return super().open() if self.source is not None else self.open_rows()

    def open_rows(self) -> Iterator[Row]:
        """The elements when they are not rows of arrays."""
        return self.child.open()


class Shuffle(Selection):
    """A buffer of ``size`` elements from which a random one comes out, and the next one takes its place.

    Every pass has another order, drawn from (seed, pass), unless ``reshuffle`` is off.
    """

    def __init__(self, child: Stage, size: int, seed: int, reshuffle: bool) -> None:
        super().__init__(child)
        self.size, self.seed, self.reshuffle = size, seed, reshuffle
        self.passes = 0

    def _start_pass(self) -> np.random.Generator:
        number = self.passes
        self.passes += int(self.reshuffle)
        return np.random.Generator(np.random.Philox([self.seed, number]))

    def runs(self) -> Iterator[np.ndarray]:
        random = self._start_pass()
        if 0 <= self.child.cardinality <= self.size:
            rows = [*self.child.runs()]
            yield random.permutation(np.concatenate(rows)) if rows else np.empty(0, np.int64)
            return
        numbers = (i for run in self.child.runs() for i in run.tolist())
        shuffled = _shuffled(numbers, self.size, random)
        while run := list(itertools.islice(shuffled, 1024)):
            yield np.array(run)

    def open_rows(self) -> Iterator[Row]:
        return _shuffled(self.child.open(), self.size, self._start_pass())


def _shuffled(items: Iterator[T], size: int, random: np.random.Generator) -> Iterator[T]:
    buffer = list(itertools.islice(items, size))
    if len(buffer) == size:
        for item, at in zip(items, _slots(size, random), strict=False):
            out, buffer[at] = buffer[at], item
            yield out
    for at in random.permutation(len(buffer)):
        yield buffer[at]


def _slots(size: int, random: np.random.Generator) -> Iterator[int]:
    """Random numbers below ``size``, drawn many at a time."""
    while True:
        yield from random.integers(size, size=1024).tolist()


class Repeat(Selection):
    """``count`` passes one after the other; -1: without end."""

    def __init__(self, child: Stage, count: int) -> None:
        super().__init__(child)
        self.count = count

    @property
    def cardinality(self) -> int:
        inner = self.child.cardinality
        if self.count == 0 or inner == 0:
            return 0
        if self.count < 0:
            return INFINITE if inner != UNKNOWN else UNKNOWN
        return inner if inner < 0 else inner * self.count

    def _passes(self) -> Iterator[int]:
        return iter(range(self.count)) if self.count >= 0 else itertools.count()

    def runs(self) -> Iterator[np.ndarray]:
        for _ in self._passes():
            seen = False
            for run in self.child.runs():
                seen = seen or len(run) > 0
                yield run
            if not seen:
                return

    def open_rows(self) -> Iterator[Row]:
        for _ in self._passes():
            seen = False
            for row in self.child.open():
                seen = True
                yield row
            if not seen:
                return


class Take(Selection):
    """The first ``count`` elements; -1: all."""

    def __init__(self, child: Stage, count: int) -> None:
        super().__init__(child)
        self.count = count

    @property
    def cardinality(self) -> int:
        inner = self.child.cardinality
        if self.count < 0 or inner == UNKNOWN:
            return 0 if self.count == 0 else inner
        return self.count if inner == INFINITE else min(inner, self.count)

    def runs(self) -> Iterator[np.ndarray]:
        left = self.count
        for run in self.child.runs() if left else ():
            yield run if left < 0 else run[:left]
            left -= len(run)
            if self.count >= 0 and left <= 0:
                return

    def open_rows(self) -> Iterator[Row]:
        return self.child.open() if self.count < 0 else itertools.islice(self.child.open(), self.count)


class Skip(Selection):
    """All but the first ``count`` elements; -1: none."""

    def __init__(self, child: Stage, count: int) -> None:
        super().__init__(child)
        self.count = count

    @property
    def cardinality(self) -> int:
        inner = self.child.cardinality
        return 0 if self.count < 0 else inner if inner < 0 else max(0, inner - self.count)

    def runs(self) -> Iterator[np.ndarray]:
        left = self.count
        for run in self.child.runs() if left >= 0 else ():
            if left < len(run):
                yield run[left:]
            left = max(0, left - len(run))

    def open_rows(self) -> Iterator[Row]:
        return iter(()) if self.count < 0 else itertools.islice(self.child.open(), self.count, None)


class Shard(Selection):
    """Every ``number``-th element, starting with element ``index``."""

    def __init__(self, child: Stage, number: int, index: int) -> None:
        super().__init__(child)
        self.number, self.index = number, index

    @property
    def cardinality(self) -> int:
        inner = self.child.cardinality
        return inner if inner < 0 else len(range(self.index, inner, self.number))

    def runs(self) -> Iterator[np.ndarray]:
        first = self.index
        for run in self.child.runs():
            yield run[first :: self.number]
            first = (first - len(run)) % self.number

    def open_rows(self) -> Iterator[Row]:
        return itertools.islice(self.child.open(), self.index, None, self.number)


class Concatenate(Selection):
    """One stage after the other."""

    def __init__(self, child: Stage, other: Stage, form: Form) -> None:
        super().__init__(child)
        self.other, self._form = other, form

    @property
    def form(self) -> Form:
        return self._form

    @property
    def cardinality(self) -> int:
        both = self.child.cardinality, self.other.cardinality
        return INFINITE if INFINITE in both else UNKNOWN if UNKNOWN in both else sum(both)

    @property
    def source(self) -> Arrays | None:
        return self.child.source if self.child.source is self.other.source else None

    def runs(self) -> Iterator[np.ndarray]:
        return itertools.chain(self.child.runs(), self.other.runs())

    def open_rows(self) -> Iterator[Row]:
        return itertools.chain(self.child.open(), self.other.open())
