"""Patterns over nodes. In: a term such as ``"mul(neg(x), k)"``; out: functions that match it against a node or build it.

The notation is Python's call syntax. A name stands for any node, the same one wherever it occurs; a name that starts with ``k``
stands for a constant (also a scalar one that was broadcast). A number is a constant all of whose elements are that number, bit
for bit: ``0`` is not ``-0.0``. Keywords are attributes: a name binds the value, anything else must equal it, and attributes
that are not mentioned have their default. When building, a keyword may be any Python expression over the bound names and the
functions of `conditions`; ``full(v)`` is the whole result filled with ``v``.
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import Any

import numpy as np

from . import conditions
from .build import constant
from .dtype import BY_SHORT
from .ir import Node, _attr_key
from .op import REGISTRY, Op

Bindings = dict[str, Any]
Matcher = Callable[[Node, Bindings], bool]
Make = Callable[[Op, list[Node], dict[str, Any]], Node]
Build = Callable[[Bindings, Make], Node]

COMMUTATIVE = frozenset({"add", "mul", "equal", "not_equal", "logical_and", "logical_or", "logical_xor"})
FUNCTIONS = {**BY_SHORT, **{name: getattr(conditions, name) for name in conditions.__all__}}


def parse_term(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def compile_expression(text: str) -> CodeType:
    """A side condition or attribute, to be evaluated by `evaluate`."""
    return compile(text, f"<{text}>", "eval")


def evaluate(code: CodeType, bound: Bindings) -> Any:
    return eval(code, FUNCTIONS, bound)  # the text is part of weft's own rules


def variants(term: ast.expr) -> Iterator[ast.expr]:
    """The term with the arguments of commutative ops in either order."""
    if not isinstance(term, ast.Call):
        yield term
        return
    for args in itertools.product(*(list(variants(a)) for a in term.args)):
        yield ast.Call(term.func, list(args), term.keywords)
        if head(term) in COMMUTATIVE and ast.dump(args[0]) != ast.dump(args[1]):
            yield ast.Call(term.func, list(reversed(args)), term.keywords)


def head(term: ast.Call) -> str:
    assert isinstance(term.func, ast.Name)
    return term.func.id


def number(term: ast.expr) -> Any:
    """The value of a literal, None if the term is none."""
    try:
        value = ast.literal_eval(term)
    except ValueError:
        return None
    return value if isinstance(value, (bool, int, float)) else None


def is_constant_name(name: str) -> bool:
    return name.startswith("k")


# Matching

Needs = tuple[tuple[int, Op | None], ...]


def needs(term: ast.expr) -> Needs:
    """What a node's arguments must be for the term to match: argument i is of this op, or (None) could be a constant."""
    assert isinstance(term, ast.Call)
    found: list[tuple[int, Op | None]] = []
    for i, arg in enumerate(term.args):
        if isinstance(arg, ast.Call):
            found.append((i, _op(head(arg))))
        elif not isinstance(arg, ast.Name) or is_constant_name(arg.id):
            found.append((i, None))
    return tuple(found)


def may_match(needs: Needs, args: Sequence[Node]) -> bool:
    """The cheap first half of matching. Most nodes end here."""
    if needs and needs[-1][0] >= len(args):
        return False
    for i, op in needs:
        arg = args[i]
        if op is None:
            if arg.args and arg.op.family != "layout":
                return False
        elif arg.op is not op:
            return False
    return True


def matcher(term: ast.expr) -> Matcher:
    """A function that says whether a node matches, and fills the bindings."""
    if isinstance(term, ast.Name):
        return _match_constant(term.id) if is_constant_name(term.id) else _match_name(term.id)
    if isinstance(term, ast.Call):
        return _match_call(term)
    value = number(term)
    if value is None:
        raise ValueError(f"A pattern is made of names, numbers and calls of ops. Received: {ast.unparse(term)}.")
    return lambda node, bound: conditions.is_number(node, value)


def _match_name(name: str) -> Matcher:
    def match(node: Node, bound: Bindings) -> bool:
        return bound.setdefault(name, node) is node

    return match


def _match_constant(name: str) -> Matcher:
    def match(node: Node, bound: Bindings) -> bool:
        found = conditions.constant_below(node)
        return found is not None and bound.setdefault(name, found) is found

    return match


def _match_call(term: ast.Call) -> Matcher:
    op = _op(head(term))
    parts = [matcher(a) for a in term.args]
    attributes = _attribute_patterns(op, term)

    def match(node: Node, bound: Bindings) -> bool:
        args = node.args
        if node.op is not op or len(args) != len(parts):
            return False
        for name, (bind, key) in attributes.items():
            value = node.attrs[name]
            if bind is None:
                if _attr_key(value) != key:
                    return False
            elif _attr_key(bound.setdefault(bind, value)) != _attr_key(value):
                return False
        for part, arg in zip(parts, args, strict=True):  # noqa: SIM110 - all() takes twice the time
            if not part(arg, bound):
                return False
        return True

    return match


