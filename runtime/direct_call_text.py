"""The machine code of a direct call. In: where Python objects keep their fields; out: LLVM text of one C function.

``PyObject* weft_direct_call(array, tuple)`` reads its table (`direct_call_questions.FIELDS`) from the array's memory. It asks
everything that `Function.__call__` asks, and does nothing before all questions are answered. The answer ``NotImplemented`` means
that nothing has happened.
"""

from __future__ import annotations

from .direct_call_questions import QUESTIONS, get, inputs_text
from .entry import CALL_STEP, DATA, FLAGS, HEADER, WRITEABLE

SYMBOL = "weft_direct_call"
MOST_ARRAYS = 64
"""Inputs and outputs together, which lie on the stack."""

NEEDED = (
    "PyEval_SaveThread", "PyEval_RestoreThread", "PyObject_GetAttr", "PyErr_Clear", "Py_IncRef", "Py_DecRef", "PyCell_Get",
    "PyDict_GetItemWithError", "PyList_Size", "PyList_GetItem", "PyList_SetSlice", "PyList_Append", "PyList_New",
    "PyList_SetItem", "PyObject_Call", "PyObject_CallOneArg", "PyObject_VectorcallMethod", "PyType_GenericAlloc",
    "PyLong_FromLongLong",
)  # fmt: skip


def direct_call_text(array_at: int, snapshot_at: int, lock_at: int, parent_at: int) -> str:
    """The module. array_at, snapshot_at, lock_at, parent_at: offsets in an `EagerTensor`, a `Variable` and a group of steps."""
    return "".join([_DECLARED, CALL_STEP, QUESTIONS, inputs_text(array_at), _FRAMES, _lock(lock_at, parent_at),
                    _results(array_at, snapshot_at), _CALL])  # fmt: skip


_DECLARED = """
declare ptr @PyObject_GetAttr(ptr, ptr)
declare void @PyErr_Clear()
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyCell_Get(ptr)
declare ptr @PyDict_GetItemWithError(ptr, ptr)
declare i64 @PyList_Size(ptr)
declare ptr @PyList_GetItem(ptr, i64)
declare i32 @PyList_SetSlice(ptr, i64, i64, ptr)
declare i32 @PyList_Append(ptr, ptr)
declare ptr @PyList_New(i64)
declare i32 @PyList_SetItem(ptr, i64, ptr)
declare ptr @PyObject_Call(ptr, ptr, ptr)
declare ptr @PyObject_CallOneArg(ptr, ptr)
declare ptr @PyObject_VectorcallMethod(ptr, ptr, i64, ptr)
declare ptr @PyType_GenericAlloc(ptr, i64)
declare ptr @PyLong_FromLongLong(i64)
"""

# The frame belongs to this call while it is not in the list, as for calls that go the long way.
_FRAMES = f"""
define internal i1 @take_frame(ptr %table) {{
entry:
{get("frames")}{get("frame")}\
  %count = call i64 @PyList_Size(ptr %frames)
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %look, label %no
look:
  %last = sub i64 %count, 1
  %free = call ptr @PyList_GetItem(ptr %frames, i64 %last)
  %mine = icmp eq ptr %free, %frame
  br i1 %mine, label %take, label %no
take:
  %code = call i32 @PyList_SetSlice(ptr %frames, i64 %last, i64 %count, ptr null)
  ret i1 true
no:
  ret i1 false
}}

define internal void @give_frame(ptr %table) {{
{get("frames")}{get("frame")}\
  %code = call i32 @PyList_Append(ptr %frames, ptr %frame)
  ret void
}}
"""


