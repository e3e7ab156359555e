"""Sums down short columns in registers. In: a loop over rows and how inner loops become vectors; out: what stays in registers.

A kernel that adds rows to an array (the gradient of a bias) reads and writes the same few elements in every row. Through memory
each row would wait for the row before: a load under a mask cannot take its value from a store that is still on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from weft.graph.dtype import DType
from weft.graph.record import record

from .collapse_loops import values
from .kernel import Affine, Load, Loop, Statement, Store, expressions
from .plan_vectors import VectorPlan

MOST_VECTORS = 4


@record
class Column:
    """An array that a loop over rows reads and writes at one index, in one of its inner loops."""

    array: str
    dtype: DType
    index: Affine
    loop: Loop
    plan: VectorPlan


def find_columns(rows: Loop, outside: Collection[str], plan_of: Callable[[Loop], VectorPlan | None]) -> list[Column]:
    """outside: variables of the loops around. plan_of: how an inner loop becomes vectors, if it does."""
    places: dict[tuple[str, DType], list[tuple[Affine, Loop | None, bool]]] = {}
    for statement in rows.body:
        inner = statement if isinstance(statement, Loop) else None
        for array, dtype, index, written in _accesses(statement):
            places.setdefault((array, dtype), []).append((index, inner, written))
    found = []
    for (array, dtype), accesses in places.items():
        index, inner, _ = accesses[0]
        same = all(a[0] == index and a[1] is inner for a in accesses)
        if inner is None or not same or not any(written for *_, written in accesses):
            continue
        plan = plan_of(inner)
        if plan is None or not plan.straight or len(list(plan.places())) > MOST_VECTORS:
            continue
        if index.factor(inner.variable) == 1 and index.variables <= {inner.variable, *outside}:
            found.append(Column(array, dtype, index, inner, plan))
    return found


def _accesses(statement: Statement) -> Iterator[tuple[str, DType, Affine, bool]]:
    """(array, type of its elements, index, whether it is written) of every access in the statement."""
    if isinstance(statement, Loop):
        for inner in statement.body:
            yield from _accesses(inner)
    if isinstance(statement, Store):
        yield statement.array, statement.value.dtype, statement.index, True
    for value in values(statement):
        for part in expressions(value):
            if isinstance(part, Load):
                yield part.array, part.dtype, part.index, False
