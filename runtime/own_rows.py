"""Rows of a batch that each thread keeps for itself. In: the calls of a step for a team; out: a first call that gathers them.

Where every call that reads an input is a product cut along the input's columns, a thread reads its own columns only. A shuffled
batch is then gathered by the threads as the first call of the step, each into a buffer of its own, of the batch's size: a core
fetches further along a row than it is asked to, so in one buffer it would fetch what another has just written, and what that one
is about to write for the next batch.

The loop over batches says in the rows table what to gather: int64 address of the row numbers (0: nothing), how many, address of
the next batch's row numbers (0: there is none); then for each input the address of row 0, bytes per row (0: not gathered here),
address of the buffer, bytes from there to the next. Threads that wait in the step have the caches fetch what they gather next.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence

from weft.codegen.contract_parts import ALWAYS
from weft.codegen.program import Buffer, Split
from weft.graph.dtype import BY_SHORT
from weft.graph.record import record, replace

from .gather_rows import COPY_ROWS
from .team_layout import ROW_FIELDS, ROWS
from .team_segments import Access, TeamCall

LINE, AT_ONCE = 64, 8
"""Bytes of a cache line, and how many a waiting thread has fetched before it looks again whether it still waits."""
GATHER = "gather"
"""The name that the call has in place of a kernel's."""
GATHER_PART = "  %code = call i32 @gather.one(ptr %p, i64 %t, i64 %parts)\n  ret i32 %code\n"


@record
class OwnRows:
    """inputs: by number, the bytes of a row that each thread reads, as (begin, end). count: of all inputs. pointers: the inputs'
    numbers by the place of their pointer. at: where in the pointer table the address of the rows table is."""

    inputs: dict[int, tuple[tuple[int, int], ...]]
    count: int
    pointers: dict[int, int]
    at: int

    @property
    def threads(self) -> int:
        return max(map(len, self.inputs.values()))

    def call(self) -> TeamCall:
        """What gathers: it writes the inputs as the calls read them, so that these need their own part of it only."""
        written = [Access(("input", i), True, stretch_of(i) if i in self.inputs else None) for i in range(self.count)]
        return TeamCall(ast.Call(ast.Name(GATHER), [], []), None, Split(1, "n0", repeats=ALWAYS), tuple(written), granules=0)


def stretch_of(number: int) -> tuple[str, int, str]:
    """The stretch of an input that the calls of one part read."""
    return f"columns of input {number}", 1, "1"


def find_own_rows(calls: Sequence[TeamCall], buffers: Sequence[Buffer], threads: int) -> OwnRows | None:
    """The inputs of which each thread reads columns of its own; None if there are none."""
    found = {}
    inputs = [b for b in buffers if b.kind == "input"]
    for buffer in inputs:
        reads = [a for c in calls for a in c.accesses if a.buffer == (buffer.kind, buffer.index)]
        width = _row_length(buffer)
        if reads and width and not any(c.effect for c in calls) and all(a.columns and a.columns[-1] == width for a in reads):
            size = BY_SHORT[buffer.dtype].size
            found[buffer.index] = tuple(_stretch([a.columns for a in reads], t, threads, size) for t in range(threads))
    pointers = {i: b.index for i, b in enumerate(buffers) if b.kind == "input" and b.index in found}
    return OwnRows(found, len(inputs), pointers, len(buffers) + 1) if found else None


def mark_own_rows(calls: Sequence[TeamCall], own: OwnRows) -> list[TeamCall]:
    """The gathering call and the others, of which a part needs only its own part of what is gathered."""
    out = [own.call()]
    for call in calls:
        accesses = [replace(a, stretch=stretch_of(_number(a))) if _number(a) in own.inputs else a for a in call.accesses]
        even = any(_number(a) in own.inputs for a in call.accesses)
        out.append(replace(call, accesses=tuple(accesses), even=even))
    return out


