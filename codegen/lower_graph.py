"""The graph -> terms. In: an optimised `Graph`; out: `Lowered`: one term per node, plus effects and the leaves' order.

Dispatch is by the op's family; what a family says about its op (expression, view, phases) is all that is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from weft.graph import families
from weft.graph.dtype import DType, float16, float32
from weft.graph.errors import UnimplementedError
from weft.graph.ir import Graph, Node, TokenType, VariableRef
from weft.graph.op import broadcast_shapes
from weft.graph.record import field, record

from .halve_products import multiply_halves, pays_in_halves
from .lower_gather import lower_gather
from .lower_layout import broadcast_leading, lower_layout
from .lower_reduce import lower_reduce
from .lower_rows import lower_row
from .program import order_variables
from .target import Target
from .terms import Fault, Formula, Leaf, Own, Ramp, Rule, SizeValue, Term, Terms


@record(frozen=False)
class Lowered:
    """terms: by node. effects: (node, its array arguments), in program order. constants: leaf arrays by index.
    updated: the variables that the graph writes, by index."""

    table: Terms
    terms: dict[Node, Term] = field(default_factory=dict)
    effects: list[tuple[Node, tuple[Term, ...]]] = field(default_factory=list)
    constants: list[np.ndarray] = field(default_factory=list)
    target: Target = Target()
    variables: dict[VariableRef, int] = field(default_factory=dict)
    updated: frozenset[int] = frozenset()
    inputs: dict[Node, int] = field(default_factory=dict)


def lower_graph(graph: Graph, target: Target) -> Lowered:
    """Lowers every node. Raises UnimplementedError, naming op and user line, for what cannot be compiled."""
    lowered = Lowered(Terms(), target=target)
    lowered.variables = {v: i for i, v in enumerate(order_variables(graph))}
    lowered.updated = frozenset(lowered.variables[v] for v, _ in graph.writes)
    lowered.inputs = {n: i for i, n in enumerate(graph.inputs)}
    for node in graph.nodes():
        if isinstance(node.type, TokenType):
            if node.args:
                lowered.effects.append((node, tuple(lowered.terms[a] for a in node.args[1:])))
            continue
        for n in (node, *node.args) if node.args else ():
            refuse_half(n.dtype, node)
        lower = _LOWER.get(node.op.family)
        if lower is None:
            origin = origin_text(node)
            raise UnimplementedError(f"{node.op.name} cannot be compiled{f' at {origin}' if origin else ''}.")
        lowered.table.node = None if node.op.family == "source" else node
        lowered.terms[node] = lower(lowered, node, [lowered.terms[a] for a in node.args])
    lowered.table.node = None
    for node in (*graph.outputs, *(n for _, n in graph.writes)):
        refuse_half(node.dtype, node)
    return lowered


def refuse_half(dtype: DType, node: Node) -> None:
    """UnimplementedError for float16, which Numba cannot compile on a CPU."""
    if dtype is float16:
        origin = origin_text(node)
        where = f" at {origin}" if origin else ""
        raise UnimplementedError(f"float16 cannot be compiled for the CPU: cast to float32. Received: {node.op.name}{where}.")


def origin_text(node: Node) -> str:
    """The user's lines, shortest form."""
    return ", ".join(dict.fromkeys(map(str, node.origins)))


def _source(lowered: Lowered, node: Node, args: list[Term]) -> Term:
    table, attrs = lowered.table, node.attrs
    if node in lowered.inputs:
        return table.make(Leaf("input", lowered.inputs[node]), (), node.dtype, node.shape)
    if "variable" in attrs:
        return table.make(Leaf("variable", lowered.variables[attrs["variable"]]), (), node.dtype, node.shape)
    if "value" in attrs:
        return _constant(lowered, node, attrs["value"].array)
    if "size" in attrs:
        rule: Rule = Ramp(0) if node.shape else SizeValue(attrs["size"])
        return table.make(rule, (), node.dtype, node.shape)
    raise UnimplementedError(f"The graph uses {node.op.name} {attrs.get('name', '')!r}, which is not among its inputs.")


def _constant(lowered: Lowered, node: Node, array: np.ndarray) -> Term:
    first = array.reshape(-1)[:1]
    if array.size and array.tobytes() == first.tobytes() * array.size:
        return lowered.table.literal(first[0], node.dtype, node.shape)
    lowered.constants.append(array)
    return lowered.table.make(Leaf("constant", len(lowered.constants) - 1), (), node.dtype, node.shape)


