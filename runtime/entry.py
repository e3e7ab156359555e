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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from weft.codegen.function_writer import FunctionWriter

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


def member(writer: FunctionWriter, thing: str, offset: int, kind: str = "ptr") -> str:
    """Reads a field of a Python object."""
    return writer.read(kind, thing, offset, "i8")


def pointers(*values: str) -> str:
    """Arguments of a call."""
    return ", ".join(f"ptr {v}" for v in values)


def header_field(writer: FunctionWriter, name: str, kind: str = "ptr") -> str:
    """Reads a field of the function's ``%header``."""
    return writer.field("%header", HEADER, name, kind)


def _limit_threads() -> str:
    w = FunctionWriter()
    before = w.let("atomicrmw add ptr %count, i64 1 seq_cst")
    with w.when(w.equal(before, 0)):
        threads = w.let(f"call i32 {header_field(w, 'blas_get')}()")
        w.write("i64", w.let(f"sext i32 {threads} to i64"), "%count", 1)
        w.line(f"call void {header_field(w, 'blas_set')}(i32 1)")
    w.line("ret void")
    return w.function("internal void @limit_threads(ptr %header, ptr %count)")


def _restore_threads() -> str:
    w = FunctionWriter()
    before = w.let("atomicrmw sub ptr %count, i64 1 seq_cst")
    with w.when(w.equal(before, 1)):
        threads = w.let(f"trunc i64 {w.read('i64', '%count', 1)} to i32")
        w.line(f"call void {header_field(w, 'blas_set')}(i32 {threads})")
    w.line("ret void")
    return w.function("internal void @restore_threads(ptr %header, ptr %count)")


@contextmanager
def blas_on_one_thread(writer: FunctionWriter) -> Iterator[None]:
    """Around what runs steps that may call a BLAS."""
    count = header_field(writer, "blas_count")
    no_blas = writer.is_null(count)
    with writer.when(no_blas, holds=False):
        writer.line(f"call void @limit_threads(ptr %header, ptr {count})")
    yield
    with writer.when(no_blas, holds=False):
        writer.line(f"call void @restore_threads(ptr %header, ptr {count})")


def _run_step() -> str:
    w = FunctionWriter()
    step, *arguments = (header_field(w, name) for name in ("step", "pointers", "sizes", "effect"))
    code = w.let(f"call i32 {step}({pointers(*arguments)})")
    w.line(f"ret i32 {code}")
    return w.function("internal i32 @run_step(ptr %header)")


RUN_STEP = _limit_threads() + _restore_threads() + _run_step()
"""LLVM text of functions over a header: ``run_step`` runs the step once on its pointer table; ``limit_threads`` and
``restore_threads`` force the BLAS to one thread and lift that. Shared by all ways into a step.
"""


def _check() -> str:
    w = FunctionWriter()
    w.require(w.same(member(w, "%array", HEAD - 8), "%type"), "bad")
    w.require(w.same(member(w, "%array", _DESCR), w.read("ptr", "%spec")), "bad")
    required = w.let(f"and i32 {member(w, '%array', FLAGS, 'i32')}, {_REQUIRED}")
    w.require(w.equal(required, _REQUIRED, "i32"), "bad")
    rank = w.let(f"zext i32 {member(w, '%array', _NDIM, 'i32')} to i64")
    w.require(w.equal(rank, w.read("i64", "%spec", 1)), "bad")
    sizes = member(w, "%array", _DIMS)
    with w.counted(rank) as i:
        expected = w.read("i64", "%spec", w.add(i, 2))
        w.require(w.equal(w.read("i64", sizes, i), expected), "bad")
    w.line(f"ret ptr {w.at('%spec', w.add(rank, 2), 'i64')}")
    w.open("bad")
    w.line("ret ptr null")
    return w.function("internal ptr @check(ptr %array, ptr %spec, ptr %type)")


def _enter() -> str:
    w = FunctionWriter()
    table, moves = header_field(w, "pointers"), header_field(w, "moves")
    with w.counted(header_field(w, "move_count", "i64")) as i:
        row = w.at(moves, w.mul(i, 2), "i64")
        array = w.read("ptr", "%items", w.read("i64", row))
        w.write("ptr", member(w, array, DATA), table, w.read("i64", row, 1))
    thread = w.let("call ptr @PyEval_SaveThread()")
    with blas_on_one_thread(w):
        code = w.let("call i32 @run_step(ptr %header)")
    w.line(f"call void @PyEval_RestoreThread(ptr {thread})")
    w.line(f"ret i32 {code}")
    return w.function("internal i32 @enter(ptr %header, ptr %items)")


_GIL = """declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
"""
CALL_STEP = RUN_STEP + _GIL + _check() + _enter()
"""LLVM text over array objects: ``check`` compares an array with one of the header's specs and returns the place of the next
spec, or null. ``enter`` runs the step, without the GIL, on the arrays at ``items``.
"""


def _native_call() -> str:
    w = FunctionWriter()
    w.line("%header = call ptr @PyLong_AsVoidPtr(ptr %self)")
    items, kind = w.at("%tuple", ITEMS, "i8"), header_field(w, "ndarray")
    with w.loop(0, header_field(w, "inputs", "i64"), carried=[("ptr", header_field(w, "specs"))]) as loop:
        array = w.read("ptr", items, loop.index)
        loop.following = [w.let(f"call ptr @check({pointers(array, *loop.carried, kind)})")]
        w.require(w.is_null(loop.following[0]), "mismatch", holds=False)
    code = w.let(f"call i32 @enter({pointers('%header', items)})")
    result = w.let(f"call ptr @PyLong_FromLongLong(i64 {w.let(f'sext i32 {code} to i64')})")
    w.line(f"ret ptr {result}")
    w.open("mismatch")
    result = w.let(f"call ptr @PyLong_FromLongLong(i64 {MISMATCH})")
    w.line(f"ret ptr {result}")
    return w.function(f"ptr @{SYMBOL}(ptr %self, ptr %tuple)")


_TEXT = f"""declare ptr @PyLong_AsVoidPtr(ptr)
declare ptr @PyLong_FromLongLong(i64)
{CALL_STEP}{_native_call()}"""


class MethodDef(ctypes.Structure):
    """CPython's description of a C function."""

    ONE_ARGUMENT = 0x0008  # METH_O
    _fields_ = (("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


_definitions: list[MethodDef] = []  # callables point at them, and where two threads make one at once, both are in use


def define_method(name: bytes, function: int) -> MethodDef:
    """The definition of a C function that takes one argument; it stays for the life of the process."""
    definition = MethodDef(name, function, MethodDef.ONE_ARGUMENT, None)
    _definitions.append(definition)
    return definition


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
    """The method definition over the compiled `native_call`."""
    api = {name: ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0 for name in _NEEDED}
    code = compiled_object(_kernel().key, lambda: _TEXT, vectorize=False)
    return define_method(b"step", engine.keep(code, SYMBOL, api))


def make_native_call(header: int) -> Callable[[tuple[Any, ...]], int]:
    """The Python callable that runs the step described by the header at this address, which must stay valid."""
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    result: Callable[[tuple[Any, ...]], int] = new(ctypes.addressof(_method()), header, None)
    return result
