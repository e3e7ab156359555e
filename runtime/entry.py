"""The way from Python into a compiled step. In: a frame's header; out: a Python callable that costs a tenth of a microsecond.

`native_call` is a C function of CPython's calling convention METH_O, printed as LLVM text and shared by all steps. It takes a
tuple of the input and output arrays, compares every input with what the frame is bound to (exact ndarray, element type, shape,
C order, alignment), copies data addresses into the pointer table, releases the GIL, forces the BLAS to one thread, and runs the
step. Whatever does not match is left to Python: it returns `MISMATCH` and nothing has happened.

The layout of array objects that this relies on (NumPy's C ABI) is checked once per process on a real array.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .engine import compile_text, engine
from .host import machine_key
from .kernel_workers import Kernel, kernel_workers
from .object_code import compiled_object
from .store import content_key, load_bytes, store_bytes

MISMATCH = -2
SYMBOL = "weft_native_call"

HEADER = (
    "step", "pointers", "sizes", "effect", "inputs", "specs", "moves", "move_count", "ndarray", "blas_count", "blas_get",
    "blas_set",
)  # fmt: skip
"""The header's int64 fields, in order.

specs: per input the address of its dtype object, its rank, its sizes. moves: pairs (position in the tuple, index in the pointer
table). blas_count: address of the number of steps now running with the BLAS forced to one thread (and, beside it, the number of
threads to restore); 0 if the step calls no BLAS.
"""

HEAD = object.__basicsize__  # 16; larger on builds without the GIL
ITEMS = tuple.__basicsize__
DATA, _NDIM, _DIMS, _DESCR, FLAGS = HEAD, HEAD + 8, HEAD + 16, HEAD + 40, HEAD + 48
_REQUIRED = 0x0101  # NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED
WRITEABLE = 0x0400

RUN_STEP = """
define internal i64 @field(ptr %header, i64 %i) alwaysinline {
  %at = getelementptr i64, ptr %header, i64 %i
  %v = load i64, ptr %at
  ret i64 %v
}
define internal ptr @address(ptr %header, i64 %i) alwaysinline {
  %at = getelementptr ptr, ptr %header, i64 %i
  %v = load ptr, ptr %at
  ret ptr %v
}
define internal void @limit_threads(ptr %header, ptr %count) {
  %before = atomicrmw add ptr %count, i64 1 seq_cst
  %first = icmp eq i64 %before, 0
  br i1 %first, label %set, label %done
set:
  %get = call ptr @address(ptr %header, i64 10)
  %threads = call i32 %get()
  %wide = sext i32 %threads to i64
  %kept = getelementptr i64, ptr %count, i64 1
  store i64 %wide, ptr %kept
  %setter = call ptr @address(ptr %header, i64 11)
  call void %setter(i32 1)
  br label %done
done:
  ret void
}

define internal void @restore_threads(ptr %header, ptr %count) {
  %before = atomicrmw sub ptr %count, i64 1 seq_cst
  %last = icmp eq i64 %before, 1
  br i1 %last, label %set, label %done
set:
  %kept = getelementptr i64, ptr %count, i64 1
  %wide = load i64, ptr %kept
  %threads = trunc i64 %wide to i32
  %setter = call ptr @address(ptr %header, i64 11)
  call void %setter(i32 %threads)
  br label %done
done:
  ret void
}

define internal i32 @run_step(ptr %header) {
entry:
  %function = call ptr @address(ptr %header, i64 0)
  %pointers = call ptr @address(ptr %header, i64 1)
  %sizes = call ptr @address(ptr %header, i64 2)
  %effect = call ptr @address(ptr %header, i64 3)
  %code = call i32 %function(ptr %pointers, ptr %sizes, ptr %effect)
  ret i32 %code
}
"""
"""LLVM text of functions over a header: ``run_step`` runs the step once on its pointer table; ``limit_threads`` and
``restore_threads`` force the BLAS to one thread and lift that. Shared by all ways into a step.
"""

CALL_STEP = f"""{RUN_STEP}
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)

