"""The order of the kernels. In: groups, what they read and where results go; out: a `Schedule`.

Three demands beyond data flow. A variable may be overwritten only when everything that reads its old value has run. A step that
fails (a label out of range, an assertion) must leave every variable as it was: whatever can fail runs before the first write.
And a gradient is used soon after it is made, while it is in the cache.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from heapq import heappop, heappush

from weft.graph.record import field, record

from .fuse_nodes import LAST, Group, has_fault
from .kernel import Affine
from .plan_stores import Stores
from .plan_targets import Target, Targets
from .terms import Fold, Leaf, Own, Term
from .walk_terms import result_position


@record(frozen=False)
class Schedule:
    """steps: a group, or the number of an effect. homes: the targets that kernels write directly. late: terms that are copied to
    a variable at the end, because the variable could not be overwritten earlier."""

    steps: list[Group | int] = field(default_factory=list)
    homes: dict[Term, list[Target]] = field(default_factory=dict)
    late: list[tuple[Term, int]] = field(default_factory=list)


def schedule_groups(groups: list[Group], stores: Stores, targets: Targets) -> Schedule:
    return _Scheduler(groups, stores, targets).run()


class _Scheduler:
    def __init__(self, groups: list[Group], stores: Stores, targets: Targets) -> None:
        self.groups, self.stores, self.targets = groups, stores, targets
        self.group_of = {t: g for g in groups for t in g.members}
        self.steps: list[Group | int] = [*groups, *range(len(targets.effects))]
        self.before: dict[Group | int, set[Group | int]] = {s: set() for s in self.steps}
        self.link_data()

    def link_data(self) -> None:
        for group in self.groups:
            for t in self.stores.reads[group].positions:
                if t in self.group_of:
                    self.before[group].add(self.group_of[t])
        for i, arrays in enumerate(self.targets.effects):
            self.before[i] |= {self.group_of[t] for t in arrays if t in self.group_of}
            if i:
                self.before[i].add(i - 1)

    def run(self) -> Schedule:
        fallible: list[Group | int] = [g for g in self.groups if any(map(has_fault, g.members))]
        fallible += range(len(self.targets.effects))
        first = self.ancestors(fallible)
        last = self.last_fallible(fallible)
        schedule = Schedule()
        for term, where in self.targets.by_term.items():
            for target in where:
                if target[0] == "output" or self.write_directly(term, target[1], first, last):
                    schedule.homes.setdefault(term, []).append(target)
                else:
                    schedule.late.append((term, target[1]))
        schedule.steps = self.order(first, last)
        return schedule

    def ancestors(self, steps: list[Group | int]) -> set[Group | int]:
        """The steps and everything that runs before them."""
        out: set[Group | int] = set()
        stack = list(steps)
        while stack:
            step = stack.pop()
            if step not in out:
                out.add(step)
                stack.extend(self.before[step])
        return out

    def last_fallible(self, fallible: list[Group | int]) -> Group | None:
        """A group that can fail after all others that can have run, if there is one."""
        for step in fallible:
            others = [s for s in fallible if s is not step]
            if isinstance(step, Group) and step not in self.ancestors(others):
                return step
        return None

    def write_directly(self, term: Term, variable: int, first: set[Group | int], last: Group | None) -> bool:
        """Whether the term's kernel may write the variable; if so the order is bound to respect it."""
        group = self.group_of[term]
        if group in first and not (group is last and group.phase[term] == LAST):
            return False
        if not self.reads_before_writing(term, group, variable):
            return False
        readers = self.readers_of[variable] - {group}
        if group in first and not readers <= first:
            return False
        if group in self.ancestors(list(readers)):
            return False
        self.before[group] |= readers
        return True

    @cached_property
    def readers_of(self) -> dict[int, set[Group | int]]:
        """By variable: the steps that read its old value."""
        out: dict[int, set[Group | int]] = defaultdict(set)
        reads: list[tuple[Group | int, Term]] = [(g, t) for t, gs in self.stores.readers.items() for g in gs]
        reads += [(i, t) for i, arrays in enumerate(self.targets.effects) for t in arrays]
        for step, t in reads:
            if isinstance(t.rule, Leaf) and t.rule.kind == "variable":
                out[t.rule.index].add(step)
        return out

    def reads_before_writing(self, term: Term, group: Group, variable: int) -> bool:
        """Within the kernel: the old elements are read at the place that is then overwritten, or not at all."""
        reads = self.stores.reads[group]
        leaf = next((t for t in reads.positions if t.rule == Leaf("variable", variable)), None)
        if leaf is None:
            return True
        return can_overwrite(group, reads.positions[leaf], reads.last[leaf], term)

    def order(self, first: set[Group | int], last: Group | None) -> list[Group | int]:
        """First what can fail, then the rest; among what is ready, the step whose newest argument is youngest."""
        done: dict[Group | int, int] = {}
        rank = {s: i for i, s in enumerate(self.steps)}
        missing = {s: len(self.before[s]) for s in self.steps}
        after: dict[Group | int, list[Group | int]] = {s: [] for s in self.steps}
        for step, needed in self.before.items():
            for other in needed:
                after[other].append(step)
        ready: list[tuple[int, int, int]] = []  # a heap: how urgent, how long ago the newest argument was made, rank

        def add(step: Group | int, newest: int) -> None:
            urgency = 2 if step not in first else 1 if step is last else 0
            heappush(ready, (urgency, -newest if urgency == 2 else 0, rank[step]))

        for step in self.steps:
            if not missing[step]:
                add(step, -1)
        while ready:
            step = self.steps[heappop(ready)[2]]
            done[step] = len(done)
            for other in after[step]:
                missing[other] -= 1
                if not missing[other]:
                    add(other, done[step])
        assert len(done) == len(self.steps), "the kernels wait for each other"
        return list(done)


def can_overwrite(group: Group, positions: set[Affine], last: int, term: Term) -> bool:
    """Whether the kernel may write the term's elements over an array that it reads at those positions, last in that phase."""
    if isinstance(term.rule, (Own, Fold)):
        return False
    return positions == {result_position(term)} and last <= group.phase[term]
