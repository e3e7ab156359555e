"""Where every array lives. In: the schedule; out: the buffer table, the slots of the scratch memory, and what works in place.

A scratch buffer lives from the kernel that writes it to the last that reads it; then its slot is free for the next. A kernel's
result takes over the slot of an array that dies in this very kernel, if each element is read only where it is overwritten: a
bias and an activation are then added in place, over the matrix product. What a kernel keeps in memory between two of its phases
waits where one of its results will be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from weft.graph.dims import Size, size_value
from weft.graph.dims import product as multiply
from weft.graph.dtype import DType
from weft.graph.record import field, record

from .accumulate_products import accumulates
from .build_own import contract_sizes
from .contract_parts import SHARED_MULTIPLY_ADDS
from .fuse_nodes import Group
from .plan_stores import Reads, Stores
from .plan_targets import Targets
from .program import Buffer
from .schedule_groups import Schedule, can_overwrite
from .terms import Fold, Leaf, Own, Term

TYPICAL = 64  # what a symbolic size is taken for when slots are compared


@record(frozen=False)
class Buffers:
    """table: the program's buffers. of_term: where a term is stored, its home first. taken: per term the arrays it overwrites."""

    table: list[Buffer] = field(default_factory=list)
    of_term: dict[Term, list[int]] = field(default_factory=dict)
    taken: dict[Term, list[Term]] = field(default_factory=dict)
    slots: list[list[Size]] = field(default_factory=list)
    work_slots: list[int] = field(default_factory=list)

    def add(self, kind: str, index: int, term: Term) -> int:
        self.table.append(Buffer(kind, index, term.dtype.short, tuple(map(str, term.shape))))
        return len(self.table) - 1

    def add_work(self, count: Size, dtype: DType, number: int = 0) -> int:
        """Scratch memory for so many elements that lasts until the next call takes it; all share the slot of this number."""
        if number == len(self.work_slots):
            self.work_slots.append(len(self.slots))
            self.slots.append([])
        slot = self.work_slots[number]
        self.slots[slot].append(count * dtype.size)
        self.table.append(Buffer("scratch", slot, dtype.short, (str(count),)))
        return len(self.table) - 1

    def place(self, buffer: int) -> object:
        """Equal for buffers at the same address."""
        entry = self.table[buffer]
        return (entry.kind, entry.index) if entry.kind == "scratch" else buffer


def plan_buffers(schedule: Schedule, stores: Stores, targets: Targets, leaves: Sequence[Term], spare: int = 0) -> Buffers:
    """leaves: terms of all inputs, variables and constants, so that each has its entry. spare: bytes that may be spent so that
    kernels that could run at once do not wait for one another's memory, in a program that threads may share."""
    planner = _Planner(schedule, stores, targets)
    planner.spare = spare if planner.may_be_shared() else 0
    for leaf in leaves:
        assert isinstance(leaf.rule, Leaf)
        planner.buffers.of_term[leaf] = [planner.buffers.add(leaf.rule.kind, leaf.rule.index, leaf)]
    planner.place_targets()
    planner.place_sums_so_far()
    planner.place_scratch()
    planner.note_variables()
    return planner.buffers