define internal ptr @member(ptr %object, i64 %offset) alwaysinline {{
  %at = getelementptr i8, ptr %object, i64 %offset
  %v = load ptr, ptr %at
  ret ptr %v
}}
define internal i32 @member32(ptr %object, i64 %offset) alwaysinline {{
  %at = getelementptr i8, ptr %object, i64 %offset
  %v = load i32, ptr %at
  ret i32 %v
}}

define internal ptr @check(ptr %array, ptr %spec, ptr %type) {{
entry:
  %kind = call ptr @member(ptr %array, i64 {HEAD - 8})
  %exact = icmp eq ptr %kind, %type
  br i1 %exact, label %object, label %bad
object:
  %descr = call ptr @member(ptr %array, i64 {_DESCR})
  %wanted = load ptr, ptr %spec
  %same = icmp eq ptr %descr, %wanted
  %flags = call i32 @member32(ptr %array, i64 {FLAGS})
  %held = and i32 %flags, {_REQUIRED}
  %whole = icmp eq i32 %held, {_REQUIRED}
  %rank32 = call i32 @member32(ptr %array, i64 {_NDIM})
  %rank = zext i32 %rank32 to i64
  %rank.wanted = call i64 @field(ptr %spec, i64 1)
  %ranks = icmp eq i64 %rank, %rank.wanted
  %ok0 = and i1 %same, %whole
  %ok = and i1 %ok0, %ranks
  br i1 %ok, label %shape, label %bad
shape:
  %dims = call ptr @member(ptr %array, i64 {_DIMS})
  br label %axis
axis:
  %i = phi i64 [ 0, %shape ], [ %next, %compare ]
  %more = icmp slt i64 %i, %rank
  br i1 %more, label %compare, label %good
compare:
  %dim = call i64 @field(ptr %dims, i64 %i)
  %at = add i64 %i, 2
  %expected = call i64 @field(ptr %spec, i64 %at)
  %next = add i64 %i, 1
  %equal = icmp eq i64 %dim, %expected
  br i1 %equal, label %axis, label %bad
good:
  %size = add i64 %rank, 2
  %after = getelementptr i64, ptr %spec, i64 %size
  ret ptr %after
bad:
  ret ptr null
}}

define internal i32 @enter(ptr %header, ptr %items) {{
entry:
  %pointers = call ptr @address(ptr %header, i64 1)
  %moves = call ptr @address(ptr %header, i64 6)
  %count = call i64 @field(ptr %header, i64 7)
  br label %move
move:
  %m = phi i64 [ 0, %entry ], [ %m.next, %moving ]
  %some = icmp slt i64 %m, %count
  br i1 %some, label %moving, label %run
moving:
  %from.at = mul i64 %m, 2
  %to.at = add i64 %from.at, 1
  %from = call i64 @field(ptr %moves, i64 %from.at)
  %to = call i64 @field(ptr %moves, i64 %to.at)
  %source = call ptr @address(ptr %items, i64 %from)
  %data = call ptr @member(ptr %source, i64 {DATA})
  %slot = getelementptr ptr, ptr %pointers, i64 %to
  store ptr %data, ptr %slot
  %m.next = add i64 %m, 1
  br label %move
run:
  %state = call ptr @PyEval_SaveThread()
  %blas = call ptr @address(ptr %header, i64 9)
  %has.blas = icmp ne ptr %blas, null
  br i1 %has.blas, label %limit, label %step
limit:
  call void @limit_threads(ptr %header, ptr %blas)
  br label %step
step:
  %code = call i32 @run_step(ptr %header)
  br i1 %has.blas, label %restore, label %end
restore:
  call void @restore_threads(ptr %header, ptr %blas)
  br label %end
end:
  call void @PyEval_RestoreThread(ptr %state)
  ret i32 %code
}}
"""
"""LLVM text over array objects: ``member`` and ``member32`` read a field, ``check`` compares an array with one of the header's
specs and returns the place of the next spec, or null. ``enter`` runs the step, without the GIL, on the arrays at ``items``.
"""

_TEXT = f"""{CALL_STEP}
declare ptr @PyLong_AsVoidPtr(ptr)
declare ptr @PyLong_FromLongLong(i64)

