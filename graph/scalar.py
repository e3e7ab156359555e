"""The scalar language of op records. In: an expression such as ``"where(a > 0.0, a, alpha * a)"``; out: its syntax tree for code
generators, and NumPy kernels for the eager path.

The language is a subset of Python expressions:

* names: the arguments ``a, b, c`` of the element, the op's attributes, and in rows the phases, ``j`` and ``n``;
* numbers and numeric attributes, which take the dtype of the op's first value argument;
* ``+ - * / // % **``, unary ``-``, comparisons (not chained), and ``& | ^ ~`` on truth values or integers;
* calls of `FUNCTIONS`. ``where(condition, x, y)`` evaluates both.

Every operation is NumPy's: floats follow IEEE 754, integers wrap around, ``//`` and ``%`` round towards minus infinity,
``maximum`` and ``minimum`` propagate NaN, ``round`` rounds halves to even. Every operation's result has its operands' dtype.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from .dtype import DType, as_dtype
from .quiet import quietly
from .special import erf, power

if TYPE_CHECKING:
    from .families import Elementwise, Row
    from .op import Attrs


def _rsqrt(x: Any) -> Any:
    return np.reciprocal(np.sqrt(x))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan,
    "atan2": np.arctan2, "atanh": np.arctanh, "ceil": np.ceil, "cos": np.cos, "cosh": np.cosh, "erf": erf, "exp": np.exp,
    "expm1": np.expm1, "floor": np.floor, "inverse": np.reciprocal, "isfinite": np.isfinite, "isinf": np.isinf, "isnan": np.isnan,
    "log": np.log, "log1p": np.log1p, "maximum": np.maximum, "minimum": np.minimum, "power": power, "round": np.rint,
    "rsqrt": _rsqrt, "sign": np.sign, "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt, "tan": np.tan, "tanh": np.tanh,
    "where": np.where,
}  # fmt: skip
"""Every function of the language, with NumPy's meaning of it."""

ARITY = {name: {"atan2": 2, "maximum": 2, "minimum": 2, "power": 2, "where": 3}.get(name, 1) for name in FUNCTIONS}
"""How many arguments each takes."""

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr, ast.BitXor,
    ast.Invert, ast.USub, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Load,
)  # fmt: skip
_EXPRESSIONS = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant)


@cache
def parse(expr: str) -> ast.expr:
    """The syntax tree of an expression, checked to stay inside the language. ValueError if it does not."""
    tree = ast.parse(expr, mode="eval").body
    for node in ast.walk(tree):
        problem = _problem(node)
        if problem:
            raise ValueError(f"{problem} is not part of the scalar language. Received: {expr!r}.")
    return tree


def _problem(node: ast.AST) -> str:
    if not isinstance(node, _OPERATORS + _EXPRESSIONS):
        return type(node).__name__
    if isinstance(node, ast.Compare) and len(node.ops) != 1:
        return "A chained comparison"
    if isinstance(node, ast.Constant) and type(node.value) not in (int, float):
        return f"The literal {node.value!r}"
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords:
            return f"The call {ast.unparse(node)}"
        if len(node.args) != ARITY[node.func.id]:
            return f"{node.func.id} with {len(node.args)} arguments"
    return ""


def names_in(tree: ast.expr) -> list[str]:
    """The names the expression reads (not the functions it calls), in alphabetical order."""
    return sorted(set(_names(tree)))


def _names(tree: ast.AST) -> Iterator[str]:
    if isinstance(tree, ast.Name):
        yield tree.id
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(tree, ast.Call) and child is tree.func):
            yield from _names(child)


class _Literals(ast.NodeTransformer):
    """Numbers become names, to be bound to scalars of the right dtype."""

    def __init__(self) -> None:
        self.values: list[int | float] = []

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        self.values.append(node.value)  # type: ignore[arg-type]  # parse admits only int and float
        return ast.Name(f"_{len(self.values) - 1}", ast.Load())


@cache
def _code(expr: str) -> tuple[CodeType, tuple[int | float, ...], tuple[str, ...]]:
    names = tuple(names_in(parse(expr)))
    literals = _Literals()
    body = literals.visit(ast.parse(expr, mode="eval").body)
    arguments = ast.arguments([], [ast.arg(n) for n in names], None, [], [], None, [])
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    return compile(tree, f"<{expr}>", "eval"), tuple(literals.values), names


@cache
def kernel(expr: str, dtype: DType) -> tuple[Callable[..., Any], tuple[str, ...]]:
    """A NumPy function for the expression with literals of the dtype, and the names of its arguments in order."""
    code, values, names = _code(expr)
    scope: dict[str, Any] = dict(FUNCTIONS)
    scope.update({f"_{i}": dtype.np.type(v) for i, v in enumerate(values)})
    return eval(code, scope), names


