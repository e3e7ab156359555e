"""Rows of an array copied in another order, in LLVM text. In: nothing; out: ``copy_rows``, for one thread or one part of many."""

from __future__ import annotations

FIELDS = ("to", "from", "bytes", "rows", "count")
"""The int64 fields of what a team gathers: where to, row 0, bytes per row, row numbers, how many."""
LEAST_BYTES = 64 * 1024
"""Of a batch, from which two threads are faster than one."""

COPY_ROWS = """
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)

define internal void @copy_rows(
  ptr noalias %to, ptr noalias %from, i64 %bytes, ptr noalias %rows, i64 %n, i64 %begin, i64 %width
) {
entry:
  %last = sub i64 %n, 1
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %row, label %end
row:
  %i = phi i64 [ 0, %entry ], [ %i.next, %row ]
  %ahead = add i64 %i, 2
  %inside = icmp slt i64 %ahead, %last
  %p = select i1 %inside, i64 %ahead, i64 %last
  %p.at = getelementptr i64, ptr %rows, i64 %p
  %p.row = load i64, ptr %p.at
  %p.start = mul i64 %p.row, %bytes
  %p.offset = add i64 %p.start, %begin
  %p.from = getelementptr i8, ptr %from, i64 %p.offset
  call void @llvm.prefetch.p0(ptr %p.from, i32 0, i32 3, i32 1)
  %r.at = getelementptr i64, ptr %rows, i64 %i
  %r = load i64, ptr %r.at
  %start = mul i64 %r, %bytes
  %offset = add i64 %start, %begin
  %source = getelementptr i8, ptr %from, i64 %offset
  %place.start = mul i64 %i, %bytes
  %place = add i64 %place.start, %begin
  %target = getelementptr i8, ptr %to, i64 %place
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %source, i64 %width, i1 false)
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %n
  br i1 %more, label %row, label %end
end:
  ret void
}
"""
"""Bytes ``begin`` to ``begin + width`` of each row. The next rows are fetched meanwhile: no processor can guess where."""
