"""The native loop's machine code. In: a step's header and the loop's table; out: LLVM text of one C function.

``int64 weft_run_many(ptr header, ptr loop)`` is shared by all steps. For each batch it brings the rows to where the step looks
for its inputs, runs the step, and stops at a code other than 0 or when its time is over. It returns how many batches were done.
"""

from __future__ import annotations

from weft.codegen.function_writer import FunctionWriter

from .clock import print_now
from .entry import RUN_STEP, blas_on_one_thread, header_field
from .gather_rows import COPY_ROWS, FIELDS, LEAST_BYTES
from .team_layout import ROW_NUMBERS

SYMBOL = "weft_run_many"
LOOP = (
    "count", "size", "order", "feeds", "feed_count", "drains", "drain_count", "clock", "clock_id", "budget", "every", "code",
    "gather", "rows",
)  # fmt: skip
"""The int64 fields of the loop's own table, in order.

count batches of size rows. order: address of the row numbers, 0 if the rows follow each other. feeds: per input (index in the
pointer table, address of the first row or, with an order, of row 0, bytes per row, address of the batch's buffer, whether the
step gathers it). drains: per output (index in the pointer table, address, bytes from batch to batch). clock: address of
clock_gettime, 0 for no limit of time. budget: nanoseconds, looked at after every ``every`` batches. code: what stopped the loop,
written at the end. gather: the function that gathers large batches, see `team_gather`; 0: this loop does it. rows: the table that
tells the step what to gather by itself, see `own_rows`.
"""

FEED = ("index", "source", "bytes", "buffer", "left")
DRAIN = ("index", "address", "stride")
"""The int64 fields of a feed and of a drain."""


def _field(writer: FunctionWriter, name: str, kind: str = "ptr") -> str:
    return writer.field("%loop", LOOP, name, kind)


def _gather() -> str:
    """Copies rows; small ones by one instruction each."""
    w = FunctionWriter()
    w.line("switch i64 %bytes, label %wide [ i64 4, label %four  i64 8, label %eight ]")
    for label, kind in (("four", "i32"), ("eight", "i64")):
        w.open(label)
        with w.counted("%n") as i:
            value = w.let(f"load {kind}, ptr {w.at('%from', w.read('i64', '%rows', i), kind)}, align 1")
            w.line(f"store {kind} {value}, ptr {w.at('%to', i, kind)}, align 1")
        w.line("ret void")
    w.open("wide")
    w.line("call void @copy_rows(ptr %to, ptr %from, i64 %bytes, ptr %rows, i64 %n, i64 0, i64 %bytes)")
    w.line("ret void")
    return w.function("internal void @gather(ptr noalias %to, ptr noalias %from, i64 %bytes, ptr noalias %rows, i64 %n)")


def _gather_together(w: FunctionWriter, buffer: str, source: str, width: str, rows: str, size: str) -> None:
    """Gathers one input, with all threads if it is large and there is a team."""
    team, total = _field(w, "gather"), w.mul(width, size)
    alone = w.let(f"or i1 {w.is_null(team)}, {w.less(total, LEAST_BYTES)}")
    with w.when(alone):
        w.line(f"call void @gather(ptr {buffer}, ptr {source}, i64 {width}, ptr {rows}, i64 {size})")
    with w.when(alone, holds=False):
        pointers, sizes = {"to": buffer, "from": source, "rows": rows}, {"bytes": width, "count": size}
        for kind, values in (("ptr", pointers), ("i64", sizes)):
            for name, value in values.items():
                w.write(kind, value, "%fields", FIELDS.index(name))
        w.let(f"call i32 {team}(ptr %fields, ptr null, ptr null)")


def _tell_rows(w: FunctionWriter, unordered: str, numbers: str, size: str) -> None:
    """Tells the step where the row numbers of this batch are, and of the next one."""
    told, after = _field(w, "rows"), w.add("%batch", 1)
    w.write("ptr", w.let(f"select i1 {unordered}, ptr null, ptr {numbers}"), told, ROW_NUMBERS.index("rows"))
    last = w.let(f"icmp sge i64 {after}, {_field(w, 'count', 'i64')}")
    coming = w.at(numbers, size, "i64")
    w.write("ptr", w.let(f"select i1 {last}, ptr null, ptr {coming}"), told, ROW_NUMBERS.index("next"))


