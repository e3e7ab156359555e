"""The clock that never goes back, for native code. In: nothing; out: its number and address, and LLVM text that reads it."""

from __future__ import annotations

import ctypes
import functools
import time

from weft.codegen.function_writer import FunctionWriter, Integer

NUMBER: int = getattr(time, "CLOCK_MONOTONIC", 1)
"""What ``clock_gettime`` calls it."""
MARK_CLOCK = "weft_clock"
"""The symbol under which ``mark_text`` calls ``clock_gettime``."""


@functools.cache
def clock_address() -> int:
    """Where the C library's ``clock_gettime`` is; 0 where there is none."""
    try:
        function = getattr(ctypes.CDLL(None), "clock_gettime", None)
    except (OSError, TypeError):  # Windows has no library of the whole process
        return 0
    return 0 if function is None else ctypes.cast(function, ctypes.c_void_p).value or 0


def print_now(w: FunctionWriter, function: str, number: Integer) -> Integer:
    """Nanoseconds, by what has ``clock_gettime``'s form, in a function whose ``%spec`` has room for two int64."""
    w.let(f"call i32 {function}(i32 {number}, ptr %spec)")
    return w.add(w.mul(w.read("i64", "%spec"), 10**9), w.read("i64", "%spec", 1))


def mark_text(times: int) -> str:
    """A function ``@mark(p, i)`` that writes the time (seconds, nanoseconds) into entry ``i`` of the table at this index of the
    pointers."""
    return f"""
declare i32 @{MARK_CLOCK}(i32, ptr)
define internal void @mark(ptr %p, i64 %i) noinline {{
  %slot = getelementptr ptr, ptr %p, i64 {times}
  %table = load ptr, ptr %slot
  %at = getelementptr [2 x i64], ptr %table, i64 %i
  %code = call i32 @{MARK_CLOCK}(i32 {NUMBER}, ptr %at)
  ret void
}}
"""
