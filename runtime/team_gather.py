"""Rows of a batch gathered by all threads. In: nothing; out: the address of a function that the loop over batches calls.

Each thread copies its own stretch of every row. Where a step computes the first layer's product in halves, these are the columns
that the thread goes on to read: no thread reads what another has just written, nor writes what another still holds.
"""

from __future__ import annotations

import ast
import functools

from weft.codegen.program import Split

from .team import team
from .team_step import RUN_SYMBOL, TEAM_SYMBOL, TeamCall, TeamPlan

FIELDS = ("to", "from", "bytes", "rows", "count")
"""The int64 fields of what the function is called with: where to, row 0, bytes per row, row numbers, how many."""
LEAST_BYTES = 64 * 1024
"""Of a batch, from which two threads are faster than one."""

_FIELD = """  %{name}.at = getelementptr i64, ptr %p, i64 {index}
  %{name} = load i64, ptr %{name}.at
"""
_READ = "".join(_FIELD.format(name=name, index=i) for i, name in enumerate(FIELDS))
TEXT = f"""
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
declare i32 @{RUN_SYMBOL}(ptr, ptr, ptr, ptr)
@descriptor = internal global ptr null

define internal i64 @edge(i64 %bytes, i64 %t, i64 %parts) {{
  %scaled = mul i64 %bytes, %t
  %even = udiv i64 %scaled, %parts
  %lines = and i64 %even, -64
  %last = icmp eq i64 %t, %parts
  %edge = select i1 %last, i64 %bytes, i64 %lines
  ret i64 %edge
}}

define internal i32 @part(i64 %k, ptr %p, ptr %d, ptr %effect, i64 %t, i64 %parts, ptr %work) {{
entry:
{_READ}  %begin = call i64 @edge(i64 %bytes, i64 %t, i64 %parts)
  %t.next = add i64 %t, 1
  %end = call i64 @edge(i64 %bytes, i64 %t.next, i64 %parts)
  %width = sub i64 %end, %begin
  %target = inttoptr i64 %to to ptr
  %source = inttoptr i64 %from to ptr
  %numbers = inttoptr i64 %rows to ptr
  %final = sub i64 %count, 1
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %row, label %done
row:
  %i = phi i64 [ 0, %entry ], [ %i.next, %row ]
  %ahead = add i64 %i, 2
  %inside = icmp slt i64 %ahead, %final
  %then = select i1 %inside, i64 %ahead, i64 %final
  %then.at = getelementptr i64, ptr %numbers, i64 %then
  %then.row = load i64, ptr %then.at
  %then.start = mul i64 %then.row, %bytes
  %then.offset = add i64 %then.start, %begin
  %then.from = getelementptr i8, ptr %source, i64 %then.offset
  call void @llvm.prefetch.p0(ptr %then.from, i32 0, i32 3, i32 1)
  %row.at = getelementptr i64, ptr %numbers, i64 %i
  %number = load i64, ptr %row.at
  %start = mul i64 %number, %bytes
  %offset = add i64 %start, %begin
  %from.here = getelementptr i8, ptr %source, i64 %offset
  %place = mul i64 %i, %bytes
  %place.here = add i64 %place, %begin
  %to.here = getelementptr i8, ptr %target, i64 %place.here
  call void @llvm.memcpy.p0.p0.i64(ptr %to.here, ptr %from.here, i64 %width, i1 false)
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %count
  br i1 %more, label %row, label %done
done:
  ret i32 0
}}

define internal i32 @alone(ptr %p, ptr %d, ptr %effect) {{
  %code = call i32 @part(i64 0, ptr %p, ptr %d, ptr %effect, i64 0, i64 1, ptr null)
  ret i32 %code
}}

define i32 @{TEAM_SYMBOL}(ptr %p, ptr %d, ptr %effect) {{
entry:
  %setting = icmp eq ptr %p, null
  br i1 %setting, label %set, label %run
set:
  store ptr %d, ptr @descriptor
  %part.at = getelementptr ptr, ptr %d, i64 1
  store ptr @part, ptr %part.at
  %alone.at = getelementptr ptr, ptr %d, i64 2
  store ptr @alone, ptr %alone.at
  ret i32 0
run:
  %desc = load ptr, ptr @descriptor
  %code = call i32 @{RUN_SYMBOL}(ptr %desc, ptr %p, ptr %d, ptr %effect)
  ret i32 %code
}}
"""


@functools.cache
def team_gather() -> int:
    """The address of ``int32 gather(ptr fields, ptr, ptr)``, which the caller's thread runs alone while there is no team."""
    call = TeamCall(ast.Call(ast.Name("gather"), [], []), None, Split(1, "n0"), ())
    return team.load(TEXT, TeamPlan(calls=[call], needs=[[]]), 0, {})
