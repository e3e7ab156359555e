"""Which products of one shape become one kernel call. In: groups and what they store; out: both, with such products merged.

The gradients of what queries, keys and values are made with have the same transposed left operand. Where that is packed, a kernel
for all of them packs it once. docs/fusion.md states the rule.
"""

from __future__ import annotations

from collections import defaultdict

from .accumulate_products import accumulates
from .build_epilogue import EpilogueNest, build_epilogue
from .build_own import contract_sizes
from .contract_parts import shares_pay
from .emit_contract import Facts, own_product
from .find_roots import base
from .fuse_epilogues import WHOLE
from .fuse_nodes import Group, groups_by_member, leads_to
from .plan_stores import Reads, Stores
from .plan_targets import Targets
from .target import Target
from .terms import Leaf, Own, Term

MOST = 8  # products of one call


def fuse_products(groups: list[Group], stores: Stores, targets: Targets, target: Target) -> tuple[list[Group], Stores]:
    """The groups, and what they store and read."""
    alike: dict[object, list[Group]] = defaultdict(list)
    for group in groups:
        product = group.members[0]
        if isinstance(product.rule, Own) and product.rule.family == "contract" and not accumulates(product):
            a = product.args[0]
            alike[base(a), a.shape, product.rule, contract_sizes(product), product.dtype.short].append(group)
    fusion = _Fusion(groups, stores, targets)
    for some in alike.values():
        if len(some) > 1 and _pays(some, target):
            fusion.merge_equal(some)
    return fusion.result() if fusion.merged else (groups, stores)


def _pays(groups: list[Group], target: Target) -> bool:
    product = groups[0].members[0]
    facts: Facts = product.rule.attrs  # type: ignore[union-attr, assignment]  # of a product
    own = own_product(product.dtype, facts, contract_sizes(product), target)
    return own is not None and shares_pay(own, target, min(len(groups), MOST))


class _Fusion:
    def __init__(self, groups: list[Group], stores: Stores, targets: Targets) -> None:
        self.groups, self.stores, self.targets = groups, stores, targets
        self.group_of = dict(groups_by_member(groups))
        self.merged: dict[Group, Group] = {}  # by product: the call that it is part of

    def merge_equal(self, groups: list[Group]) -> None:
        """Merges those of the groups that end alike and do not need each other."""
        by_ending: dict[str, list[Group]] = defaultdict(list)
        for group in groups:
            by_ending[self.ending(group)].append(group)
        for some in by_ending.values():
            while some:
                chosen, rest = some[:1], some[:0]
                for group in some[1:]:
                    fits = len(chosen) < MOST and not any(self.depends(group, g) or self.clash(group, g) for g in chosen)
                    (chosen if fits else rest).append(group)
                if len(chosen) > 1:
                    self.merge(chosen)
                some = rest

    def ending(self, group: Group) -> str:
        """Equal for products with the same epilogue, over other arrays."""
        if group.epilogue is None:
            return ""
        product = group.members[0]
        nest = EpilogueNest(product, lambda t: (t.order,), lambda buffer: buffer, lambda t: ())
        kernel = build_epilogue(group.epilogue, self.stores.stored, nest)
        writes = [kind for t in group.members for kind, _ in self.targets.by_term.get(t, ()) if kind == "variable"]
        return repr((kernel.params, kernel.body, product in self.stores.stored, len(writes)))

    def depends(self, one: Group, two: Group) -> bool:
        one, two = (self.merged.get(g, g) for g in (one, two))
        return leads_to(one, two, self.reads_from) or leads_to(two, one, self.reads_from)

    def reads_from(self, group: Group) -> set[Group]:
        return {self.group_of[t] for t in self.stores.reads[group].positions if t in self.group_of}

    def clash(self, one: Group, two: Group) -> bool:
        """Whether one of them writes a variable that the other reads."""
        return any(
            Leaf(*target) in {t.rule for t in self.stores.reads[reader].positions}
            for writer, reader in ((one, two), (two, one))
            for t in writer.members for target in self.targets.by_term.get(t, ()) if target[0] == "variable"
        )  # fmt: skip

    def merge(self, parts: list[Group]) -> None:
        members = [t for part in parts for t in part.members]
        phase = {t: p for part in parts for t, p in part.phase.items()}
        call = Group(parts[0].index, members, (), phase=phase, parts=tuple(parts))
        self.merged |= dict.fromkeys(parts, call)
        self.group_of |= dict.fromkeys(members, call)
        self.stores.reads[call] = self.joined(parts)

    def joined(self, parts: list[Group]) -> Reads:
        """What all of them read. What several read must not be overwritten by any: they run in turns."""
        out = Reads()
        for part in parts:
            reads = self.stores.reads[part]
            for t, positions in reads.positions.items():
                shared = {WHOLE} if t in out.positions else set()
                out.positions[t] = out.positions.get(t, set()) | positions | shared
                out.last[t] = max(out.last.get(t, 0), reads.last[t])
        return out

    def result(self) -> tuple[list[Group], Stores]:
        """A call stands where the first of its products stood: what runs when is for the schedule to say."""
        readers: dict[Term, list[Group]] = {}
        groups = list(dict.fromkeys(self.merged.get(g, g) for g in self.groups))
        for group in groups:
            for t in self.stores.reads[group].positions:
                readers.setdefault(t, []).append(group)
        return groups, Stores(self.stores.stored, self.stores.reads, readers)
