"""The machine code of a direct call. In: where Python objects keep their fields; out: LLVM text of one C function.

``PyObject* weft_direct_call(array, tuple)`` reads its table (`direct_call_questions.FIELDS`) from the array's memory. It asks
everything that `Function.__call__` asks, and does nothing before all questions are answered. The answer ``NotImplemented`` means
that nothing has happened.
"""

from __future__ import annotations

from weft.codegen.function_writer import FunctionWriter

from .direct_call_questions import FIELDS, get, questions_text
from .entry import CALL_STEP, DATA, FLAGS, WRITEABLE, header_field, member, pointers

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
    parts = [
        CALL_STEP, questions_text(array_at), _take_frame(), _give_frame(), _call_lock(), _drop_lock(),
        _take_lock(lock_at, parent_at), _drop(), _make_outputs(), _forget_snapshots(snapshot_at), _tensor_of(array_at), _pack(),
        _call_with(), _answer(), _direct_call(),
    ]  # fmt: skip
    return "".join([_DECLARED, *parts])


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
def _take_frame() -> str:
    w = FunctionWriter()
    frames = get(w, "frames")
    count = w.let(f"call i64 @PyList_Size(ptr {frames})")
    w.require(w.less(0, count), "no")
    last = w.sub(count, 1)
    free = w.let(f"call ptr @PyList_GetItem(ptr {frames}, i64 {last})")
    w.require(w.same(free, get(w, "frame")), "no")
    w.let(f"call i32 @PyList_SetSlice(ptr {frames}, i64 {last}, i64 {count}, ptr null)")
    w.answer("no")
    return w.function("internal i1 @take_frame(ptr %table)")


def _give_frame() -> str:
    w = FunctionWriter()
    w.let(f"call i32 @PyList_Append({pointers(get(w, 'frames'), get(w, 'frame'))})")
    w.line("ret void")
    return w.function("internal void @give_frame(ptr %table)")


def _call_lock() -> str:
    """Calls a method of the lock that needs nothing else."""
    w = FunctionWriter()
    w.line("%place = alloca ptr")
    w.write("ptr", "%lock", "%place")
    result = w.let("call ptr @PyObject_VectorcallMethod(ptr %name, ptr %place, i64 1, ptr null)")
    w.require(w.is_null(result), "no", holds=False)
    w.line(f"call void @Py_DecRef(ptr {result})")
    w.answer("no")
    return w.function("internal i1 @call_lock(ptr %lock, ptr %name)")


def _drop_lock() -> str:
    w = FunctionWriter()
    with w.when(w.is_null("%lock"), holds=False):
        w.let(f"call i1 @call_lock({pointers('%lock', get(w, 'release'))})")
    w.line("ret void")
    return w.function("internal void @drop_lock(ptr %table, ptr %lock)")


def _take_lock(lock_at: int, parent_at: int) -> str:
    """0: ``kept`` is the lock, or null if none is needed; 1: the group has become part of another one; 2: an exception."""
    w = FunctionWriter()
    group = get(w, "group")
    w.write("ptr", "null", "%kept")
    w.require(w.is_null(group), "good", holds=False)
    lock = member(w, group, lock_at)
    w.require(w.let(f"call i1 @call_lock({pointers(lock, get(w, 'acquire'))})"), "failed")
    w.require(w.same(member(w, group, parent_at), get(w, "none")), "leave")
    w.write("ptr", lock, "%kept")
    w.arrive("good")
    w.line("ret i32 0")
    w.open("leave")
    w.line(f"call void @drop_lock({pointers('%table', lock)})")
    w.line("ret i32 1")
    w.open("failed")
    w.line("ret i32 2")
    return w.function("internal i32 @take_lock(ptr %table, ptr %kept)")


def _drop() -> str:
    w = FunctionWriter()
    with w.counted("%count") as i:
        w.line(f"call void @Py_DecRef(ptr {w.read('ptr', '%arrays', i)})")
    w.line("ret void")
    return w.function("internal void @drop(ptr %arrays, i64 %count)")


