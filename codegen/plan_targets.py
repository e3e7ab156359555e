"""Which buffers outside the scratch memory get results. In: a graph's outputs and writes as terms; out: `Targets`.

Every output has a buffer of its own and every written variable its storage. The first of a term's targets is computed in place;
what cannot be (an input handed back, one array wanted twice) becomes a copy.
"""

from __future__ import annotations

from weft.graph.ir import Graph
from weft.graph.record import field, record

from .accumulate_products import accumulates
from .find_roots import base
from .lower_graph import Lowered
from .terms import Leaf, Own, Term
from .walk_terms import kept_depth

Target = tuple[str, int]  # ("output", 0), ("variable", 3)


@record(frozen=False)
class Targets:
    """by_term: where a term's elements go, in order. effects: the arrays each effect reads."""

    by_term: dict[Term, list[Target]] = field(default_factory=dict)
    effects: list[tuple[Term, ...]] = field(default_factory=list)

    @property
    def required(self) -> list[Term]:
        return [*self.by_term, *(t for e in self.effects for t in e if not isinstance(t.rule, Leaf))]


def plan_targets(graph: Graph, lowered: Lowered) -> Targets:
    targets = Targets()
    for ref, node in graph.writes:
        index = lowered.variables[ref]
        term = base(lowered.terms[node])
        if term.rule != Leaf("variable", index):
            _add(targets, lowered, term, ("variable", index))
    for i, node in enumerate(graph.outputs):
        _add(targets, lowered, base(lowered.terms[node]), ("output", i))
    targets.effects = [tuple(base(a) for a in args) for _, args in lowered.effects]
    return targets


def _add(targets: Targets, lowered: Lowered, term: Term, target: Target) -> None:
    single = isinstance(term.rule, Own) or kept_depth(term) is None  # such kernels write one buffer
    taken = term in targets.by_term and single
    taken |= target[0] == "variable" and accumulates(term)  # sums so far must not be in the variable
    if isinstance(term.rule, Leaf) or taken:
        term = lowered.table.copy(term, target)
    targets.by_term.setdefault(term, []).append(target)
