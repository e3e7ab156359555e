"""What a direct call asks before it does anything. In: where Python objects keep their fields; out: LLVM text of the questions.

``is_plain``: this thread computes eagerly, no tape records, functions are compiled. ``guards_hold``: what the trace baked in is
still the same. ``take_inputs``: the arguments are tensors or arrays as the step is bound to; their arrays are listed.
"""

from __future__ import annotations

from .entry import HEAD, HEADER, ITEMS
from .guards import CLASS, SAME

FIELDS = (
    "header", "state", "interpreter_name", "interpreter", "tapes_name", "no_tapes", "config", "eagerly_name", "false", "none",
    "not_implemented", "guards", "guard_count", "tensor", "frames", "frame", "outputs", "output_count", "group", "acquire",
    "release", "written", "written_count", "result", "pack", "note", "fail",
)  # fmt: skip
"""The table's int64 fields: addresses of objects, of other tables, and numbers.

header: of `entry`. guards: rows (kind, cell or dict, name in the dict or 0, what is expected), see `guards.Watch`. frames: the
list of the step's free frames; frame: the one whose header this is. outputs: rows (function, its arguments) that make the result
arrays. group: of the update lock, or 0. written: the variables. result: what is returned if nothing is computed for it, pack:
what makes the result from a list of tensors; neither: the result is the one tensor. note: called with False for every call;
fail: with the code of a step that failed, to raise.
"""


def get(name: str, kind: str = "address") -> str:
    """A line that loads a field of ``%table`` into a value of its name."""
    return f"  %{name} = call {'ptr' if kind == 'address' else 'i64'} @{kind}(ptr %table, i64 {FIELDS.index(name)})\n"


QUESTIONS = f"""
define internal i1 @attribute_is(ptr %object, ptr %name, ptr %wanted) {{
  %value = call ptr @PyObject_GetAttr(ptr %object, ptr %name)
  %none = icmp eq ptr %value, null
  br i1 %none, label %failed, label %compare
failed:
  call void @PyErr_Clear()
  ret i1 false
compare:
  call void @Py_DecRef(ptr %value)
  %same = icmp eq ptr %value, %wanted
  ret i1 %same
}}

define internal i1 @is_plain(ptr %table) {{
entry:
{get("state")}{get("interpreter_name")}{get("interpreter")}\
  %eager = call i1 @attribute_is(ptr %state, ptr %interpreter_name, ptr %interpreter)
  br i1 %eager, label %tapes, label %no
tapes:
{get("tapes_name")}{get("no_tapes")}\
  %alone = call i1 @attribute_is(ptr %state, ptr %tapes_name, ptr %no_tapes)
  br i1 %alone, label %setting, label %no
setting:
{get("config")}{get("eagerly_name")}{get("false")}\
  %compiled = call i1 @attribute_is(ptr %config, ptr %eagerly_name, ptr %false)
  ret i1 %compiled
no:
  ret i1 false
}}

define internal ptr @guarded(ptr %holder, ptr %name) {{
entry:
  %in.cell = icmp eq ptr %name, null
  br i1 %in.cell, label %cell, label %dict
cell:
  %held = call ptr @PyCell_Get(ptr %holder)
  %empty = icmp eq ptr %held, null
  br i1 %empty, label %nothing, label %drop
drop:
  call void @Py_DecRef(ptr %held)
  ret ptr %held
dict:
  %value = call ptr @PyDict_GetItemWithError(ptr %holder, ptr %name)
  %missing = icmp eq ptr %value, null
  br i1 %missing, label %nothing, label %found
found:
  ret ptr %value
nothing:
  call void @PyErr_Clear()
  ret ptr null
}}

define internal i1 @guards_hold(ptr %table) {{
entry:
{get("guards")}{get("guard_count", "field")}\
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %same ], [ %i.next, %class ], [ %i.next, %weak ]
  %good = phi i1 [ true, %entry ], [ %is.same, %same ], [ %is.class, %class ], [ %is.weak, %weak ]
  %more = icmp slt i64 %i, %guard_count
  %go = and i1 %good, %more
  br i1 %go, label %one, label %end
one:
  %at = mul i64 %i, 4
  %row = getelementptr i64, ptr %guards, i64 %at
  %kind = call i64 @field(ptr %row, i64 0)
  %holder = call ptr @address(ptr %row, i64 1)
  %name = call ptr @address(ptr %row, i64 2)
  %wanted = call ptr @address(ptr %row, i64 3)
  %value = call ptr @guarded(ptr %holder, ptr %name)
  %i.next = add i64 %i, 1
  %missing = icmp eq ptr %value, null
  %by.value = icmp eq i64 %kind, {SAME}
  %plain = or i1 %missing, %by.value
  br i1 %plain, label %same, label %other
same:
  %is.equal = icmp eq ptr %value, %wanted
  %is.same = and i1 %is.equal, %by.value
  br label %next
other:
  %by.class = icmp eq i64 %kind, {CLASS}
  br i1 %by.class, label %class, label %weak
class:
  %type = call ptr @member(ptr %value, i64 {HEAD - 8})
  %is.class = icmp eq ptr %type, %wanted
  br label %next
weak:
  %referred = call ptr @member(ptr %wanted, i64 {HEAD})
  %is.weak = icmp eq ptr %value, %referred
  br label %next
end:
  ret i1 %good
}}
"""


def inputs_text(array_at: int) -> str:
    return f"""
define internal i1 @take_inputs(ptr %table, ptr %args, ptr %arrays) {{
entry:
{get("header")}{get("tensor")}\
  %inputs = call i64 @field(ptr %header, i64 {HEADER.index("inputs")})
  %specs = call ptr @address(ptr %header, i64 {HEADER.index("specs")})
  %type = call ptr @address(ptr %header, i64 {HEADER.index("ndarray")})
  %given = call ptr @member(ptr %args, i64 {HEAD})
  %count = ptrtoint ptr %given to i64
  %items = getelementptr i8, ptr %args, i64 {ITEMS}
  %fits = icmp eq i64 %count, %inputs
  br i1 %fits, label %input, label %no
input:
  %i = phi i64 [ 0, %entry ], [ %i.next, %compare ]
  %spec = phi ptr [ %specs, %entry ], [ %spec.next, %compare ]
  %bad = icmp eq ptr %spec, null
  br i1 %bad, label %no, label %good
good:
  %more = icmp slt i64 %i, %inputs
  br i1 %more, label %one, label %yes
one:
  %item = call ptr @address(ptr %items, i64 %i)
  %kind = call ptr @member(ptr %item, i64 {HEAD - 8})
  %is.tensor = icmp eq ptr %kind, %tensor
  br i1 %is.tensor, label %open, label %whole
open:
  %inner = call ptr @member(ptr %item, i64 {array_at})
  br label %whole
whole:
  %array = phi ptr [ %item, %one ], [ %inner, %open ]
  %place = getelementptr ptr, ptr %arrays, i64 %i
  store ptr %array, ptr %place
  %i.next = add i64 %i, 1
  %absent = icmp eq ptr %array, null
  br i1 %absent, label %no, label %compare
compare:
  %spec.next = call ptr @check(ptr %array, ptr %spec, ptr %type)
  br label %input
yes:
  ret i1 true
no:
  ret i1 false
}}
"""