class _Planner:
    def __init__(self, schedule: Schedule, stores: Stores, targets: Targets) -> None:
        self.schedule, self.stores, self.targets = schedule, stores, targets
        self.buffers = Buffers()
        self.free: set[int] = set()
        self.estimates: dict[int, tuple[int, int]] = {}  # by slot: how many of its sizes were looked at, and the largest
        self.slot_of: dict[Term, int] = {}
        self.holder: dict[int, Term] = {}  # by slot: the latest term in it, the only one that may still be needed
        self.spare = 0
        self.users: dict[int, int] = {}  # by slot: the steps that touch the latest term in it, a bit each

    def place_targets(self) -> None:
        storage = {(b.kind, b.index): i for i, b in enumerate(self.buffers.table)}
        for term, where in self.schedule.homes.items():
            for kind, index in where:
                key = (kind, index)
                buffer = storage[key] if key in storage else self.buffers.add(kind, index, term)
                self.buffers.of_term.setdefault(term, []).append(buffer)

    def place_sums_so_far(self) -> None:
        """What a product is added to lies where the result will be. Where that is an output, the first product is made there."""
        for step in reversed(self.schedule.steps):
            if isinstance(step, Group) and accumulates(step.members[0]) and step.members[0] in self.buffers.of_term:
                self.buffers.of_term[step.members[0].args[2]] = self.buffers.of_term[step.members[0]][:1]

    def last_uses(self) -> dict[Term, int]:
        last: dict[Term, int] = {}
        for i, step in enumerate(self.schedule.steps):
            reads = self.stores.reads[step].positions if isinstance(step, Group) else self.targets.effects[step]
            last.update(dict.fromkeys(reads, i))
        last.update({t: len(self.schedule.steps) for t, _ in self.schedule.late})
        return last

    def may_be_shared(self) -> bool:
        """Whether there is a product that is long enough for two threads."""
        members = [t for s in self.schedule.steps if isinstance(s, Group) for t in s.members]
        products = [t for t in members if isinstance(t.rule, Own) and t.rule.family == "contract"]
        return any(_typical(multiply(contract_sizes(t)[:4])) >= SHARED_MULTIPLY_ADDS for t in products)

    @cached_property
    def before(self) -> list[int]:
        """By step: a bit for itself and for each one whose result it needs, directly or not."""
        made: dict[Term, int] = {}
        out: list[int] = []
        for i, step in enumerate(self.schedule.steps):
            reads = self.stores.reads[step].positions if isinstance(step, Group) else self.targets.effects[step]
            bits = 1 << i
            for j in {made[t] for t in reads if t in made}:
                bits |= out[j]
            out.append(bits)
            made.update(dict.fromkeys(step.members if isinstance(step, Group) else (), i))
        return out

    def place_scratch(self) -> None:
        last = self.last_uses()
        for i, step in enumerate(self.schedule.steps):
            self.position = i
            if isinstance(step, Group):
                dying = [t for t in self.stores.reads[step].positions if t in self.slot_of and last[t] == i]
                product = step.members[0]
                if accumulates(product):
                    self.place_onto(product.args[2], product)
                for part in step.parts or (step,):
                    self.place_results(part, last, dying, step)
                born_unread = [t for t in step.members if t in self.slot_of and t not in last]
            else:
                dying, born_unread = [t for t in self.targets.effects[step] if t in self.slot_of and last[t] == i], []
            self.note_users(step)
            for slot in {self.slot_of[t] for t in (*dying, *born_unread)}:
                if last.get(self.holder[slot], -1) <= i:
                    self.free.add(slot)

    def note_users(self, step: Group | int) -> None:
        touched = (*step.members, *self.stores.reads[step].positions) if isinstance(step, Group) else self.targets.effects[step]
        for slot in {self.slot_of[t] for t in touched if t in self.slot_of}:
            self.users[slot] = self.users.get(slot, 0) | 1 << self.position

    def place_results(self, group: Group, last: Mapping[Term, int], dying: list[Term], step: Group) -> None:
        """step: the call that the group is, or is part of: nothing may take the place of what other parts read."""
        others = [self.stores.reads[p].positions for p in step.parts if p is not group]
        free = [t for t in dying if t in self.stores.reads[group].positions and not any(t in read for read in others)]
        kept = [t for t in dying if t not in free]
        unplaced = [t for t in group.members if t in self.stores.stored and t not in self.buffers.of_term]
        for term in sorted(unplaced, key=lambda t: t not in last):  # results first
            if term in last or not self.place_inside(term, group):
                self.place_term(term, group, free)
        if group.epilogue is not None and group.members[0] not in self.buffers.of_term:
            self.place_sums(group)
        dying[:] = kept + free

    def place_onto(self, before: Term, product: Term) -> None:
        """The product is added in the memory of the sum so far."""
        self.buffers.of_term.setdefault(product, self.buffers.of_term[before])
        if before in self.slot_of:
            slot = self.slot_of[product] = self.slot_of[before]
            self.holder[slot] = product

    def place_inside(self, term: Term, group: Group) -> bool:
        """Lets what only later phases of the group read wait where one of the group's results will be, if there is such a one."""
        reads = self.stores.reads[group]
        if term not in reads.own or isinstance(term.rule, (Own, Fold)):
            return False
        for result in group.members:
            buffers, old = self.buffers.of_term.get(result, []), self.buffers.taken.get(result, [])
            free = buffers and self.buffers.table[buffers[0]].kind in ("scratch", "output")
            free = free and all(t in reads.positions and self.fits(group, reads, t, term) for t in old)
            if free and self.alike(result, term) and can_overwrite(group, reads.own[term], reads.last[term], result):
                self.buffers.of_term[term] = [buffers[0]]
                self.buffers.taken[term], self.buffers.taken[result] = old, [term]
                return True
        return False

    def place_term(self, term: Term, group: Group, dying: list[Term]) -> None:
        reads = self.stores.reads[group]
        victim = next((t for t in dying if self.fits(group, reads, t, term)), None)
        if victim is not None:
            dying.remove(victim)
            slot = self.slot_of[victim]
            self.buffers.taken.setdefault(term, []).append(victim)
        else:
            slot = self.find_slot(term)
        self.slot_of[term], self.holder[slot] = slot, term
        size = term.size * term.dtype.size
        if size not in self.buffers.slots[slot]:
            self.buffers.slots[slot].append(size)
        self.buffers.of_term[term] = [self.buffers.add("scratch", slot, term)]

    def place_sums(self, group: Group) -> None:
        """Where a product that is not stored keeps its sums between blocks of k: where a result of the epilogue will be, if
        nothing is read there."""
        product, *others = group.members
        for term in others:
            buffers = self.buffers.of_term.get(term, ())
            alike = term.dtype is product.dtype and term.size == product.size and term not in self.buffers.taken
            if alike and buffers and self.buffers.table[buffers[0]].kind in ("scratch", "output"):
                self.buffers.of_term[product] = [buffers[0]]
                return
        self.place_term(product, group, [])

    def fits(self, group: Group, reads: Reads, old: Term, term: Term) -> bool:
        return self.alike(old, term) and can_overwrite(group, reads.positions[old], reads.last[old], term)

    def alike(self, old: Term, term: Term) -> bool:
        return old.size == term.size and old.dtype is term.dtype

    def find_slot(self, term: Term) -> int:
        """A free slot, the one that wastes least; else a new one."""
        wanted = _typical(term.size * term.dtype.size)
        free = self.free
        if self.spare:
            free = {s for s in free if not self.users[s] & ~self.before[self.position]}
            if not free and self.free and wanted > self.spare:
                free = self.free
            elif not free:
                self.spare -= wanted if self.free else 0
        if not free:
            self.buffers.slots.append([])
            return len(self.buffers.slots) - 1
        slot = min(free, key=lambda s: (abs(self.estimate(s) - wanted), s))
        self.free.discard(slot)
        self.users[slot] = 0
        return slot

    def estimate(self, slot: int) -> int:
        sizes = self.buffers.slots[slot]
        known, most = self.estimates.get(slot, (0, 0))
        if known < len(sizes):
            most = max(most, *map(_typical, sizes[known:]))
            self.estimates[slot] = len(sizes), most
        return most

    def note_variables(self) -> None:
        """A variable's new value overwrites its old one; a kernel that reads the old one must do so first."""
        leaves = {t.rule: t for t in self.buffers.of_term if isinstance(t.rule, Leaf)}
        groups = {t: s for s in reversed(self.schedule.steps) if isinstance(s, Group) for t in s.phase}
        for term, where in self.schedule.homes.items():
            for kind, index in where:
                group = groups.get(term)
                leaf = leaves.get(Leaf(kind, index))
                if kind == "variable" and group is not None and leaf in self.stores.reads[group].positions:
                    assert leaf is not None
                    self.buffers.taken.setdefault(term, []).append(leaf)


def _typical(size: Size) -> int:
    return size_value(size, _Typical())


class _Typical(dict[str, int]):
    """Every name has the typical size."""

    def __missing__(self, name: str) -> int:
        return TYPICAL
