"""Copies of operands that micro-kernels read in order. In: a block of a or b; out: LLVM functions that lay it out anew.

* b, as stored (k rows): a panel holds, for each k, the vectors of one column tile.
* b, transposed (n rows): the same panel, transposed on the way.
* a, as stored (m rows): a panel holds, for each k, the elements of a row tile, transposed like b's.
* a, transposed (k rows): the same panel, cut out of rows.
"""

from __future__ import annotations

from .contract_plan import Plan
from .contract_product import Product
from .contract_text import LINE_BYTES, Integer, Lanes, Writer

TURNED = 64  # columns of a that are packed, and fetched for the next tile, at a time
ROWS = 4  # of a transposed a that are packed at a time
CHUNK_BYTES = 16  # the smallest vector, a lane of the larger ones


def print_copies(product: Product, plan: Plan, multiple: int, turned: bool, in_passing: bool) -> list[tuple[str, set[str]]]:
    """What the product's kernel packs its operands with: each function, and what it declares. multiple: what the rows of a packed
    block are one of. turned: the kernel turns its result round, too. in_passing: tiles pack b."""
    copies = []
    if plan.pack_b and not product.transpose_b and not in_passing:
        copies += [print_panel_copy(f"copy_{v}", plan.lanes, v) for v in dict.fromkeys(c.size for c in plan.columns)]
    if plan.pack_a and product.transpose_a:
        most = max((c.size for c in plan.rows), default=1)
        copies.append(print_tile_copy("tiles", plan.lanes, most, multiple))
    if (plan.pack_b and product.transpose_b) or (plan.pack_a and not product.transpose_a):
        copies.append(print_transposed_copy("transpose", plan.lanes))
    if plan.pack_a and not product.transpose_a:
        copies.append(print_rows_copy("rows", plan.lanes, plan.a_pitch))
    if turned:
        copies.append(print_transposed_copy("turn", plan.lanes, exact=True))
    return copies


def print_panel_copy(name: str, lanes: Lanes, vectors: int) -> tuple[str, set[str]]:
    """``(from, to, rows, columns, from_row, to_panel)``: cuts rows into panels of ``vectors`` and copies them row by row, so that
    memory is read in order. Behind the last column, the last panel is filled with zeros."""
    w = Writer(lanes)
    width, pitch = lanes.width, vectors * lanes.width
    panels = w.let(f"udiv i64 %columns, {pitch}")
    done = w.mul(panels, pitch)
    left = w.sub("%columns", done)
    rest = w.let(f"zext i1 {w.let(f'icmp ne i64 {left}, 0')} to i64")
    masks = [w.lanes_below(w.sub(left, v * width)) for v in range(vectors)]
    end = w.at("%to", w.mul(panels, "%to_panel"))
    with w.loop(0, "%rows", carried=[("ptr", "%from")]) as loop:
        (source,) = loop.carried
        row = w.mul(loop.index, pitch)
        with w.loop(0, panels, carried=[("ptr", source), ("ptr", w.at("%to", row))]) as inner:
            at, to = inner.carried
            for v in range(vectors):
                w.store(w.load(w.at(at, v * width)), w.at(to, v * width))
            inner.following = [w.at(at, pitch), w.at(to, "%to_panel")]
        with w.loop(0, rest):
            for v in range(vectors):
                w.store(w.load(w.at(w.at(source, done), v * width), masks[v]), w.at(w.at(end, row), v * width))
        loop.following = [w.at(source, "%from_row")]
    return _finished(w, name, "rows", "columns", "from_row", "to_panel")


def print_tile_copy(name: str, lanes: Lanes, most: int, multiple: int) -> tuple[str, set[str]]:
    """``(from, to, rows, columns, from_row, each, to_panel)``: cuts rows into panels of ``each`` elements, at most ``most``.
    ``columns`` is a multiple of that; multiple: what ``rows`` is one of. Several rows at a time: what is written lies together,
    and memory is read in as many places."""
    w = Writer(lanes)
    masks = [w.lanes_below(w.sub("%each", v)) for v in range(0, most, lanes.width)]
    even = multiple % ROWS == 0
    many: Integer = "%rows" if even else w.let(f"and i64 %rows, {-ROWS}")
    with w.loop(0, many, ROWS, [("ptr", "%from"), ("ptr", "%to")]) as loop:
        loop.following = _cut_rows(w, loop.carried, ROWS, masks)
    if not even:
        with w.loop(many, "%rows", carried=[("ptr", pointer) for pointer in loop.carried]) as rest:
            rest.following = _cut_rows(w, rest.carried, 1, masks)
    return _finished(w, name, "rows", "columns", "from_row", "each", "to_panel")