def _elementwise(lowered: Lowered, node: Node, args: list[Term]) -> Term:
    op = node.op
    assert isinstance(op, families.Elementwise)
    numbers = args[op.masks].dtype
    fault = None
    if op.check and numbers.kind in op.check_kinds:
        assert op.error is not None
        fault = Fault(op.check, op.error.__name__, f"{op.name}: {op.message}")
    formula = Formula(op.expr, tuple("abc"[: len(args)]), numbers, numeric_attrs(node), op.name, fault)
    if formula.expr == "a" and fault is None and node.dtype is args[0].dtype:
        return args[0]
    return divide_by_root(lowered.table, formula, args) or lowered.table.formula(formula, args, node.dtype, node.shape)


def divide_by_root(table: Terms, formula: Formula, args: list[Term]) -> Term | None:
    """``x / sqrt(y)`` and ``x / (sqrt(y) + z)`` of float32 as products with an inverse, see `vector_inverses`."""
    if formula.expr not in ("a / b", "1 / a") or formula.numbers is not float32:
        return None
    divisor = args[-1]
    if _is_formula(divisor, "sqrt(a)"):
        inverse, of = "rsqrt", divisor.args
    elif _is_formula(divisor, "a + b") and any(_is_formula(t, "sqrt(a)") for t in divisor.args):
        inverse, of = "inverse", (divisor,)
    else:
        return None
    factor = table.formula(Formula(f"{inverse}(a)", ("a",), float32, (), inverse), of, float32, divisor.shape)
    if len(args) == 1:
        return factor
    shape = broadcast_shapes([a.shape for a in args], lambda: formula.title)
    return table.formula(Formula("a * b", ("a", "b"), float32, (), formula.title), [args[0], factor], float32, shape)


def _is_formula(term: Term, expr: str) -> bool:
    return isinstance(term.rule, Formula) and term.rule.expr == expr


def numeric_attrs(node: Node) -> tuple[tuple[str, Any], ...]:
    """The attributes that a scalar expression may name."""
    return tuple((k, v) for k, v in node.attrs.items() if type(v) in (int, float))


def _contract(lowered: Lowered, node: Node, args: list[Term]) -> Term:
    facts = (bool(node.attrs["transpose_a"]), bool(node.attrs["transpose_b"]), False, False)
    leading = node.shape[:-2]
    args = [broadcast_leading(lowered.table, a, leading) for a in args]
    if any(facts) or not pays_in_halves(node, args, lowered.updated, lowered.target):
        return lowered.table.make(Own("contract", facts), args, node.dtype, node.shape)
    return multiply_halves(lowered.table, args, node.dtype, node.shape)


def _gather(lowered: Lowered, node: Node, args: list[Term]) -> Term:
    return lower_gather(lowered.table, node, args, lowered.constants)


def _scan(lowered: Lowered, node: Node, args: list[Term]) -> Term:
    op, attrs = node.op, node.attrs
    assert isinstance(op, families.Scan)
    start = repr(np.asarray(op.start(node.dtype), node.dtype.np).item())
    facts = (attrs["axis"], bool(attrs["exclusive"]), bool(attrs["reverse"]), op.combine, start)
    return lowered.table.make(Own("scan", facts), args, node.dtype, node.shape)


def _random(lowered: Lowered, node: Node, args: list[Term]) -> Term:
    op = node.op
    assert isinstance(op, families.Random)
    facts = (op.distribution, *((k, v) for k, v in node.attrs.items() if k not in ("shape", "dtype")))
    return lowered.table.make(Own("random", facts), args, node.dtype, node.shape)


def _layout(lowered: Lowered, node: Node, args: list[Term]) -> Term:
    return lower_layout(lowered.table, node, args)


def _reduce(lowered: Lowered, node: Node, args: list[Term]) -> Term:
    return lower_reduce(lowered.table, node, args)


def _row(lowered: Lowered, node: Node, args: list[Term]) -> Term:
    return lower_row(lowered.table, node, args)


_LOWER: dict[str, Callable[[Lowered, Node, list[Term]], Term]] = {
    "source": _source,
    "elementwise": _elementwise,
    "reduce": _reduce,
    "layout": _layout,
    "contract": _contract,
    "gather": _gather,
    "row": _row,
    "scan": _scan,
    "random": _random,
}