def _run(expr: str, dtype: DType, scope: dict[str, Any]) -> Any:
    function, names = kernel(expr, dtype)
    return function(*[scope[n] for n in names])


def _scope(arrays: Sequence[np.ndarray], attrs: Attrs, dtype: DType) -> dict[str, Any]:
    scope: dict[str, Any] = dict(zip("abc", arrays, strict=False))
    for name, value in attrs.items():
        scope[name] = dtype.np.type(value) if type(value) in (int, float) else value
    return scope


def evaluate_elementwise(op: Elementwise, arrays: Sequence[np.ndarray], attrs: Attrs) -> np.ndarray:
    """Applies the op's expression (or its own NumPy kernel) with broadcasting, after its check. Raises the op's error."""
    if op.check and arrays[op.masks].dtype.kind in op.check_kinds:
        quietly(_check_elements, op, arrays, attrs)
    if op.numpy is not None:
        out = quietly(op.numpy, *arrays, **attrs)
    else:
        out = quietly(_elementwise, op, arrays, attrs)
    if type(out) is np.ndarray and op.result == "same" and out.dtype == arrays[-1].dtype:
        return out
    return np.asarray(out, op.result_dtype(as_dtype(arrays[-1].dtype), attrs).np)


def _elementwise(op: Elementwise, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
    dtype = as_dtype(arrays[op.masks].dtype)
    function, names = kernel(op.expr, dtype)
    if not attrs and len(names) == len(arrays):  # then the names are a, b, c in the arguments' order
        return function(*arrays)
    scope = _scope(arrays, attrs, dtype)
    return function(*[scope[n] for n in names])


def _check_elements(op: Elementwise, arrays: Sequence[np.ndarray], attrs: Attrs) -> None:
    dtype = as_dtype(arrays[op.masks].dtype)
    bad = _run(op.check, dtype, _scope(arrays, attrs, dtype))
    if np.any(bad):
        raise_check(op, bad, op.params, arrays)


def raise_check(op: Elementwise | Row, bad: Any, names: Sequence[str], arrays: Sequence[np.ndarray]) -> None:
    """Raises the op's error, showing the arguments at the first element where the check failed."""
    shape = np.broadcast_shapes(np.shape(bad), *(a.shape for a in arrays))
    assert op.error is not None
    if 0 in shape:  # compiled code looks at the divisor alone, too
        raise op.error(f"{op.name}: {op.message} Received: a result without elements.")
    at = tuple(int(i[0]) for i in np.nonzero(np.broadcast_to(bad, shape))) if shape else ()
    values = ", ".join(f"{p} = {np.broadcast_to(a, shape)[at]}" for p, a in zip(names, arrays, strict=True))
    raise op.error(f"{op.name}: {op.message} Received: {values}{f' at index {at}' if at else ''}.")


def evaluate_row(op: Row, arrays: Sequence[np.ndarray], attrs: Attrs) -> np.ndarray:
    """Runs the op's phases over the last axis and its result expression, after its check. Raises the op's error."""
    if op.numpy is not None and not op.check:
        return np.asarray(quietly(op.numpy, *arrays, **attrs), arrays[0].dtype)
    return np.asarray(quietly(_row, op, arrays, attrs), arrays[0].dtype)


_PHASES: dict[str, tuple[Callable[..., Any], float]] = {"max": (np.maximum.reduce, -np.inf), "sum": (np.add.reduce, 0.0)}


def _row(op: Row, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
    x = arrays[0]
    full = len(arrays) - op.row_args
    columns = [*arrays[:full], *(r[..., None] for r in arrays[full:])]
    dtype = as_dtype(x.dtype)
    scope = _scope(columns, attrs, dtype)
    counter = arrays[-1].dtype if op.row_args and arrays[-1].dtype.kind in "iu" else np.dtype(np.int64)
    scope["j"] = np.arange(x.shape[-1], dtype=counter)
    scope["n"] = counter.type(x.shape[-1])
    if op.check:
        bad = _run(op.check, dtype, scope)
        if np.any(bad):
            raise_check(op, bad[..., 0], op.params[full:], arrays[full:])
    for name, kind, expr in op.phases:
        reduce, start = _PHASES[kind]
        values = _stretched(_run(expr, dtype, scope), x.shape)
        scope[name] = reduce(values, axis=-1, keepdims=True, initial=dtype.np.type(start))
    out = _run(op.result, dtype, scope)
    return _stretched(out, x.shape) if op.keeps else _stretched(out, (*x.shape[:-1], 1))[..., 0]


def _stretched(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The value broadcast to the shape; most often it has it already."""
    return value if np.shape(value) == shape else np.broadcast_to(value, shape)
