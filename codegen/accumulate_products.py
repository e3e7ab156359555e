"""Sums of matrix products become products that add to what is there. In: lowered terms; out: the same, with sums replaced.

The gradient of what queries, keys and values are made of is such a sum, ``dq @ wq.T + dk @ wk.T + dv @ wv.T``; so is the gradient
of a weight that a step uses several times. Each product after the first adds its tiles to the array that holds the sum so far, so
that no array is written only to be added. docs/fusion.md states the rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from weft.graph.ir import Graph

from .build_own import contract_sizes
from .contract_product import is_narrow
from .emit_contract import own_product
from .find_roots import base
from .lower_graph import Lowered
from .target import Target
from .terms import Formula, Own, Reshape, Term


def accumulate_products(graph: Graph, lowered: Lowered, target: Target) -> None:
    """Changes ``lowered``: a sum of products that nothing else needs becomes a product with a third argument."""
    if not any(_adds(t, target) and any(_is_product(base(a)) for a in t.args) for t in lowered.terms.values()):
        return
    required = [lowered.terms[n] for n in (*graph.outputs, *(n for _, n in graph.writes))]
    required += [t for _, args in lowered.effects for t in args]
    new = _Rebuilding(lowered, target, required).run()
    lowered.terms = {node: new.get(t, t) for node, t in lowered.terms.items()}
    lowered.effects = [(node, tuple(new.get(t, t) for t in args)) for node, args in lowered.effects]


def accumulates(term: Term) -> bool:
    """Whether the term is a product that is added to its third argument, in that argument's memory."""
    return isinstance(term.rule, Own) and term.rule.family == "contract" and len(term.args) == 3


def _is_product(term: Term) -> bool:
    return isinstance(term.rule, Own) and term.rule.family == "contract" and not term.rule.attrs[3]


def _adds(term: Term, target: Target) -> bool:
    rule = term.rule
    plain = isinstance(rule, Formula) and rule.expr == "a + b" and rule.fault is None and term.dtype.short in target.own_contracts
    return plain and all(a.shape == term.shape and a.dtype is term.dtype for a in term.args)


class _Rebuilding:
    """Makes the terms behind a changed sum anew, arguments first."""

    def __init__(self, lowered: Lowered, target: Target, required: Iterable[Term]) -> None:
        self.table, self.target = lowered.table, target
        self.readers = Counter(required)
        self.new: dict[Term, Term] = {}
        stack = list(self.readers)
        self.reached = set(stack)
        while stack:
            args = stack.pop().args
            self.readers.update(args)
            stack += [a for a in dict.fromkeys(args) if a not in self.reached]
            self.reached.update(args)

    def run(self) -> dict[Term, Term]:
        """What stands for the terms that changed."""
        for term in sorted(self.reached, key=lambda t: t.order):
            made = self.joined(term) if _adds(term, self.target) else None
            args = [self.new.get(a, a) for a in term.args]
            if made is None and args != list(term.args):
                made = self.table.make(term.rule, args, term.dtype, term.shape)
                made.nodes.extend(n for n in term.nodes if n not in made.nodes)
            if made is not None:
                self.new[term] = made
        return self.new

    def joined(self, term: Term) -> Term | None:
        """The sum as the younger of two products, added to the other; or as a product added to a sum."""
        if not all(self.only_here(a) for a in term.args):
            return None
        first, last = sorted((base(self.new.get(a, a)) for a in term.args), key=lambda t: t.order)
        for added, onto in ((last, first), (first, last)):
            if self.can_add(added) and self.is_sum(onto):
                assert isinstance(added.rule, Own)
                rule = Own("contract", (*added.rule.attrs[:2], True, False))
                out = self.table.make(rule, (*added.args, onto), added.dtype, added.shape)
                out.nodes.extend(dict.fromkeys((*added.nodes, *term.nodes)))
                return self.table.reshape(out, term.shape)
        return None

    def is_sum(self, term: Term) -> bool:
        """Whether the term is a product or a sum with one, that is in memory for the sum's sake only."""
        return _is_product(term) or (_adds(term, self.target) and any(_is_product(base(a)) for a in term.args))

    def only_here(self, term: Term) -> bool:
        """Whether the sum is all that needs the argument's memory."""
        while self.readers[term] == 1 and isinstance(term.rule, Reshape):
            (term,) = term.args
        return self.readers[term] == 1

    def can_add(self, term: Term) -> bool:
        """Whether the product's kernel can add to an array: a narrow result is computed transposed and turned at its end."""
        if not _is_product(term) or accumulates(term):
            return False
        assert isinstance(term.rule, Own)
        product = own_product(term.dtype, (*term.rule.attrs[:2], False, False), contract_sizes(term), self.target)
        return product is not None and not is_narrow(product, self.target.vector_bytes // product.size)
