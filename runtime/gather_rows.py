"""Rows of an array copied in another order, in LLVM text. In: nothing; out: ``copy_rows``, for one thread or one part of many."""

from __future__ import annotations

from weft.codegen.function_writer import FunctionWriter

FIELDS = ("to", "from", "bytes", "rows", "count")
"""The int64 fields of what a team gathers: where to, row 0, bytes per row, row numbers, how many."""
LEAST_BYTES = 64 * 1024
"""Of a batch, from which two threads are faster than one."""

_AHEAD = 2  # rows, fetched while one is copied: no processor can guess where they are


def _copy_rows() -> str:
    w = FunctionWriter()
    last = w.sub("%n", 1)
    with w.counted("%n") as i:
        coming = w.read("i64", "%rows", w.least(w.add(i, _AHEAD), last))
        place = w.at("%from", w.add(w.mul(coming, "%bytes"), "%begin"), "i8")
        w.line(f"call void @llvm.prefetch.p0(ptr {place}, i32 0, i32 3, i32 1)")
        row = w.read("i64", "%rows", i)
        source = w.at("%from", w.add(w.mul(row, "%bytes"), "%begin"), "i8")
        target = w.at("%to", w.add(w.mul(i, "%bytes"), "%begin"), "i8")
        w.line(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 %width, i1 false)")
    w.line("ret void")
    arguments = "ptr noalias %to, ptr noalias %from, i64 %bytes, ptr noalias %rows, i64 %n, i64 %begin, i64 %width"
    return w.function(f"internal void @copy_rows({arguments})")


COPY_ROWS = f"""
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
{_copy_rows()}"""
"""Bytes ``begin`` to ``begin + width`` of each row."""
