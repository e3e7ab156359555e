"""Which kernels have been printed already. In: groups with their buffers; out: keys, and what a call of an equal group takes.

A group's kernel is built and printed once per key (see `group_key`); the tables of what is known belong to the `ModuleWriter`, so
they live as long as one program is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from weft.graph.dims import Size
from weft.graph.dtype import DType
from weft.graph.record import record

from .count_work import Work
from .fuse_nodes import Group
from .group_key import GroupKey, Numbering, group_key
from .plan_buffers import Buffers
from .terms import Fault, Leaf, Term


@record(eq=False)
class KnownCall:
    """One call of a printed kernel, in a form that holds for all groups with its key.

    buffers: in the order of the kernel's pointers, each as the number of a term of the key and of one of the term's buffers.
    faults: what the kernel checks, and the number of the term concerned. partial: results of which the kernel makes parts only.
    """

    name: str
    buffers: tuple[tuple[int, int], ...]
    sizes: tuple[Size, ...]
    work: Work
    faults: tuple[tuple[Fault, int], ...] = ()
    partial: tuple[KnownPartial, ...] = ()


@record(eq=False)
class KnownPartial:
    """place: of the kernel's pointer to so many parts. finish: the call that makes the result of them."""

    place: int
    size: Size
    dtype: DType
    finish: KnownCall


@record(eq=False)
class KnownProduct:
    """A matrix product; ``call.buffers`` are those of its epilogue, behind operands and scratch memory. scratch: bytes of that,
    None for a kernel that takes none."""

    call: KnownCall
    scratch: int | None = None


class KernelKeys:
    """Makes the keys of groups whose buffers are known. unread: buffers that the step does not read again."""

    def __init__(self, stored: set[Term], buffers: Buffers, unread: set[int]) -> None:
        self.stored, self.buffers, self.unread = stored, buffers, unread

    def of_group(self, group: Group) -> GroupKey:
        """The key of a fused group, or of one whose member has a kernel of its own kind."""
        if group.own:
            (member,) = group.members
            return self.key(group, lambda t: t is not member and t in self.buffers.of_term)
        return self.key(group, lambda t: t not in group.phase and (isinstance(t.rule, Leaf) or t in self.stored))

    def of_product(self, product: Term, ending: Group | None) -> GroupKey:
        """The key of a matrix product and the group behind it."""
        own = (product.kind, product.dtype.name, product.shape, *(a.shape for a in product.args), product in self.stored)
        if ending is None:
            return GroupKey(own, [])

        def given(t: Term) -> bool:
            return t is product or (t not in ending.phase and (isinstance(t.rule, Leaf) or t in self.stored))

        behind = self.key(ending, given)
        return GroupKey((own, behind.facts), behind.terms)

    def key(self, group: Group, given: Callable[[Term], bool]) -> GroupKey:
        terms, buffers, places = Numbering(), Numbering(), Numbering()

        def about(term: Term) -> tuple[object, ...]:
            homes = self.buffers.of_term.get(term, ())
            where = [(buffers(b), places(self.buffers.place(b)), b in self.unread) for b in homes]
            return term in self.stored, terms(term), tuple(where), tuple(map(terms, self.buffers.taken.get(term, ())))

        return group_key(group.members, group.phase, given, about, (group.space, group.split))

    def positions(self, key: GroupKey, buffers: Iterable[int]) -> tuple[tuple[int, int], ...]:
        """Where the key's terms have these buffers; the inverse of `resolve`."""
        found = {b: (i, j) for i, t in enumerate(key.terms) for j, b in enumerate(self.buffers.of_term.get(t, ()))}
        return tuple(found[b] for b in buffers)

    def resolve(self, key: GroupKey, positions: Iterable[tuple[int, int]]) -> list[int]:
        """The buffers at these positions."""
        return [self.buffers.of_term[key.terms[i]][j] for i, j in positions]
