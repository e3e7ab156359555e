"""Row ops (softmax, cross-entropy) -> terms. In: a row node; out: folds over the last axis and formulas between them.

The phases become ordinary terms, so that phases of two ops over the same row merge, and everything before and after them fuses.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from weft.graph.dims import Shape
from weft.graph.dtype import DType, int32, int64
from weft.graph.families import Row
from weft.graph.ir import Node
from weft.graph.op import broadcast_shapes
from weft.graph.record import replace
from weft.graph.scalar import names_in, parse

from .lower_formula import EXPENSIVE
from .lower_reduce import extreme, fold_rule
from .terms import Fault, Formula, Ramp, SizeValue, Term, Terms

Attrs = tuple[tuple[str, Any], ...]
_COMBINE = {"max": "maximum(acc, a)", "sum": "acc + a"}


def lower_row(table: Terms, node: Node, args: list[Term]) -> Term:
    op = node.op
    assert isinstance(op, Row)
    x = args[0]
    row = (*x.shape[:-1], 1)
    full = len(args) - op.row_args
    counter = args[-1].dtype if op.row_args and args[-1].dtype.is_integer else int64
    scope = _scope(table, args, full, row, counter)
    attrs = tuple((k, v) for k, v in node.attrs.items() if type(v) in (int, float))

    def formula(expr: str, shape: Shape, title: str) -> Term:
        tree = _SplitRow(table, scope, attrs, x.dtype, row).visit(ast.parse(expr, mode="eval").body)
        if isinstance(tree, ast.Name) and scope[tree.id].shape == shape and scope[tree.id].dtype is x.dtype:
            return scope[tree.id]
        expr = ast.unparse(tree)
        rule = Formula(expr, tuple(scope), x.dtype, attrs, title)
        return trim(table, rule, tuple(scope.values()), x.dtype, shape)

    if op.check:
        _attach_check(table, op, scope, attrs)
        _narrow_counter(table, scope, x.shape[-1:])
    for name, kind, expr in op.phases:
        values = formula(expr, x.shape, op.name)
        scope[name] = values if x.shape[-1] == 1 else _fold(table, values, kind, picks_one(expr), op.name)
    return _result(table, op, formula, node)


def _fold(table: Terms, values: Term, kind: str, one: bool, title: str) -> Term:
    """The largest or the sum of each row's values, of which all but one may be known to be 0."""
    start = extreme(values.dtype, lowest=True) if kind == "max" else "0.0"
    fold = fold_rule((len(values.shape) - 1,), _COMBINE[kind], values.dtype, start, False, title)
    fold = replace(fold, wide=fold.wide and not one)
    return table.reshape(table.make(fold, (values,), values.dtype, values.shape[:-1]), (*values.shape[:-1], 1))


class _SplitRow(ast.NodeTransformer):
    """Makes every costly call a term of its own, so that two phases that need it compute it once, and whatever is the same along
    the row, so that it is computed once per row. A quotient by such a thing (the sum of a softmax, which lies between 1 and the
    row's length) is a product with its inverse: a division keeps the CPU's divider busy for longer than an exponential takes.
    """

    def __init__(self, table: Terms, scope: dict[str, Term], attrs: Attrs, dtype: DType, row: Shape) -> None:
        self.table, self.scope, self.attrs, self.dtype, self.row = table, scope, attrs, dtype, row

    def visit_Call(self, tree: ast.Call) -> ast.expr:
        self.generic_visit(tree)
        function = getattr(tree.func, "id", "")
        return self.split(tree, function) if function in EXPENSIVE or (function == "where" and self.is_even(tree)) else tree

    def visit_BinOp(self, tree: ast.BinOp) -> ast.expr:
        self.generic_visit(tree)
        if isinstance(tree.op, ast.Div) and self.is_even(tree.right) and not self.is_even(tree):
            inverse = ast.BinOp(ast.Constant(1.0), ast.Div(), tree.right)
            return ast.BinOp(tree.left, ast.Mult(), self.split(inverse, "inverse"))
        return tree

    def is_even(self, tree: ast.expr) -> bool:
        """Whether the expression is the same along the row, and of the row's type wherever it is not a condition."""
        used = [self.scope[n] for n in names_in(tree) if n in self.scope]
        return bool(used) and all(t.shape == self.row and t.dtype is self.dtype for t in used)

    def split(self, tree: ast.expr, title: str) -> ast.Name:
        """A name for the expression, which becomes a term."""
        used = [self.scope[n] for n in names_in(tree) if n in self.scope]
        shape = broadcast_shapes([t.shape for t in used], lambda: ast.unparse(tree))
        rule = Formula(ast.unparse(tree), tuple(self.scope), self.dtype, self.attrs, title)
        name = f"{title}_{len(self.scope)}"
        self.scope[name] = trim(self.table, rule, tuple(self.scope.values()), self.dtype, shape)
        return ast.Name(name, ast.Load())


