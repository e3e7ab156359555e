"""Shares as large as threads are quick. In: nothing; out: LLVM text that times parts of long calls and moves the shares' edges.

Cores differ: another guest of the machine takes a fifth of one of them, for a millisecond or for minutes. A long call that cannot
be cut into pieces, because each would pack the same operand, is cut where both threads are expected to end at once. Each thread
adds up the time that it spends in such parts, and how much of the calls they were; after the job the edges move a quarter of the
way to where the speeds put them. No bit of a result depends on them. In a step without such calls one call whose shares are equal
is timed, and the speeds only say who runs what is not cut (`team_home`).
"""

from __future__ import annotations

from .team_layout import DESCRIPTOR, TIMED, UNEVEN

UNIT_BITS = 16
"""Edges are numbers from 0 to 1 << UNIT_BITS."""
NOTE_BYTES = 64  # of a thread: nanoseconds, units done; speed; a flag, see `idle_time`; its usual speed, see `team_home`
SPEED = 16  # offset in a thread's notes
FOLLOW = 0.25
"""How far edges move after one job: a thread that was interrupted once should not count as slow."""
LEAST = 0.5
"""Of the mean speed: nobody counts as slower, so that everybody keeps a share and can be measured again."""

BALANCE = f"""
define internal i64 @begin_part(i64 %flags) {{
  %flag = and i64 %flags, {UNEVEN | TIMED}
  %timed = icmp ne i64 %flag, 0
  br i1 %timed, label %yes, label %no
yes:
  %t = call i64 @now()
  ret i64 %t
no:
  ret i64 0
}}

define internal void @end_part(ptr %desc, i64 %flags, i64 %began, i64 %part, i64 %tid) {{
  %timed = icmp ne i64 %began, 0
  br i1 %timed, label %yes, label %no
yes:
  %now = call i64 @now()
  %took = sub i64 %now, %began
  %edges = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("edges")})
  %first = call i64 @field(ptr %edges, i64 %part)
  %next = add i64 %part, 1
  %last = call i64 @field(ptr %edges, i64 %next)
  %share = sub i64 %last, %first
  %flag = and i64 %flags, {UNEVEN}
  %even = icmp eq i64 %flag, 0
  %units = select i1 %even, i64 {1 << UNIT_BITS}, i64 %share
  %notes = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("notes")})
  %offset = mul i64 %tid, {NOTE_BYTES}
  %time.at = getelementptr i8, ptr %notes, i64 %offset
  %units.at = getelementptr i8, ptr %time.at, i64 8
  %time.before = load i64, ptr %time.at
  %units.before = load i64, ptr %units.at
  %time = add i64 %time.before, %took
  %done = add i64 %units.before, %units
  store i64 %time, ptr %time.at
  store i64 %done, ptr %units.at
  br label %no
no:
  ret void
}}

define internal void @balance(ptr %desc) {{
entry:
  %threads = call i64 @field(ptr %desc, i64 {DESCRIPTOR.index("threads")})
  %edges = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("edges")})
  %notes = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("notes")})
  %count = sitofp i64 %threads to double
  br label %speed
speed:
  %i = phi i64 [ 0, %entry ], [ %i.next, %quick ]
  %sum = phi double [ 0.0, %entry ], [ %sum.next, %quick ]
  %i.more = icmp slt i64 %i, %threads
  br i1 %i.more, label %read, label %raise
read:
  %i.offset = mul i64 %i, {NOTE_BYTES}
  %time.at = getelementptr i8, ptr %notes, i64 %i.offset
  %units.at = getelementptr i8, ptr %time.at, i64 8
  %speed.at = getelementptr i8, ptr %time.at, i64 {SPEED}
  %time = load i64, ptr %time.at
  %units = load i64, ptr %units.at
  %some.time = icmp sgt i64 %time, 0
  %some.units = icmp sgt i64 %units, 0
  %some = and i1 %some.time, %some.units
  br i1 %some, label %quick, label %forget
quick:
  %time.f = sitofp i64 %time to double
  %units.f = sitofp i64 %units to double
  %speed.f = fdiv double %units.f, %time.f
  store double %speed.f, ptr %speed.at
  %sum.next = fadd double %sum, %speed.f
  %i.next = add i64 %i, 1
  br label %speed
raise:
  %mean = fdiv double %sum, %count
  %least = fmul double %mean, {LEAST}
  br label %raise.one
raise.one:
  %j = phi i64 [ 0, %raise ], [ %j.next, %raise.one ]
  %all = phi double [ 0.0, %raise ], [ %all.next, %raise.one ]
  %j.offset = mul i64 %j, {NOTE_BYTES}
  %j.note = getelementptr i8, ptr %notes, i64 %j.offset
  %j.at = getelementptr i8, ptr %j.note, i64 {SPEED}
  %own = load double, ptr %j.at
  %slow = fcmp olt double %own, %least
  %raised = select i1 %slow, double %least, double %own
  store double %raised, ptr %j.at
  %all.next = fadd double %all, %raised
  %j.next = add i64 %j, 1
  %j.more = icmp slt i64 %j.next, %threads
  br i1 %j.more, label %raise.one, label %move
move:
  call void @choose_home(ptr %desc, double %mean)
  br label %move.one
move.one:
  %k = phi i64 [ 0, %move ], [ %k.next, %move.on ]
  %upto = phi double [ 0.0, %move ], [ %upto.next, %move.on ]
  %k.next = add i64 %k, 1
  %inner = icmp slt i64 %k.next, %threads
  br i1 %inner, label %move.on, label %forget
move.on:
  %k.offset = mul i64 %k, {NOTE_BYTES}
  %k.note = getelementptr i8, ptr %notes, i64 %k.offset
  %k.at = getelementptr i8, ptr %k.note, i64 {SPEED}
  %k.speed = load double, ptr %k.at
  %upto.next = fadd double %upto, %k.speed
  %wanted = fdiv double %upto.next, %all.next
  %wanted.units = fmul double %wanted, {float(1 << UNIT_BITS)}
  %edge.at = getelementptr i64, ptr %edges, i64 %k.next
  %edge = load i64, ptr %edge.at
  %edge.f = sitofp i64 %edge to double
  %far = fsub double %wanted.units, %edge.f
  %step = fmul double %far, {FOLLOW}
  %edge.new = fadd double %edge.f, %step
  %edge.int = fptosi double %edge.new to i64
  store i64 %edge.int, ptr %edge.at
  br label %move.one
forget:
  br label %forget.one
forget.one:
  %f = phi i64 [ 0, %forget ], [ %f.next, %forget.one ]
  %f.offset = mul i64 %f, {NOTE_BYTES}
  %f.time = getelementptr i8, ptr %notes, i64 %f.offset
  %f.units = getelementptr i8, ptr %f.time, i64 8
  store i64 0, ptr %f.time
  store i64 0, ptr %f.units
  %f.next = add i64 %f, 1
  %f.more = icmp slt i64 %f.next, %threads
  br i1 %f.more, label %forget.one, label %end
end:
  ret void
}}
"""
