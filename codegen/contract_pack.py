"""Copies of operands that micro-kernels read in order. In: a block of a or b; out: LLVM functions that lay it out anew.

* b, as stored (k rows): a panel holds, for each k, the vectors of one column tile.
* b, transposed (n rows): the same panel, transposed on the way in blocks of a vector's width by 16 bytes.
* a, as stored (m rows): the rows of a block, close together, so that they share neither cache sets nor pages with others.
* a, transposed (k rows): the columns of a block, close together.
"""

from __future__ import annotations

from .contract_text import Lanes, Operand, Writer

CHUNK_BYTES = 16  # what is moved at once when transposing: the smallest vector, a lane of the larger ones


def print_copy(name: str, lanes: Lanes, vectors: int | None) -> tuple[str, set[str]]:
    """``(from, to, rows, columns, from_row, to_row)``: copies rows. vectors: they are at most this long; else any length.

    What lies behind the last column in the copy, up to a full vector (all ``vectors`` of them), becomes zero.
    """
    w = Writer(lanes)
    width = lanes.width
    with w.loop(0, "%rows", carried=[("ptr", "%from"), ("ptr", "%to")]) as loop:
        source, target = loop.carried
        if vectors is not None:
            for v in range(vectors):
                mask = w.lanes_below(w.sub("%columns", v * width))
                w.store(w.load(w.at(source, v * width), mask), w.at(target, v * width))
        else:
            full = w.let(f"and i64 %columns, {-width}")
            with w.loop(0, full, width) as inner:
                w.store(w.load(w.at(source, inner.index)), w.at(target, inner.index))
            mask = w.lanes_below(w.sub("%columns", full))
            w.store(w.load(w.at(source, full), mask), w.at(target, full))
        loop.following = [w.at(source, "%from_row"), w.at(target, "%to_row")]
    w.line("ret void")
    head = f"internal fastcc void @KERNEL.{name}(ptr %from, ptr noalias %to, i64 %rows, i64 %columns, i64 %from_row, i64 %to_row)"
    return w.function(f"{head} noinline nounwind"), w.declared


def print_transposed_copy(name: str, lanes: Lanes) -> tuple[str, set[str]]:
    """``(from, to, rows, columns, from_row, to_row)``: copies ``rows`` (at most a vector's width) of ``columns`` elements so that
    each column becomes one vector, ``to_row`` elements after the one before. Rows that do not exist repeat the last.

    Blocks of a vector's width by 16 bytes are loaded lane by lane, and transposed within lanes.
    """
    w = Writer(lanes)
    chunk = CHUNK_BYTES // lanes.size
    last = w.sub("%rows", 1)
    starts = [w.at("%from", w.mul(w.least(i, last), "%from_row")) for i in range(lanes.width)]
    full = w.let(f"and i64 %columns, {-chunk}")
    with w.loop(0, full, chunk, [("ptr", "%to")]) as loop:
        rows = [w.let(f"load <{chunk} x {lanes.real}>, ptr {w.at(s, loop.index)}, align {lanes.size}") for s in starts]
        columns = _transpose(w, rows, chunk)
        for i, column in enumerate(columns):
            w.store(column, w.at(loop.carried[0], w.mul("%to_row", i)))
        loop.following = [w.at(loop.carried[0], w.mul("%to_row", chunk))]
    with w.loop(full, "%columns", 1, [("ptr", loop.carried[0])]) as rest:
        target = rest.carried[0]
        for i, s in enumerate(starts):
            value = w.let(f"load {lanes.real}, ptr {w.at(s, rest.index)}, align {lanes.size}")
            w.line(f"store {lanes.real} {value}, ptr {w.at(target, i)}, align {lanes.size}")
        rest.following = [w.at(target, "%to_row")]
    w.line("ret void")
    head = f"internal fastcc void @KERNEL.{name}(ptr %from, ptr noalias %to, i64 %rows, i64 %columns, i64 %from_row, i64 %to_row)"
    return w.function(f"{head} noinline nounwind"), w.declared


def _transpose(w: Writer, rows: list[str], chunk: int) -> list[str]:
    """``width`` short vectors of ``chunk`` elements -> ``chunk`` vectors of ``width`` elements."""
    lanes = w.lanes
    # Lane g of register q holds row g * chunk + q, so that what belongs together after the transposition is in one lane.
    registers = [_gathered(w, rows[q::chunk], chunk) for q in range(chunk)]
    if chunk == 2:
        return [_interleave(w, registers[0], registers[1], 1, high) for high in (False, True)]
    low, high = (
        [_interleave(w, registers[0], registers[1], 1, h), _interleave(w, registers[2], registers[3], 1, h)] for h in (False, True)
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
        parts = [w.let(f"shufflevector {kind} {x}, {kind} {y}, <{2 * count} x i32> <{order}>") for x, y in zip(parts[::2], parts[1::2])]
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


def padded(columns: Operand, w: Writer) -> Operand:
    """Columns rounded up to whole vectors."""
    width = w.lanes.width
    return w.mul(w.div(w.add(columns, width - 1), width), width)
