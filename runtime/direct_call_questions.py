"""What a direct call asks before it does anything. In: where Python objects keep their fields; out: LLVM text of the questions.

``is_plain``: this thread computes eagerly, no tape records, functions are compiled. ``guards_hold``: what the trace baked in is
still the same. ``take_inputs``: the arguments are tensors or arrays as the step is bound to; their arrays are listed.
"""

from __future__ import annotations

from weft.codegen.function_writer import FunctionWriter

from .entry import HEAD, ITEMS, header_field, member, pointers
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


GUARD = ("kind", "holder", "name", "expected")
"""The int64 fields of a guard."""


def get(writer: FunctionWriter, name: str, kind: str = "ptr") -> str:
    """Reads a field of the function's ``%table``."""
    return writer.field("%table", FIELDS, name, kind)


def questions_text(array_at: int) -> str:
    """All three. array_at: where an `EagerTensor` has its array."""
    return "".join([_attribute_is(), _is_plain(), _guarded(), _guards_hold(), _take_inputs(array_at)])


def _attribute_is() -> str:
    w = FunctionWriter()
    value = w.let("call ptr @PyObject_GetAttr(ptr %object, ptr %name)")
    w.require(w.is_null(value), "failed", holds=False)
    w.line(f"call void @Py_DecRef(ptr {value})")
    w.line(f"ret i1 {w.same(value, '%wanted')}")
    w.open("failed")
    w.line("call void @PyErr_Clear()")
    w.line("ret i1 false")
    return w.function("internal i1 @attribute_is(ptr %object, ptr %name, ptr %wanted)")


def _is_plain() -> str:
    w = FunctionWriter()
    asked = (
        ("state", "interpreter_name", "interpreter"), ("state", "tapes_name", "no_tapes"), ("config", "eagerly_name", "false"),
    )  # fmt: skip
    for question in asked:
        w.require(w.let(f"call i1 @attribute_is({pointers(*(get(w, name) for name in question))})"), "no")
    w.answer("no")
    return w.function("internal i1 @is_plain(ptr %table)")


def _guarded() -> str:
    """What a cell, or a dictionary under a name, holds now; null for nothing. The reference is borrowed."""
    w = FunctionWriter()
    w.require(w.is_null("%name"), "cell", holds=False)
    value = w.let("call ptr @PyDict_GetItemWithError(ptr %holder, ptr %name)")
    w.require(w.is_null(value), "nothing", holds=False)
    w.line(f"ret ptr {value}")
    w.open("cell")
    held = w.let("call ptr @PyCell_Get(ptr %holder)")
    w.require(w.is_null(held), "nothing", holds=False)
    w.line(f"call void @Py_DecRef(ptr {held})")
    w.line(f"ret ptr {held}")
    w.open("nothing")
    w.line("call void @PyErr_Clear()")
    w.line("ret ptr null")
    return w.function("internal ptr @guarded(ptr %holder, ptr %name)")


def _guards_hold() -> str:
    w = FunctionWriter()
    guards = get(w, "guards")
    with w.counted(get(w, "guard_count", "i64")) as i:
        row = w.at(guards, w.mul(i, len(GUARD)), "i64")
        kind, expected = w.field(row, GUARD, "kind", "i64"), w.field(row, GUARD, "expected")
        value = w.let(f"call ptr @guarded({pointers(w.field(row, GUARD, 'holder'), w.field(row, GUARD, 'name'))})")
        w.fork(w.equal(kind, SAME), "same", "other")
        w.open("same")
        w.fork(w.same(value, expected), "good", "no")
        w.open("other")
        w.require(w.is_null(value), "no", holds=False)
        w.fork(w.equal(kind, CLASS), "class", "weak")
        w.open("class")
        w.fork(w.same(member(w, value, HEAD - 8), expected), "good", "no")
        w.open("weak")
        w.fork(w.same(value, member(w, expected, HEAD)), "good", "no")
        w.open("good")
    w.answer("no")
    return w.function("internal i1 @guards_hold(ptr %table)")


def _take_inputs(array_at: int) -> str:
    w = FunctionWriter()
    count, tensor, kind = header_field(w, "inputs", "i64"), get(w, "tensor"), header_field(w, "ndarray")
    w.require(w.equal(member(w, "%args", HEAD, "i64"), count), "no")
    items = w.at("%args", ITEMS, "i8")
    with w.loop(0, count, carried=[("ptr", header_field(w, "specs"))]) as loop:
        item, place = w.read("ptr", items, loop.index), w.at("%arrays", loop.index, "ptr")
        w.write("ptr", item, place)
        with w.when(w.same(member(w, item, HEAD - 8), tensor)):
            w.write("ptr", member(w, item, array_at), place)
        array = w.read("ptr", place)
        w.require(w.is_null(array), "no", holds=False)
        loop.following = [w.let(f"call ptr @check({pointers(array, *loop.carried, kind)})")]
        w.require(w.is_null(loop.following[0]), "no", holds=False)
    w.answer("no")
    return w.function("internal i1 @take_inputs(ptr %table, ptr %header, ptr %args, ptr %arrays)")
