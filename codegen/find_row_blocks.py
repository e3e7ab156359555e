"""Which loops over short rows work on sixteen rows at once. In: a loop over rows; out: a `RowBlock`, or None.

A row of ten numbers wastes six lanes of sixteen, and adding up its lanes takes longer than all the rest. Sixteen such rows turned
round are ten whole vectors, and their sums are plain additions. That fits if the rows lie one after the other, or are the same
for all, and if nothing is carried from row to row but sums down columns, whose order is kept, and sums whose order is free.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from weft.graph.dtype import float32
from weft.graph.record import field, record

from .collapse_loops import values
from .hold_columns import Column
from .kernel import Affine, Apply, Expr, Let, Load, Loop, Name, Position, Statement, Store, expressions, statements
from .llvm_formulas import can_widen, identity
from .plan_vectors import VectorPlan, operations

LONGEST = 16
MOST = 700
"""Operations per block, roughly: each column's are printed once."""
Plans = Callable[[Loop], VectorPlan | None]


@record
class RowBlock:
    """lengths: the row length per array that lies row after row; read, written: which arrays hold something before, and after.
    sums: the column that each array is the sum down, and olds: the names of what these held before. carried: names of the sums
    over all rows.
    """

    lengths: dict[str, int] = field(default_factory=dict)
    read: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    sums: dict[str, Column] = field(default_factory=dict)
    olds: dict[str, str] = field(default_factory=dict)
    carried: frozenset[str] = frozenset()


def find_row_block(
    rows: Loop, columns: Sequence[Column], outside: Collection[str], mutable: Collection[str], plan_of: Plans
) -> RowBlock | None:
    """columns: the sums that are held. outside: variables of the loops around. mutable: names assigned more than once. plan_of:
    how an inner loop becomes vectors, if it does."""
    inner = [s for s in rows.body if isinstance(s, Loop)]
    if not all(map(_is_short, inner)) or not any(p is not None and p.accumulators for p in map(plan_of, inner)):
        return None
    search = _Search(rows, {c.array: c for c in columns}, frozenset(outside), frozenset(mutable))
    return search.block() if sum(map(_cost, inner)) <= MOST and search.run() else None


def _cost(loop: Loop) -> int:
    assert isinstance(loop.extent, int)
    return loop.extent * sum(operations(v) for s in loop.body for v in values(s))


def _is_short(loop: Loop) -> bool:
    flat = not any(isinstance(s, Loop) for s in loop.body)
    return flat and isinstance(loop.extent, int) and 2 <= loop.extent <= LONGEST


@record(frozen=False)
class _Search:
    """started: mutable names that begin anew in every row. kinds: per array how it is reached: ("rows", length) element by
    element, ("row", 0) one element per row, ("same", 0) at a place that is the same for all rows.
    """

    rows: Loop
    columns: dict[str, Column]
    outside: frozenset[str]
    mutable: frozenset[str]
    started: set[str] = field(default_factory=set)
    carried: set[str] = field(default_factory=set)
    olds: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    def run(self) -> bool:
        for statement in self.rows.body:
            inner = statement if isinstance(statement, Loop) else None
            if not all(self.accepts(s, inner) for s in (inner.body if inner else [statement])):
                return False
        return set(self.columns) <= set(self.olds.values()) and all(map(self.is_regular, self.kinds))

    def block(self) -> RowBlock:
        lengths = {array: length for array, kinds in self.kinds.items() for kind, length in kinds if kind == "rows"}
        return RowBlock(
            lengths, frozenset(self.read), frozenset(self.written), self.columns, self.olds, frozenset(self.carried)
        )

    def is_regular(self, array: str) -> bool:
        kinds = self.kinds[array]
        one_way = len(kinds) == 1 or not any(kind == "rows" for kind, _ in kinds)
        return one_way and (array not in self.written or (len(kinds) == 1 and ("same", 0) not in kinds))

    def accepts(self, statement: Statement, inner: Loop | None) -> bool:
        if isinstance(statement, Let):
            value = statement.value
            if isinstance(value, Load) and value.array in self.columns:
                self.olds[statement.name] = value.array
                return self.uses(statement.name) == 1
            return (statement.name not in self.mutable or self.accepts_change(statement, inner)) and self.is_vector(value, inner)
        if isinstance(statement, Store):
            if statement.array in self.columns:
                return self.adds(statement, inner)
            fits = self.is_vector(statement.value, inner)
            self.written.add(statement.array)
            return fits and self.note(statement.array, statement.index, statement.value, inner)
        return all(self.is_vector(v, inner) for v in values(statement))

    def accepts_change(self, statement: Let, inner: Loop | None) -> bool:
        """Whether a name that changes starts anew in each row, or is a sum over all rows whose order is free."""
        name, value = statement.name, statement.value
        if name in self.started:
            return True
        if not any(isinstance(e, Name) and e.name == name for e in expressions(value)):
            self.started.add(name)
            return inner is None
        self.carried.add(name)
        free = isinstance(value, Apply) and len(value.args) == 2 and identity(value.function, value.dtype) is not None
        return free and isinstance(value, Apply) and value.args[0] == Name(name, value.dtype) and self.uses(name) == 1

    def adds(self, statement: Store, inner: Loop | None) -> bool:
        """Whether the statement adds to the sum down a column."""
        value = statement.value
        if not isinstance(value, Apply) or value.function != "+" or value.dtype is not float32:
            return False
        old, term = value.args
        return isinstance(old, Name) and self.olds.get(old.name) == statement.array and self.is_vector(term, inner)

    def uses(self, name: str) -> int:
        parts = (e for s in statements(self.rows.body) for v in values(s) for e in expressions(v))
        return sum(isinstance(e, Name) and e.name == name for e in parts)

    def is_vector(self, value: Expr, inner: Loop | None) -> bool:
        """Whether the expression can be computed for sixteen rows at once."""
        for part in expressions(value):
            if isinstance(part, Apply) and not can_widen(part.function, part.args[-1].dtype):
                return False
            if isinstance(part, Position) and not part.index.variables <= self.known(inner):
                return False
            if isinstance(part, Load):
                self.read.update({part.array} - self.written)
                if part.array in self.columns or not self.note(part.array, part.index, part, inner):
                    return False
        return True

    def known(self, inner: Loop | None) -> frozenset[str]:
        return self.outside | {self.rows.variable} | ({inner.variable} if inner else set())

    def note(self, array: str, index: Affine, value: Expr, inner: Loop | None) -> bool:
        """Takes down how the array is reached; False for ways that do not fit."""
        step = index.factor(self.rows.variable)
        if step == 0:
            self.kinds.setdefault(array, set()).add(("same", 0))
            return index.variables <= self.known(inner)
        here = {self.rows.variable, *([inner.variable] if inner else [])}
        if index.offset != 0 or not index.variables <= here:
            return False
        along = index.factor(inner.variable) if inner else 0
        if inner is not None and along == 1 and step == inner.extent and value.dtype is float32:
            assert isinstance(step, int)
            self.kinds.setdefault(array, set()).add(("rows", step))
            return True
        self.kinds.setdefault(array, set()).add(("row", 0))
        return step == 1 and along == 0
