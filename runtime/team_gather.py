"""Rows of a batch gathered by all threads. In: nothing; out: the address of a function that the loop over batches calls.

Each thread copies its own stretch of every row. Where a step computes the first layer's product in halves, these are the columns
that the thread goes on to read: no thread reads what another has just written, nor writes what another still holds.
"""

from __future__ import annotations

import ast
import functools

from weft.codegen.program import Split

from .gather_rows import COPY_ROWS, FIELDS
from .plan_team import TeamPlan
from .team import team
from .team_retired import StepMemory
from .team_segments import Segment, TeamCall
from .team_step import print_entry

_FIELD = """  %{name}.at = getelementptr i64, ptr %p, i64 {index}
  %{name} = load i64, ptr %{name}.at
"""
_READ = "".join(_FIELD.format(name=name, index=i) for i, name in enumerate(FIELDS))
TEXT = f"""
{COPY_ROWS}
define internal i64 @edge(i64 %bytes, i64 %t, i64 %parts) {{
  %scaled = mul i64 %bytes, %t
  %even = udiv i64 %scaled, %parts
  %lines = and i64 %even, -64
  %last = icmp eq i64 %t, %parts
  %edge = select i1 %last, i64 %bytes, i64 %lines
  ret i64 %edge
}}

define internal i32 @part(i64 %k, ptr %p, ptr %d, ptr %effect, i64 %t, i64 %parts, ptr %work, ptr %again) {{
entry:
{_READ}  %begin = call i64 @edge(i64 %bytes, i64 %t, i64 %parts)
  %t.next = add i64 %t, 1
  %end = call i64 @edge(i64 %bytes, i64 %t.next, i64 %parts)
  %width = sub i64 %end, %begin
  %target = inttoptr i64 %to to ptr
  %source = inttoptr i64 %from to ptr
  %numbers = inttoptr i64 %rows to ptr
  call void @copy_rows(ptr %target, ptr %source, i64 %bytes, ptr %numbers, i64 %count, i64 %begin, i64 %width)
  ret i32 0
}}

define internal i32 @alone(ptr %p, ptr %d, ptr %effect) {{
  %code = call i32 @part(i64 0, ptr %p, ptr %d, ptr %effect, i64 0, i64 1, ptr null, ptr null)
  ret i32 %code
}}

{print_entry("alone")}"""


_kept: list[StepMemory] = []  # where two threads load it at once, both are in use


@functools.cache
def team_gather() -> int:
    """The address of ``int32 gather(ptr fields, ptr, ptr)``, which the caller's thread runs alone while there is no team."""
    call = TeamCall(ast.Call(ast.Name("gather"), [], []), None, Split(1, "n0"), ())
    address, memory = team.load(TEXT, TeamPlan(segments=[Segment([call])]), 0, {})
    _kept.append(memory)
    return address