def _make_outputs() -> str:
    w = FunctionWriter()
    outputs = get(w, "outputs")
    with w.counted(get(w, "output_count", "i64")) as i:
        row = w.at(outputs, w.mul(i, 2), "i64")
        array = w.let(f"call ptr @PyObject_Call({pointers(w.read('ptr', row), w.read('ptr', row, 1), 'null')})")
        w.require(w.is_null(array), "no", holds=False)
        w.write("ptr", array, "%arrays", i)
    w.line("ret i1 true")
    w.open("no")
    w.line(f"call void @drop(ptr %arrays, i64 {i})")
    w.line("ret i1 false")
    return w.function("internal i1 @make_outputs(ptr %table, ptr %arrays)")


def _forget_snapshots(snapshot_at: int) -> str:
    w = FunctionWriter()
    written, none = get(w, "written"), get(w, "none")
    with w.counted(get(w, "written_count", "i64")) as i:
        place = w.at(w.read("ptr", written, i), snapshot_at, "i8")
        snapshot = w.read("ptr", place)
        with w.when(w.same(snapshot, none), holds=False):
            w.line(f"call void @Py_IncRef(ptr {none})")
            w.write("ptr", none, place)
            w.line(f"call void @Py_DecRef(ptr {snapshot})")
    w.line("ret void")
    return w.function("internal void @forget_snapshots(ptr %table)")


def _tensor_of(array_at: int) -> str:
    """A tensor of the array, which cannot be written any more; null with an exception, and then the array is dropped."""
    w = FunctionWriter()
    made = w.let(f"call ptr @PyType_GenericAlloc(ptr {get(w, 'tensor')}, i64 0)")
    w.require(w.is_null(made), "failed", holds=False)
    flags = member(w, "%array", FLAGS, "i32")
    w.write("i32", w.let(f"and i32 {flags}, {~WRITEABLE}"), "%array", FLAGS, "i8")
    w.write("ptr", "%array", made, array_at, "i8")
    w.line(f"ret ptr {made}")
    w.open("failed")
    w.line("call void @Py_DecRef(ptr %array)")
    w.line("ret ptr null")
    return w.function("internal ptr @tensor_of(ptr %table, ptr %array)")


def _pack() -> str:
    """What the call returns."""
    w = FunctionWriter()
    result, pack, count = get(w, "result"), get(w, "pack"), get(w, "output_count", "i64")
    w.require(w.is_null(result), "constant")
    w.require(w.is_null(pack), "single", holds=False)
    tensors = w.let(f"call ptr @PyList_New(i64 {count})")
    w.require(w.is_null(tensors), "lost", holds=False)
    with w.counted(count) as i:
        tensor = w.let(f"call ptr @tensor_of({pointers('%table', w.read('ptr', '%arrays', i))})")
        w.require(w.is_null(tensor), "short", holds=False)
        w.let(f"call i32 @PyList_SetItem(ptr {tensors}, i64 {i}, ptr {tensor})")
    packed = w.let(f"call ptr @PyObject_CallOneArg({pointers(pack, tensors)})")
    w.line(f"call void @Py_DecRef(ptr {tensors})")
    w.line(f"ret ptr {packed}")
    w.open("single")
    tensor = w.let(f"call ptr @tensor_of({pointers('%table', w.read('ptr', '%arrays'))})")
    w.line(f"ret ptr {tensor}")
    w.open("constant")
    w.line(f"call void @Py_IncRef(ptr {result})")
    w.line(f"ret ptr {result}")
    w.open("lost")
    w.line(f"call void @drop(ptr %arrays, i64 {count})")
    w.line("ret ptr null")
    w.open("short")
    following = w.add(i, 1)
    w.line(f"call void @drop(ptr {w.at('%arrays', following, 'ptr')}, i64 {w.sub(count, following)})")
    w.line(f"call void @Py_DecRef(ptr {tensors})")
    w.line("ret ptr null")
    return w.function("internal ptr @pack(ptr %table, ptr %arrays)")


