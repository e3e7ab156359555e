"""How one thread of the team goes through a job. In: nothing; out: LLVM text of ``claim`` and ``walk``, used by `team_text`."""

from __future__ import annotations

from .team_layout import CALL_FIELDS, COUNTER_NAMES, DESCRIPTOR, EFFECT, FALLIBLE, FREE, HELPED

PATIENCE_NS = 3_000
"""How long a thread leaves a part to its owner before it takes it over; calls that are not cut belong to one thread, in whose
cache their small arrays stay (`team_home`)."""

# Takes a part if nobody has it. A part of another thread is left to it for a while, unless a part had to be taken over just now,
# or it is a later piece of a share that has been begun: then its owner is busy.
CLAIM = f"""
define internal i1 @claim(ptr %ctl, ptr %slot, i64 %claimed, i1 %own, ptr %impatient) {{
entry:
  %v = load atomic i64, ptr %slot acquire, align 8
  %taken = icmp sge i64 %v, %claimed
  br i1 %taken, label %there, label %free
there:
  br i1 %own, label %no, label %calm
calm:
  store i64 0, ptr %impatient
  br label %no
free:
  %hurry = load i64, ptr %impatient
  %hurried = icmp ne i64 %hurry, 0
  %go = or i1 %own, %hurried
  br i1 %go, label %take, label %wait
wait:
  %start = call i64 @now()
  br label %spin
spin:
  %i = phi i64 [ 0, %wait ], [ %i.next, %on ]
  call void @relax()
  %v1 = load atomic i64, ptr %slot acquire, align 8
  %taken1 = icmp sge i64 %v1, %claimed
  br i1 %taken1, label %calm, label %look
look:
  %i.next = add i64 %i, 1
  %low = and i64 %i.next, 15
  %due = icmp eq i64 %low, 0
  br i1 %due, label %time, label %on
on:
  br label %spin
time:
  %t = call i64 @now()
  %spent = sub i64 %t, %start
  %over = icmp sgt i64 %spent, {PATIENCE_NS}
  br i1 %over, label %steal, label %on
steal:
  store i64 1, ptr %impatient
  call void @count(ptr %ctl, i64 {COUNTER_NAMES.index("stolen")})
  br label %take
take:
  %old = load atomic i64, ptr %slot acquire, align 8
  %late = icmp sge i64 %old, %claimed
  br i1 %late, label %no, label %try
try:
  %pair = cmpxchg ptr %slot, i64 %old, i64 %claimed acq_rel acquire
  %won = extractvalue {{ i64, i1 }} %pair, 1
  ret i1 %won
no:
  ret i1 false
}}
"""