def _cut_rows(w: Writer, pointers: list[str], count: int, masks: list[str]) -> list[str]:
    """So many rows, a piece of each in turn; where the next ones begin. The first vector of a piece is stored whole: what is too
    much is overwritten by the next row, or lies between panels."""
    start, width = pointers[0], w.lanes.width
    rows = [w.at(start, w.mul("%from_row", r)) for r in range(count)]
    with w.loop(0, "%columns", "%each", [("ptr", pointers[1])]) as inner:
        for r, row in enumerate(rows):
            at, to = w.at(row, inner.index), w.at(inner.carried[0], w.mul("%each", r))
            for v, mask in enumerate(masks):
                w.store(w.load(w.at(at, v * width), mask), w.at(to, v * width), mask if v else None)
        inner.following = [w.at(inner.carried[0], "%to_panel")]
    return [w.at(start, w.mul("%from_row", count)), w.at(pointers[1], w.mul("%each", count))]


def _finished(w: Writer, name: str, *sizes: str) -> tuple[str, set[str]]:
    """The function of two pointers and these integers, and what it declares."""
    w.line("ret void")
    integers = ", ".join(f"i64 %{s}" for s in sizes)
    text = w.function(f"internal fastcc void @KERNEL.{name}(ptr %from, ptr noalias %to, {integers}) noinline nounwind")
    return text, w.declared


def print_transposed_copy(name: str, lanes: Lanes, exact: bool = False) -> tuple[str, set[str]]:
    """``(from, to, rows, columns, from_row, to_row)``: copies ``rows`` (at most a vector's width) of ``columns`` elements so that
    each column becomes one vector, ``to_row`` elements after the one before. Rows that do not exist repeat the last; up to a
    vector's width of further columns is stored. With ``exact`` nothing is stored but what exists.

    Squares are loaded row by row, whole vectors: rows far apart may share one set of the L1 cache, so nothing is read twice.
    Lanes of 16 bytes change places first, then elements within lanes; in between, the square is in memory.
    """
    w = Writer(lanes)
    full: Integer = w.let(f"and i64 %columns, {-lanes.width}") if exact else "%columns"
    below = w.lanes_below("%rows") if exact else None
    square = w.let(f"alloca [{lanes.width} x {lanes.vector}], align {lanes.width * lanes.size}")
    with w.loop(0, full, lanes.width, [("ptr", "%to")]) as loop:
        _turn_rows(w, loop.index, square, whole=exact)
        _turn_columns(w, square, loop.carried[0], below)
        loop.following = [w.at(loop.carried[0], w.mul("%to_row", lanes.width))]
    if exact:
        _copy_turned(w, full, loop.carried[0])
    return _finished(w, name, "rows", "columns", "from_row", "to_row")


def _turn_rows(w: Writer, column: Integer, square: str, whole: bool) -> None:
    """Rows a lane's length apart, lanes turned, to memory."""
    width, chunk = w.lanes.width, CHUNK_BYTES // w.lanes.size
    mask = None if whole else w.lanes_below(w.sub("%columns", column))
    last = w.sub("%rows", 1)
    with w.loop(0, chunk) as part:
        rows = [w.least(w.add(part.index, start), last) for start in range(0, width, chunk)]
        vectors = [w.load(w.at(w.at("%from", w.mul(row, "%from_row")), column), mask) for row in rows]
        for i, vector in enumerate(_turn_lanes(w, vectors)):
            w.store(vector, w.at(square, w.add(w.mul(part.index, width), i * chunk * width)))


