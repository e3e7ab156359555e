"""What a group's kernel depends on, as a key. In: a group and what is in memory; out: a `GroupKey`.

Two groups with equal keys have the same loop IR but for which terms and buffers play the parts: what has been built, printed or
judged for one of them holds for the other. Making a key costs a small part of building a kernel, and layers repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from weft.graph.dims import Size
from weft.graph.record import record

from .terms import Term


@record(eq=False)
class GroupKey:
    """facts: equal for groups with the same kernel. terms: what the kernel is about, in the same order for equal groups."""

    facts: tuple[object, ...]
    terms: list[Term]


def group_key(
    members: Iterable[Term],
    phase: Mapping[Term, int],
    given: Callable[[Term], bool],
    about: Callable[[Term], object],
    loops: tuple[Sequence[Size], int | None] = ((), None),
) -> GroupKey:
    """given: whether the kernel finds the term in memory and does not look behind it. about: more facts about a term, such as
    whether and where it is stored. loops: the extents of the group's loops and its split.
    """
    terms = sorted(_reached(members, given), key=_order)
    place = {t: i for i, t in enumerate(terms)}
    facts: list[object] = [*loops]
    for t in terms:
        inner = None if given(t) else (t.kind, *[place[a] for a in t.args])
        facts.append((inner, t.dtype.name, t.shape, phase.get(t), about(t)))
    return GroupKey(tuple(facts), terms)


def _order(term: Term) -> int:
    return term.order


def _reached(members: Iterable[Term], given: Callable[[Term], bool]) -> set[Term]:
    """The members, what they are computed from, and so on up to what is given."""
    found = set(members)
    stack = list(found)
    while stack:
        term = stack.pop()
        if given(term):
            continue
        for arg in term.args:
            if arg not in found:
                found.add(arg)
                stack.append(arg)
    return found


class Numbering:
    """Small numbers for whatever comes, in the order in which it comes: keys that forget names but keep what is equal."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}

    def __call__(self, thing: object) -> int:
        return self._numbers.setdefault(thing, len(self._numbers))