def _lock(lock_at: int, parent_at: int) -> str:
    return f"""
define internal i1 @call_lock(ptr %lock, ptr %name) {{
  %place = alloca ptr
  store ptr %lock, ptr %place
  %result = call ptr @PyObject_VectorcallMethod(ptr %name, ptr %place, i64 1, ptr null)
  %failed = icmp eq ptr %result, null
  br i1 %failed, label %no, label %yes
yes:
  call void @Py_DecRef(ptr %result)
  ret i1 true
no:
  ret i1 false
}}

define internal void @drop_lock(ptr %table, ptr %lock) {{
entry:
{get("release")}\
  %none = icmp eq ptr %lock, null
  br i1 %none, label %end, label %drop
drop:
  %done = call i1 @call_lock(ptr %lock, ptr %release)
  br label %end
end:
  ret void
}}

define internal i32 @take_lock(ptr %table, ptr %kept) {{
entry:
{get("group")}{get("none")}{get("acquire")}\
  store ptr null, ptr %kept
  %free = icmp eq ptr %group, null
  br i1 %free, label %good, label %look
look:
  %lock = call ptr @member(ptr %group, i64 {lock_at})
  %held = call i1 @call_lock(ptr %lock, ptr %acquire)
  br i1 %held, label %again, label %failed
again:
  %parent = call ptr @member(ptr %group, i64 {parent_at})
  %root = icmp eq ptr %parent, %none
  br i1 %root, label %keep, label %leave
keep:
  store ptr %lock, ptr %kept
  br label %good
leave:
  call void @drop_lock(ptr %table, ptr %lock)
  ret i32 1
good:
  ret i32 0
failed:
  ret i32 2
}}
"""


def _results(array_at: int, snapshot_at: int) -> str:
    return f"""
define internal void @drop(ptr %arrays, i64 %count) {{
entry:
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %one ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %one, label %end
one:
  %array = call ptr @address(ptr %arrays, i64 %i)
  call void @Py_DecRef(ptr %array)
  %i.next = add i64 %i, 1
  br label %next
end:
  ret void
}}

define internal i1 @make_outputs(ptr %table, ptr %arrays) {{
entry:
{get("outputs")}{get("output_count", "field")}\
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %made ]
  %more = icmp slt i64 %i, %output_count
  br i1 %more, label %one, label %yes
one:
  %at = mul i64 %i, 2
  %row = getelementptr i64, ptr %outputs, i64 %at
  %maker = call ptr @address(ptr %row, i64 0)
  %arguments = call ptr @address(ptr %row, i64 1)
  %array = call ptr @PyObject_Call(ptr %maker, ptr %arguments, ptr null)
  %failed = icmp eq ptr %array, null
  br i1 %failed, label %no, label %made
made:
  %place = getelementptr ptr, ptr %arrays, i64 %i
  store ptr %array, ptr %place
  %i.next = add i64 %i, 1
  br label %next
yes:
  ret i1 true
no:
  call void @drop(ptr %arrays, i64 %i)
  ret i1 false
}}

define internal void @forget_snapshots(ptr %table) {{
entry:
{get("written")}{get("written_count", "field")}{get("none")}\
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %on ]
  %more = icmp slt i64 %i, %written_count
  br i1 %more, label %one, label %end
one:
  %variable = call ptr @address(ptr %written, i64 %i)
  %place = getelementptr i8, ptr %variable, i64 {snapshot_at}
  %snapshot = load ptr, ptr %place
  %i.next = add i64 %i, 1
  %absent = icmp eq ptr %snapshot, %none
  br i1 %absent, label %on, label %forget
forget:
  call void @Py_IncRef(ptr %none)
  store ptr %none, ptr %place
  call void @Py_DecRef(ptr %snapshot)
  br label %on
on:
  br label %next
end:
  ret void
}}

define internal ptr @tensor_of(ptr %table, ptr %array) {{
entry:
{get("tensor")}\
  %made = call ptr @PyType_GenericAlloc(ptr %tensor, i64 0)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %drop, label %fill
drop:
  call void @Py_DecRef(ptr %array)
  ret ptr null
fill:
  %flags.at = getelementptr i8, ptr %array, i64 {FLAGS}
  %flags = load i32, ptr %flags.at
  %closed = and i32 %flags, {~WRITEABLE}
  store i32 %closed, ptr %flags.at
  %place = getelementptr i8, ptr %made, i64 {array_at}
  store ptr %array, ptr %place
  ret ptr %made
}}

define internal ptr @pack(ptr %table, ptr %arrays) {{
entry:
{get("result")}{get("pack")}{get("output_count", "field")}\
  %fixed = icmp ne ptr %result, null
  br i1 %fixed, label %constant, label %computed
constant:
  call void @Py_IncRef(ptr %result)
  ret ptr %result
computed:
  %single = icmp eq ptr %pack, null
  br i1 %single, label %one, label %many
one:
  %array = load ptr, ptr %arrays
  %tensor = call ptr @tensor_of(ptr %table, ptr %array)
  ret ptr %tensor
many:
  %list = call ptr @PyList_New(i64 %output_count)
  %failed = icmp eq ptr %list, null
  br i1 %failed, label %lost, label %next
lost:
  call void @drop(ptr %arrays, i64 %output_count)
  ret ptr null
next:
  %i = phi i64 [ 0, %many ], [ %i.next, %made ]
  %more = icmp slt i64 %i, %output_count
  br i1 %more, label %item, label %build
item:
  %item.array = call ptr @address(ptr %arrays, i64 %i)
  %item.tensor = call ptr @tensor_of(ptr %table, ptr %item.array)
  %i.next = add i64 %i, 1
  %none = icmp eq ptr %item.tensor, null
  br i1 %none, label %short, label %made
short:
  %rest = getelementptr ptr, ptr %arrays, i64 %i.next
  %left = sub i64 %output_count, %i.next
  call void @drop(ptr %rest, i64 %left)
  call void @Py_DecRef(ptr %list)
  ret ptr null
made:
  %set = call i32 @PyList_SetItem(ptr %list, i64 %i, ptr %item.tensor)
  br label %next
build:
  %packed = call ptr @PyObject_CallOneArg(ptr %pack, ptr %list)
  call void @Py_DecRef(ptr %list)
  ret ptr %packed
}}
"""


