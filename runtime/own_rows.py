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
from weft.codegen.function_writer import FunctionWriter, Integer
from weft.codegen.program import Buffer, Split
from weft.graph.dtype import BY_SHORT
from weft.graph.record import record, replace

from .gather_rows import COPY_ROWS
from .team_layout import GATHERED, ROW_FIELDS, ROW_NUMBERS, ROWS
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
    tables = []
    for i, stretches in own.inputs.items():
        rows = ", ".join(f"[2 x i64] [i64 {begin}, i64 {end}]" for begin, end in stretches)
        tables.append(f"@columns.{i} = internal constant [{len(stretches)} x [2 x i64]] [{rows}]\n")
    gathers = [_gather_input(), _gather_all(own, whole=False), _gather_all(own, whole=True)]
    return "".join([*tables, COPY_ROWS, *gathers, _fetch(own)])


def _rows_table(w: FunctionWriter, own: OwnRows) -> str:
    """The address of the rows table, from the step's pointers."""
    return w.read("ptr", "%p", own.at)


def _input_row(number: int) -> int:
    """Where in the rows table an input's fields begin."""
    return ROWS + ROW_FIELDS * number


def _gather_all(own: OwnRows, whole: bool) -> str:
    """All inputs in turn: the columns of one thread, or all of them."""
    w = FunctionWriter()
    table = _rows_table(w, own)
    for i in range(own.count):
        row = w.at(table, _input_row(i), "i64")
        which = "ptr null, i64 0, i64 1" if whole else f"ptr {_columns(own, i)}, i64 %t, i64 %parts"
        w.line(f"call void @gather.input(ptr {table}, ptr {row}, {which})")
    w.line("ret i32 0")
    return w.function("internal i32 @bring(ptr %p)" if whole else "internal i32 @gather.one(ptr %p, i64 %t, i64 %parts)")


def _columns(own: OwnRows, number: int) -> str:
    return f"@columns.{number}" if number in own.inputs else "null"


def _fetch(own: OwnRows) -> str:
    """Of the input with the longest rows, so many lines of a row at once."""
    number, step = max(own.inputs, key=lambda i: own.inputs[i][-1][1]), LINE * AT_ONCE
    w = FunctionWriter()
    table = _rows_table(w, own)
    count, rows = (w.field(table, ROW_NUMBERS, name, kind) for name, kind in (("count", "i64"), ("next", "ptr")))
    row = w.at(table, _input_row(number), "i64")
    width = w.field(row, GATHERED, "bytes", "i64")
    begin, end = _own_stretch(w, f"@columns.{number}")
    pieces = w.div(w.add(w.sub(end, begin), step - 1), step)
    w.require(w.less("%cursor", w.mul(pieces, count)), "stop")
    w.require(w.is_null(rows), "stop", holds=False)
    w.require(w.equal(width, 0), "stop", holds=False)
    which = w.read("i64", rows, w.div("%cursor", pieces))
    offset = w.add(w.add(w.mul(which, width), begin), w.mul(w.rest("%cursor", pieces), step))
    start = w.at(w.field(row, GATHERED, "source"), offset, "i8")
    for i in range(AT_ONCE):
        w.line(f"call void @llvm.prefetch.p0(ptr {w.at(start, LINE * i, 'i8')}, i32 0, i32 2, i32 1)")
    w.line(f"ret i64 {w.add('%cursor', 1)}")
    w.open("stop")
    w.line("ret i64 -1")
    return w.function("internal i64 @fetch(ptr %p, i64 %t, i64 %cursor)")


def _own_stretch(w: FunctionWriter, columns: str) -> tuple[str, str]:
    """Where the thread's bytes of a row begin and end."""
    place = w.at(columns, "%t", "[2 x i64]")
    return w.read("i64", place), w.read("i64", place, 1)


def _gather_input() -> str:
    """One part of gathering one input. One whose rows all threads read (``columns`` is null) is gathered into one buffer, by
    whole lines; only the first thread's buffer is then in use."""
    w = FunctionWriter()
    rows, count = (w.field("%table", ROW_NUMBERS, name, kind) for name, kind in (("rows", "ptr"), ("count", "i64")))
    source, buffer = (w.field("%row", GATHERED, name) for name in ("source", "buffer"))
    width, stride = (w.field("%row", GATHERED, name, "i64") for name in ("bytes", "stride"))
    w.require(w.is_null(rows), "end", holds=False)
    w.require(w.equal(width, 0), "end", holds=False)
    shared = w.is_null("%columns")
    given = f"i64 {width}, ptr {rows}, i64 {count}"
    with w.when(shared, holds=False):
        begin, end = _own_stretch(w, "%columns")
        target = w.at(buffer, w.mul(stride, "%t"), "i8")
        w.line(f"call void @copy_rows(ptr {target}, ptr {source}, {given}, i64 {begin}, i64 {w.sub(end, begin)})")
    with w.when(shared):
        first, last = (_line_edge(w, width, part) for part in ("%t", w.add("%t", 1)))
        w.line(f"call void @copy_rows(ptr {buffer}, ptr {source}, {given}, i64 {first}, i64 {w.sub(last, first)})")
    w.arrive("end")
    w.line("ret void")
    return w.function("internal void @gather.input(ptr %table, ptr %row, ptr %columns, i64 %t, i64 %parts)")


def _line_edge(w: FunctionWriter, width: str, part: Integer) -> Integer:
    """Where a part of a row begins: at a cache line, or at the row's end."""
    line = w.let(f"and i64 {w.div(w.mul(width, part), '%parts')}, {-LINE}")
    return w.let(f"select i1 {w.equal(part, '%parts')}, i64 {width}, i64 {line}")
