"""Reductions -> terms. In: a reduce node; out: a `Fold`, reshaped if the axes are kept.

Floating sums and products of float32 run in float64 along the inner axes, so they are at least as accurate as NumPy's pairwise
summation. Sums over leading axes add row to row in memory, as NumPy does.
"""

from __future__ import annotations

import ast

import numpy as np

from weft.graph import scalar
from weft.graph.dtype import DType
from weft.graph.families import Reduce
from weft.graph.ir import Node

from .terms import Fold, Term, Terms


def lower_reduce(table: Terms, node: Node, args: list[Term]) -> Term:
    op = node.op
    assert isinstance(op, Reduce)
    (x,) = args
    axes = tuple(node.attrs["axes"])
    if all(x.shape[i] == 1 for i in axes):
        return table.literal(0, node.dtype, node.shape) if op.index else table.reshape(x, node.shape)
    rule = fold_rule(axes, op.combine, x.dtype, _start(op, x.dtype), op.index, op.name)
    shape = tuple(s for i, s in enumerate(x.shape) if i not in axes)
    return table.reshape(table.make(rule, (x,), node.dtype, shape), node.shape)


def fold_rule(axes: tuple[int, ...], combine: str, dtype: DType, start: str, winner: bool, title: str) -> Fold:
    tree = scalar.parse(combine)
    arithmetic = isinstance(tree, ast.BinOp) and dtype.is_floating
    additive = arithmetic and isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add)
    return Fold(axes, combine, start, arithmetic and dtype.size < 8, additive, winner, title)


def _start(op: Reduce, dtype: DType) -> str:
    """The accumulator's first value; for reductions without one, the value that every element beats or equals."""
    if op.start is not None and not op.index:
        return repr(np.asarray(op.start(dtype), dtype.np).item())
    function, names = scalar.kernel(op.combine, dtype)
    low, high = (dtype.np.type(0), dtype.np.type(1))
    values = {"acc": low, "a": high}
    larger_wins = bool(function(*[values[n] for n in names]))
    return extreme(dtype, lowest=larger_wins)


def extreme(dtype: DType, lowest: bool) -> str:
    """The repr of the least (or greatest) value of the dtype; infinities for floats."""
    if dtype.is_floating:
        return "-inf" if lowest else "inf"
    return repr(dtype.np.type(dtype.min if lowest else dtype.max).item())