_CALL = f"""
define internal void @call_with(ptr %function, ptr %argument) {{
  %result = call ptr @PyObject_CallOneArg(ptr %function, ptr %argument)
  %failed = icmp eq ptr %result, null
  br i1 %failed, label %clear, label %drop
clear:
  call void @PyErr_Clear()
  ret void
drop:
  call void @Py_DecRef(ptr %result)
  ret void
}}

define ptr @{SYMBOL}(ptr %self, ptr %args) {{
entry:
  %arrays = alloca [{MOST_ARRAYS} x ptr]
  %lock = alloca ptr
  %table = call ptr @member(ptr %self, i64 {DATA})
{get("header")}{get("output_count", "field")}{get("note")}{get("false")}\
  %inputs = call i64 @field(ptr %header, i64 {HEADER.index("inputs")})
  %fit = call i1 @take_inputs(ptr %table, ptr %args, ptr %arrays)
  br i1 %fit, label %context, label %no
context:
  %plain = call i1 @is_plain(ptr %table)
  br i1 %plain, label %values, label %no
values:
  %held = call i1 @guards_hold(ptr %table)
  br i1 %held, label %memory, label %no
memory:
  %mine = call i1 @take_frame(ptr %table)
  br i1 %mine, label %results, label %no
results:
  %outputs = getelementptr ptr, ptr %arrays, i64 %inputs
  %made = call i1 @make_outputs(ptr %table, ptr %outputs)
  br i1 %made, label %wait, label %failed.outputs
wait:
  %locked = call i32 @take_lock(ptr %table, ptr %lock)
  %free = icmp eq i32 %locked, 0
  br i1 %free, label %run, label %give
run:
  %code = call i32 @enter(ptr %header, ptr %arrays)
  %lock.held = load ptr, ptr %lock
  call void @drop_lock(ptr %table, ptr %lock.held)
  %good = icmp eq i32 %code, 0
  br i1 %good, label %finish, label %failed.step
finish:
  call void @call_with(ptr %note, ptr %false)
  call void @give_frame(ptr %table)
  call void @forget_snapshots(ptr %table)
  %result = call ptr @pack(ptr %table, ptr %outputs)
  ret ptr %result
failed.step:
  call void @drop(ptr %outputs, i64 %output_count)
  call void @give_frame(ptr %table)
{get("fail")}\
  %wide = sext i32 %code to i64
  %number = call ptr @PyLong_FromLongLong(i64 %wide)
  %raised = call ptr @PyObject_CallOneArg(ptr %fail, ptr %number)
  call void @Py_DecRef(ptr %number)
  ret ptr %raised
give:
  call void @drop(ptr %outputs, i64 %output_count)
  call void @give_frame(ptr %table)
  %interrupted = icmp eq i32 %locked, 2
  br i1 %interrupted, label %failed, label %no
failed.outputs:
  call void @give_frame(ptr %table)
  br label %failed
failed:
  ret ptr null
no:
{get("not_implemented")}\
  call void @Py_IncRef(ptr %not_implemented)
  ret ptr %not_implemented
}}
"""
