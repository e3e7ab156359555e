"""The native loop's machine code. In: a step's header and the loop's table; out: LLVM text of one C function.

``int64 weft_run_many(ptr header, ptr loop)`` is shared by all steps. For each batch it brings the rows to where the step looks
for its inputs, runs the step, and stops at a code other than 0 or when its time is over. It returns how many batches were done.
"""

from __future__ import annotations

from . import entry
from .gather_rows import COPY_ROWS, LEAST_BYTES

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

TEXT = f"""{entry.RUN_STEP}{COPY_ROWS}
define internal void @gather(ptr noalias %to, ptr noalias %from, i64 %bytes, ptr noalias %rows, i64 %n) {{
entry:
  switch i64 %bytes, label %wide [ i64 4, label %four  i64 8, label %eight ]
four:
  %i4 = phi i64 [ 0, %entry ], [ %i4.next, %four ]
  %r4.at = getelementptr i64, ptr %rows, i64 %i4
  %r4 = load i64, ptr %r4.at
  %f4 = getelementptr i32, ptr %from, i64 %r4
  %v4 = load i32, ptr %f4, align 1
  %t4 = getelementptr i32, ptr %to, i64 %i4
  store i32 %v4, ptr %t4, align 1
  %i4.next = add i64 %i4, 1
  %more4 = icmp slt i64 %i4.next, %n
  br i1 %more4, label %four, label %end
eight:
  %i8 = phi i64 [ 0, %entry ], [ %i8.next, %eight ]
  %r8.at = getelementptr i64, ptr %rows, i64 %i8
  %r8 = load i64, ptr %r8.at
  %f8 = getelementptr i64, ptr %from, i64 %r8
  %v8 = load i64, ptr %f8, align 1
  %t8 = getelementptr i64, ptr %to, i64 %i8
  store i64 %v8, ptr %t8, align 1
  %i8.next = add i64 %i8, 1
  %more8 = icmp slt i64 %i8.next, %n
  br i1 %more8, label %eight, label %end
wide:
  call void @copy_rows(ptr %to, ptr %from, i64 %bytes, ptr %rows, i64 %n, i64 0, i64 %bytes)
  br label %end
end:
  ret void
}}

define internal void @feed(ptr %header, ptr %loop, i64 %batch) {{
entry:
  %pointers = call ptr @address(ptr %header, i64 1)
  %fields = alloca [5 x i64]
  %team = call ptr @address(ptr %loop, i64 12)
  %has.team = icmp ne ptr %team, null
  %size = call i64 @field(ptr %loop, i64 1)
  %order = call ptr @address(ptr %loop, i64 2)
  %feeds = call ptr @address(ptr %loop, i64 3)
  %count = call i64 @field(ptr %loop, i64 4)
  %first = mul i64 %batch, %size
  %ordered = icmp ne ptr %order, null
  %told = call ptr @address(ptr %loop, i64 13)
  %numbers = getelementptr i64, ptr %order, i64 %first
  %now = select i1 %ordered, ptr %numbers, ptr null
  store ptr %now, ptr %told
  %after = add i64 %batch, 1
  %batches = call i64 @field(ptr %loop, i64 0)
  %last = icmp sge i64 %after, %batches
  %coming = getelementptr i64, ptr %numbers, i64 %size
  %next.rows = select i1 %last, ptr null, ptr %coming
  %told.next = getelementptr i64, ptr %told, i64 2
  store ptr %next.rows, ptr %told.next
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %done ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %end
one:
  %start = mul i64 %i, 5
  %table = getelementptr i64, ptr %feeds, i64 %start
  %index = call i64 @field(ptr %table, i64 0)
  %source = call ptr @address(ptr %table, i64 1)
  %bytes = call i64 @field(ptr %table, i64 2)
  %slot = getelementptr ptr, ptr %pointers, i64 %index
  br i1 %ordered, label %copy, label %move
copy:
  %buffer = call ptr @address(ptr %table, i64 3)
  %rows = getelementptr i64, ptr %order, i64 %first
  store ptr %buffer, ptr %slot
  %left = call i64 @field(ptr %table, i64 4)
  %is.left = icmp ne i64 %left, 0
  br i1 %is.left, label %done, label %here
here:
  %total = mul i64 %bytes, %size
  %large = icmp sge i64 %total, {LEAST_BYTES}
  %together = and i1 %large, %has.team
  br i1 %together, label %shared, label %alone
alone:
  call void @gather(ptr %buffer, ptr %source, i64 %bytes, ptr %rows, i64 %size)
  br label %done
shared:
  store ptr %buffer, ptr %fields
  %from.at = getelementptr i64, ptr %fields, i64 1
  store ptr %source, ptr %from.at
  %bytes.at = getelementptr i64, ptr %fields, i64 2
  store i64 %bytes, ptr %bytes.at
  %rows.at = getelementptr i64, ptr %fields, i64 3
  store ptr %rows, ptr %rows.at
  %size.at = getelementptr i64, ptr %fields, i64 4
  store i64 %size, ptr %size.at
  %never = call i32 %team(ptr %fields, ptr null, ptr null)
  br label %done
move:
  %offset = mul i64 %first, %bytes
  %at = getelementptr i8, ptr %source, i64 %offset
  store ptr %at, ptr %slot
  br label %done
done:
  %i.next = add i64 %i, 1
  br label %next
end:
  ret void
}}

define internal void @drain(ptr %pointers, ptr %loop, i64 %batch) {{
entry:
  %drains = call ptr @address(ptr %loop, i64 5)
  %count = call i64 @field(ptr %loop, i64 6)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %one ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %end
one:
  %start = mul i64 %i, 3
  %table = getelementptr i64, ptr %drains, i64 %start
  %index = call i64 @field(ptr %table, i64 0)
  %base = call ptr @address(ptr %table, i64 1)
  %stride = call i64 @field(ptr %table, i64 2)
  %offset = mul i64 %batch, %stride
  %at = getelementptr i8, ptr %base, i64 %offset
  %slot = getelementptr ptr, ptr %pointers, i64 %index
  store ptr %at, ptr %slot
  %i.next = add i64 %i, 1
  br label %next
end:
  ret void
}}

define internal i64 @now(ptr %clock, i64 %id) {{
  %spec = alloca [2 x i64]
  %id32 = trunc i64 %id to i32
  %failed = call i32 %clock(i32 %id32, ptr %spec)
  %seconds = call i64 @field(ptr %spec, i64 0)
  %rest = call i64 @field(ptr %spec, i64 1)
  %whole = mul i64 %seconds, 1000000000
  %sum = add i64 %whole, %rest
  ret i64 %sum
}}

define i64 @{SYMBOL}(ptr %header, ptr %loop) {{
entry:
  %pointers = call ptr @address(ptr %header, i64 1)
  %blas = call ptr @address(ptr %header, i64 9)
  %has.blas = icmp ne ptr %blas, null
  %count = call i64 @field(ptr %loop, i64 0)
  %clock = call ptr @address(ptr %loop, i64 7)
  %id = call i64 @field(ptr %loop, i64 8)
  %budget = call i64 @field(ptr %loop, i64 9)
  %every = call i64 @field(ptr %loop, i64 10)
  %timed = icmp ne ptr %clock, null
  br i1 %timed, label %clocked, label %begin
clocked:
  %time = call i64 @now(ptr %clock, i64 %id)
  br label %begin
begin:
  %started = phi i64 [ 0, %entry ], [ %time, %clocked ]
  br i1 %has.blas, label %limit, label %batch
limit:
  call void @limit_threads(ptr %header, ptr %blas)
  br label %batch
batch:
  %b = phi i64 [ 0, %begin ], [ 0, %limit ], [ %b.next, %on ], [ %b.next, %look ]
  %left = phi i64 [ %every, %begin ], [ %every, %limit ], [ %left.next, %on ], [ %every, %look ]
  call void @feed(ptr %header, ptr %loop, i64 %b)
  call void @drain(ptr %pointers, ptr %loop, i64 %b)
  %code = call i32 @run_step(ptr %header)
  %good = icmp eq i32 %code, 0
  br i1 %good, label %good.batch, label %end
good.batch:
  %b.next = add i64 %b, 1
  %left.next = sub i64 %left, 1
  %all = icmp sge i64 %b.next, %count
  br i1 %all, label %end, label %on.time
on.time:
  %due0 = icmp sle i64 %left.next, 0
  %due = and i1 %due0, %timed
  br i1 %due, label %look, label %on
on:
  br label %batch
look:
  %later = call i64 @now(ptr %clock, i64 %id)
  %spent = sub i64 %later, %started
  %over = icmp sge i64 %spent, %budget
  br i1 %over, label %end, label %batch
end:
  %done = phi i64 [ %b, %batch ], [ %b.next, %good.batch ], [ %b.next, %look ]
  %final = phi i32 [ %code, %batch ], [ 0, %good.batch ], [ 0, %look ]
  %wide = sext i32 %final to i64
  %code.at = getelementptr i64, ptr %loop, i64 11
  store i64 %wide, ptr %code.at
  %told = call ptr @address(ptr %loop, i64 13)
  store i64 0, ptr %told
  %told.next = getelementptr i64, ptr %told, i64 2
  store i64 0, ptr %told.next
  br i1 %has.blas, label %restore, label %return
restore:
  call void @restore_threads(ptr %header, ptr %blas)
  br label %return
return:
  ret i64 %done
}}
"""
