"""Sums of rows by blocks. In: a kernel that adds rows to arrays; out: one that does so block by block, and what adds these up.

A loop that carries sums from row to row belongs to one thread. Here each block of rows has sums of its own, in scratch memory, so
that threads can share the blocks out. How rows are divided depends on sizes alone, so the bits of the results do not depend on
the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from weft.graph.dims import Dim, Size
from weft.graph.record import record, replace

from .collapse_loops import collapse_loops, map_indices
from .fold_in_stages import LEAST, USUAL
from .kernel import Affine, Apply, Const, Kernel, Let, Load, Loop, Name, Param, Statement, Store, affine, statements, variable
from .split_loops import find_cut
from .walk_terms import loop_name

MOST, FEWEST = 32, 8
"""Blocks: few enough for their sums to be little, and enough to share them out evenly."""
WORTH = 32
"""So many times as many elements are taken in as there are sums of blocks."""


@record
class Partial:
    """An array of sums. place: of the kernel's parameter that has the blocks' sums instead, size: how many these are. finish: the
    kernel that adds them up; its parameters are these sums and the array."""

    place: int
    size: Size
    finish: Kernel


@record
class Blocked:
    kernel: Kernel
    partial: tuple[Partial, ...]


@record
class _Sums:
    """An array that rows are added to: its parameter, the number it begins with, and the function that takes a row in."""

    place: int
    param: Param
    start: Const
    function: str


def block_rows(kernel: Kernel) -> Blocked | None:
    """None if the kernel adds no rows up, if that is little, or if something else keeps it from being cut."""
    starts = _starts(kernel.body)
    rest = kernel.body[len(starts) :]
    loops = [s for s in rest if isinstance(s, Loop)]
    if not starts or len(loops) != 1 or kernel.checks:
        return None
    (rows,) = loops
    sums = list(_find_sums(kernel, starts, rows))
    count = _count_blocks(rows, sums) if len(sums) == len(starts) else None
    if count is None:
        return None
    sizes = {s.place: count * s.param.size for s in sums}
    params = [Param(p.name, p.dtype, sizes.get(i, p.size), p.written) for i, p in enumerate(kernel.params)]
    body = [_in_blocks(rows, count, sums) if s is rows else s for s in rest]
    blocked = Kernel(kernel.title, params, body, kernel.ops)
    if find_cut(collapse_loops(blocked)) is None:
        return None
    return Blocked(blocked, tuple(Partial(s.place, sizes[s.place], _finish(kernel, s, count)) for s in sums))


def _starts(body: Sequence[Statement]) -> list[tuple[str, Const]]:
    """The arrays that the kernel first fills with a number each."""
    out = []
    for statement in body:
        only = statement.body[0] if isinstance(statement, Loop) and len(statement.body) == 1 else None
        if not isinstance(only, Store) or not isinstance(only.value, Const):
            break
        out.append((only.array, only.value))
    return out


def _find_sums(kernel: Kernel, starts: Iterable[tuple[str, Const]], rows: Loop) -> Iterator[_Sums]:
    """Those of these arrays that the loop reads and writes once, at a place that does not depend on the row."""
    places = {p.name: i for i, p in enumerate(kernel.params)}
    for name, start in starts:
        loads = [s for s in statements(rows.body) if isinstance(s, Let) and isinstance(s.value, Load) and s.value.array == name]
        stores = [s for s in statements(rows.body) if isinstance(s, Store) and s.array == name]
        if len(loads) != 1 or len(stores) != 1:
            continue
        old, new = loads[0].value, stores[0].value
        assert isinstance(old, Load)
        same = old.index == stores[0].index and old.index.factor(rows.variable) == 0
        if same and isinstance(new, Apply) and len(new.args) == 2 and new.args[0] == Name(loads[0].name, old.dtype):
            yield _Sums(places[name], kernel.params[places[name]], start, new.function)


def _count_blocks(rows: Loop, sums: Iterable[_Sums]) -> Size | None:
    """How many blocks there should be; every row is one if how many there are is not known."""
    size = sum((s.param.size for s in sums), 0)
    if isinstance(size, Dim):
        return None
    row = _elements(rows.body)
    if isinstance(rows.extent, Dim):
        return rows.extent if row * USUAL >= LEAST and row >= WORTH * size else None
    if row * rows.extent < LEAST:
        return None
    counts = (n for n in range(MOST, FEWEST - 1, -1) if rows.extent % n == 0)
    return next((n for n in counts if row * (rows.extent // n) >= WORTH * size), None)


def _elements(body: Iterable[Statement]) -> int:
    """How often the innermost statements run."""
    inner = [s for s in body if isinstance(s, Loop)]
    return max((_elements(s.body) * (USUAL if isinstance(s.extent, Dim) else s.extent) for s in inner), default=1)


def _in_blocks(rows: Loop, count: Size, sums: Sequence[_Sums]) -> Loop:
    """The loop over the blocks: it sets a block's sums to their first number, and adds the block's rows to them."""
    block, row = variable(loop_name(0)), variable(loop_name(1))
    length = 1 if isinstance(rows.extent, Dim) or isinstance(count, Dim) else rows.extent // count
    own = {s.param.name: block.scale(s.param.size) for s in sums}
    starts = [Loop(loop_name(1), s.param.size, [Store(s.param.name, own[s.param.name] + row, s.start)]) for s in sums]
    inner = [loop.variable for loop in statements(rows.body) if isinstance(loop, Loop)]
    places = {rows.variable: block.scale(length) + row, **{name: variable(_deeper(name)) for name in inner}}
    body = [_placed(statement, places, own) for statement in rows.body]
    return Loop(loop_name(0), count, [*starts, Loop(loop_name(1), length, body)])


def _deeper(loop: str) -> str:
    """What a loop is called inside one more."""
    return loop_name(int(loop[1:]) + 1)


def _placed(statement: Statement, places: Mapping[str, Affine], own: Mapping[str, Affine]) -> Statement:
    """The statement with other places for its loops' variables, and with the block's sums for the arrays."""

    def change(index: Affine) -> Affine:
        return sum((places.get(name, variable(name)).scale(factor) for name, factor in index.terms), affine(index.offset))

    if isinstance(statement, Loop):
        return Loop(_deeper(statement.variable), statement.extent, [_placed(s, places, own) for s in statement.body])
    new = map_indices(statement, change)
    if isinstance(new, Store) and new.array in own:
        return replace(new, index=new.index + own[new.array])
    if isinstance(new, Let) and isinstance(new.value, Load) and new.value.array in own:
        return replace(new, value=replace(new.value, index=new.value.index + own[new.value.array]))
    return new


def _finish(kernel: Kernel, sums: _Sums, count: Size) -> Kernel:
    """Adds up the blocks' sums, block after block."""
    size, dtype = sums.param.size, sums.param.dtype
    block, place = variable(loop_name(0)), variable(loop_name(1))
    old = Let("t0", Load("out", place, dtype))
    value = Apply(sums.function, (Name("t0", dtype), Load("a", block.scale(size) + place, dtype)), dtype)
    body: list[Statement] = [
        Loop(loop_name(0), size, [Store("out", variable(loop_name(0)), sums.start)]),
        Loop(loop_name(0), count, [Loop(loop_name(1), size, [old, Store("out", place, value)])]),
    ]
    return Kernel(kernel.title, [Param("a", dtype, count * size), Param("out", dtype, size, True)], body, kernel.ops)