def _call_with() -> str:
    """Calls a function whose result and failure are of no interest."""
    w = FunctionWriter()
    result = w.let("call ptr @PyObject_CallOneArg(ptr %function, ptr %argument)")
    w.require(w.is_null(result), "failed", holds=False)
    w.line(f"call void @Py_DecRef(ptr {result})")
    w.line("ret void")
    w.open("failed")
    w.line("call void @PyErr_Clear()")
    w.line("ret void")
    return w.function("internal void @call_with(ptr %function, ptr %argument)")


def _answer() -> str:
    w = FunctionWriter()
    w.line(f"%arrays = alloca [{MOST_ARRAYS} x ptr]")
    w.line("%lock = alloca ptr")
    inputs = "take_inputs(ptr %table, ptr %header, ptr %args, ptr %arrays)"
    for question in (inputs, "is_plain(ptr %table)", "guards_hold(ptr %table)", "take_frame(ptr %table)"):
        w.require(w.let(f"call i1 @{question}"), "no")
    outputs = w.at("%arrays", header_field(w, "inputs", "i64"), "ptr")
    w.require(w.let(f"call i1 @make_outputs({pointers('%table', outputs)})"), "failed.outputs")
    locked = w.let("call i32 @take_lock(ptr %table, ptr %lock)")
    w.require(w.equal(locked, 0, "i32"), "not.locked")
    code = w.let("call i32 @enter(ptr %header, ptr %arrays)")
    w.line(f"call void @drop_lock({pointers('%table', w.read('ptr', '%lock'))})")
    w.require(w.equal(code, 0, "i32"), "failed.step")
    w.line(f"call void @call_with({pointers(get(w, 'note'), get(w, 'false'))})")
    w.line("call void @give_frame(ptr %table)")
    w.line("call void @forget_snapshots(ptr %table)")
    result = w.let(f"call ptr @pack({pointers('%table', outputs)})")
    w.line(f"ret ptr {result}")
    _print_failures(w, outputs, locked, code)
    return w.function("internal ptr @answer(ptr %table, ptr %header, ptr %args)")


def _print_failures(w: FunctionWriter, outputs: str, locked: str, code: str) -> None:
    """The blocks that leave `_answer` without a result."""
    w.open("failed.step")
    _drop_all(w, outputs)
    number = w.let(f"call ptr @PyLong_FromLongLong(i64 {w.let(f'sext i32 {code} to i64')})")
    raised = w.let(f"call ptr @PyObject_CallOneArg({pointers(get(w, 'fail'), number)})")
    w.line(f"call void @Py_DecRef(ptr {number})")
    w.line(f"ret ptr {raised}")
    w.open("not.locked")
    _drop_all(w, outputs)
    w.fork(w.equal(locked, 2, "i32"), "failed", "no")
    w.open("failed.outputs")
    w.line("call void @give_frame(ptr %table)")
    w.arrive("failed")
    w.line("ret ptr null")
    w.open("no")
    nothing = get(w, "not_implemented")
    w.line(f"call void @Py_IncRef(ptr {nothing})")
    w.line(f"ret ptr {nothing}")


def _drop_all(w: FunctionWriter, outputs: str) -> None:
    w.line(f"call void @drop(ptr {outputs}, i64 {get(w, 'output_count', 'i64')})")
    w.line("call void @give_frame(ptr %table)")


def _direct_call() -> str:
    w = FunctionWriter()
    table = member(w, "%self", DATA)
    arguments = pointers(table, w.field(table, FIELDS, "header"), "%args")
    result = w.let(f"call ptr @answer({arguments})")
    w.line(f"ret ptr {result}")
    return w.function(f"ptr @{SYMBOL}(ptr %self, ptr %args)")
