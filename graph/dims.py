"""Symbolic sizes. In: names such as "batch" and integers; out: `Dim`, a polynomial over names with integer factors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache, reduce
from typing import Union

Monomial = tuple[str, ...]  # sorted factor names; () is the constant term


class Dim:
    """A size that is only known at run time: ``Dim("batch")``, ``batch * 28``, ``batch + 1``.

    Arithmetic stays exact and canonical, so equal sizes compare equal. A result that turns out constant is returned as a plain
    ``int``. Sizes are never negative.
    """

    __slots__ = ("_hash", "terms")

    terms: tuple[tuple[Monomial, int], ...]

    def __init__(self, name: str) -> None:
        if not name.isidentifier():
            raise ValueError(f"A dimension's name must be an identifier. Received: {name!r}")
        self.terms = (((name,), 1),)
        self._hash = hash(self.terms)

    @staticmethod
    def _of(terms: Mapping[Monomial, int]) -> Size:
        kept = {m: c for m, c in terms.items() if c}
        if not kept:
            return 0
        if set(kept) == {()}:
            return kept[()]
        out = object.__new__(Dim)
        out.terms = tuple(sorted(kept.items(), key=lambda t: (-len(t[0]), t[0])))
        out._hash = hash(out.terms)
        return out

    @property
    def names(self) -> frozenset[str]:
        return frozenset(n for m, _ in self.terms for n in m)

    def value(self, known: Mapping[str, int]) -> int:
        """The size for the given sizes of the names; KeyError if one is missing."""
        return sum(c * reduce(lambda p, n: p * known[n], m, 1) for m, c in self.terms)

    def substitute(self, known: Mapping[str, Size]) -> Size:
        """The size after replacing names by other sizes; names not mentioned stay."""
        total: Size = 0
        for monomial, factor in self.terms:
            part: Size = factor
            for name in monomial:
                part = part * known.get(name, Dim(name))
            total = total + part
        return total

    def __add__(self, other: Size) -> Size:
        if not isinstance(other, (int, Dim)):
            return NotImplemented
        terms = dict(self.terms)
        for m, c in _terms(other):
            terms[m] = terms.get(m, 0) + c
        return Dim._of(terms)

    __radd__ = __add__

    def __neg__(self) -> Size:
        return Dim._of({m: -c for m, c in self.terms})

    def __sub__(self, other: Size) -> Size:
        if not isinstance(other, (int, Dim)):
            return NotImplemented
        return self + (-other)

    def __rsub__(self, other: Size) -> Size:
        if not isinstance(other, (int, Dim)):
            return NotImplemented
        return -self + other

    def __mul__(self, other: Size) -> Size:
        if not isinstance(other, Dim):
            if not isinstance(other, int):
                return NotImplemented
            return self if other == 1 else Dim._of({m: c * other for m, c in self.terms})
        terms: dict[Monomial, int] = {}
        for m, c in self.terms:
            for n, d in _terms(other):
                key = tuple(sorted(m + n))
                terms[key] = terms.get(key, 0) + c * d
        return Dim._of(terms)

    __rmul__ = __mul__

    def divide(self, other: Size) -> Size | None:
        """The exact quotient by an integer or a one-term `Dim`, or None where it is not exact for every size."""
        parts = _terms(other)
        if len(parts) != 1:
            return 1 if self == other else None
        (divisor, factor), = parts
        out: dict[Monomial, int] = {}
        for m, c in self.terms:
            rest = list(m)
            for name in divisor:
                if name not in rest:
                    return None
                rest.remove(name)
            if c % factor:
                return None
            out[tuple(rest)] = c // factor
        return Dim._of(out)

    def __floordiv__(self, other: Size) -> Size:
        if not isinstance(other, (int, Dim)):
            return NotImplemented
        result = None if isinstance(other, int) and other == 0 else self.divide(other)
        if result is None:
            raise ValueError(f"The size {self} is not a multiple of {other} for every value of its names.")
        return result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        shown = []
        for m, c in self.terms:
            shown.append("*".join([*([] if c == 1 and m else [str(c)]), *m]))
        return "+".join(shown)

    def __repr__(self) -> str:
        return f"Dim({self})"

    def __reduce__(self) -> tuple[object, ...]:
        return parse_size, (str(self),)


Size = Union[int, Dim]
Shape = tuple[Size, ...]


def _terms(size: Size) -> tuple[tuple[Monomial, int], ...]:
    return size.terms if isinstance(size, Dim) else ((((), int(size)),) if size else ())


def product(sizes: Iterable[Size]) -> Size:
    """The product of the sizes; 1 for none."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def size_value(size: Size, known: Mapping[str, int]) -> int:
    """The size as an integer, given the sizes of the names."""
    return size.value(known) if isinstance(size, Dim) else size


@lru_cache(1024)  # a program has hundreds of sizes, most of them equal
def parse_size(text: str) -> Size:
    """The inverse of ``str``: ``"batch*28+1"`` becomes the `Dim`, ``"28"`` the integer."""
    total: Size = 0
    for part in text.split("+"):
        term: Size = 1
        for factor in part.split("*"):
            factor = factor.strip()
            term = term * (int(factor) if factor.lstrip("-").isdigit() else Dim(factor))
        total = total + term
    return total


def shape_text(shape: Shape) -> str:
    return ",".join(str(s) for s in shape)