def _attribute_patterns(op: Op, term: ast.Call) -> dict[str, tuple[str | None, Any]]:
    """Per attribute: the name it binds, or the key its value must have."""
    given = {str(k.arg): k.value for k in term.keywords}
    if unknown := set(given) - set(op.attributes):
        raise ValueError(f"{op.name} has the attributes {list(op.attributes)}. Received: {sorted(unknown)}.")
    out: dict[str, tuple[str | None, Any]] = {}
    for name, default in op.attributes.items():
        if name in given and isinstance(value := given[name], ast.Name):
            out[name] = (value.id, None)
        elif name in given:
            out[name] = (None, _attr_key(ast.literal_eval(given[name])))
        elif default is ...:
            raise ValueError(f"{op.name} needs the attribute {name}. Received: {ast.unparse(term)}.")
        else:
            out[name] = (None, _attr_key(default))
    return out


def _op(name: str) -> Op:
    if name not in REGISTRY:
        raise ValueError(f"There is no op called {name!r}.")
    return REGISTRY[name]


# Building


def builder(term: ast.expr) -> Build:
    """A function that builds the term from bindings; ``bound["root"]`` is the node that is replaced."""
    if isinstance(term, ast.Name):
        name = term.id
        return lambda bound, make: bound[name]
    if isinstance(term, ast.Call) and head(term) == "full":
        value = number(term.args[0])
        return lambda bound, make: fill(bound["root"], value, make)
    if isinstance(term, ast.Call):
        return _build_call(term)
    value = number(term)
    return lambda bound, make: constant(np.asarray(value, bound["root"].dtype.np))


def fill(root: Node, value: Any, make: Make) -> Node:
    """The number in the type of ``root``."""
    scalar = constant(np.asarray(value, root.dtype.np))
    return scalar if not root.shape else make(REGISTRY["broadcast_to"], [scalar], {"shape": root.shape})


def _build_call(term: ast.Call) -> Build:
    op = _op(head(term))
    args = [builder(a) for a in term.args]
    attrs = {str(k.arg): compile(ast.Expression(k.value), f"<{ast.unparse(k.value)}>", "eval") for k in term.keywords}

    def build(bound: Bindings, make: Make) -> Node:
        return make(op, [a(bound, make) for a in args], {name: evaluate(code, bound) for name, code in attrs.items()})

    return build


# Weights: the measure that every rule reduces

WEIGHTS = {"broadcast_to": 1, "dim_value": 2, "reshape": 4, "neg": 6, "square": 6, "div": 20, "pow": 30, "reduce_sum": 30}
DEFAULT_WEIGHT = 8
FACTORS = {"broadcast_to": 1, "reshape": 1}
DEFAULT_FACTOR = 2


def weight(term: ast.expr) -> Counter[str]:
    """The weight of a term as a polynomial of first degree: ``""`` is the constant, a name the factor of its weight.

    A constant or a name weighs at least 1; ``op(args)`` weighs as much as the op and twice its arguments (once for layout ops
    that only reinterpret). A term of constants only weighs no more than these, because it is folded.
    """
    if isinstance(term, ast.Name):
        return Counter({term.id: 1})
    if not isinstance(term, ast.Call):
        return Counter({"": 1})
    name = head(term)
    if name == "full":
        return Counter({"": 2})
    parts: Counter[str] = Counter()
    for arg in term.args:
        parts.update(weight(arg))
    if parts and is_folded(term):
        return parts
    total = Counter({n: FACTORS.get(name, DEFAULT_FACTOR) * count for n, count in parts.items()})
    total[""] += WEIGHTS.get(name, DEFAULT_WEIGHT)
    return total


def is_folded(term: ast.expr) -> bool:
    """Whether the term is computed as soon as it is built: an op of constants that does not only repeat them."""
    if isinstance(term, ast.Call):
        return bool(term.args) and head(term) not in ("broadcast_to", "full") and all(map(is_folded, term.args))
    return not isinstance(term, ast.Name) or is_constant_name(term.id)


def slack(pattern: ast.expr, replacement: ast.expr) -> int:
    """By how much the replacement is lighter at least. ValueError if it is not lighter for every value of the names."""
    before, after = _root_weight(pattern), weight(replacement)
    difference = {name: before[name] - after[name] for name in {*before, *after}}
    least = sum(difference.values())  # every name weighs at least 1
    if least < 1 or any(count < 0 for name, count in difference.items() if name):
        raise ValueError(f"A rule must make the term lighter. Received: {ast.unparse(pattern)} -> {ast.unparse(replacement)}.")
    return least


def _root_weight(term: ast.expr) -> Counter[str]:
    """As `weight`, but an op of constants is there, not folded yet."""
    total = weight(term)
    if isinstance(term, ast.Call) and is_folded(term):
        total[""] += WEIGHTS.get(head(term), DEFAULT_WEIGHT)
    return total