def _feed() -> str:
    """Brings the batch's rows to where the step looks for its inputs."""
    w = FunctionWriter()
    w.line(f"%fields = alloca [{len(FIELDS)} x i64]")
    size, order = _field(w, "size", "i64"), _field(w, "order")
    first, unordered = w.mul("%batch", size), w.is_null(order)
    numbers = w.at(order, first, "i64")
    _tell_rows(w, unordered, numbers, size)
    table, feeds = header_field(w, "pointers"), _field(w, "feeds")
    with w.counted(_field(w, "feed_count", "i64")) as i:
        row = w.at(feeds, w.mul(i, len(FEED)), "i64")
        place = w.at(table, w.field(row, FEED, "index", "i64"), "ptr")
        source, width = w.field(row, FEED, "source"), w.field(row, FEED, "bytes", "i64")
        with w.when(unordered):
            w.write("ptr", w.at(source, w.mul(first, width), "i8"), place)
        with w.when(unordered, holds=False):
            buffer = w.field(row, FEED, "buffer")
            w.write("ptr", buffer, place)
            with w.when(w.equal(w.field(row, FEED, "left", "i64"), 0)):
                _gather_together(w, buffer, source, width, numbers, size)
    w.line("ret void")
    return w.function("internal void @feed(ptr %header, ptr %loop, i64 %batch)")


def _drain() -> str:
    """Has the step write the batch's outputs to their places."""
    w = FunctionWriter()
    table, drains = header_field(w, "pointers"), _field(w, "drains")
    with w.counted(_field(w, "drain_count", "i64")) as i:
        row = w.at(drains, w.mul(i, len(DRAIN)), "i64")
        offset = w.mul("%batch", w.field(row, DRAIN, "stride", "i64"))
        place = w.at(w.field(row, DRAIN, "address"), offset, "i8")
        w.write("ptr", place, table, w.field(row, DRAIN, "index", "i64"))
    w.line("ret void")
    return w.function("internal void @drain(ptr %header, ptr %loop, i64 %batch)")


def _now() -> str:
    """Nanoseconds; 0 without a clock."""
    w = FunctionWriter()
    w.line("%spec = alloca [2 x i64]")
    clock = _field(w, "clock")
    w.require(w.is_null(clock), "none", holds=False)
    number = w.let(f"trunc i64 {_field(w, 'clock_id', 'i64')} to i32")
    w.line(f"ret i64 {print_now(w, clock, number)}")
    w.open("none")
    w.line("ret i64 0")
    return w.function("internal i64 @now(ptr %loop)")


def _run_batches(w: FunctionWriter) -> None:
    """The batches, until one fails or the time is over; ``%done`` counts them."""
    started, every = w.let("call i64 @now(ptr %loop)"), _field(w, "every", "i64")
    timed = w.let(f"icmp ne ptr {_field(w, 'clock')}, null")
    w.write("i64", 0, "%done")
    with w.loop(0, _field(w, "count", "i64"), carried=[("i64", every)], some=True) as loop:
        w.line(f"call void @feed(ptr %header, ptr %loop, i64 {loop.index})")
        w.line(f"call void @drain(ptr %header, ptr %loop, i64 {loop.index})")
        code = w.let("call i32 @run_step(ptr %header)")
        w.write("i64", w.let(f"sext i32 {code} to i64"), "%loop", LOOP.index("code"))
        w.require(w.equal(code, 0, "i32"), "end")
        w.write("i64", w.add(loop.index, 1), "%done")
        left = w.sub(loop.carried[0], 1)
        due = w.let(f"and i1 {timed}, {w.less(left, 1)}")
        with w.when(due):
            spent = w.sub(w.let("call i64 @now(ptr %loop)"), started)
            w.require(w.less(spent, _field(w, "budget", "i64")), "end")
        loop.following = [w.let(f"select i1 {due}, i64 {every}, i64 {left}")]
    w.arrive("end")


def _run_many() -> str:
    w = FunctionWriter()
    w.line("%done = alloca i64")
    with blas_on_one_thread(w):
        _run_batches(w)
        told = _field(w, "rows")
        for name in ("rows", "next"):
            w.write("ptr", "null", told, ROW_NUMBERS.index(name))
    w.line(f"ret i64 {w.read('i64', '%done')}")
    return w.function(f"i64 @{SYMBOL}(ptr %header, ptr %loop)")


TEXT = RUN_STEP + COPY_ROWS + "".join([_gather(), _feed(), _drain(), _now(), _run_many()])
