"""Where a term's elements come from, index by index. In: a term at an index; out: its arguments at theirs.

An element of a term is described by one `Affine` per axis over loop variables. Views, reshapes and broadcasts only change these
indices, so they cost nothing in a kernel. The same rules serve fusion (which arrays does this touch, and where?) and emission.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from weft.graph.dims import Shape, Size

from .kernel import ZERO, Affine, affine, divide, flatten_index, variable
from .terms import Fold, Formula, Leaf, Literal, Own, Pick, Ramp, Reshape, SizeValue, Strided, Term

Index = tuple[Affine, ...]
Place = tuple[Term, Index]


class NotAffine(Exception):
    """The element's position in the argument of a reshape is no affine expression; the argument needs a buffer."""

    def __init__(self, term: Term) -> None:
        super().__init__(repr(term))
        self.term = term


def loop_name(depth: int) -> str:
    return f"i{depth}"


def axis_order(term: Term) -> tuple[int, ...]:
    """The axes of the iteration space, outermost loop first: row-major, but a position search runs innermost."""
    if isinstance(term.rule, Fold):
        rank = len(term.args[0].shape)
        if term.rule.winner:
            return (*(i for i in range(rank) if i not in term.rule.axes), *term.rule.axes)
        return tuple(range(rank))
    return tuple(range(len(term.shape)))


def iteration_shape(term: Term) -> Shape:
    """The shape that is iterated over to compute the term: its own, or for a fold its argument's."""
    return term.args[0].shape if isinstance(term.rule, Fold) else term.shape


def space(term: Term) -> Shape:
    """The extents of the term's loops, outermost first; axes of length 1 have none."""
    shape = iteration_shape(term)
    return tuple(shape[i] for i in axis_order(term) if shape[i] != 1)


def loop_index(term: Term) -> Index:
    """The index, into the iteration shape, of the element that the loops stand at."""
    return index_of(iteration_shape(term), axis_order(term))


@lru_cache(maxsize=1024)
def index_of(shape: Shape, order: tuple[int, ...] | None = None) -> Index:
    out = [ZERO] * len(shape)
    depth = 0
    for axis in range(len(shape)) if order is None else order:
        if shape[axis] != 1:
            out[axis] = variable(loop_name(depth))
            depth += 1
    return tuple(out)


def result_index(term: Term) -> Index:
    """The index, into the term itself, of the element that the loops stand at."""
    index = loop_index(term)
    if isinstance(term.rule, Fold):
        return tuple(x for i, x in enumerate(index) if i not in term.rule.axes)
    return index


def result_position(term: Term) -> Affine:
    """`result_index` as a position in memory."""
    return flatten_index(result_index(term), term.shape)


def kept_depth(term: Term) -> int | None:
    """How many outer loops a fold keeps; None if a reduced loop runs outside a kept one. For other terms all loops."""
    if not isinstance(term.rule, Fold):
        return len(space(term))
    shape = iteration_shape(term)
    kept = [axis not in term.rule.axes for axis in axis_order(term) if shape[axis] != 1]
    depth = sum(kept)
    return depth if all(kept[:depth]) else None


@lru_cache(maxsize=1024)
def broadcast_index(index: Index, shape: Shape) -> Index:
    """The index into an argument of that shape which is broadcast to the result."""
    aligned = index[len(index) - len(shape) :]
    return tuple(ZERO if size == 1 else x for x, size in zip(aligned, shape))


def arguments(term: Term, index: Index, pick: Callable[[Place], str] | None = None) -> Iterator[Place]:
    """The argument elements that the element depends on. ``pick`` names the loop variable that holds a gathered index."""
    rule = term.rule
    if isinstance(rule, Formula):
        for arg in term.args:
            yield arg, broadcast_index(index, arg.shape)
    elif isinstance(rule, Strided):
        yield term.args[0], view_index(rule, index)
    elif isinstance(rule, Reshape):
        yield term.args[0], reshape_index(index, term)
    elif isinstance(rule, Fold):
        yield term.args[0], loop_index(term)
    elif isinstance(rule, Pick):
        assert pick is not None
        at = pick_place(term, index)
        yield at
        yield picked(term, index, pick(at))
    else:
        assert isinstance(rule, (Leaf, Literal, SizeValue, Ramp, Own)), rule


def view_index(rule: Strided, index: Index) -> Index:
    parts = zip(rule.axis, rule.stride, rule.offset)
    return tuple(affine(o) if a is None else affine(o) + index[a].scale(s) for a, s, o in parts)


def pick_place(term: Term, index: Index) -> Place:
    """The element of ``indices`` that says what to gather."""
    rule, (_, indices) = term.rule, term.args
    assert isinstance(rule, Pick)
    before = index[: rule.batch]
    middle = index[rule.axis : rule.axis + len(indices.shape) - rule.batch]
    return indices, broadcast_index((*before, *middle), indices.shape)


def picked(term: Term, index: Index, name: str) -> Place:
    """The gathered element of ``params``; ``name`` holds the index along the axis."""
    rule, (params, indices) = term.rule, term.args
    assert isinstance(rule, Pick)
    width = len(indices.shape) - rule.batch
    full = (*index[: rule.axis], variable(name), *index[rule.axis + width :])
    return params, full


def reshape_index(index: Index, term: Term) -> Index:
    """The index into a reshape's argument. Raises `NotAffine` if it would need a division."""
    (x,) = term.args
    out = _unflatten(index, term.shape, x.shape)
    if out is None:
        raise NotAffine(x)
    return out


def _unflatten(index: Index, have: Shape, want: Shape) -> Index | None:
    """Splits both shapes into runs of equal size; a run of several axes can be merged, but not split."""
    if all(s == 1 for s in want) or any(s == 0 for s in want):
        return tuple(ZERO for _ in want)
    source = [(x, s) for x, s in zip(index, have) if s != 1]
    out: list[Affine] = []
    for size in want:
        if size == 1:
            out.append(ZERO)
            continue
        run: list[tuple[Affine, Size]] = []
        total: Size = 1
        while total != size:
            if not source or divide(size, total * source[0][1]) is None:
                return None
            total = total * source[0][1]
            run.append(source.pop(0))
        out.append(flatten_index([x for x, _ in run], [s for _, s in run]))
    return tuple(out)
