"""Gather and scatter -> terms. In: a gather node; out: a `Pick`, a scatter kernel, or ordinary terms that fuse.

Reading or writing one element per row (a label's probability, and its gradient) is written as a comparison with the column's
number: it fuses with the softmax around it and costs no extra pass over the row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weft.graph.dims import Size, product
from weft.graph.families import Gather
from weft.graph.ir import Node

from .lower_reduce import fold_rule
from .terms import Fault, Formula, Leaf, Own, Pick, Ramp, SizeValue, Term, Terms

SHORT_ROW = 1024
FAULT = Fault("(i < 0) | (i >= n)", "IndexRangeError", "gather or scatter: An index is out of range.")


def lower_gather(table: Terms, node: Node, args: list[Term], constants: Sequence[np.ndarray]) -> Term:
    op, attrs = node.op, node.attrs
    assert isinstance(op, Gather)
    axis, batch = attrs["axis"], attrs["batch_dims"]
    shape = node.shape if op.scatters else args[0].shape
    x, indices = args[0], test_indices(table, args[1], shape[axis], constants)
    single = product(indices.shape[batch:]) == 1
    if op.scatters:
        if single:
            return _place_one(table, node, x, indices)
        return table.make(Own("scatter", (axis, batch)), (x, indices), node.dtype, node.shape)
    row = x.shape[-1]
    fusible = not isinstance(x.rule, Leaf) and isinstance(row, int) and 1 < row <= SHORT_ROW
    if single and fusible and batch == axis == len(x.shape) - 1:
        return _read_one(table, node, x, indices)
    return table.make(Pick(axis, batch), (x, indices), node.dtype, node.shape)


def test_indices(table: Terms, indices: Term, size: Size, constants: Sequence[np.ndarray]) -> Term:
    """The indices, tested against the size: once, however many ops read or write at them (a gather and its gradient)."""
    if isinstance(indices.rule, Leaf) and indices.rule.kind == "constant" and isinstance(size, int):
        known = constants[indices.rule.index]
        if known.min() >= 0 and known.max() < size:
            return indices
    rule = Formula("i", ("i", "n"), indices.dtype, (), "index", FAULT)
    limit = table.make(SizeValue(size), (), indices.dtype, ())
    return table.formula(rule, (indices, limit), indices.dtype, indices.shape)


def _read_one(table: Terms, node: Node, x: Term, indices: Term) -> Term:
    """Sums the row after replacing all but the one element by -0, which changes no sum."""
    at = table.reshape(indices, (*x.shape[:-1], 1))
    column = table.make(Ramp(0), (), indices.dtype, x.shape[-1:])
    formula = Formula("where(j == i, a, -0.0)", ("j", "i", "a"), x.dtype, (), node.op.name)
    chosen = table.formula(formula, (column, at, x), x.dtype, x.shape)
    start = "-0.0" if x.dtype.is_floating else "0"
    fold = fold_rule((len(x.shape) - 1,), "acc + a", x.dtype, start, False, node.op.name)
    return table.reshape(table.make(fold, (chosen,), x.dtype, x.shape[:-1]), node.shape)


def _place_one(table: Terms, node: Node, updates: Term, indices: Term) -> Term:
    """One update per position of the other axes: the update where the index is, else 0."""
    axis, batch, shape = node.attrs["axis"], node.attrs["batch_dims"], node.shape
    width = len(indices.shape) - batch
    at = table.reshape(indices, (*indices.shape[:batch], *(1,) * (len(shape) - batch)))
    value = table.reshape(updates, (*shape[:axis], 1, *updates.shape[axis + width :]))
    column = table.make(Ramp(0), (), indices.dtype, (shape[axis], *(1,) * (len(shape) - axis - 1)))
    formula = Formula("where(j == i, a, 0)", ("j", "i", "a"), node.dtype, (), node.op.name)
    return table.formula(formula, (column, at, value), node.dtype, shape)
