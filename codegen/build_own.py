"""Kernels of the families that do not fuse with their surroundings. In: an `Own` term; out: a `Nest` or a contraction's call.

Their arguments may still be evaluated on the way: a concatenation of two sums is one kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft.graph.dims import Shape, Size, product
from weft.graph.dtype import DType

from .build_nest import Nest, combine, literal_value
from .kernel import ZERO, Const, Load, Store, affine, flatten_index, variable
from .terms import Fold, Own, Term
from .walk_terms import Index, index_of


def build_own(term: Term, nest: Nest) -> Nest:
    """Fills the nest with the term's kernel; contractions are not built here, see `contract_sizes`."""
    assert isinstance(term.rule, Own)
    nest.titles.append(term.rule.family)
    _BUILDERS[term.rule.family](term, term.rule.attrs, nest)
    return nest


def _open_all(nest: Nest, shape: Shape) -> int:
    sizes = [s for s in shape if s != 1]
    for size in sizes:
        nest.open(size)
    return len(sizes)


def _close_all(nest: Nest, count: int) -> None:
    for _ in range(count):
        nest.close()


def build_place(term: Term, attrs: tuple[Any, ...], nest: Nest) -> None:
    """Writes each argument to its region; what no argument covers is filled first."""
    fill, *places = attrs
    if fill is not None and term.size != sum((a.size for a in term.args), 0):
        nest.fill(term, fill)
    for arg, (stride, offset) in zip(term.args, places):
        count = _open_all(nest, arg.shape)
        index = index_of(arg.shape)
        value = nest.value(arg, index)
        target = tuple(affine(o) + x.scale(s) for x, s, o in zip(index, stride, offset))
        nest.store(term, flatten_index(target, term.shape), value)
        _close_all(nest, count)


def build_scatter(term: Term, attrs: tuple[Any, ...], nest: Nest) -> None:
    """Zeros, then adds every update where its index says, in row-major order of the updates."""
    axis, batch = attrs
    updates, indices = term.args
    nest.fill(term, "0")
    count = _open_all(nest, updates.shape)
    index = index_of(updates.shape)
    width = len(indices.shape) - batch
    at: Index = (*index[:batch], *index[axis : axis + width])
    value = nest.value(updates, index)
    name = nest.index_name((indices, at))
    target = flatten_index((*index[:axis], variable(name), *index[axis + width :]), term.shape)
    param = nest.array(nest.storage(term)[0], term.dtype, term, write=True)
    old = nest.let(Load(param.name, target, term.dtype), nest.depth)
    nest.blocks[-1].append(Store(param.name, target, combine(Fold((), "acc + a", "0"), old, value)))
    _close_all(nest, count)


def build_scan(term: Term, attrs: tuple[Any, ...], nest: Nest) -> None:
    """The loop along the axis runs innermost and carries the running value."""
    axis, exclusive, reverse, expression, start = attrs
    (x,) = term.args
    others = [i for i in range(len(term.shape)) if i != axis and term.shape[i] != 1]
    index = [ZERO] * len(term.shape)
    for i in others:
        index[i] = variable(nest.open(term.shape[i]))
    acc = nest.start(Const(literal_value(start, term.dtype), term.dtype), nest.depth)
    step = variable(nest.open(term.shape[axis]))
    index[axis] = affine(term.shape[axis] - 1) + step.scale(-1) if reverse else step
    value = nest.value(x, tuple(index))
    position = flatten_index(tuple(index), term.shape)
    if exclusive:
        nest.store(term, position, acc)
    nest.update(acc, combine(Fold((axis,), expression, start), acc, value))
    if not exclusive:
        nest.store(term, position, acc)
    _close_all(nest, len(others) + 1)


_BUILDERS: dict[str, Callable[[Term, tuple[Any, ...], Nest], None]] = {
    "place": build_place,
    "scatter": build_scatter,
    "scan": build_scan,
}


def contract_sizes(term: Term) -> tuple[Size, ...]:
    """batch, m, n, k, stride_a, stride_b of the canonical call; strides count elements from one matrix to the next."""
    rule, (a, b) = term.rule, term.args[:2]
    assert isinstance(rule, Own)
    transpose_a, _, _, halves = rule.attrs
    m, n = term.shape[-2:]
    k = a.shape[-2] if transpose_a else a.shape[-1]
    if halves:
        assert isinstance(k, int)
        return 2, m, n, k // 2, k // 2, k // 2 * n
    batch, batch_a, batch_b = (product(t.shape[:-2]) for t in (term, a, b))
    if batch_b == 1 and batch_a == batch and not transpose_a:
        return 1, batch * m, n, k, 0, 0
    return batch, m, n, k, _stride(batch_a, batch, m * k), _stride(batch_b, batch, n * k)


def _stride(own: Size, batch: Size, size: Size) -> Size:
    return 0 if own == 1 and batch != 1 else size


CONTRACT = '''def {name}(a, b, c, batch, m, n, k, stride_a, stride_b):
    """c {sets} {a} @ {b}, per matrix; stride_a and stride_b count elements from one matrix to the next."""
    a = view(a, batch * m * k)
    b = view(b, batch * k * n)
    c = view(c, batch * m * n)
    for i0 in range(batch):
        for i1 in range(m):
            row = (i0 * m + i1) * n
{clear}            for i3 in range(k):
                t0 = a[i0 * stride_a + {at_a}]
                for i2 in range(n):
                    c[row + i2] = {add}
    return 0
'''
CLEAR = """            for i2 in range(n):
                c[row + i2] = {cast}(0)
"""


def contract_text(
    dtype: DType, transpose_a: bool, transpose_b: bool, accumulate: bool = False, halves: bool = False
) -> tuple[str, str]:
    """The name and plain text of a matrix product; the run time may bind a library's routine under the same name, but not for
    one that is added to what c holds, and not for ``halves``, where a row of a is a row of both matrices."""
    letters = "nt"
    name = f"matmul_{dtype.short}_{letters[transpose_a]}{letters[transpose_b]}{'_added' * accumulate}{'_halves' * halves}"
    row = "(batch * k)" if halves else "k"
    at_b = "i2 * k + i3" if transpose_b else "i3 * n + i2"
    term = f"c[row + i2] + t0 * b[i0 * stride_b + {at_b}]"
    text = CONTRACT.format(
        name=name,
        a="a.T" if transpose_a else "a",
        b="b.T" if transpose_b else "b",
        sets="+=" if accumulate else "=",
        clear="" if accumulate else CLEAR.format(cast=dtype.name),
        at_a="i3 * m + i1" if transpose_a else f"i1 * {row} + i3",
        add=term if dtype.is_floating else f"{dtype.name}({term})",
    )
    return name, text
