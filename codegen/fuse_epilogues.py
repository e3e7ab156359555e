"""Which kernels become the end of a matrix product. In: groups and what they store; out: both, with products and groups merged.

The rule (docs/fusion.md states it for users): a group joins a product that it reads if it computes element by element, over the
product's own elements, from arrays that lie like its elements, rows or columns. The product then need not go to memory.
"""

from __future__ import annotations

from weft.graph.dims import product as multiply
from weft.graph.record import replace

from .build_epilogue import EpilogueNest, build_epilogue, split_epilogue
from .build_own import contract_sizes
from .emit_contract import Facts, takes_epilogue
from .fuse_nodes import Group, groups_by_member, leads_to
from .group_key import group_key
from .kernel import Loop, variable
from .plan_stores import Reads, Stores
from .plan_targets import Targets
from .plan_vectors import plan_vectors
from .target import Target
from .terms import Fold, Formula, Leaf, Own, Term
from .walk_terms import kept_depth, space

WHOLE = variable("whole")
"""Stands among the positions at which an array is read for all of them in any order."""


def fuse_epilogues(groups: list[Group], stores: Stores, targets: Targets, target: Target) -> tuple[list[Group], Stores]:
    """The groups in an order in which they can run, and what they store and read."""
    if not target.own_contracts:
        return groups, stores
    fusion = _Fusion(groups, stores, targets, target)
    for group in groups:
        fusion.consider(group)
    return fusion.result()


class _Fusion:
    def __init__(self, groups: list[Group], stores: Stores, targets: Targets, target: Target) -> None:
        self.groups, self.stores, self.targets, self.target = groups, stores, targets, target
        self.merged: dict[Group, Group] = {}  # by the group of the product and the one behind it: both
        self.group_of = dict(groups_by_member(self.groups))
        self.required = set(self.targets.required)
        self.before = {g: self.reads_from(g) for g in self.groups}
        self.judged: dict[object, bool] = {}  # by what a product and a group are made of: whether one can end in the other

    def reads_from(self, group: Group) -> set[Group]:
        return {self.group_of[t] for t in self.stores.reads[group].positions if t in self.group_of}

    def consider(self, group: Group) -> None:
        """Makes the group the epilogue of the youngest product that can take it."""
        if group.own or group.split is not None or any(group.phase[t] != 0 for t in group.members):
            return
        if not all(_by_element(t) for t in group.members):
            return
        products = [t for t in self.stores.reads[group].positions if isinstance(t.rule, Own) and t.rule.family == "contract"]
        for product in sorted(products, key=lambda t: t.order, reverse=True):
            if self.fits(product, group):
                self.merge(product, group)
                return

    def fits(self, product: Term, group: Group) -> bool:
        home = self.group_of[product]
        if home in self.merged or not self.same_elements(product, group) or not self.can_wait(product, group):
            return False
        facts = self.facts(product, group)
        if facts not in self.judged:
            self.judged[facts] = self.can_end(product, group)
        return self.judged[facts]

    def facts(self, product: Term, group: Group) -> object:
        """Equal for pairs that `can_end` judges alike."""
        stored = self.stores.stored

        def given(t: Term) -> bool:
            return t is product or (t not in group.phase and (isinstance(t.rule, Leaf) or t in stored))

        key = group_key(group.members, group.phase, given, lambda t: (t is product, t in stored), (group.space, None))
        return product.kind, *(a.shape for a in product.args), key.facts

    def can_end(self, product: Term, group: Group) -> bool:
        """Whether the product's kernel can compute the group tile by tile and gains by it."""
        rule = product.rule
        assert isinstance(rule, Own)
        batched = contract_sizes(product)[0] != 1
        nest = EpilogueNest(product, lambda t: (t.order,), lambda buffer: buffer, lambda t: ())
        parts = split_epilogue(build_epilogue(group, self.stores.stored, nest))
        if parts is None or (batched and ("rows" in parts.kinds.values() or parts.sums)):
            return False
        if any(t.dtype is not product.dtype for t in group.members if isinstance(t.rule, Fold)):
            return False
        facts: Facts = rule.attrs
        if not takes_epilogue(product.dtype, facts, contract_sizes(product), self.target, parts):
            return False
        (loop,) = (s for s in parts.finish.body if isinstance(s, Loop))
        inner = loop.body[-1]
        return isinstance(inner, Loop) and plan_vectors(inner, None, ()) is not None

    def same_elements(self, product: Term, group: Group) -> bool:
        """Whether the group's loops are over the product's elements, its innermost loop over a row's."""
        if len(group.space) < 2 or group.space[-1] != product.shape[-1] or multiply(group.space) != product.size:
            return False
        return all(space(t) == group.space for t in group.members if t in self.stores.stored)

    def can_wait(self, product: Term, group: Group) -> bool:
        """Whether nothing between the product and the group needs the product, and no variable would be written too early."""
        others = [self.merged.get(g, g) for g in self.stores.readers[product] if g is not group]
        if not others and product not in self.required:
            return True
        writes = any(kind == "variable" for t in group.members for kind, _ in self.targets.by_term.get(t, ()))
        return not writes and not any(leads_to(g, group, self.before.__getitem__) for g in others)

    def merge(self, product: Term, group: Group) -> None:
        home = self.group_of[product]
        both = replace(group, members=[product, *group.members], phase={product: 0, **group.phase}, epilogue=group)
        both.before = (home.before | group.before) & ~(home.bit | group.bit)
        self.merged[home] = self.merged[group] = both
        before = (self.before[home] | self.before[group]) - {home, group}
        for other in (home, group):
            self.before.pop(other)
        for needed in self.before.values():
            if home in needed or group in needed:
                needed -= {home, group}
                needed.add(both)
        self.before[both] = before
        self.group_of |= dict.fromkeys(both.members, both)
        readers = [g for g in self.stores.readers[product] if g is not group]
        self.stores.readers[product] = readers
        self.stores.reads[both] = self.joined(product, home, group)
        if not readers and product not in self.required:
            self.stores.stored.discard(product)

    def joined(self, product: Term, home: Group, group: Group) -> Reads:
        """What product and epilogue read: the operands as a whole, the other arrays element by element."""
        first, last = self.stores.reads[home], self.stores.reads[group]
        out = Reads({t: {*p, WHOLE} for t, p in first.positions.items()}, dict(first.last))
        for t, positions in last.positions.items():
            if t is not product:
                out.positions[t] = out.positions.get(t, set()) | positions
                out.last[t] = max(out.last.get(t, 0), last.last[t])
        return out

    def result(self) -> tuple[list[Group], Stores]:
        groups = [self.merged.get(g, g) for g in self.groups if g not in self.merged or not g.own]
        reads = {g: self.stores.reads[g] for g in groups}
        readers: dict[Term, list[Group]] = {}
        for group, what in reads.items():
            for t in what.positions:
                readers.setdefault(t, []).append(group)
        return groups, Stores(self.stores.stored, reads, readers)


def _by_element(term: Term) -> bool:
    """Whether the term is computed element by element and cannot fail: a formula, or rows added up."""
    if isinstance(term.rule, Fold):
        return term.rule.additive and kept_depth(term) is None
    return isinstance(term.rule, Formula) and term.rule.fault is None