# One thread's way through a job. Returns the code of the first failed part of the first failed call; thread 0 returns only when
# nothing of the job is running or can be started any more.
WALK = f"""
define internal i32 @walk(ptr %ctl, ptr %desc, ptr %p, ptr %d, ptr %effect, i64 %tid, i64 %team, i64 %job, ptr %waited) {{
entry:
  %impatient = alloca i64
  %spare = alloca [5 x i64]
  call void @offer_time(ptr %spare, ptr %desc, ptr %p, i64 %tid)
  store i64 0, ptr %impatient
  %again = alloca i64
  %claimed = shl i64 %job, 1
  %done = or i64 %claimed, 1
  %calls = call i64 @field(ptr %desc, i64 {DESCRIPTOR.index("calls")})
  %table = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("table")})
  %needs = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("needs")})
  %parts = call i64 @field(ptr %desc, i64 {DESCRIPTOR.index("parts")})
  %function = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("part")})
  %works = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("work")})
  %work.bytes = call i64 @field(ptr %desc, i64 {DESCRIPTOR.index("work_bytes")})
  %work.offset = mul i64 %work.bytes, %tid
  %work = getelementptr i8, ptr %works, i64 %work.offset
  %tid.next = add i64 %tid, 1
  %first.thread = icmp eq i64 %tid, 0
  %home = call i64 @field(ptr %desc, i64 {DESCRIPTOR.index("home")})
  %at.home = icmp eq i64 %tid, %home
  br label %call
call:
  %k = phi i64 [ 0, %entry ], [ %k.next, %next ]
  %some = icmp slt i64 %k, %calls
  br i1 %some, label %body, label %finish
body:
  %row.at = mul i64 %k, {CALL_FIELDS}
  %row = getelementptr i64, ptr %table, i64 %row.at
  store i64 0, ptr %again
  %n = call i64 @field(ptr %row, i64 0)
  %flags = call i64 @field(ptr %row, i64 1)
  %need.first = call i64 @field(ptr %row, i64 2)
  %need.last = call i64 @field(ptr %row, i64 3)
  br label %need
need:
  %q = phi i64 [ %need.first, %body ], [ %q.next, %need.on ]
  %q.more = icmp slt i64 %q, %need.last
  br i1 %q.more, label %need.one, label %start
need.one:
  %pair.at = mul i64 %q, 2
  %pair = getelementptr i64, ptr %needs, i64 %pair.at
  %which = call i64 @field(ptr %pair, i64 0)
  %partwise = call i64 @field(ptr %pair, i64 1)
  %whole = icmp eq i64 %partwise, 0
  br i1 %whole, label %need.wait, label %need.on
need.wait:
  call void @wait_call(ptr %ctl, ptr %desc, i64 %which, i64 %done, ptr %waited, ptr %spare)
  br label %need.on
need.on:
  %q.next = add i64 %q, 1
  br label %need
start:
  %effect.flag = and i64 %flags, {EFFECT}
  %is.effect = icmp ne i64 %effect.flag, 0
  %other = xor i1 %first.thread, true
  %skip = and i1 %is.effect, %other
  %mine.scaled = mul i64 %tid, %n
  %mine.first = udiv i64 %mine.scaled, %team
  %pieces.cut = udiv i64 %n, %team
  %no.pieces = icmp eq i64 %pieces.cut, 0
  %pieces = select i1 %no.pieces, i64 1, i64 %pieces.cut
  %mine.scaled.up = mul i64 %tid.next, %n
  %mine.last = udiv i64 %mine.scaled.up, %team
  %mine.cut = sub i64 %mine.last, %mine.first
  %single = icmp eq i64 %n, 1
  %free.flag = and i64 %flags, {FREE}
  %is.free = icmp ne i64 %free.flag, 0
  %takes = or i1 %at.home, %is.free
  %mine.single = zext i1 %takes to i64
  %mine = select i1 %single, i64 %mine.single, i64 %mine.cut
  br i1 %skip, label %after, label %part
part:
  %j = phi i64 [ 0, %start ], [ %j.next, %part.on ]
  %j.more = icmp slt i64 %j, %n
  br i1 %j.more, label %part.try, label %after
part.try:
  %place = add i64 %mine.first, %j
  %wraps = icmp sge i64 %place, %n
  %place.back = sub i64 %place, %n
  %t = select i1 %wraps, i64 %place.back, i64 %place
  %slot = call ptr @slot(ptr %desc, i64 %k, i64 %t)
  %own = icmp slt i64 %j, %mine
  %piece = urem i64 %t, %pieces
  %first.piece = sub i64 %t, %piece
  %share.slot = call ptr @slot(ptr %desc, i64 %k, i64 %first.piece)
  %share = load atomic i64, ptr %share.slot acquire, align 8
  %begun = icmp sge i64 %share, %claimed
  %later = icmp ne i64 %piece, 0
  %busy = and i1 %begun, %later
  %now = or i1 %own, %busy
  %won = call i1 @claim(ptr %ctl, ptr %slot, i64 %claimed, i1 %now, ptr %impatient)
  br i1 %won, label %ready, label %part.on
ready:
  %r = phi i64 [ %need.first, %part.try ], [ %r.next, %ready.on ]
  %r.more = icmp slt i64 %r, %need.last
  br i1 %r.more, label %ready.one, label %run
ready.one:
  %r.at = mul i64 %r, 2
  %r.pair = getelementptr i64, ptr %needs, i64 %r.at
  %r.which = call i64 @field(ptr %r.pair, i64 0)
  %r.partwise = call i64 @field(ptr %r.pair, i64 1)
  %r.same = icmp ne i64 %r.partwise, 0
  br i1 %r.same, label %ready.wait, label %ready.on
ready.wait:
  %r.slot = call ptr @slot(ptr %desc, i64 %r.which, i64 %t)
  call void @wait_for(ptr %ctl, ptr %r.slot, i64 %done, ptr %waited, ptr %spare)
  br label %ready.on
ready.on:
  %r.next = add i64 %r, 1
  br label %ready
run:
  br i1 %first.thread, label %run.part, label %run.help
run.help:
  %helped.at = getelementptr i8, ptr %ctl, i64 {HELPED}
  store atomic i64 %job, ptr %helped.at monotonic, align 8
  br label %run.part
run.part:
  %began = call i64 @begin_part(i64 %flags)
  %code = call i32 %function(i64 %k, ptr %p, ptr %d, ptr %effect, i64 %t, i64 %n, ptr %work, ptr %again)
  call void @end_part(ptr %desc, i64 %flags, i64 %began, i64 %t, i64 %tid)
  %code.at = getelementptr i8, ptr %slot, i64 8
  store i32 %code, ptr %code.at
  %before = atomicrmw xchg ptr %slot, i64 %done seq_cst
  call void @wake(ptr %ctl)
  br label %part.on
part.on:
  %j.next = add i64 %j, 1
  br label %part
after:
  %codes = and i64 %flags, {FALLIBLE | EFFECT}
  %may.fail = icmp ne i64 %codes, 0
  br i1 %may.fail, label %verify, label %next
verify:
  call void @wait_call(ptr %ctl, ptr %desc, i64 %k, i64 %done, ptr %waited, ptr %spare)
  br label %code.next
code.next:
  %c = phi i64 [ 0, %verify ], [ %c.next, %code.look ]
  %c.more = icmp slt i64 %c, %n
  br i1 %c.more, label %code.look, label %next
code.look:
  %c.slot = call ptr @slot(ptr %desc, i64 %k, i64 %c)
  %c.at = getelementptr i8, ptr %c.slot, i64 8
  %c.code = load i32, ptr %c.at
  %c.next = add i64 %c, 1
  %good = icmp eq i32 %c.code, 0
  br i1 %good, label %code.next, label %failed
next:
  %k.next = add i64 %k, 1
  br label %call
failed:
  br i1 %first.thread, label %drain.start, label %leave
drain.start:
  %k.after = add i64 %k, 1
  br label %drain
drain:
  %x = phi i64 [ %k.after, %drain.start ], [ %x.next, %drain.one ]
  %x.more = icmp slt i64 %x, %calls
  br i1 %x.more, label %drain.part.start, label %finish
drain.part.start:
  br label %drain.part
drain.part:
  %z = phi i64 [ 0, %drain.part.start ], [ %z.next, %drain.slot ]
  %z.more = icmp slt i64 %z, %parts
  br i1 %z.more, label %drain.slot, label %drain.one
drain.slot:
  %z.slot = call ptr @slot(ptr %desc, i64 %x, i64 %z)
  store atomic i64 %done, ptr %z.slot release, align 8
  %z.next = add i64 %z, 1
  br label %drain.part
drain.one:
  %x.next = add i64 %x, 1
  br label %drain
finish:
  %result = phi i32 [ 0, %call ], [ %c.code, %drain ]
  br i1 %first.thread, label %join, label %leave
join:
  %y = phi i64 [ 0, %finish ], [ %y.next, %join.one ]
  %y.more = icmp slt i64 %y, %calls
  br i1 %y.more, label %join.one, label %end
join.one:
  call void @wait_call(ptr %ctl, ptr %desc, i64 %y, i64 %done, ptr %waited, ptr %spare)
  %y.next = add i64 %y, 1
  br label %join
leave:
  ret i32 0
end:
  ret i32 %result
}}
"""