def _number(access: Access) -> int:
    """The input's number; -1 for other buffers."""
    kind, index = access.buffer if isinstance(access.buffer, tuple) else ("", -1)
    return index if kind == "input" else -1


def _row_length(buffer: Buffer) -> int:
    """Elements of a sample; 0 if only the call knows."""
    tail = buffer.shape[1:]
    return math.prod(map(int, tail)) if buffer.shape and all(size.isdigit() for size in tail) else 0


def _stretch(columns: Sequence[tuple[int, ...]], thread: int, threads: int, size: int) -> tuple[int, int]:
    """The bytes of a row that a thread's shares of products reach, in whole cache lines."""
    ends = [[(len(c) - 1) * t // threads for t in (thread, thread + 1)] for c in columns]
    reached = [(c[first], c[last]) for c, (first, last) in zip(columns, ends, strict=True) if first < last]
    if not reached:
        return 0, 0
    begin, end = min(b for b, _ in reached) * size, max(e for _, e in reached) * size
    return begin // LINE * LINE, min(-(-end // LINE) * LINE, columns[0][-1] * size)


def print_own_rows(own: OwnRows) -> str:
    """LLVM text of ``@gather.one``, one part of the call; ``@bring``, which gathers whole rows for the plain step; ``@fetch``,
    which has the caches fetch a little of what a thread gathers next: at ``cursor``, and the result is the next one or -1."""
    parts, wholes, tables = [], [], []
    for i in range(own.count):
        place = ROWS + ROW_FIELDS * i
        if i in own.inputs:
            rows = ", ".join(f"[2 x i64] [i64 {begin}, i64 {end}]" for begin, end in own.inputs[i])
            tables.append(f"@columns.{i} = internal constant [{len(own.inputs[i])} x [2 x i64]] [{rows}]\n")
        parts.append(f"  call void @gather.input(ptr %table, i64 {place}, ptr {_columns(own, i)}, i64 %t, i64 %parts)\n")
        wholes.append(f"  call void @gather.input(ptr %table, i64 {place}, ptr null, i64 0, i64 1)\n")
    slot = f"  %slot = getelementptr ptr, ptr %p, i64 {own.at}\n  %table = load ptr, ptr %slot\n"
    return f"""{"".join(tables)}{COPY_ROWS}{_GATHER_INPUT}
define internal i32 @gather.one(ptr %p, i64 %t, i64 %parts) {{
{slot}{"".join(parts)}  ret i32 0
}}
define internal i32 @bring(ptr %p) {{
{slot}{"".join(wholes)}  ret i32 0
}}
{_fetch(own, slot)}"""


def _fetch(own: OwnRows, slot: str) -> str:
    """For the input with the longest rows."""
    number = max(own.inputs, key=lambda i: own.inputs[i][-1][1])
    lines = "".join(
        f"  %l{i} = getelementptr i8, ptr %from, i64 {LINE * i}\n  call void @llvm.prefetch.p0(ptr %l{i}, i32 0, i32 2, i32 1)\n"
        for i in range(AT_ONCE)
    )
    return f"""
define internal i64 @fetch(ptr %p, i64 %t, i64 %cursor) {{
entry:
{slot}  %next.at = getelementptr ptr, ptr %table, i64 2
  %rows = load ptr, ptr %next.at
  %count.at = getelementptr i64, ptr %table, i64 1
  %count = load i64, ptr %count.at
  %source.at = getelementptr i64, ptr %table, i64 {ROWS + ROW_FIELDS * number}
  %source = load ptr, ptr %source.at
  %bytes.at = getelementptr i64, ptr %source.at, i64 1
  %bytes = load i64, ptr %bytes.at
  %own.at = getelementptr [2 x i64], ptr @columns.{number}, i64 %t
  %begin = load i64, ptr %own.at
  %end.at = getelementptr i64, ptr %own.at, i64 1
  %end = load i64, ptr %end.at
  %width = sub i64 %end, %begin
  %width.up = add i64 %width, {LINE * AT_ONCE - 1}
  %pieces = udiv i64 %width.up, {LINE * AT_ONCE}
  %all = mul i64 %pieces, %count
  %more = icmp slt i64 %cursor, %all
  %some = icmp ne ptr %rows, null
  %wide = icmp ne i64 %bytes, 0
  %ready = and i1 %some, %wide
  %go = and i1 %ready, %more
  br i1 %go, label %go.on, label %stop
go.on:
  %i = udiv i64 %cursor, %pieces
  %piece = urem i64 %cursor, %pieces
  %row.at = getelementptr i64, ptr %rows, i64 %i
  %row = load i64, ptr %row.at
  %start = mul i64 %row, %bytes
  %along = mul i64 %piece, {LINE * AT_ONCE}
  %offset0 = add i64 %start, %begin
  %offset = add i64 %offset0, %along
  %from = getelementptr i8, ptr %source, i64 %offset
{lines}  %after = add i64 %cursor, 1
  ret i64 %after
stop:
  ret i64 -1
}}
"""


def _columns(own: OwnRows, number: int) -> str:
    return f"@columns.{number}" if number in own.inputs else "null"


# An input whose rows all threads read is gathered into one buffer, by whole lines; only the first thread's buffer is then in use.
_GATHER_INPUT = f"""
define internal void @gather.input(ptr %table, i64 %place, ptr %columns, i64 %t, i64 %parts) {{
entry:
  %rows = load ptr, ptr %table
  %count.at = getelementptr i64, ptr %table, i64 1
  %count = load i64, ptr %count.at
  %source.at = getelementptr i64, ptr %table, i64 %place
  %source = load ptr, ptr %source.at
  %bytes.at = getelementptr i64, ptr %source.at, i64 1
  %bytes = load i64, ptr %bytes.at
  %buffer.at = getelementptr i64, ptr %source.at, i64 2
  %buffer = load ptr, ptr %buffer.at
  %stride.at = getelementptr i64, ptr %source.at, i64 3
  %stride = load i64, ptr %stride.at
  %no.rows = icmp eq ptr %rows, null
  %no.bytes = icmp eq i64 %bytes, 0
  %nothing = or i1 %no.rows, %no.bytes
  br i1 %nothing, label %end, label %some
some:
  %shared = icmp eq ptr %columns, null
  br i1 %shared, label %lines, label %own
own:
  %own.at = getelementptr [2 x i64], ptr %columns, i64 %t
  %own.begin = load i64, ptr %own.at
  %own.end.at = getelementptr i64, ptr %own.at, i64 1
  %own.end = load i64, ptr %own.end.at
  %own.offset = mul i64 %stride, %t
  br label %copy
lines:
  %last = add i64 %t, 1
  %begin.scaled = mul i64 %bytes, %t
  %begin.even = udiv i64 %begin.scaled, %parts
  %lines.begin = and i64 %begin.even, {-LINE}
  %end.scaled = mul i64 %bytes, %last
  %end.even = udiv i64 %end.scaled, %parts
  %end.line = and i64 %end.even, {-LINE}
  %is.last = icmp eq i64 %last, %parts
  %lines.end = select i1 %is.last, i64 %bytes, i64 %end.line
  br label %copy
copy:
  %begin = phi i64 [ %own.begin, %own ], [ %lines.begin, %lines ]
  %stop = phi i64 [ %own.end, %own ], [ %lines.end, %lines ]
  %offset = phi i64 [ %own.offset, %own ], [ 0, %lines ]
  %target = getelementptr i8, ptr %buffer, i64 %offset
  %width = sub i64 %stop, %begin
  call void @copy_rows(ptr %target, ptr %source, i64 %bytes, ptr %rows, i64 %count, i64 %begin, i64 %width)
  br label %end
end:
  ret void
}}
"""
