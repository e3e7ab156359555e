"""What threads of the team do while they wait for one another. In: nothing; out: LLVM text of ``spend`` and its companions.

A step may offer a function that does a little work for later: ``i64 fetch(ptr p, i64 thread, i64 cursor)`` returns the next
cursor, or -1 when there is nothing left. It touches memory of the step, which only lasts while the step runs. So a thread first
raises a flag and then looks whether what it waits for is still undone; the caller's thread ends the step when all is done and no
flag is up. One of the two sees the other, as both are in one order of all threads.
"""

from __future__ import annotations

from .team_balance import NOTE_BYTES
from .team_layout import DESCRIPTOR

FLAG = 24
"""Offset in a thread's notes (`team_balance`), which only it writes while a step runs."""

SPEND = f"""
define internal void @offer_time(ptr %spare, ptr %desc, ptr %p, i64 %tid) {{
  %fetch = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("fetch")})
  %nothing = icmp eq ptr %fetch, null
  %cursor = select i1 %nothing, i64 -1, i64 0
  %notes = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("notes")})
  %note = mul i64 %tid, {NOTE_BYTES}
  %offset = add i64 %note, {FLAG}
  %own = getelementptr i8, ptr %notes, i64 %offset
  %caller = icmp eq i64 %tid, 0
  %flag = select i1 %caller, ptr null, ptr %own
  %fetch.at = getelementptr ptr, ptr %spare, i64 1
  %p.at = getelementptr ptr, ptr %spare, i64 2
  %tid.at = getelementptr i64, ptr %spare, i64 3
  %flag.at = getelementptr ptr, ptr %spare, i64 4
  store i64 %cursor, ptr %spare
  store ptr %fetch, ptr %fetch.at
  store ptr %p, ptr %p.at
  store i64 %tid, ptr %tid.at
  store ptr %flag, ptr %flag.at
  ret void
}}

define internal void @spend(ptr %spare, ptr %word, i64 %target) {{
entry:
  %none = icmp eq ptr %spare, null
  br i1 %none, label %end, label %look
look:
  %cursor = call i64 @field(ptr %spare, i64 0)
  %over = icmp slt i64 %cursor, 0
  br i1 %over, label %end, label %some
some:
  %function = call ptr @address(ptr %spare, i64 1)
  %p = call ptr @address(ptr %spare, i64 2)
  %tid = call i64 @field(ptr %spare, i64 3)
  %flag = call ptr @address(ptr %spare, i64 4)
  %caller = icmp eq ptr %flag, null
  br i1 %caller, label %go, label %raise
raise:
  %up = atomicrmw xchg ptr %flag, i64 1 seq_cst
  %value = load atomic i64, ptr %word seq_cst, align 8
  %done = icmp sge i64 %value, %target
  br i1 %done, label %lower, label %go
go:
  %next = call i64 %function(ptr %p, i64 %tid, i64 %cursor)
  store i64 %next, ptr %spare
  br i1 %caller, label %end, label %lower
lower:
  store atomic i64 0, ptr %flag release, align 8
  br label %end
end:
  ret void
}}

define internal void @wait_for_idlers(ptr %desc) {{
entry:
  %fetch = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("fetch")})
  %notes = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("notes")})
  %threads = call i64 @field(ptr %desc, i64 {DESCRIPTOR.index("threads")})
  %nothing = icmp eq ptr %fetch, null
  br i1 %nothing, label %end, label %thread
thread:
  %t = phi i64 [ 1, %entry ], [ %t.next, %next ]
  %more = icmp slt i64 %t, %threads
  br i1 %more, label %one, label %end
one:
  %note = mul i64 %t, {NOTE_BYTES}
  %offset = add i64 %note, {FLAG}
  %flag = getelementptr i8, ptr %notes, i64 %offset
  br label %wait
wait:
  %i = phi i64 [ 1, %one ], [ %i.next, %on ]
  %up = load atomic i64, ptr %flag seq_cst, align 8
  %idle = icmp eq i64 %up, 0
  br i1 %idle, label %next, label %again
again:
  call void @relax()
  %i.next = add i64 %i, 1
  %low = and i64 %i, 1023
  %long = icmp eq i64 %low, 0
  br i1 %long, label %yield, label %on
yield:
  %y = call i32 @sched_yield()
  br label %on
on:
  br label %wait
next:
  %t.next = add i64 %t, 1
  br label %thread
end:
  ret void
}}
"""
