"""Reductions -> terms. In: a reduce node; out: a `Fold`, reshaped if the axes are kept.

Floating sums and products of float32 run in float64 along the inner axes, vector code's sums in short runs of float32
(`emit_vectors`), so they are at least as accurate as NumPy's pairwise summation. Sums over leading axes add row to row in
memory, as NumPy does. Large ones are made in two stages (`fold_in_stages`, `block_rows`).
"""

from __future__ import annotations

import ast

import numpy as np

from weft.graph import scalar
from weft.graph.dtype import DType, int32
from weft.graph.families import Reduce
from weft.graph.ir import Node

from .fold_in_stages import fold_in_stages
from .terms import Fold, Formula, Ramp, Term, Terms


def lower_reduce(table: Terms, node: Node, args: list[Term]) -> Term:
    op = node.op
    assert isinstance(op, Reduce)
    (x,) = args
    axes = tuple(node.attrs["axes"])
    if all(x.shape[i] == 1 for i in axes):
        return table.literal(0, node.dtype, node.shape) if op.index else table.reshape(x, node.shape)
    if op.index and axes == (len(x.shape) - 1,) and not x.dtype.is_bool:
        return table.reshape(_find_position(table, op, x, node.dtype), node.shape)
    rule = fold_rule(axes, op.combine, x.dtype, _start(op, x.dtype), op.index, op.name)
    shape = tuple(s for i, s in enumerate(x.shape) if i not in axes)
    total = fold_in_stages(table, rule, x, node.dtype) if all(s == 1 for s in shape) else None
    if total is not None:
        return table.reshape(total, node.shape)
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
    return extreme(dtype, lowest=_larger_wins(op, dtype))


def _larger_wins(op: Reduce, dtype: DType) -> bool:
    function, names = scalar.kernel(op.combine, dtype)
    values = {"acc": dtype.np.type(0), "a": dtype.np.type(1)}
    return bool(function(*[values[n] for n in names]))


def _find_position(table: Terms, op: Reduce, x: Term, dtype: DType) -> Term:
    """The first place along the last axis of the extreme, or of NaN: two reductions that become vector code, where carrying a
    value and its place along would not."""
    axis, larger = len(x.shape) - 1, _larger_wins(op, x.dtype)
    fold = fold_rule((axis,), f"{'maximum' if larger else 'minimum'}(acc, a)", x.dtype, extreme(x.dtype, larger), False, op.name)
    best = table.reshape(table.make(fold, (x,), x.dtype, x.shape[:-1]), (*x.shape[:-1], 1))
    column = table.make(Ramp(0), (), int32, x.shape[-1:])
    hit = "(a == b) | (a != a)" if x.dtype.is_floating else "a == b"
    choice = Formula(f"where({hit}, j, n)", ("a", "b", "j", "n"), x.dtype, (), op.name)
    places = table.formula(choice, (x, best, column, table.literal(int32.max, int32)), int32, x.shape)
    least = fold_rule((axis,), "minimum(acc, a)", int32, extreme(int32, lowest=False), False, op.name)
    first = table.make(least, (places,), int32, x.shape[:-1])
    return table.formula(Formula("a", ("a",), int32, (), "cast"), (first,), dtype, x.shape[:-1])


def extreme(dtype: DType, lowest: bool) -> str:
    """The repr of the least (or greatest) value of the dtype; infinities for floats."""
    if dtype.is_floating:
        return "-inf" if lowest else "inf"
    return repr(dtype.np.type(dtype.min if lowest else dtype.max).item())
