"""Shapes as users see them. In: sizes; out: `TensorShape`, a tuple of int, `Dim` or None with TensorFlow's methods."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from weft.graph.dims import Dim


class TensorShape(tuple[Any, ...]):
    """A shape: a tuple whose elements are ints, `Dim` (a size known when the step runs) or None (any size).

    ``TensorShape(None)`` has unknown rank. Compares equal to tuples and lists of the same sizes.
    """

    _known: bool

    def __new__(cls, dims: Any = None) -> TensorShape:
        if dims is None:
            out = tuple.__new__(cls)
            out._known = False
            return out
        if isinstance(dims, (int, Dim)):
            dims = (dims,)
        out = tuple.__new__(cls, [_size(d) for d in dims])
        out._known = not isinstance(dims, TensorShape) or dims._known
        return out

    @classmethod
    def of(cls, sizes: Iterable[Any]) -> TensorShape:
        """The shape of sizes that are already checked; cheaper than the constructor."""
        out = tuple.__new__(cls, sizes)
        out._known = True
        return out

    @property
    def rank(self) -> int | None:
        return tuple.__len__(self) if self._known else None

    ndims = rank

    @property
    def dims(self) -> list[Any] | None:
        return list(self) if self._known else None

    def as_list(self) -> list[int | None]:
        """The sizes, with None for those that are not known yet; ValueError for unknown rank."""
        self._require_rank("as_list() of")
        return [s if isinstance(s, int) else None for s in self]

    def is_fully_defined(self) -> bool:
        return self._known and all(isinstance(s, int) for s in self)

    def num_elements(self) -> int | None:
        return math.prod(self) if self.is_fully_defined() else None

    def is_compatible_with(self, other: Any) -> bool:
        """True if one concrete shape could have both forms."""
        other = TensorShape(other)
        if not self._known or not other._known:
            return True
        return len(self) == len(other) and all(a == b or not _fixed(a) or not _fixed(b) for a, b in zip(self, other, strict=True))

    def assert_is_compatible_with(self, other: Any) -> None:
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {TensorShape(other)} are incompatible")

    def merge_with(self, other: Any) -> TensorShape:
        """The shape that has the sizes of both; ValueError if they contradict each other."""
        other = TensorShape(other)
        self.assert_is_compatible_with(other)
        if not self._known:
            return other
        if not other._known:
            return self
        return TensorShape([a if _fixed(a) or b is None else b for a, b in zip(self, other)])

    def concatenate(self, other: Any) -> TensorShape:
        other = TensorShape(other)
        return TensorShape((*self, *other)) if self._known and other._known else TensorShape(None)

    def with_rank(self, rank: int) -> TensorShape:
        """This shape if it has that rank; ValueError otherwise."""
        if self._known and len(self) != rank:
            raise ValueError(f"Shape {self} must have rank {rank}")
        return self if self._known else TensorShape([None] * rank)

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """This shape if it has that rank or a higher one; ValueError otherwise."""
        if self._known and len(self) < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        """This shape if it has that rank or a lower one; ValueError otherwise."""
        if self._known and len(self) > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def assert_has_rank(self, rank: int) -> None:
        if self.rank not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def assert_same_rank(self, other: Any) -> None:
        other = TensorShape(other)
        if self.rank is not None and other.rank is not None and self.rank != other.rank:
            raise ValueError(f"Shapes {self} and {other} must have the same rank")

    def assert_is_fully_defined(self) -> None:
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def __len__(self) -> int:
        self._require_rank("Cannot take the length of")
        return tuple.__len__(self)

    def __bool__(self) -> bool:
        return self._known

    def __getitem__(self, key: Any) -> Any:
        out = tuple.__getitem__(self, key)
        return TensorShape.of(out) if isinstance(key, slice) else out

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return TensorShape(other).concatenate(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TensorShape):
            return self._known == other._known and tuple.__eq__(self, other)
        if isinstance(other, (tuple, list)):
            return self._known and tuple.__eq__(self, tuple(other))
        return other is None and not self._known

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorShape, (tuple(self) if self._known else None,)

    def __str__(self) -> str:
        if not self._known:
            return "<unknown>"
        shown = [str(s) if isinstance(s, int) else "None" for s in self]
        return f"({shown[0]},)" if len(shown) == 1 else f"({', '.join(shown)})"

    def __repr__(self) -> str:
        if not self._known:
            return "TensorShape(None)"
        return f"TensorShape([{', '.join(str(s) for s in self)}])"

    def _require_rank(self, what: str) -> None:
        if not self._known:
            raise ValueError(f"{what} shape with unknown rank.")


def _fixed(size: Any) -> bool:
    return isinstance(size, int)


def _size(size: Any) -> Any:
    if size is None or isinstance(size, Dim):
        return size
    value = size.__index__()
    if value < 0:
        raise ValueError(f"A size must be >= 0. Received: {value}")
    return value
