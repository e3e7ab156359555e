"""Which terms are computed together. In: lowered terms and what must be stored; out: groups, one kernel each.

The rule (docs/fusion.md states it for users): a term joins a group if it runs over the same loops, or a prefix of them, and
either reads a member's result exactly where that result is made, or reads the same array at the same places. A result read
elsewhere (a finished column sum, a transposed value) ends the group. Groups never form a cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from weft.graph.dims import Shape
from weft.graph.record import field, record

from .find_roots import Accesses, Roots
from .kernel import Affine
from .terms import Fold, Formula, Own, Term
from .walk_terms import kept_depth, result_position, space

MAX_ARRAYS = 20
MAX_MEMBERS = 100
LAST = 1_000_000  # the phase after all loops


@record(frozen=False, eq=False)
class Group:
    """Terms computed by one kernel, in order. space: the extents of its loops.

    split: the number of outer loops inside which the inner loops run several times, once per phase, because a later member needs
    a finished reduction over the inner ones. phase: per member; `LAST` means after all loops. epilogue: for a product that is
    stored by a group behind it, that group; its members are this group's other members. parts: for several products that are one
    call, a group for each.
    """

    index: int
    members: list[Term]
    space: Shape
    split: int | None = None
    phase: dict[Term, int] = field(default_factory=dict)
    before: int = 0  # a bit for each group that must run earlier, directly or not: sets would make large graphs quadratic
    arrays: set[Term] = field(default_factory=set)
    epilogue: Group | None = None
    parts: tuple[Group, ...] = ()

    @property
    def bit(self) -> int:
        """This group in `before`."""
        return 1 << self.index

    @property
    def own(self) -> bool:
        """Whether the one member has a kernel of its own kind."""
        return isinstance(self.members[0].rule, Own)


@record
class _Fit:
    """How a term would enter a group."""

    phase: int
    split: int | None
    score: int


def fuse_terms(roots: Roots) -> list[Group]:
    """The groups in an order in which they can run."""
    fusion = _Fusion(roots)
    for term in roots.ordered:
        fusion.add(term)
    fusion.absorb_scalars()
    return [g for g in fusion.groups if g.members]


class _Fusion:
    def __init__(self, roots: Roots) -> None:
        self.roots = roots
        self.groups: list[Group] = []
        self.group_of: dict[Term, Group] = {}
        self.readers: dict[Term, list[Group]] = {}

    def add(self, term: Term) -> None:
        reads = self.roots.accesses[term]
        needed = {self.group_of[t] for t in reads if t in self.group_of}
        chosen = None if isinstance(term.rule, Own) else self.choose(term, reads, needed)
        if chosen is None:
            group = Group(len(self.groups), [], space(term) if not isinstance(term.rule, Own) else ())
            self.groups.append(group)
            fit = _Fit(0, None, 0)
        else:
            group, fit = chosen
        self.enter(term, group, fit, reads, needed)

    def enter(self, term: Term, group: Group, fit: _Fit, reads: Accesses, needed: set[Group]) -> None:
        group.members.append(term)
        group.phase[term] = fit.phase
        group.split = fit.split
        if not isinstance(term.rule, Own) and len(space(term)) > len(group.space):
            group.space = space(term)
        group.arrays.update(t for t in reads if t.size != 1)
        self.group_of[term] = group
        for t in reads:
            self.readers.setdefault(t, []).append(group)
        self.order_after(group, needed - {group})

    def order_after(self, group: Group, needed: set[Group]) -> None:
        before = 0
        for g in needed:
            before |= g.bit | g.before
        if not before & ~group.before:
            return
        group.before |= before
        self.pass_on(group)

    def pass_on(self, group: Group) -> None:
        """What runs before a group runs before those that it runs before."""
        bit, before = group.bit, group.before
        for other in self.groups:
            if other.before & bit:
                other.before |= before

    def choose(self, term: Term, reads: Accesses, needed: set[Group]) -> tuple[Group, _Fit] | None:
        """The group that gains most, merging independent producers first."""
        candidates = list(needed)
        for t in reads:
            if t.size != 1:
                candidates += [g for g in self.readers.get(t, ()) if g not in candidates]
        if not space(term):
            candidates += [g for g in self.groups if g.members and not g.space and not g.own and g not in candidates]
        found: list[tuple[tuple[int, bool, int], Group, _Fit]] = []
        for group in candidates:
            fit = self.fit(term, group, reads, needed)
            if fit is not None:
                found.append(((fit.score, bool(group.space), group.index), group, fit))
        if not found:
            return None
        found.sort(key=lambda f: f[0], reverse=True)
        _, group, fit = found[0]
        for _, other, theirs in found[1:]:
            fits = None in (fit.split, theirs.split) or fit.split == theirs.split
            if other in needed and fits and self.merge(group, other):
                needed.discard(other)
                again = self.fit(term, group, reads, needed)
                assert again is not None, "merging groups must not take a place away"
                fit = again
        return group, fit

    def fit(self, term: Term, group: Group, reads: Accesses, needed: set[Group]) -> _Fit | None:
        if group.own or len(group.members) >= MAX_MEMBERS or not self.acyclic(group, needed):
            return None
        if isinstance(term.rule, Fold) and term.rule.apart and group in needed:
            return None
        mine = space(term)
        shared = min(len(mine), len(group.space))
        if mine[:shared] != group.space[:shared]:
            return None
        return self.fit_reads(term, group, reads, mine)

    def acyclic(self, group: Group, needed: set[Group]) -> bool:
        return all(g is group or not g.before & group.bit for g in needed)

    def fit_reads(self, term: Term, group: Group, reads: Accesses, mine: Shape) -> _Fit | None:
        phase, split, produced, shared = 0, group.split, 0, 0
        for t, places in reads.items():
            if self.group_of.get(t) is group:
                step = self.after_member(t, places, group, mine, split)
                if step is None:
                    return None
                phase, split, produced = max(phase, step[0]), step[1], produced + 1
            elif t.size != 1 and group in self.readers.get(t, ()):
                shared += 1
        if phase == LAST and mine:
            return None
        return self.judge(group, mine, _Fit(phase, split, 10 * produced + shared), produced)

    def judge(self, group: Group, mine: Shape, fit: _Fit, produced: int) -> _Fit | None:
        """The cost rule: what may be put together is put together only where it saves memory traffic or a kernel."""
        if fit.phase not in (0, LAST) and fit.split is not None and len(mine) < fit.split:
            return None
        if not mine or not group.space:
            same_scalars = not mine and not group.space
            return fit if same_scalars or (not mine and fit.phase == LAST) else None
        arrays = self.arrays(group)
        if produced:
            return fit if arrays < MAX_ARRAYS else None
        same_loops = len(mine) == len(group.space)
        return fit if fit.score and same_loops and arrays < MAX_ARRAYS // 2 else None

    def arrays(self, *groups: Group) -> int:
        """How many arrays the groups read that they do not make."""
        return len({t for g in groups for t in g.arrays if self.group_of.get(t) not in groups})

    def after_member(
        self, t: Term, places: set[Affine], group: Group, mine: Shape, split: int | None
    ) -> tuple[int, int | None] | None:
        """The phase in which the member's result can be read, and the split that needs."""
        if places != {result_position(t)}:
            return None
        phase = group.phase[t]
        if not isinstance(t.rule, Fold):
            return phase, split
        kept = kept_depth(t)
        if kept is None or len(mine) < kept:
            return None
        if kept == 0:
            return (LAST, split) if not mine else None
        if split not in (None, kept) or phase == LAST:
            return None
        return phase + 1, kept

    def merge(self, group: Group, other: Group) -> bool:
        """Takes the other group's members in, if neither depends on the other and they run alike."""
        independent = not (other.before & group.bit or group.before & other.bit)
        shared = min(len(group.space), len(other.space))
        alike = group.space[:shared] == other.space[:shared]
        alike = alike and (group.split == other.split or None in (group.split, other.split))
        small = self.arrays(group, other) < MAX_ARRAYS and len(group.members) + len(other.members) < MAX_MEMBERS
        if not (independent and alike and small) or other.own or not shared:
            return False
        self.take(group, other)
        return True

    def take(self, group: Group, other: Group) -> None:
        group.members = sorted((*group.members, *other.members), key=lambda t: t.order)
        group.phase.update(other.phase)
        group.split = group.split if other.split is None else other.split
        group.space = max(group.space, other.space, key=len)
        group.arrays |= other.arrays
        for t in other.members:
            self.group_of[t] = group
        for term in dict.fromkeys(t for member in other.members for t in self.roots.accesses[member]):
            self.readers[term] = list(dict.fromkeys(group if g is other else g for g in self.readers[term]))
        for g in self.groups:
            if g.before & other.bit:
                g.before |= group.bit
        other.members = []
        group.before = (group.before | other.before) & ~(group.bit | other.bit)
        self.pass_on(group)

    def absorb_scalars(self) -> None:
        """Lets a group of mere scalars run at the end of a group that has scalars to finish anyway: one kernel less."""
        hosts = [g for g in self.groups if g.members and LAST in g.phase.values()]
        for scalars in [g for g in self.groups if g.members and not g.space and not g.own]:
            host = next((h for h in hosts if h is not scalars and self.can_follow(scalars, h)), None)
            if host is not None:
                scalars.phase = dict.fromkeys(scalars.members, LAST)
                self.take(host, scalars)

    def can_follow(self, scalars: Group, host: Group) -> bool:
        """Whether the scalars may be computed right after the host's loops: no use for them before, and nothing in between."""
        own = set(scalars.members)
        users = [t for t in host.members if not own.isdisjoint(self.roots.accesses[t])]
        if any(host.phase[t] != LAST for t in users):
            return False
        others = [g for g in self.groups if g.members and g is not host and g is not scalars]
        return not any(lies_between(g, host, scalars) or lies_between(g, scalars, host) for g in others)


def lies_between(group: Group, first: Group, last: Group) -> bool:
    return bool(group.before & first.bit and last.before & group.bit)


def has_fault(term: Term) -> bool:
    """Whether computing the term can end in an error."""
    return isinstance(term.rule, Formula) and term.rule.fault is not None


def groups_by_member(groups: list[Group]) -> Mapping[Term, Group]:
    return {t: g for g in groups for t in g.members}


def leads_to(first: Group, last: Group, before: Callable[[Group], Iterable[Group]]) -> bool:
    """Whether the last group needs something of the first, directly or not. before: what a group needs directly."""
    seen: set[Group] = set()
    stack = [last]
    while stack:
        group = stack.pop()
        if group is first:
            return True
        if group not in seen:
            seen.add(group)
            stack.extend(before(group))
    return False
