"""Matrix products by an installed BLAS. In: what libraries the process has; out: kernels ``matmul_<dtype>_<nn|nt|tn|tt>``.

The library is found at run time, its integer width is proved by a product, and it never runs with threads of its own inside a
step: its pool is shared by the whole process and collapses when another process takes a core. A kernel that cannot be bound is
compiled from its loops like any other, so a BLAS makes steps faster and is never needed.

Order: the OpenBLAS inside NumPy's wheel, then a system OpenBLAS that NumPy was linked to. All arithmetic is float32 or float64.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from weft.codegen.function_writer import FunctionWriter
from weft.graph.record import record

from .config import config
from .engine import engine
from .host import machine_key
from .object_code import compiled_object
from .store import content_key

_VARIANTS = (("scipy_", "64_", 64), ("", "64_", 64), ("scipy_", "", 32), ("", "", 32))  # prefix, suffix, bits of an integer
_ROUTINE = {"f32": "sgemm", "f64": "dgemm"}
_ROW_MAJOR, _NO_TRANSPOSE, _TRANSPOSE = 101, 111, 112


@record(eq=False)
class Blas:
    """A proven library. gemm: address per dtype; bits: width of its integers; get_threads, set_threads: addresses."""

    path: str
    bits: int
    gemm: dict[str, int]
    get_threads: int
    set_threads: int
    library: ctypes.CDLL


@functools.cache
def find_blas() -> Blas | None:
    """The first library that answers a test product correctly, or None."""
    for path in _candidates():
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(path)
            for prefix, suffix, bits in _VARIANTS:
                found = _bind(library, path, prefix, suffix, bits)
                if found is not None:
                    return found
    return None


def _candidates() -> Iterator[str]:
    package = os.path.dirname(np.__file__)
    for folder in (os.path.join(os.path.dirname(package), "numpy.libs"), f"{package}/.dylibs", f"{package}/.libs"):
        with contextlib.suppress(OSError):
            yield from (os.path.join(folder, name) for name in sorted(os.listdir(folder)) if "openblas" in name)
    yield from sorted(_loaded_libraries())


def _loaded_libraries() -> set[str]:
    """Paths of OpenBLAS libraries that are mapped into this process (Linux only)."""
    try:
        with open("/proc/self/maps") as file:
            lines = file.read().splitlines()
    except OSError:
        return set()
    return {line[line.index("/") :] for line in lines if "openblas" in line and "/" in line}


def _bind(library: ctypes.CDLL, path: str, prefix: str, suffix: str, bits: int) -> Blas | None:
    def address(name: str) -> int:
        function = getattr(library, f"{prefix}{name}{suffix}")
        return ctypes.cast(function, ctypes.c_void_p).value or 0

    try:
        gemm = {short: address(f"cblas_{name}") for short, name in _ROUTINE.items()}
        threads = address("openblas_get_num_threads"), address("openblas_set_num_threads")
    except AttributeError:
        return None
    if not all(_multiplies(gemm[short], short, bits) for short in gemm):
        return None
    return Blas(path, bits, gemm, *threads, library)


def _multiplies(address: int, short: str, bits: int) -> bool:
    """Whether the routine computes a small product with integers of this width; the other width gives nothing or nonsense."""
    real: Any = ctypes.c_float if short == "f32" else ctypes.c_double
    kind: Any = np.float32 if short == "f32" else np.float64
    integer = ctypes.c_int64 if bits == 64 else ctypes.c_int32
    a = np.array([[1, 2], [3, 4]], kind)
    b = np.array([[5, 6], [7, 8]], kind)
    c = np.zeros((2, 2), kind)
    pointer, flag = ctypes.c_void_p, ctypes.c_int
    call = ctypes.CFUNCTYPE(
        None, flag, flag, flag, integer, integer, integer, real, pointer, integer, pointer, integer, real, pointer, integer
    )(address)
    call(_ROW_MAJOR, _NO_TRANSPOSE, _TRANSPOSE, 2, 2, 2, 1.0, a.ctypes.data, 2, b.ctypes.data, 2, 0.0, c.ctypes.data, 2)
    return bool(np.array_equal(c, a.dot(b.T)))


def contract_dtypes() -> tuple[str, ...]:
    """Short names of the dtypes whose matrix products a library computes; empty without one or if it is switched off."""
    return tuple(_ROUTINE) if config.use_blas and find_blas() is not None else ()


def contract_text(symbol: str, short: str, transpose_a: bool, transpose_b: bool, bits: int) -> str:
    """LLVM text of the kernel (a, b, c, batch, m, n, k, stride_a, stride_b) over the routine ``weft_blas_gemm``.

    Strides count elements from one matrix of the batch to the next, 0 to use the same one again; c's matrices are dense. With
    k = 0 the result is zero, which the routine writes because beta is 0.
    """
    real, i = "float" if short == "f32" else "double", f"i{bits}"
    gemm = f"i32, i32, i32, {i}, {i}, {i}, {real}, ptr, {i}, ptr, {i}, {real}, ptr, {i}"
    w = FunctionWriter()
    size = w.mul("%m", "%n")
    w.require(w.equal(size, 0), "done", holds=False)
    lda, ldb, ldc = (w.most(n, 1) for n in ("%m" if transpose_a else "%k", "%k" if transpose_b else "%n", "%n"))  # as it demands
    m, n, k, lda, ldb, ldc = (x if bits == 64 else w.let(f"trunc i64 {x} to i32") for x in ("%m", "%n", "%k", lda, ldb, ldc))
    flags = ", ".join(f"i32 {f}" for f in (_ROW_MAJOR, *(_TRANSPOSE if t else _NO_TRANSPOSE for t in (transpose_a, transpose_b))))
    with w.counted("%batch") as matrix:
        a, b, c = (w.at(x, w.mul(matrix, stride), real) for x, stride in (("%a", "%sa"), ("%b", "%sb"), ("%c", size)))
        operands = f"{real} 1.0, ptr {a}, {i} {lda}, ptr {b}, {i} {ldb}, {real} 0.0, ptr {c}, {i} {ldc}"
        w.line(f"call void @weft_blas_gemm({flags}, {i} {m}, {i} {n}, {i} {k}, {operands})")
    w.arrive("done")
    w.line("ret i32 0")
    head = f"i32 @{symbol}(ptr %a, ptr %b, ptr %c, i64 %batch, i64 %m, i64 %n, i64 %k, i64 %sa, i64 %sb)"
    return f"declare void @weft_blas_gemm({gemm})\n{w.function(head)}"


def bind_contract(short: str, transpose_a: bool, transpose_b: bool) -> tuple[str, int] | None:
    """(symbol, address) of the matrix product over the library, or None if there is no library for this dtype."""
    if short not in contract_dtypes():
        return None
    library = find_blas()
    assert library is not None
    symbol = f"weft_blas_matmul_{short}_{'nt'[transpose_a]}{'nt'[transpose_b]}"
    if symbol not in engine.addresses:
        text = contract_text(symbol, short, transpose_a, transpose_b, library.bits)
        code = compiled_object(content_key("blas", text, machine_key()), lambda: text, vectorize=False)
        engine.keep(code, symbol, {"weft_blas_gemm": library.gemm[short]})
    return symbol, engine.addresses[symbol]


_active = np.zeros(2, np.int64)


def thread_controls() -> tuple[int, int, int]:
    """Addresses for `entry`: the count of running steps with the number of threads to restore, the getter and the setter."""
    library = find_blas()
    assert library is not None
    return _active.ctypes.data, library.get_threads, library.set_threads


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """The library runs with one thread inside, for steps that are not called through `entry`."""
    library = find_blas()
    if library is None:
        yield
        return
    get = ctypes.CFUNCTYPE(ctypes.c_int)(library.get_threads)
    put = ctypes.CFUNCTYPE(None, ctypes.c_int)(library.set_threads)
    before = get()
    put(1)
    try:
        yield
    finally:
        put(before)
