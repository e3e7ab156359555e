"""Copies of operands that micro-kernels read in order. In: a block of a or b; out: LLVM functions that lay it out anew.

* b, as stored (k rows): a panel holds, for each k, the vectors of one column tile.
* b, transposed (n rows): the same panel, transposed on the way in blocks of a vector's width by 16 bytes.
* a, as stored (m rows): a panel holds, for each k, the elements of a row tile, transposed like b's.
* a, transposed (k rows): the same panel, cut out of rows.
"""

from __future__ import annotations

from .contract_text import Lanes, Writer

CHUNK_BYTES = 16  # what is moved at once when transposing: the smallest vector, a lane of the larger ones


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
    return _finished(w, name, "to_panel")


def print_tile_copy(name: str, lanes: Lanes, each: int) -> tuple[str, set[str]]:
    """``(from, to, rows, columns, from_row, to_panel)``: cuts rows into panels of ``each`` elements. ``columns`` is a multiple of
    that. Whole vectors are stored: what is too much is overwritten by the next row, or lies between panels."""
    w = Writer(lanes)
    width = lanes.width
    last = w.lanes_below(each % width) if each % width else None
    with w.loop(0, "%rows", carried=[("ptr", "%from"), ("ptr", "%to")]) as loop:
        with w.loop(0, "%columns", each, [("ptr", loop.carried[1])]) as inner:
            at, to = w.at(loop.carried[0], inner.index), inner.carried[0]
            for v in range(0, each, width):
                w.store(w.load(w.at(at, v), last if v + width > each else None), w.at(to, v))
            inner.following = [w.at(to, "%to_panel")]
        loop.following = [w.at(loop.carried[0], "%from_row"), w.at(loop.carried[1], each)]
    return _finished(w, name, "to_panel")


def _finished(w: Writer, name: str, last: str = "to_row") -> tuple[str, set[str]]:
    w.line("ret void")
    sizes = ", ".join(f"i64 %{s}" for s in ("rows", "columns", "from_row", last))
    return w.function(f"internal fastcc void @KERNEL.{name}(ptr %from, ptr noalias %to, {sizes}) noinline nounwind"), w.declared


def print_transposed_copy(name: str, lanes: Lanes, exact: bool = False) -> tuple[str, set[str]]:
    """``(from, to, rows, columns, from_row, to_row)``: copies ``rows`` (at most a vector's width) of ``columns`` elements so that
    each column becomes one vector, ``to_row`` elements after the one before. Rows that do not exist repeat the last; with
    ``exact`` nothing is stored for them.

    Blocks of a vector's width by 16 bytes are loaded lane by lane, and transposed within lanes.
    """
    w = Writer(lanes)
    chunk = CHUNK_BYTES // lanes.size
    last = w.sub("%rows", 1)
    starts = [w.at("%from", w.mul(w.least(i, last), "%from_row")) for i in range(lanes.width)]
    full = w.let(f"and i64 %columns, {-chunk}")
    mask = w.lanes_below("%rows") if exact else None
    with w.loop(0, full, chunk, [("ptr", "%to")]) as loop:
        rows = [w.let(f"load <{chunk} x {lanes.real}>, ptr {w.at(s, loop.index)}, align {lanes.size}") for s in starts]
        columns = _transpose(w, rows, chunk)
        for i, column in enumerate(columns):
            w.store(column, w.at(loop.carried[0], w.mul("%to_row", i)), mask)
        loop.following = [w.at(loop.carried[0], w.mul("%to_row", chunk))]
    with w.loop(full, "%columns", 1, [("ptr", loop.carried[0])]) as rest:
        target = rest.carried[0]
        with w.loop(0, "%rows", carried=[("ptr", w.at("%from", rest.index))]) as single:
            value = w.let(f"load {lanes.real}, ptr {single.carried[0]}, align {lanes.size}")
            w.line(f"store {lanes.real} {value}, ptr {w.at(target, single.index)}, align {lanes.size}")
            single.following = [w.at(single.carried[0], "%from_row")]
        rest.following = [w.at(target, "%to_row")]
    return _finished(w, name)


