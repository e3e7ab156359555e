"""Which terms are computed for themselves, and what each reads. In: the terms that must be stored; out: `Roots`.

Numbers, sizes, ramps, views, reshapes and scalar formulas cost (nearly) nothing: they are evaluated wherever they are read. All
other terms are roots: fusion puts each into one kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from weft.graph.errors import UnimplementedError
from weft.graph.record import field, record

from .kernel import Affine, flatten_index
from .terms import Fold, Formula, Leaf, Own, Pick, Reshape, Term
from .walk_terms import Index, NotAffine, Place, arguments, index_of, loop_index

Accesses = dict[Term, set[Affine]]


@record(frozen=False)
class Roots:
    """ordered: the roots, arguments first. accesses: per root, the positions at which it reads leaves and other roots."""

    ordered: list[Term] = field(default_factory=list)
    accesses: dict[Term, Accesses] = field(default_factory=dict)


def base(term: Term) -> Term:
    """The term whose buffer holds the elements: reshapes share their argument's."""
    return base(term.args[0]) if isinstance(term.rule, Reshape) else term


def find_roots(required: Iterable[Term]) -> Roots:
    """required: terms that must end up in a buffer (outputs, new values of variables, arguments of effects)."""
    forced = {base(t) for t in required if not isinstance(base(t).rule, Leaf)}
    while True:
        finder = _Finder(forced)
        roots = finder.run()
        if not finder.refused:
            return roots
        forced |= finder.refused


def whole_arguments(term: Term) -> tuple[Term, ...]:
    """Arguments that must be arrays in memory, because the term's kernel takes them as a whole."""
    if isinstance(term.rule, Own) and term.rule.family in ("contract", "random"):
        return tuple(base(a) for a in term.args)
    return ()


def start_places(term: Term) -> list[Place]:
    """What the term's kernel evaluates at its loop variables."""
    rule = term.rule
    if isinstance(rule, Own):
        if rule.family in ("contract", "random"):
            return []
        if rule.family == "scatter":
            return [(a, index_of(a.shape)) for a in term.args[:1]]
        return [(a, index_of(a.shape)) for a in term.args]
    return [(term, loop_index(term))]


class _Finder:
    def __init__(self, forced: set[Term]) -> None:
        self.forced = forced
        self.roots = Roots()
        self.done: dict[Term, None] = {}
        self.refused: set[Term] = set()  # cannot be evaluated element by element where they are read

    def run(self) -> Roots:
        stack = sorted(self.forced, key=lambda t: t.order)
        while stack:
            term = stack.pop()
            if term in self.done:
                continue
            self.done[term] = None
            try:
                reads = self.reads_of(term)
            except NotAffine as error:
                self.refused.add(error.term)
                reads = {error.term: set()}
            self.roots.accesses[term] = reads
            stack += [t for t in reads if not isinstance(t.rule, Leaf) and t not in self.done]
        self.roots.ordered = sorted(self.done, key=lambda t: t.order)
        return self.roots

    def reads_of(self, term: Term) -> Accesses:
        whole = whole_arguments(term)
        missing = [t for t in whole if not isinstance(t.rule, Leaf) and not self.is_root(t)]
        if missing:
            raise NotAffine(missing[0])
        out = {t: set() for t in whole}  # type: Accesses
        places = start_places(term)
        if isinstance(term.rule, Own) and term.rule.family == "scatter":
            places.append(scatter_place(term))
        for place in places:
            for t, positions in collect_reads(place, lambda t: t is not term and self.is_stored(t)).items():
                out.setdefault(t, set()).update(positions)
        return out

    def is_stored(self, term: Term) -> bool:
        return isinstance(term.rule, Leaf) or self.is_root(term)

    def is_root(self, term: Term) -> bool:
        rule = term.rule
        if term in self.forced or isinstance(rule, (Fold, Own, Pick)):
            return True
        return isinstance(rule, Formula) and (term.size != 1 or rule.fault is not None)


def scatter_place(term: Term) -> Place:
    """The index element that an update's element is sent to, at the loop variables of the updates."""
    rule, (updates, indices) = term.rule, term.args
    assert isinstance(rule, Own)
    axis, batch = rule.attrs[0], rule.attrs[1]
    index = index_of(updates.shape)
    middle = index[axis : axis + len(indices.shape) - batch]
    return indices, (*index[:batch], *middle)


def collect_reads(start: Place, stored: Callable[[Term], bool]) -> Accesses:
    """The positions at which stored terms are read when the element at ``start`` is evaluated."""
    out: Accesses = {}
    seen: set[Place] = set()
    names: dict[Place, str] = {}
    stack = [start]

    def name_pick(place: Place) -> str:
        return names.setdefault(place, f"pick{len(names)}")

    while stack:
        term, index = stack.pop()
        if (term, index) in seen:
            continue
        seen.add((term, index))
        found = locate(term, index, stored)
        if found is not None:
            out.setdefault(found[0], set()).add(found[1])
        elif isinstance(term.rule, Own):
            raise UnimplementedError(f"{term.title} cannot be evaluated element by element.")
        else:
            stack.extend(arguments(term, index, name_pick))
    return out


def locate(term: Term, index: Index, stored: Callable[[Term], bool]) -> tuple[Term, Affine] | None:
    """The buffer and position that hold the element, if one does."""
    root = base(term)
    return (root, flatten_index(index, term.shape)) if stored(root) else None
