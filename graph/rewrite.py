"""Rewriting graphs by rules. In: a graph and rules as data; out: the equal graph to which no rule applies any more.

Two kinds of rules. A `Rule` is a pattern, a replacement and a side condition, all text, see ``pattern``. A `FamilyRule` is a
function for all ops of some families, for what cannot be said op by op. Both state an exactness class and an executed example.

The engine ends by argument: give every node the weight of its op plus twice the weights of its arguments (once for
``broadcast_to``). Every rule makes the term it replaces lighter (`pattern.slack` refuses a `Rule` that does not; a `FamilyRule`
says why it does), the weight of what stands above only grows with that of its arguments, and weights are natural numbers.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Union

from . import pattern
from .conditions import is_broadcast
from .ir import Graph, Node, make
from .op import REGISTRY, Op
from .origin import created_at
from .pattern import Make
from .record import field, record


class Exactness(enum.Enum):
    """What a rule promises about the bits of the result."""

    EXACT = "exact"  # the same bits, but for a signalling NaN becoming quiet
    EXACT_EXCEPT_NAN = "exact except NaN"  # NaN stays NaN, its sign and payload may change
    REASSOCIATING = "reassociating"  # equal for real numbers; off unless asked for


@record(eq=False)
class Rule:
    """``pattern -> replacement`` where the side condition holds; the notation is described in ``pattern``.

    example: what the names stand for in the executed example: a type such as ``"f32[2,3]"`` for a node, a NumPy scalar or array
    for a constant, any other value for an attribute. why: what the rule is good for or why it is exact, where that is not plain.
    """

    pattern: str
    replacement: str
    where: str = "True"
    example: Mapping[str, Any] = field(default_factory=dict)
    exactness: Exactness = Exactness.EXACT
    why: str = ""

    @cached_property
    def compiled(self) -> _Compiled:
        return _Compiled(self)

    @property
    def heads(self) -> tuple[str, ...]:
        """The ops at whose nodes the rule is tried."""
        term = pattern.parse_term(self.pattern)
        if not isinstance(term, pattern.ast.Call):
            raise ValueError(f"A pattern is a call of an op. Received: {self.pattern}.")
        return (pattern.head(term),)

    def apply(self, node: Node, make: Make) -> Node | None:
        return self.compiled.apply(node, make)

    def __str__(self) -> str:
        return f"{self.pattern} -> {self.replacement}" + (f"  where {self.where}" if self.where != "True" else "")


@record(eq=False)
class FamilyRule:
    """A rule for all ops of the families: ``rewrite(node, make)`` returns the lighter node, or None.

    before, after: the executed example, as graph text. lighter: why the weight goes down.
    """

    name: str
    families: tuple[str, ...]
    rewrite: Callable[[Node, Make], Node | None]
    before: str
    after: str
    lighter: str
    exactness: Exactness = Exactness.EXACT

    @property
    def heads(self) -> tuple[str, ...]:
        return tuple(op.name for op in REGISTRY.values() if op.family in self.families)

    def apply(self, node: Node, make: Make) -> Node | None:
        return self.rewrite(node, make)

    def __str__(self) -> str:
        return self.name


AnyRule = Union[Rule, FamilyRule]


class _Compiled:
    """A rule made ready: its variants' matchers, its condition and the builder of its replacement."""

    def __init__(self, rule: Rule) -> None:
        before, after = pattern.parse_term(rule.pattern), pattern.parse_term(rule.replacement)
        self.variants = [(pattern.needs(v), pattern.matcher(v)) for v in pattern.variants(before)]
        self.condition = None if rule.where == "True" else pattern.compile_expression(rule.where)
        self.build = pattern.builder(after)
        self.slack = pattern.slack(before, after)

    def apply(self, node: Node, make: Make) -> Node | None:
        for needs, match in self.variants:
            if not pattern.may_match(needs, node.args):
                continue
            bound: pattern.Bindings = {}
            if match(node, bound):
                bound["root"] = node
                if self.condition is None or pattern.evaluate(self.condition, bound):
                    new = self.build(bound, make)
                    if (fitted := self.fit(new, node, make)) is not None:
                        return fitted
        return None

    def fit(self, new: Node, old: Node, make: Make) -> Node | None:
        """The replacement in the shape of what it replaces: ``x * ones`` may be wider than ``x``."""
        if new.type == old.type:
            return new
        if new.dtype is not old.dtype or self.slack < 2:
            return None
        wider = make(REGISTRY["broadcast_to"], [new], {"shape": old.shape})
        return wider if is_broadcast(wider) or wider is new else None


class Rules:
    """A set of rules, found by the op they apply to. reassociate: also those that are only equal for real numbers."""

    def __init__(self, rules: Iterable[AnyRule], reassociate: bool = False) -> None:
        self.rules = tuple(r for r in rules if reassociate or r.exactness is not Exactness.REASSOCIATING)

    @cached_property
    def by_op(self) -> Mapping[str, Sequence[AnyRule]]:
        """Built when first needed, because the ops must be there by then."""
        table: dict[str, list[AnyRule]] = {}
        for rule in self.rules:
            for name in rule.heads:
                table.setdefault(name, []).append(rule)
        return table

    def rewrite(self, graph: Graph) -> Graph:
        """The graph after applying the rules wherever they apply, bottom up, until none does."""
        engine = Engine(self.by_op)
        replacement: dict[Node, Node] = {}
        for node in graph.nodes():
            args = tuple([replacement[a] for a in node.args])
            if args == node.args and node.op.name not in self.by_op:
                replacement[node] = node
                continue
            with created_at(node.origins):
                replacement[node] = engine.normal(node if args == node.args else make(node.op, args, node.attrs))
        return Graph(
            graph.inputs,
            tuple(replacement[n] for n in graph.outputs),
            tuple((v, replacement[n]) for v, n in graph.writes),
            None if graph.token is None else replacement[graph.token],
            graph.name,
        )


class Engine:
    """Brings nodes to their normal form. Arguments of the nodes it is given must be in normal form already."""

    def __init__(self, by_op: Mapping[str, Sequence[AnyRule]]) -> None:
        self.by_op = by_op
        self.done: dict[Node, Node] = {}

    def normal(self, node: Node) -> Node:
        found = self.done.get(node)
        if found is not None:
            return found
        result = node
        for rule in self.by_op.get(node.op.name, ()):
            new = rule.apply(node, self.make)
            if new is not None and new is not node:
                result = self.normal(new)
                break
        self.done[node] = result
        return result

    def make(self, op: Op, args: Sequence[Node], attrs: Mapping[str, Any]) -> Node:
        """A node in normal form."""
        return self.normal(make(op, args, attrs))


