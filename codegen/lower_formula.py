"""Scalar expressions of op records -> typed loop IR expressions. In: a `Formula` and its argument values; out: an `Expr`.

Element types are decided here and never by Numba: every part knows its dtype, and the printer casts where Numba would promote.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from weft.graph.dtype import DType, bool_
from weft.graph.scalar import parse

from .kernel import Apply, Const, Expr
from .terms import Formula

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "floor_divide", ast.Mod: "remainder",
    ast.Pow: "power", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_TRUTH = ("isnan", "isinf", "isfinite")
EXPENSIVE = {
    "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh",
    "acosh", "atanh", "erf", "power",
}  # fmt: skip
_SLOW = {"/", "sqrt", "rsqrt", "inverse", "floor_divide", "remainder"}


def lower_formula(rule: Formula, args: Sequence[Expr], dtype: DType) -> Expr:
    """The formula's value as an expression of the dtype."""
    scope = dict(zip(rule.names, args))
    value = _Lowering(scope, dict(rule.attrs), rule.numbers).visit(parse(rule.expr))
    return cast(value, dtype)


def lower_condition(condition: str, rule: Formula, args: Sequence[Expr]) -> Expr:
    """A condition over the formula's names."""
    return _Lowering(dict(zip(rule.names, args)), dict(rule.attrs), rule.numbers).visit(parse(condition))


def cast(value: Expr, dtype: DType) -> Expr:
    return value if value.dtype is dtype else Apply("cast", (value,), dtype)


class _Lowering:
    def __init__(self, scope: Mapping[str, Expr], attrs: Mapping[str, Any], numbers: DType) -> None:
        self.scope, self.attrs, self.numbers = scope, attrs, numbers

    def visit(self, tree: ast.expr) -> Expr:
        if isinstance(tree, ast.Constant):
            return Const(self.numbers.np.type(tree.value).item(), self.numbers)
        if isinstance(tree, ast.Name):
            return self.name(tree.id)
        if isinstance(tree, ast.BinOp):
            x, y = self.visit(tree.left), self.visit(tree.right)
            return Apply(_BINARY[type(tree.op)], (x, y), x.dtype)
        if isinstance(tree, ast.UnaryOp):
            return self.unary(tree)
        if isinstance(tree, ast.Compare):
            return Apply(_COMPARE[type(tree.ops[0])], (self.visit(tree.left), self.visit(tree.comparators[0])), bool_)
        assert isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name), ast.unparse(tree)
        args = tuple(self.visit(a) for a in tree.args)
        function = tree.func.id
        return Apply(function, args, bool_ if function in _TRUTH else args[-1].dtype)

    def name(self, name: str) -> Expr:
        if name in self.scope:
            return self.scope[name]
        return Const(self.numbers.np.type(self.attrs[name]).item(), self.numbers)

    def unary(self, tree: ast.UnaryOp) -> Expr:
        x = self.visit(tree.operand)
        if isinstance(tree.op, ast.USub):
            return Const(self.numbers.np.type(-x.value).item(), x.dtype) if isinstance(x, Const) else Apply("neg", (x,), x.dtype)
        return Apply("logical_not" if x.dtype.is_bool else "~", (x,), x.dtype)


@functools.cache
def cost(expr: str) -> int:
    """A rough price of evaluating the expression once, in additions."""
    total = 0
    for part in ast.walk(parse(expr)):
        if isinstance(part, ast.Call):
            total += price(getattr(part.func, "id", ""))
        elif isinstance(part, ast.BinOp):
            total += price(_BINARY[type(part.op)])
        elif isinstance(part, (ast.Compare, ast.UnaryOp)):
            total += 1
    return total


def price(function: str) -> int:
    """A rough price of one application of a function or operator, in additions."""
    return 20 if function in EXPENSIVE else 5 if function in _SLOW else 1