define ptr @{SYMBOL}(ptr %self, ptr %tuple) {{
entry:
  %header = call ptr @PyLong_AsVoidPtr(ptr %self)
  %items = getelementptr i8, ptr %tuple, i64 {ITEMS}
  %inputs = call i64 @field(ptr %header, i64 4)
  %specs = call ptr @address(ptr %header, i64 5)
  %type = call ptr @address(ptr %header, i64 8)
  br label %input
input:
  %i = phi i64 [ 0, %entry ], [ %i.next, %matched ]
  %spec = phi ptr [ %specs, %entry ], [ %spec.next, %matched ]
  %more = icmp slt i64 %i, %inputs
  br i1 %more, label %match, label %run
match:
  %array = call ptr @address(ptr %items, i64 %i)
  %spec.next = call ptr @check(ptr %array, ptr %spec, ptr %type)
  %failed = icmp eq ptr %spec.next, null
  br i1 %failed, label %mismatch, label %matched
matched:
  %i.next = add i64 %i, 1
  br label %input
mismatch:
  %no = call ptr @PyLong_FromLongLong(i64 {MISMATCH})
  ret ptr %no
run:
  %code = call i32 @enter(ptr %header, ptr %items)
  %long = sext i32 %code to i64
  %result = call ptr @PyLong_FromLongLong(i64 %long)
  ret ptr %result
}}
"""


class MethodDef(ctypes.Structure):
    """CPython's description of a C function."""

    ONE_ARGUMENT = 0x0008  # METH_O
    _fields_ = (("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


_NEEDED = ("PyLong_AsVoidPtr", "PyLong_FromLongLong", "PyEval_SaveThread", "PyEval_RestoreThread")


@functools.cache
def layout_is_known() -> bool:
    """Whether array and tuple objects look as `native_call` expects, tried on a real array."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    at = id(array)
    dims = ctypes.c_void_p.from_address(at + _DIMS).value
    if dims is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    seen = (
        ctypes.c_void_p.from_address(at + HEAD - 8).value, ctypes.c_void_p.from_address(at + DATA).value,
        ctypes.c_int.from_address(at + _NDIM).value, *(ctypes.c_int64 * 2).from_address(dims),
        ctypes.c_void_p.from_address(at + _DESCR).value, ctypes.c_int.from_address(at + FLAGS).value & _REQUIRED,
    )  # fmt: skip
    pair = (array, array)
    item = ctypes.c_void_p.from_address(id(pair) + ITEMS + 8).value
    return (*seen, item) == (id(np.ndarray), array.ctypes.data, 2, 2, 3, id(array.dtype), _REQUIRED, at)


@functools.cache
def _kernel() -> Kernel:
    """`native_call` as work for `kernel_workers`."""
    key = content_key("entry", _TEXT, machine_key())
    return Kernel(SYMBOL, key, lambda: _TEXT, functools.partial(compile_text, vectorize=False))


def begin_entry() -> None:
    """Begins to compile what the first call will need, unless a process has done so; inside ``with kernel_workers``."""
    if layout_is_known() and load_bytes("objects", _kernel().key) is None:
        kernel_workers.start(_kernel())


def end_entry() -> None:
    """Stores what `begin_entry` has begun."""
    if kernel_workers.has_begun(_kernel()):
        store_bytes("objects", _kernel().key, kernel_workers.finish(_kernel()))


@functools.cache
def _method() -> MethodDef:
    """The method definition over the compiled `native_call`; it must outlive every callable made from it."""
    api = {name: ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0 for name in _NEEDED}
    code = compiled_object(_kernel().key, lambda: _TEXT, vectorize=False)
    return MethodDef(b"step", engine.keep(code, SYMBOL, api), MethodDef.ONE_ARGUMENT, None)


def make_native_call(header: int) -> Callable[[tuple[Any, ...]], int]:
    """The Python callable that runs the step described by the header at this address, which must stay valid."""
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    result: Callable[[tuple[Any, ...]], int] = new(ctypes.addressof(_method()), header, None)
    return result
