"""Which kernels several threads may share. In: a `Kernel` with collapsed loops; out: what one outer iteration moves, or None.

A kernel can be cut at its outermost loops if their iterations touch disjoint parts of every array that is written, and nothing
is carried from one iteration to the next. A part then is the same kernel with a smaller extent and moved pointers: every element
is computed by the same instructions, so results do not depend on the number of parts. Sums over the outermost loop are never cut.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.graph.dims import Dim, Size
from weft.graph.record import field, record

from .kernel import Affine, Expr, Kernel, Let, Load, Loop, Position, Statement, Store, expressions


@record
class Cut:
    """extent: iterations of the outermost loops. strides: elements per iteration, by parameter, in order; 0 for one that stays.
    local: whether each iteration keeps to its own stretch of that array, of which the first begins where the array does.
    """

    extent: Size
    strides: tuple[Size, ...]
    local: tuple[bool, ...]


@record(frozen=False)
class _Access:
    """One load or store: elements per outer iteration, and the first and last element that iteration 0 touches; None: unknown."""

    stride: Size
    low: Size | None
    high: Size | None
    written: bool


@record(frozen=False)
class _Walk:
    outer: str = ""
    extents: dict[str, Size] = field(default_factory=dict)
    accesses: dict[str, list[_Access]] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)
    possible: bool = True

    def statement(self, statement: Statement) -> None:
        if isinstance(statement, Loop):
            self.extents[statement.variable] = statement.extent
            for inner in statement.body:
                self.statement(inner)
            return
        if isinstance(statement, Let):
            if self.outer and statement.name in self.outside:
                self.possible = False  # carried from iteration to iteration
            if not self.outer:
                self.outside.add(statement.name)
            self.loads(statement.value)
        elif isinstance(statement, Store):
            if not self.outer:
                self.possible = False
            self.note(statement.array, statement.index, True)
            self.loads(statement.value)
        else:
            self.loads(statement.condition)

    def loads(self, value: Expr) -> None:
        for part in expressions(value):
            if isinstance(part, Load):
                self.note(part.array, part.index, False)
            elif isinstance(part, Position) and part.index.factor(self.outer) != 0:
                self.possible = False  # a part does not know its first iteration

    def note(self, array: str, index: Affine, written: bool) -> None:
        low: Size | None = index.offset
        high: Size | None = index.offset
        for name, factor in index.terms:
            if name == self.outer:
                continue
            extent = self.extents.get(name)
            reach = None if extent is None else factor * (extent - 1)
            if reach is None or low is None or high is None:
                low = high = None  # a computed index
            elif isinstance(factor, int) and factor < 0:
                low = low + reach
            else:
                high = high + reach
        self.accesses.setdefault(array, []).append(_Access(index.factor(self.outer), low, high, written))


def find_cut(kernel: Kernel) -> Cut | None:
    """Where the kernel may be cut into parts; None if it may not."""
    loops = [s for s in kernel.body if isinstance(s, Loop)]
    if not loops or any(s.extent != loops[0].extent or s.variable != loops[0].variable for s in loops):
        return None
    walk = _Walk()
    for statement in _outside_first(kernel.body):
        if isinstance(statement, Loop):
            walk.outer = statement.variable
        walk.statement(statement)
        walk.outer = ""
    if not walk.possible:
        return None
    strides, local = [], []
    for param in kernel.params:
        accesses = walk.accesses.get(param.name, [])
        stride = accesses[0].stride if accesses else 0
        if any(a.stride != stride for a in accesses):
            return None
        disjoint = _keeps_to_itself(stride, accesses)
        if not disjoint and any(a.written for a in accesses):
            return None
        strides.append(stride)
        local.append(disjoint and _begins_with(stride, accesses))
    return Cut(loops[0].extent, tuple(strides), tuple(local))


def _outside_first(body: list[Statement]) -> Iterator[Statement]:
    """What is outside the loops first, so that every accumulator is known when its loop is looked at."""
    yield from (s for s in body if not isinstance(s, Loop))
    yield from (s for s in body if isinstance(s, Loop))


def _keeps_to_itself(stride: Size, accesses: list[_Access]) -> bool:
    """Whether different iterations touch different elements."""
    if stride == 0 or not _not_negative(stride):
        return False
    for first in accesses:
        for last in accesses:
            if first.low is None or last.high is None or not _not_negative(stride - (last.high - first.low) - 1):
                return False
    return True


def _begins_with(stride: Size, accesses: list[_Access]) -> bool:
    """Whether iteration 0 touches nothing but the first ``stride`` elements. Rows behind them are another iteration's to whoever
    reads or overwrites the array from its beginning."""
    return all(
        a.low is not None and a.high is not None and _not_negative(a.low) and _not_negative(stride - a.high - 1) for a in accesses
    )


def _not_negative(size: Size) -> bool:
    """Whether the size is at least 0 whatever its names stand for; they are at least 1 where a loop runs."""
    if isinstance(size, Dim):
        return all(c >= 0 for m, c in size.terms if m) and sum(c for _, c in size.terms) >= 0
    return size >= 0
