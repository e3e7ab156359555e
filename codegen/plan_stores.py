"""Which results go to memory. In: groups; out: the set of stored terms and what each group reads from memory.

Within its group a term lives in a register. It is stored if another group, the caller or a variable needs it, with two
exceptions. A cheap result that can be recomputed from one array which is in memory anyway, or two, is recomputed by its readers
(the mask of a relu's gradient). A costly one that two phases of its own group need is stored between them (the exponentials of a
softmax).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from weft.graph.dims import product
from weft.graph.record import field, record

from .find_roots import Roots, base, collect_reads, scatter_place, start_places, whole_arguments
from .fuse_nodes import Group, groups_by_member
from .kernel import Affine, divide
from .lower_formula import cost
from .terms import Fold, Formula, Leaf, Own, Pick, Term
from .walk_terms import NotAffine, Place, arguments, loop_index

CHEAP = 6
COSTLY = 15
FEW = 8


@record(frozen=False)
class Reads:
    """What a group loads from memory: per array the positions, and the last phase that does. own: the same of the results of its
    own that a later phase loads again.
    """

    positions: dict[Term, set[Affine]] = field(default_factory=dict)
    last: dict[Term, int] = field(default_factory=dict)
    own: dict[Term, set[Affine]] = field(default_factory=dict)


@record(frozen=False)
class Stores:
    stored: set[Term]
    reads: dict[Group, Reads]
    readers: dict[Term, list[Group]]


def plan_stores(groups: list[Group], roots: Roots, required: Iterable[Term]) -> Stores:
    """Decides for every member; ``required`` terms are always stored."""
    planner = _Planner(groups, roots, set(required))
    planner.recompute_cheap()
    planner.spill_costly()
    return planner.result()


class _Planner:
    def __init__(self, groups: list[Group], roots: Roots, required: set[Term]) -> None:
        self.groups, self.roots, self.required = groups, roots, required
        self.group_of = groups_by_member(groups)
        self.readers: dict[Term, set[Group]] = {}
        for term, group in self.group_of.items():
            for t in roots.accesses[term]:
                self.readers.setdefault(t, set()).add(group)
        self.stored = set(required)
        for term, group in self.group_of.items():
            self.stored |= set(whole_arguments(term))
            if self.readers.get(term, set()) - {group}:
                self.stored.add(term)
        self.stored = {t for t in self.stored if not isinstance(t.rule, Leaf)}
        self.pinned = self.required | {a for t in self.group_of for a in whole_arguments(t)}

    def recompute_cheap(self) -> None:
        for term in self.roots.ordered:
            if term not in self.stored or term in self.pinned or not isinstance(term.rule, Formula) or term.rule.fault:
                continue
            outside = self.readers[term] - {self.group_of[term]}
            if self.is_cheap(term, outside):
                self.stored.discard(term)
                if not all(self.readable(g) for g in outside):
                    self.stored.add(term)

    def is_cheap(self, term: Term, outside: set[Group]) -> bool:
        stored = self.stored - {term}
        try:
            closure, reads = evaluate_inline((term, loop_index(term)), lambda t: isinstance(t.rule, Leaf) or t in stored)
        except NotAffine:
            return False
        if any(isinstance(t.rule, (Fold, Own, Pick)) or getattr(t.rule, "fault", None) for t in closure):
            return False
        price = sum(cost(t.rule.expr) for t in closure if isinstance(t.rule, Formula))
        arrays = [t for t in reads if t.size != 1 and not is_small(t, term)]
        stay = all(self.stays(a, term, outside) for a in reads if a.size != 1)
        return price <= CHEAP and stay and self.pays(arrays, term, outside)

    def pays(self, arrays: list[Term], term: Term, outside: set[Group]) -> bool:
        """Whether the readers load no more than the loads and the store that are saved. A loop in phases would load two arrays in
        each of them, and a loop over rows would load a row of each in every row."""
        if len(arrays) <= 1:
            return True
        more = sum(group not in self.readers.get(array, ()) for array in arrays for group in outside)
        return more <= len(outside) + 1 and all(g.split is None and product(g.space) == term.size for g in outside)

    def stays(self, array: Term, term: Term, outside: set[Group]) -> bool:
        """Whether the array is in memory anyway when the readers of the term run."""
        if isinstance(array.rule, Leaf):
            return array.rule.kind != "variable" or outside <= self.readers.get(array, set())
        home = self.group_of[term]
        needed = self.group_of[array] is home or bool(self.readers.get(array, set()) - {home}) or array in self.required
        return needed or is_small(array, term)

    def readable(self, group: Group) -> bool:
        """Whether the group can still evaluate all its members."""
        try:
            group_reads(group, self.stored)
        except NotAffine:
            return False
        return True

    def spill_costly(self) -> None:
        for group in self.groups:
            if group.split is None:
                continue
            seen: dict[Term, int] = {}
            for member in group.members:
                for t in self.evaluated(group, member):
                    formula = t.rule if isinstance(t.rule, Formula) else None
                    if formula is None or cost(formula.expr) < COSTLY or t not in self.group_of:
                        continue
                    if seen.setdefault(t, group.phase[member]) != group.phase[member] and len(t.shape) and t.size != 1:
                        self.stored.add(t)

    def evaluated(self, group: Group, member: Term) -> list[Term]:
        own = set(group.members)

        def stored(t: Term) -> bool:
            return isinstance(t.rule, Leaf) or (t in self.stored and t not in own)

        return evaluate_inline((member, loop_index(member)), stored, member)[0]

    def result(self) -> Stores:
        reads = {g: group_reads(g, self.stored) for g in self.groups}
        readers: dict[Term, list[Group]] = {}
        for group, what in reads.items():
            for t in what.positions:
                readers.setdefault(t, []).append(group)
        return Stores(self.stored, reads, readers)


def is_small(array: Term, term: Term) -> bool:
    """Whether the array is one row, or one column, of the term: it stays in the L1 cache."""
    rows = divide(term.size, array.size)
    return rows is not None and (not isinstance(rows, int) or rows >= FEW)


def evaluate_inline(start: Place, stored: Callable[[Term], bool], top: Term | None = None) -> tuple[list[Term], set[Term]]:
    """The terms evaluated, and the stored ones loaded, to get the element. Other folds than ``top`` are loaded too."""
    closure: dict[Term, None] = {}
    loaded: set[Term] = set()
    stack = [start]
    seen: set[Place] = set()
    while stack:
        place = stack.pop()
        if place in seen:
            continue
        seen.add(place)
        term, index = place
        root = base(term)
        if place != start and (stored(root) or (isinstance(root.rule, Fold) and top is not None and root is not top)):
            loaded.add(root)
            continue
        closure[term] = None
        if not isinstance(term.rule, Own):
            stack.extend(arguments(term, index, lambda p: f"pick{p[0].order}"))
    return list(closure), loaded


def group_reads(group: Group, stored: set[Term]) -> Reads:
    """Everything the group's kernel loads, given what is stored. Raises NotAffine if an element cannot be reached."""
    own = set(group.members)
    reads = Reads()
    for member in group.members:
        if member not in stored and not isinstance(member.rule, Fold) and not getattr(member.rule, "fault", None):
            continue
        phase = group.phase[member]
        for t in whole_arguments(member):
            _note(reads, t, set(), phase)
        places = start_places(member)
        if isinstance(member.rule, Own) and member.rule.family == "scatter":
            places.append(scatter_place(member))
        for place in places:
            for t, positions in collect_reads(place, partial(is_available, group, stored, member)).items():
                if t not in own:
                    _note(reads, t, positions, phase)
                elif not isinstance(t.rule, Fold):
                    reads.own.setdefault(t, set()).update(positions)
                    reads.last[t] = max(reads.last.get(t, 0), phase)
    return reads


def is_available(group: Group, stored: set[Term], member: Term, term: Term) -> bool:
    """Whether the group's kernel has the term's elements at hand when it computes the member, without evaluating it."""
    if term is member:
        return False
    if term not in group.phase:
        return isinstance(term.rule, Leaf) or term in stored
    return isinstance(term.rule, Fold) or (term in stored and group.phase[term] < group.phase[member])


def _note(reads: Reads, term: Term, positions: set[Affine], phase: int) -> None:
    reads.positions.setdefault(term, set()).update(positions)
    reads.last[term] = max(reads.last.get(term, 0), phase)