def _result(table: Terms, op: Row, formula: Callable[[str, Shape, str], Term], node: Node) -> Term:
    x = node.args[0]
    if op.keeps:
        return formula(op.result, x.shape, op.name)
    return table.reshape(formula(op.result, (*x.shape[:-1], 1), op.name), node.shape)


def _scope(table: Terms, args: list[Term], full: int, row: Shape, counter: DType) -> dict[str, Term]:
    scope = {name: arg if i < full else table.reshape(arg, row) for i, (name, arg) in enumerate(zip("abc", args))}
    last = args[0].shape[-1]
    scope["j"] = table.make(Ramp(0), (), counter, (last,))
    scope["n"] = table.make(SizeValue(last), (), counter, ())
    return scope


def _attach_check(table: Terms, op: Row, scope: dict[str, Term], attrs: Attrs) -> None:
    """The check guards the last argument: whoever reads it has tested it."""
    assert op.error is not None
    name = [n for n in scope if n in "abc"][-1]
    x = scope[name]
    fault = Fault(op.check, op.error.__name__, f"{op.name}: {op.message}")
    rule = Formula(name, tuple(scope), x.dtype, attrs, op.name, fault)
    scope[name] = trim(table, rule, tuple(scope.values()), x.dtype, x.shape)


def _narrow_counter(table: Terms, scope: dict[str, Term], shape: Shape) -> None:
    """Counts columns in 32 bits, twice as many to a vector, now that what they are compared with is one."""
    name = [n for n in scope if n in "abc"][-1]
    x = scope[name]
    if x.dtype is int64:
        scope[name] = table.formula(Formula("a", ("a",), int64, (), "cast"), [x], int32, x.shape)
        scope["j"] = table.make(Ramp(0), (), int32, shape)


def picks_one(expr: str) -> bool:
    """Whether at most one of the expression's values in a row is not 0, so that their sum is exact."""
    tree = parse(expr)
    if not isinstance(tree, ast.Call) or getattr(tree.func, "id", "") != "where":
        return False
    test, _, other = tree.args
    compares = isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq) and "j" in names_in(test)
    return compares and isinstance(other, ast.Constant) and other.value == 0


def trim(table: Terms, rule: Formula, args: tuple[Term, ...], dtype: DType, shape: Shape) -> Term:
    """The formula with only the arguments that it names, under canonical names, so that equal ones merge."""
    used = names_in(parse(rule.expr)) + (names_in(parse(rule.fault.condition)) if rule.fault else [])
    kept = [n for n in dict.fromkeys(used) if n in rule.names]
    new = {n: f"x{i}" for i, n in enumerate(kept)}
    by_name = dict(zip(rule.names, args))
    fault = rule.fault and Fault(_rename(rule.fault.condition, new), rule.fault.error, rule.fault.message)
    attrs = tuple((k, v) for k, v in rule.attrs if k in used)
    slim = Formula(_rename(rule.expr, new), tuple(new.values()), rule.numbers, attrs, rule.title, fault)
    return table.formula(slim, [by_name[n] for n in kept], dtype, shape)


def _rename(expr: str, new: dict[str, str]) -> str:
    tree = ast.parse(expr, mode="eval").body
    for part in ast.walk(tree):
        if isinstance(part, ast.Name):
            part.id = new.get(part.id, part.id)
    return ast.unparse(tree)
