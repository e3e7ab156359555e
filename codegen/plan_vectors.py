"""Which innermost loops become vector code. In: a loop; out: a `VectorPlan`, or None for a scalar loop.

A loop becomes vector code if every array is read and written element after element (factor 1) or at one place (factor 0), no
element depends on another one's result but through an accumulator, and every function in it has vector instructions. The plan
does not depend on the CPU, so neither do the bits of a reduction: an accumulator has ``lanes * copies`` parts, combined in a
fixed tree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from weft.graph.dtype import float32, float64
from weft.graph.record import field, record

from .collapse_loops import values
from .kernel import Affine, Apply, Check, Expr, Let, Load, Loop, Name, Position, Statement, Store, expressions
from .llvm_formulas import can_widen, identity
from .lower_formula import EXPENSIVE

LANES = 16
UNROLLED = 64  # operations in straight-line code instead of a loop
CHEAP = 12  # up to so many operations per element, waiting for the last sum costs more than the operations
RUN = 8
"""So many float32 numbers are added in float32 before float64 takes over: fewer one after the other than in NumPy's sums."""


@record
class VectorPlan:
    """extent: the loop's length, None if it is an argument. lanes: elements per vector. copies: independent accumulators.

    cost: operations per element, roughly. accumulators: name to the function that combines. narrow: those of them that
    are float64 sums of float32 numbers.
    """

    extent: int | None
    lanes: int
    copies: int
    cost: int
    accumulators: dict[str, str] = field(default_factory=dict)
    narrow: frozenset[str] = frozenset()

    @property
    def short(self) -> bool:
        """Whether no part of an accumulator takes in more than `RUN` elements."""
        return self.extent is not None and self.extent <= RUN * self.copies * self.lanes

    @property
    def straight(self) -> bool:
        """Whether the loop is printed without a loop, vector after vector."""
        if self.extent is None:
            return False
        whole = self.extent // self.lanes
        return whole * max(self.cost, 4) <= UNROLLED or whole <= self.copies

    def places(self) -> Iterator[tuple[int, int]]:
        """(position, how many lanes count) of each vector of a loop of known length."""
        assert self.extent is not None
        for start in range(0, self.extent, self.lanes):
            yield start, min(self.lanes, self.extent - start)


def plan_vectors(loop: Loop, extent: int | None, mutable: Collection[str]) -> VectorPlan | None:
    """extent: the loop's length if the text says it. mutable: names that are assigned more than once in the kernel."""
    if any(not isinstance(s, (Let, Store, Check)) for s in loop.body):
        return None
    search = _Search(loop, mutable)
    if not search.run():
        return None
    cost = sum(operations(v) for s in loop.body for v in values(s))
    if extent is not None and extent < 4 and cost < 10:
        return None  # a few scalar instructions
    lanes = _lanes(loop, extent)
    copies = 4 if search.accumulators and cost <= CHEAP else 1
    if extent is not None:
        copies = max(1, min(copies, extent // lanes))
    return VectorPlan(extent, lanes, copies, cost, search.accumulators, frozenset(search.narrow))


def _lanes(loop: Loop, extent: int | None) -> int:
    sizes = [v.dtype.size for s in loop.body for e in values(s) for v in expressions(e) if isinstance(v, Load)]
    lanes = LANES // 2 if sizes and min(sizes) == 8 else LANES
    while lanes > 4 and extent is not None and extent <= lanes // 2:
        lanes //= 2
    return lanes


def operations(value: Expr) -> int:
    """What evaluating the expression once costs, roughly."""
    applied = [e.function for e in expressions(value) if isinstance(e, Apply)]
    return sum(20 if f in EXPENSIVE else 1 for f in applied)


def _widens(value: Expr) -> bool:
    return isinstance(value, Apply) and value.function == "cast" and (value.args[0].dtype, value.dtype) == (float32, float64)


class _Search:
    """Looks for anything that needs one element at a time."""

    def __init__(self, loop: Loop, mutable: Collection[str]) -> None:
        self.loop, self.mutable = loop, mutable
        self.varying = {loop.variable}
        self.accumulators: dict[str, str] = {}
        self.narrow: list[str] = []

    def run(self) -> bool:
        return all(self.accepts(s) for s in self.loop.body) and self.memory_is_independent()

    def accepts(self, statement: Statement) -> bool:
        if isinstance(statement, Let) and statement.name in self.mutable:
            return self.accepts_accumulator(statement)
        if not all(self.can_be_vector(v) for v in values(statement)):
            return False
        if isinstance(statement, Let) and self.is_varying(statement.value):
            self.varying.add(statement.name)
        return not isinstance(statement, Store) or self.stride(statement.index) == 1

    def accepts_accumulator(self, statement: Let) -> bool:
        value, name = statement.value, statement.name
        if not isinstance(value, Apply) or len(value.args) != 2 or identity(value.function, value.dtype) is None:
            return False
        acc, term = value.args
        if not isinstance(acc, Name) or acc.name != name or self.uses(name) != 1 or not self.can_be_vector(term):
            return False
        self.accumulators[name] = value.function
        if value.function == "sum_add" and _widens(term):
            self.narrow.append(name)
        return True

    def uses(self, name: str) -> int:
        return sum(isinstance(e, Name) and e.name == name for e in self.parts())

    def parts(self) -> Iterator[Expr]:
        for statement in self.loop.body:
            for value in values(statement):
                yield from expressions(value)

    def is_varying(self, value: Expr) -> bool:
        for part in expressions(value):
            if isinstance(part, Name) and part.name in self.varying:
                return True
            if isinstance(part, (Load, Position)) and part.index.factor(self.loop.variable) != 0:
                return True
        return False

    def can_be_vector(self, value: Expr) -> bool:
        if isinstance(value, (Load, Position)):
            stride = self.stride(value.index)
            return stride is not None and (stride in (0, 1) or isinstance(value, Position))
        if isinstance(value, Name):
            return value.name not in self.accumulators
        if isinstance(value, Apply):
            fits = can_widen(value.function, value.args[-1].dtype) or not self.is_varying(value)
            return fits and all(self.can_be_vector(a) for a in value.args)
        return True

    def stride(self, index: Affine) -> object:
        """How far one element is from the next; None if that is not the same everywhere."""
        if index.variables & (self.varying - {self.loop.variable}):
            return None
        return index.factor(self.loop.variable)

    def memory_is_independent(self) -> bool:
        """Every array that is written is read and written at one index only."""
        stores: dict[str, Affine] = {}
        for s in self.loop.body:
            if isinstance(s, Store) and stores.setdefault(s.array, s.index) != s.index:
                return False
        return all(stores.get(e.array, e.index) == e.index for e in self.parts() if isinstance(e, Load))