def print_rows_copy(name: str, lanes: Lanes, pitch: int) -> tuple[str, set[str]]:
    """``(from, to, tiles, columns, from_row, size)``: packs so many tiles of ``size`` rows by ``transpose``; their panels are
    ``size * pitch`` elements apart. Whole vectors are stored, so the last rows of a tile come first."""
    w = Writer(lanes)
    width, tail = lanes.width, "i64 %columns, i64 %from_row, i64 %size)"
    groups = w.div(w.add("%size", width - 1), width)
    from_tile, to_tile = w.mul("%size", "%from_row"), w.mul("%size", pitch)
    with w.loop(0, "%tiles", carried=[("ptr", "%from"), ("ptr", "%to")]) as loop:
        source, to = loop.carried
        with w.loop(0, groups, some=True) as group:
            lane = w.mul(w.sub(w.sub(groups, 1), group.index), width)
            rows = w.least(w.sub("%size", lane), width)
            places = f"ptr {w.at(source, w.mul(lane, '%from_row'))}, ptr {w.at(to, lane)}, i64 {rows}"
            w.line(f"call fastcc void @KERNEL.transpose({places}, {tail}")
        loop.following = [w.at(source, from_tile), w.at(to, to_tile)]
    w.line("ret void")
    sizes = ", ".join(f"i64 %{s}" for s in ("tiles", "columns", "from_row", "size"))
    return w.function(f"internal fastcc void @KERNEL.{name}(ptr %from, ptr noalias %to, {sizes}) noinline nounwind"), w.declared


def _transpose(w: Writer, rows: list[str], chunk: int) -> list[str]:
    """``width`` short vectors of ``chunk`` elements -> ``chunk`` vectors of ``width`` elements."""
    lanes = w.lanes
    # Lane g of register q holds row g * chunk + q, so that what belongs together after the transposition is in one lane.
    registers = [_gathered(w, rows[q::chunk], chunk) for q in range(chunk)]
    if chunk == 2:
        return [_interleave(w, registers[0], registers[1], 1, high) for high in (False, True)]
    low, high = (
        [_interleave(w, registers[i], registers[i + 1], 1, upper) for i in (0, 2)] for upper in (False, True)
    )
    out = [_interleave(w, pair[0], pair[1], 2, h) for pair in (low, high) for h in (False, True)]
    assert len(out) * lanes.size == CHUNK_BYTES
    return out


def _gathered(w: Writer, parts: list[str], chunk: int) -> str:
    """Short vectors side by side in one register."""
    real, count = w.lanes.real, chunk
    while len(parts) > 1:
        order = ", ".join(f"i32 {i}" for i in range(2 * count))
        kind = f"<{count} x {real}>"
        mask = f"<{2 * count} x i32> <{order}>"
        parts = [w.let(f"shufflevector {kind} {x}, {kind} {y}, {mask}") for x, y in zip(parts[::2], parts[1::2])]
        count *= 2
    return parts[0]


def _interleave(w: Writer, x: str, y: str, group: int, high: bool) -> str:
    """Within each 16-byte lane: groups of elements from x and y in turn, from the lanes' lower or upper halves."""
    width, chunk = w.lanes.width, CHUNK_BYTES // w.lanes.size
    order: list[int] = []
    for lane in range(0, width, chunk):
        first = lane + (chunk // 2 if high else 0)
        for i in range(first, first + chunk // 2, group):
            order += [*range(i, i + group), *range(width + i, width + i + group)]
    mask = ", ".join(f"i32 {i}" for i in order)
    kind = w.lanes.vector
    return w.let(f"shufflevector {kind} {x}, {kind} {y}, <{width} x i32> <{mask}>")
