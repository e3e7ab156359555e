"""Stages that group elements or take groups apart: batch, padded batch, unbatch, cache. In: a stage; out: a stage."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from weft.graph.errors import InvalidArgumentError
from weft.tracer import TensorShape, TensorSpec
from weft.tracer.tree import Structure

from .elements import Form, Row, stack_rows
from .stage import UNKNOWN, Arrays, Stage, cut


class Batch(Stage):
    """``size`` elements stacked along a new first axis; the last batch is smaller, or dropped."""

    def __init__(self, child: Stage, size: int, drop_remainder: bool) -> None:
        self.child, self.size, self.drop = child, size, drop_remainder

    @property
    def structure(self) -> Structure:
        return self.child.structure

    @property
    def form(self) -> Form:
        return self.child.form.batched(self.size if self.drop else None)

    @property
    def cardinality(self) -> int:
        inner = self.child.cardinality
        return inner if inner < 0 else inner // self.size if self.drop else -(-inner // self.size)

    def open(self) -> Iterator[Row]:
        source = self.child.source
        batches = self._collect() if source is None else self._gather(source)
        return (b for b in batches if len(b[0]) == self.size) if self.drop else batches

    def _gather(self, source: Arrays) -> Iterator[Row]:
        for rows in cut(self.child.runs(), self.size):
            yield source.gather(rows)

    def _collect(self) -> Iterator[Row]:
        rows = self.child.open()
        while group := list(itertools.islice(rows, self.size)):
            yield self.join(group)

    def join(self, group: Sequence[Row]) -> Row:
        """One batch."""
        return stack_rows(group)


class PaddedBatch(Batch):
    """`Batch` for elements of different shapes: every component is filled up to ``shapes`` (None: to the batch's largest)."""

    def __init__(self, child: Stage, size: int, drop_remainder: bool, shapes: Sequence[Any], values: Sequence[Any]) -> None:
        super().__init__(child, size, drop_remainder)
        self.shapes, self.values = [TensorShape(s) for s in shapes], values

    @property
    def form(self) -> Form:
        first = self.size if self.drop else None
        specs = [TensorSpec([first, *shape], spec.dtype) for shape, spec in zip(self.shapes, self.child.form.specs, strict=True)]
        return Form(self.child.form.structure, tuple(specs))

    def open(self) -> Iterator[Row]:
        batches = self._collect()
        return (b for b in batches if len(b[0]) == self.size) if self.drop else batches

    def join(self, group: Sequence[Row]) -> Row:
        columns = zip(*group, strict=True)
        return tuple(_pad(c, s, v) for c, s, v in zip(columns, self.shapes, self.values, strict=True))


def _pad(parts: Sequence[np.ndarray], shape: TensorShape, value: Any) -> np.ndarray:
    largest = [max(p.shape[i] for p in parts) for i in range(parts[0].ndim)]
    target = [m if s is None else s for m, s in zip(largest, shape, strict=True)]
    if any(m > t for m, t in zip(largest, target, strict=True)):
        raise InvalidArgumentError(f"An element of a padded batch must fit into {shape}. Received: sizes up to {largest}.")
    out = np.full((len(parts), *target), value, parts[0].dtype)
    for row, part in zip(out, parts, strict=True):
        row[tuple(slice(0, n) for n in part.shape)] = part
    return out


class Unbatch(Stage):
    """The slices of every element along its first axis."""

    def __init__(self, child: Stage) -> None:
        self.child = child

    @property
    def structure(self) -> Structure:
        return self.child.structure

    @property
    def form(self) -> Form:
        return self.child.form.unbatched()

    @property
    def cardinality(self) -> int:
        inner, first = self.child.cardinality, self.child.form.specs[0].shape
        length = first[0] if first.rank else None
        return inner * length if inner >= 0 and isinstance(length, int) else 0 if inner == 0 else UNKNOWN

    def open(self) -> Iterator[Row]:
        for row in self.child.open():
            if any(a.ndim == 0 for a in row):
                raise ValueError("Only data sets whose elements have a first axis can be unbatched. Received: a scalar.")
            if len({len(a) for a in row}) > 1:
                raise InvalidArgumentError(f"unbatch needs components of one length. Received: {[len(a) for a in row]}.")
            for i in range(len(row[0])):
                yield tuple(np.asarray(a[i]) for a in row)


class Cache(Stage):
    """Keeps the elements of the first complete pass in memory."""

    def __init__(self, child: Stage) -> None:
        self.child = child
        self.rows: list[Row] | None = None

    @property
    def structure(self) -> Structure:
        return self.child.structure

    @property
    def form(self) -> Form:
        return self.child.form

    @property
    def cardinality(self) -> int:
        return self.child.cardinality if self.rows is None else len(self.rows)

    def open(self) -> Iterator[Row]:
        if self.rows is not None:
            yield from self.rows
            return
        rows = []
        for row in self.child.open():
            rows.append(row)
            yield row
        self.rows = rows
