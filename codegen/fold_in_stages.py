"""Large totals in two stages. In: a reduction over all axes; out: partial results, and the reduction of those.

A loop that takes in every element belongs to one thread. So elements are taken in by rows, or by blocks of `BLOCK` where rows are
short or few: threads share these partial results out, and what is left to do is little. How an array is divided depends on its
type alone, so the bits of the total do not depend on the number of threads. Partial sums of float32 are float64.
"""

from __future__ import annotations

from weft.graph.dims import Dim, Shape, Size, product
from weft.graph.dtype import DType, float64
from weft.graph.record import replace

from .lower_layout import view_term
from .terms import Fold, Formula, Strided, Term, Terms

LEAST = 1 << 16
"""Elements from which it pays: reading them from a core's own cache takes 4 to 8 microseconds."""
ROW, BLOCK = 512, 4096
"""Elements of the shortest row that is a partial result by itself, and of a block."""
MANY = 16
"""So many partial results can be shared out evenly enough."""
USUAL = 128
"""What a size counts as that is not known."""


def fold_in_stages(table: Terms, rule: Fold, x: Term, dtype: DType) -> Term | None:
    """The total of ``x``, a number of the dtype; None where one loop is as good."""
    if rule.winner or _elements(x.shape) < LEAST:
        return None
    axis = next(i for i in range(len(x.shape)) if _elements(x.shape[: i + 1]) >= MANY)
    inner, between = product(x.shape[axis + 1 :]), float64 if rule.wide else x.dtype
    if isinstance(inner, Dim) or inner >= ROW:
        rows = table.make(replace(rule, axes=tuple(range(axis + 1, len(x.shape)))), (x,), between, x.shape[: axis + 1])
        return _total(table, rule, rows, dtype)
    if isinstance(x.shape[axis], Dim):
        return None
    return _fold_blocks(table, rule, x, axis, BLOCK // inner, between, dtype)


def _fold_blocks(table: Terms, rule: Fold, x: Term, axis: int, length: int, between: DType, dtype: DType) -> Term | None:
    """The total by blocks of so many elements of an axis, and what all axes behind it hold for these; the rest of the axis is
    one more partial result."""
    before, size, behind = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    assert isinstance(size, int)
    count = size // length
    if count * _elements(before) < MANY:
        return None
    reduced = tuple(range(axis + 1, len(x.shape) + 1))
    whole = table.reshape(_part(table, x, axis, 0, count * length), (*before, count, length, *behind))
    total = table.make(replace(rule, axes=reduced), (whole,), between, (*before, count))
    if size == count * length:
        return _total(table, rule, total, dtype)
    rest = _part(table, x, axis, count * length, size - count * length)
    if rest.size == 1:
        last = _cast(table, table.reshape(rest, ()), between)
    else:
        last = table.make(replace(rule, axes=tuple(range(len(x.shape)))), (rest,), between, ())
    both = Formula(rule.combine, ("acc", "a"), between, (), rule.title)
    return _cast(table, table.formula(both, (_total(table, rule, total, between), last), between, ()), dtype)


def _cast(table: Terms, number: Term, dtype: DType) -> Term:
    return number if number.dtype is dtype else table.formula(Formula("a", ("a",), dtype, (), "cast"), (number,), dtype, ())


def _total(table: Terms, rule: Fold, partial: Term, dtype: DType) -> Term:
    """The second stage."""
    return table.make(replace(rule, axes=tuple(range(len(partial.shape))), apart=True), (partial,), dtype, ())


def _part(table: Terms, x: Term, axis: int, first: int, size: int) -> Term:
    """So many elements of the axis, and all of the others."""
    rank = len(x.shape)
    offset: tuple[Size, ...] = tuple(first if i == axis else 0 for i in range(rank))
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    return view_term(table, x, Strided(tuple(range(rank)), (1,) * rank, offset), shape)


def _elements(shape: Shape) -> int:
    out = 1
    for size in shape:
        out *= USUAL if isinstance(size, Dim) else size
    return out
