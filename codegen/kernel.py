"""The loop IR: what a kernel computes, in which loops. In: built by `build_nest` and the ``lower_*`` files; out: printed as text.

The grammar, complete::

    Kernel    = Param* Statement*                       pointers; integers are found by the printer
    Statement = Loop(variable, extent, Statement*)      variable runs over range(extent)
              | Let(name, Expr)                         a new name, or a new value for an accumulator
              | Store(array, index, Expr)               array[index] = value
              | Check(condition, code)                  returns code if the condition holds
    Expr      = Const(value) | Name(name) | SizeOf(size) | Load(array, index) | Apply(function, Expr*)
    index     = Affine: size + sum of size * variable
    size      = an integer or a `Dim`

Every `Expr` has the element type of its value; an index has none (it is an address). Arrays are flat and C-contiguous. Two
arrays of one kernel never overlap unless neither is written: in-place work uses one array under one name.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Union

from weft.graph.dims import Dim, Size
from weft.graph.dtype import DType
from weft.graph.record import record


@record
class Affine:
    """``offset + sum(factor * variable)``, canonical: sorted by variable, no zero factors."""

    offset: Size = 0
    terms: tuple[tuple[str, Size], ...] = ()

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.offset, self.terms))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Affine) and (self.offset, self.terms) == (other.offset, other.terms))

    def __add__(self, other: Affine) -> Affine:
        if other.terms == () and other.offset == 0:
            return self
        if self.terms == () and self.offset == 0:
            return other
        factors = dict(self.terms)
        for name, factor in other.terms:
            factors[name] = factors.get(name, 0) + factor
        return affine(self.offset + other.offset, factors.items())

    def scale(self, by: Size) -> Affine:
        if by == 1:
            return self
        return affine(self.offset * by, ((n, f * by) for n, f in self.terms))

    def factor(self, variable: str) -> Size:
        return dict(self.terms).get(variable, 0)

    @property
    def variables(self) -> frozenset[str]:
        return frozenset(n for n, _ in self.terms)


def affine(offset: Size, terms: Iterable[tuple[str, Size]] = ()) -> Affine:
    return Affine(offset, tuple(sorted([t for t in terms if t[1] != 0])))


def divide(size: Size, by: Size) -> Size | None:
    """The exact quotient, if there is one."""
    if isinstance(size, Dim):
        return size.divide(by) if by != 0 else None
    return size // by if isinstance(by, int) and by and size % by == 0 else None


ZERO = Affine()


def variable(name: str) -> Affine:
    return Affine(0, ((name, 1),))


def flatten_index(index: Sequence[Affine], shape: Sequence[Size]) -> Affine:
    """The position in row-major order of an element of an array of that shape."""
    return _flatten(tuple(index), tuple(shape))


@functools.lru_cache(maxsize=1024)  # a step has few shapes, each of which is asked for from many sides
def _flatten(index: tuple[Affine, ...], shape: tuple[Size, ...]) -> Affine:
    flat, stride = ZERO, 1  # type: Affine, Size
    for axis in range(len(index) - 1, -1, -1):
        flat = flat + index[axis].scale(stride)
        if axis:  # nothing lies outside of the first axis, and its size is often the one that is no number
            stride = stride * shape[axis]
    return flat


@record
class Const:
    value: Any
    dtype: DType


@record
class Name:
    name: str
    dtype: DType


@record
class SizeOf:
    """A size as a number of the dtype."""

    size: Size
    dtype: DType


@record
class Position:
    """An index as a number of the dtype (for iota)."""

    index: Affine
    dtype: DType


@record
class Load:
    array: str
    index: Affine
    dtype: DType


@record
class Apply:
    """An operator (``+ - * / // % **``, comparisons, ``& | ^``, ``neg``, ``cast``) or a function of the prelude."""

    function: str
    args: tuple[Expr, ...]
    dtype: DType


Expr = Union[Const, Name, SizeOf, Position, Load, Apply]


@record(frozen=False)
class Loop:
    variable: str
    extent: Size
    body: list[Statement]


@record(frozen=False)
class Let:
    name: str
    value: Expr
    note: str = ""


@record(frozen=False)
class Store:
    array: str
    index: Affine
    value: Expr
    note: str = ""


@record(frozen=False)
class Check:
    """Return ``code`` if the condition holds; ``code`` counts the kernel's checks from 1."""

    condition: Expr
    code: int
    note: str = ""


Statement = Union[Loop, Let, Store, Check]


@record(frozen=False)
class Param:
    """One pointer: its name in the body, element type, number of elements, and whether it is written."""

    name: str
    dtype: DType
    size: Size
    written: bool = False


@record(frozen=False)
class Kernel:
    """One loop nest or a few in sequence. ``title`` names it; ``ops`` are the op names for the reader."""

    title: str
    params: list[Param]
    body: list[Statement]
    ops: tuple[str, ...] = ()
    checks: int = 0


def statements(body: Iterable[Statement]) -> Iterator[Statement]:
    """All statements, outer before inner."""
    for statement in body:
        yield statement
        if isinstance(statement, Loop):
            yield from statements(statement.body)


def expressions(value: Expr) -> Iterator[Expr]:
    """The expression and all its parts."""
    yield value
    if isinstance(value, Apply):
        for arg in value.args:
            yield from expressions(arg)