def _turn_columns(w: Writer, square: str, to: str, mask: str | None) -> None:
    """Columns of a lane's length: elements turned within lanes, to where they belong."""
    width, chunk = w.lanes.width, CHUNK_BYTES // w.lanes.size
    with w.loop(0, width // chunk) as part:
        first = w.mul(part.index, chunk)
        registers = [w.load(w.at(square, w.mul(w.add(first, i), width))) for i in range(chunk)]
        for i, vector in enumerate(_turn_elements(w, registers)):
            w.store(vector, w.at(to, w.mul(w.add(first, i), "%to_row")), mask)


def _copy_turned(w: Writer, start: Integer, to: str) -> None:
    """The columns from ``start`` on, element by element."""
    real = w.lanes.real
    with w.loop(start, "%columns", 1, [("ptr", to)]) as rest:
        target = rest.carried[0]
        with w.loop(0, "%rows", carried=[("ptr", w.at("%from", rest.index))]) as single:
            value = w.let(f"load {real}, ptr {single.carried[0]}, align {w.lanes.size}")
            w.line(f"store {real} {value}, ptr {w.at(target, single.index)}, align {w.lanes.size}")
            single.following = [w.at(single.carried[0], "%from_row")]
        rest.following = [w.at(target, "%to_row")]


def print_rows_copy(name: str, lanes: Lanes, pitch: int) -> tuple[str, set[str]]:
    """``(from, to, tiles, columns, from_row, size)``: packs so many tiles of ``size`` rows by ``transpose``; their panels are
    ``size * pitch`` elements apart. Whole vectors are stored, so the last rows of a tile come first. The next tile's rows are
    fetched before, in turn with the copies: they are many and short, which no hardware foresees, and all at once would be waited
    for."""
    w = Writer(lanes)
    width = lanes.width
    groups = w.div(w.add("%size", width - 1), width)
    from_tile, to_tile = w.mul("%size", "%from_row"), w.mul("%size", pitch)
    with w.loop(0, "%tiles", carried=[("ptr", "%from"), ("ptr", "%to")]) as loop:
        source, to = loop.carried
        with w.loop(0, "%columns", TURNED) as part:
            some = w.least(w.sub("%columns", part.index), TURNED)
            here, there = w.at(source, part.index), w.at(to, w.mul(part.index, "%size"))
            _fetch_rows(w, w.at(here, from_tile))
            with w.loop(0, groups, some=True) as group:
                lane = w.mul(w.sub(w.sub(groups, 1), group.index), width)
                rows = w.least(w.sub("%size", lane), width)
                places = f"ptr {w.at(here, w.mul(lane, '%from_row'))}, ptr {w.at(there, lane)}, i64 {rows}"
                w.line(f"call fastcc void @KERNEL.transpose({places}, i64 {some}, i64 %from_row, i64 %size)")
        loop.following = [w.at(source, from_tile), w.at(to, to_tile)]
    return _finished(w, name, "tiles", "columns", "from_row", "size")


def _fetch_rows(w: Writer, start: str) -> None:
    """``TURNED`` columns of ``%size`` rows."""
    with w.loop(0, "%size", carried=[("ptr", start)], some=True) as row:
        for line in range(0, TURNED, LINE_BYTES // w.lanes.size):
            w.fetch(w.at(row.carried[0], line), written=False)
        row.following = [w.at(row.carried[0], "%from_row")]


def _turn_lanes(w: Writer, rows: list[str]) -> list[str]:
    """1, 2 or 4 vectors of as many lanes: lane i of vector j becomes lane j of vector i."""
    if len(rows) == 1:
        return rows
    if len(rows) == 2:
        return [_pick_lanes(w, rows[0], rows[1], (i,)) for i in range(2)]
    halves = [[_pick_lanes(w, rows[i], rows[i + 1], half) for i in (0, 2)] for half in ((0, 1), (2, 3))]
    return [_pick_lanes(w, x, y, (i, i + 2)) for x, y in halves for i in range(2)]


def _pick_lanes(w: Writer, x: str, y: str, picked: tuple[int, ...]) -> str:
    """These lanes of x, then the same of y."""
    width, chunk = w.lanes.width, CHUNK_BYTES // w.lanes.size
    return _shuffle(w, x, y, [start + lane * chunk + i for start in (0, width) for lane in picked for i in range(chunk)])


def _turn_elements(w: Writer, registers: list[str]) -> list[str]:
    """Lane g of register q holds a piece of row g * chunk + q; transposed within lanes."""
    if len(registers) == 2:
        return [_interleave(w, registers[0], registers[1], 1, high) for high in (False, True)]
    low, high = ([_interleave(w, registers[i], registers[i + 1], 1, upper) for i in (0, 2)] for upper in (False, True))
    return [_interleave(w, pair[0], pair[1], 2, h) for pair in (low, high) for h in (False, True)]


def _interleave(w: Writer, x: str, y: str, group: int, high: bool) -> str:
    """Within each 16-byte lane: groups of elements from x and y in turn, from the lanes' lower or upper halves."""
    width, chunk = w.lanes.width, CHUNK_BYTES // w.lanes.size
    order: list[int] = []
    for lane in range(0, width, chunk):
        first = lane + (chunk // 2 if high else 0)
        for i in range(first, first + chunk // 2, group):
            order += [*range(i, i + group), *range(width + i, width + i + group)]
    return _shuffle(w, x, y, order)


def _shuffle(w: Writer, x: str, y: str, order: list[int]) -> str:
    """Elements of x and y, counted on from x to y."""
    mask, kind = ", ".join(f"i32 {i}" for i in order), w.lanes.vector
    return w.let(f"shufflevector {kind} {x}, {kind} {y}, <{w.lanes.width} x i32> <{mask}>")
