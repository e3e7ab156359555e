"""A fused group -> one kernel in loop IR. In: a group, which of its terms are stored, and an empty `Nest`; out: the nest, filled.

The group says how its loops split and in which phases its members run. A fold has an accumulator until its last loop has ended.
"""

from __future__ import annotations

from weft.graph.dtype import bool_, float64

from .build_nest import Nest, combine, literal_value
from .fuse_nodes import LAST, Group
from .kernel import Apply, Const, Expr, Load, Name, Position, Store, flatten_index, variable
from .lower_formula import cast, lower_formula
from .plan_stores import is_available
from .terms import Fold, Formula, Term
from .walk_terms import arguments, iteration_shape, kept_depth, loop_name, result_index, space


class GroupNest:
    """Opens and closes a group's loops; see `build_group`."""

    def __init__(self, group: Group, stored: set[Term], nest: Nest) -> None:
        self.group, self.stored, self.nest = group, stored, nest
        needed = [t for t in group.members if t in stored or isinstance(t.rule, Fold) or getattr(t.rule, "fault", None)]
        self.items = sorted(needed, key=lambda t: t.order)
        self.accumulators: dict[Term, Name] = {}

    def build(self) -> None:
        nest, group = self.nest, self.group
        for term in self.items:
            if isinstance(term.rule, Fold) and kept_depth(term) is None:
                nest.fill(term, term.rule.start)
        split = group.split or 0
        for depth in range(split):
            self.place(depth, 0)
            nest.open(group.space[depth])
        phases = sorted({group.phase[t] for t in self.items} - {LAST})
        for phase in phases:
            self.place(split, phase)
            self.run_phase(split, phase)
        for depth in reversed(range(split)):
            nest.close()
            self.finish(depth)
        self.place(0, LAST)

    def run_phase(self, split: int, phase: int) -> None:
        """The loops inside the split, once."""
        levels = [len(space(t)) for t in self.items if self.group.phase[t] == phase]
        deepest = max(levels, default=0)
        for depth in range(split, deepest):
            self.nest.open(self.group.space[depth])
            self.place(depth + 1, phase)
        for depth in reversed(range(split, deepest)):
            self.nest.close()
            self.finish(depth)

    def place(self, level: int, phase: int) -> None:
        """Evaluates, then stores, the members whose loops are exactly the open ones."""
        here = [t for t in self.items if len(space(t)) == level and self.group.phase[t] == phase]
        values = [(t, self.evaluate(t)) for t in here]
        for term, value in values:
            if isinstance(term.rule, Fold):
                self.accumulate(term, term.rule, value)
            elif term in self.stored:
                self.nest.store(term, flatten_index(result_index(term), term.shape), value)

    def evaluate(self, term: Term) -> Expr:
        self.nest.available = lambda t: is_available(self.group, self.stored, term, t)
        if isinstance(term.rule, Fold):
            (place,) = arguments(term, ())
            return self.nest.value(*place)
        return self.nest.value(term, result_index(term))

    def accumulate(self, term: Term, rule: Fold, value: Expr) -> None:
        nest = self.nest
        nest.titles.append(rule.title)
        kept = kept_depth(term)
        if rule.winner:
            self.accumulate_winner(term, rule, value)
        elif kept is not None or self.inner_depth(term) < nest.depth:
            acc = self.accumulator(term, rule, self.inner_depth(term) if kept is None else kept)
            nest.update(acc, sum_into(rule, acc, value))
        else:
            self.add_to_memory(term, rule, value)

    def inner_depth(self, term: Term) -> int:
        """The number of loops outside of the reduced ones that run innermost."""
        assert isinstance(term.rule, Fold)
        shape = iteration_shape(term)
        loops = [axis in term.rule.axes for axis in range(len(shape)) if shape[axis] != 1]
        while loops and loops[-1]:
            loops.pop()
        return len(loops)

    def accumulator(self, term: Term, rule: Fold, depth: int) -> Name:
        dtype = float64 if rule.wide else term.args[0].dtype
        acc = self.nest.start(Const(literal_value(rule.start, dtype), dtype), depth)
        self.accumulators[term] = acc
        return acc

    def accumulate_winner(self, term: Term, rule: Fold, value: Expr) -> None:
        nest, kept = self.nest, kept_depth(term)
        assert kept is not None
        best = nest.start(Const(literal_value(rule.start, value.dtype), value.dtype), kept, "best")
        at = nest.start(Const(0, term.dtype), kept, "at")
        beats = nest.let(combine_condition(rule, best, value), nest.depth, prefix="beats")
        position = Position(variable(loop_name(nest.depth - 1)), term.dtype)
        nest.update(at, Apply("where", (beats, position, at), term.dtype))
        nest.update(best, Apply("where", (beats, value, best), value.dtype))
        self.accumulators[term] = at

    def add_to_memory(self, term: Term, rule: Fold, value: Expr) -> None:
        nest = self.nest
        position = flatten_index(result_index(term), term.shape)
        param = nest.array(nest.storage(term)[0], term.dtype, term, write=True)
        old = nest.let(Load(param.name, position, term.dtype), nest.depth)
        nest.blocks[-1].append(Store(param.name, position, combine(rule, old, value)))

    def finish(self, depth: int) -> None:
        """Folds whose last loop has just ended: their result becomes a value, and goes to memory."""
        for term in [t for t in self.accumulators if self.ends_at(t) == depth]:
            acc = self.accumulators.pop(term)
            if kept_depth(term) is None:
                self.add_to_memory(term, self.fold(term), cast(acc, term.dtype))
                continue
            value: Expr = acc if acc.dtype is term.dtype else self.nest.let(cast(acc, term.dtype), self.nest.depth)
            position = flatten_index(result_index(term), term.shape)
            self.nest.memo[self.nest.depth][(term, (position,))] = value
            if term in self.stored:
                self.nest.store(term, position, value)

    def ends_at(self, term: Term) -> int:
        kept = kept_depth(term)
        return self.inner_depth(term) if kept is None else kept

    def fold(self, term: Term) -> Fold:
        assert isinstance(term.rule, Fold)
        return term.rule


def sum_into(rule: Fold, acc: Name, value: Expr) -> Expr:
    value = cast(value, acc.dtype)
    return Apply("sum_add", (acc, value), acc.dtype) if rule.additive else combine(rule, acc, value)


def combine_condition(rule: Fold, best: Expr, value: Expr) -> Expr:
    return lower_formula(Formula(rule.combine, ("acc", "a"), value.dtype), (best, value), bool_)


def build_group(group: Group, stored: set[Term], nest: Nest) -> None:
    """Fills the nest with a fused group: call ``kernel()`` for the loop IR, ``buffers`` are its arguments."""
    GroupNest(group, stored, nest).build()
