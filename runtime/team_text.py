"""The thread team in LLVM text. In: nothing; out: ``weft_team_run``, ``weft_team_worker`` and ``weft_team_stop``.

A job is one run of a step. Its calls are cut into parts. Every thread walks over the calls in order: it
claims parts, its own first, then those that nobody came for, runs them and marks them done. It waits for a call only before one
that needs its results. So nobody waits for a thread that the system has not scheduled, unless that thread is inside a part; and
who computes a part changes no bit of it.

One 64-bit word per part holds ``2 * job`` when it is claimed and ``2 * job + 1`` when it is done. Job numbers only grow in the
life of the process, so a thread that comes late finds every word of its job taken and does nothing.
"""

from __future__ import annotations

from .idle_time import SPEND
from .team_balance import BALANCE
from .team_home import HOME
from .team_layout import (
    CALL_FIELDS,
    CONDITION,
    COUNTER_NAMES,
    COUNTERS,
    DESCRIPTOR,
    HELPED,
    JOB,
    LOCK,
    LONELY,
    MUTEX,
    PAUSED_UNTIL,
    SLEEPERS,
    SLOT_BYTES,
    SLOW,
    TEAM,
)
from .team_walk import CLAIM, WALK

SPIN_NS = 50_000
"""How long a waiting thread spins before it lets others have its core."""
AWAKE_NS = 400_000
"""How long it waits in all, offering its core, before it sleeps: to be woken takes longer than many a step."""
TRIES = 4
"""So many jobs in a row that no other thread came for count as slower, too."""
SLOW_TRIES = 2
"""So many jobs in a row that one thread alone would have ended sooner are followed by single-threaded ones: a core that is taken
away for a moment says nothing about the next job."""
BACK_OFF = 16
"""Single-threaded jobs follow for so many times the length of all these tries."""

_RELAX = {
    "x86": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "arm": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}


def team_text(triple: str, clock: int) -> str:
    """The module for this target triple; clock: the number of the clock that never goes back, for ``clock_gettime``."""
    family = "x86" if triple.startswith(("x86_64", "i686")) else "arm" if triple.startswith(("aarch64", "arm64")) else ""
    declared, relax = _RELAX.get(family, ("", ""))
    return "\n".join([_DECLARED, declared, _helpers(relax, clock), SPEND, _WAIT, HOME, BALANCE, CLAIM, WALK, _RUN, _WORKER])


_DECLARED = """
declare i32 @clock_gettime(i32, ptr)
declare i32 @sched_yield()
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
"""


def _helpers(relax: str, clock: int) -> str:
    return f"""
define internal i64 @field(ptr %table, i64 %i) alwaysinline {{
  %at = getelementptr i64, ptr %table, i64 %i
  %v = load i64, ptr %at
  ret i64 %v
}}
define internal ptr @address(ptr %table, i64 %i) alwaysinline {{
  %at = getelementptr ptr, ptr %table, i64 %i
  %v = load ptr, ptr %at
  ret ptr %v
}}
define internal void @relax() alwaysinline {{
  {relax}
  ret void
}}
define internal i64 @now() {{
  %spec = alloca [2 x i64]
  %failed = call i32 @clock_gettime(i32 {clock}, ptr %spec)
  %seconds = call i64 @field(ptr %spec, i64 0)
  %rest = call i64 @field(ptr %spec, i64 1)
  %whole = mul i64 %seconds, 1000000000
  %sum = add i64 %whole, %rest
  ret i64 %sum
}}
define internal void @count(ptr %ctl, i64 %counter) {{
  %offset = add i64 %counter, {COUNTERS // 8}
  %at = getelementptr i64, ptr %ctl, i64 %offset
  %old = atomicrmw add ptr %at, i64 1 monotonic
  ret void
}}
define internal void @wake(ptr %ctl) {{
entry:
  %sleepers.at = getelementptr i8, ptr %ctl, i64 {SLEEPERS}
  %sleepers = load atomic i64, ptr %sleepers.at seq_cst, align 8
  %none = icmp eq i64 %sleepers, 0
  br i1 %none, label %end, label %ring
ring:
  %mutex = getelementptr i8, ptr %ctl, i64 {MUTEX}
  %condition = getelementptr i8, ptr %ctl, i64 {CONDITION}
  %l = call i32 @pthread_mutex_lock(ptr %mutex)
  %b = call i32 @pthread_cond_broadcast(ptr %condition)
  %u = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %end
end:
  ret void
}}
"""


# Waits until the word is at least the target: spins, then yields, then sleeps. A sleeper counts itself before it looks again, a
# waker looks for sleepers after it wrote (both sequentially consistent), so no wake-up is lost.
_WAIT = f"""
define internal void @wait_for(ptr %ctl, ptr %word, i64 %target, ptr %waited, ptr %spare) {{
entry:
  %v0 = load atomic i64, ptr %word acquire, align 8
  %ok0 = icmp sge i64 %v0, %target
  br i1 %ok0, label %quick, label %begin
quick:
  ret void
begin:
  %start = call i64 @now()
  br label %spin
spin:
  %i = phi i64 [ 0, %begin ], [ %i.next, %spin.on ]
  call void @relax()
  %v1 = load atomic i64, ptr %word acquire, align 8
  %ok1 = icmp sge i64 %v1, %target
  br i1 %ok1, label %finish, label %spin.look
spin.look:
  call void @spend(ptr %spare, ptr %word, i64 %target)
  %i.next = add i64 %i, 1
  %low = and i64 %i.next, 15
  %look = icmp eq i64 %low, 0
  br i1 %look, label %spin.time, label %spin.on
spin.time:
  %time = call i64 @now()
  %spent = sub i64 %time, %start
  %over = icmp sgt i64 %spent, {SPIN_NS}
  br i1 %over, label %yield, label %spin.on
spin.on:
  br label %spin
yield:
  %y = call i32 @sched_yield()
  %v2 = load atomic i64, ptr %word acquire, align 8
  %ok2 = icmp sge i64 %v2, %target
  br i1 %ok2, label %finish, label %yield.on
yield.on:
  %later = call i64 @now()
  %lost = sub i64 %later, %start
  %enough = icmp sgt i64 %lost, {AWAKE_NS}
  br i1 %enough, label %sleep, label %yield
sleep:
  %mutex = getelementptr i8, ptr %ctl, i64 {MUTEX}
  %condition = getelementptr i8, ptr %ctl, i64 {CONDITION}
  %sleepers = getelementptr i8, ptr %ctl, i64 {SLEEPERS}
  %l = call i32 @pthread_mutex_lock(ptr %mutex)
  %s = atomicrmw add ptr %sleepers, i64 1 seq_cst
  br label %asleep
asleep:
  %v3 = load atomic i64, ptr %word seq_cst, align 8
  %ok3 = icmp sge i64 %v3, %target
  br i1 %ok3, label %awake, label %lie
lie:
  %c = call i32 @pthread_cond_wait(ptr %condition, ptr %mutex)
  br label %asleep
awake:
  %s2 = atomicrmw sub ptr %sleepers, i64 1 seq_cst
  %u = call i32 @pthread_mutex_unlock(ptr %mutex)
  call void @count(ptr %ctl, i64 {COUNTER_NAMES.index("sleeps")})
  br label %finish
finish:
  %end = call i64 @now()
  %took = sub i64 %end, %start
  %before = load i64, ptr %waited
  %sum = add i64 %before, %took
  store i64 %sum, ptr %waited
  ret void
}}

define internal ptr @slot(ptr %desc, i64 %call, i64 %part) alwaysinline {{
  %slots = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("slots")})
  %parts = call i64 @field(ptr %desc, i64 {DESCRIPTOR.index("parts")})
  %row = mul i64 %call, %parts
  %index = add i64 %row, %part
  %offset = mul i64 %index, {SLOT_BYTES}
  %at = getelementptr i8, ptr %slots, i64 %offset
  ret ptr %at
}}

define internal void @wait_call(ptr %ctl, ptr %desc, i64 %call, i64 %target, ptr %waited, ptr %spare) {{
entry:
  %table = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("table")})
  %at = mul i64 %call, {CALL_FIELDS}
  %n = call i64 @field(ptr %table, i64 %at)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.next, %one ]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %one, label %end
one:
  %slot = call ptr @slot(ptr %desc, i64 %call, i64 %i)
  call void @wait_for(ptr %ctl, ptr %slot, i64 %target, ptr %waited, ptr %spare)
  %i.next = add i64 %i, 1
  br label %next
end:
  ret void
}}
"""

# A late thread may read the job fields while the next job is written: the sequence number is odd meanwhile, and
# whoever sees it change reads again.
_RUN = f"""
define internal void @publish(ptr %ctl, ptr %desc, ptr %p, ptr %d) {{
  %s = load atomic i64, ptr %ctl monotonic, align 8
  %odd = add i64 %s, 1
  %x = atomicrmw xchg ptr %ctl, i64 %odd seq_cst
  %desc.at = getelementptr i8, ptr %ctl, i64 {JOB}
  %p.at = getelementptr i8, ptr %ctl, i64 {JOB + 8}
  %d.at = getelementptr i8, ptr %ctl, i64 {JOB + 16}
  store atomic ptr %desc, ptr %desc.at monotonic, align 8
  store atomic ptr %p, ptr %p.at monotonic, align 8
  store atomic ptr %d, ptr %d.at monotonic, align 8
  %even = add i64 %s, 2
  %y = atomicrmw xchg ptr %ctl, i64 %even seq_cst
  call void @wake(ptr %ctl)
  ret void
}}

define i32 @weft_team_run(ptr %desc, ptr %p, ptr %d, ptr %effect) {{
entry:
  %waited = alloca i64
  %cell = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("cell")})
  %before = load atomic ptr, ptr %cell acquire, align 8
  %none = icmp eq ptr %before, null
  br i1 %none, label %alone, label %enter
enter:
  %lock = getelementptr i8, ptr %cell, i64 {LOCK}
  %pair = cmpxchg ptr %lock, i64 0, i64 1 acq_rel acquire
  %got = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %got, label %inside, label %busy
busy:
  call void @count(ptr %before, i64 {COUNTER_NAMES.index("alone_busy")})
  br label %alone
inside:
  %ctl = load atomic ptr, ptr %cell acquire, align 8
  %gone = icmp eq ptr %ctl, null
  br i1 %gone, label %unlock, label %begin
unlock:
  store atomic i64 0, ptr %lock release, align 8
  br label %alone
begin:
  %start = call i64 @now()
  %paused.at = getelementptr i8, ptr %ctl, i64 {PAUSED_UNTIL}
  %until = load i64, ptr %paused.at
  %paused = icmp slt i64 %start, %until
  br i1 %paused, label %pausing, label %work
pausing:
  call void @count(ptr %ctl, i64 {COUNTER_NAMES.index("alone_paused")})
  store atomic i64 0, ptr %lock release, align 8
  br label %alone
work:
  store i64 0, ptr %waited
  call void @publish(ptr %ctl, ptr %desc, ptr %p, ptr %d)
  %sequence = load atomic i64, ptr %ctl monotonic, align 8
  %job = lshr i64 %sequence, 1
  %team.at = getelementptr i8, ptr %ctl, i64 {TEAM}
  %team = load i64, ptr %team.at
  %code = call i32 @walk(ptr %ctl, ptr %desc, ptr %p, ptr %d, ptr %effect, i64 0, i64 %team, i64 %job, ptr %waited)
  %end = call i64 @now()
  call void @wait_for_idlers(ptr %desc)
  call void @balance(ptr %desc)
  call void @count(ptr %ctl, i64 {COUNTER_NAMES.index("jobs")})
  %total = sub i64 %end, %start
  %idle = load i64, ptr %waited
  %idle.scaled = mul i64 %idle, %team
  %others = sub i64 %team, 1
  %total.scaled = mul i64 %total, %others
  %was.slow = icmp sgt i64 %idle.scaled, %total.scaled
  %slow.at = getelementptr i8, ptr %ctl, i64 {SLOW}
  %slow.before = load i64, ptr %slow.at
  %slow.more = add i64 %slow.before, 1
  %slow.now = select i1 %was.slow, i64 %slow.more, i64 0
  store i64 %slow.now, ptr %slow.at
  %slow = icmp sge i64 %slow.now, {SLOW_TRIES}
  %helped.at = getelementptr i8, ptr %ctl, i64 {HELPED}
  %helped = load atomic i64, ptr %helped.at monotonic, align 8
  %lonely.at = getelementptr i8, ptr %ctl, i64 {LONELY}
  %lonely.before = load i64, ptr %lonely.at
  %lonely.more = add i64 %lonely.before, 1
  %was.helped = icmp eq i64 %helped, %job
  %lonely = select i1 %was.helped, i64 0, i64 %lonely.more
  store i64 %lonely, ptr %lonely.at
  %in.vain = icmp sge i64 %lonely, {TRIES}
  %stop = or i1 %slow, %in.vain
  br i1 %stop, label %pause, label %leave
pause:
  call void @count(ptr %ctl, i64 {COUNTER_NAMES.index("pauses")})
  store i64 0, ptr %lonely.at
  store i64 0, ptr %slow.at
  %times = select i1 %in.vain, i64 {BACK_OFF * TRIES}, i64 {BACK_OFF * SLOW_TRIES}
  %length = mul i64 %total, %times
  %later = add i64 %end, %length
  store i64 %later, ptr %paused.at
  br label %leave
leave:
  store atomic i64 0, ptr %lock release, align 8
  ret i32 %code
alone:
  %bring = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("bring")})
  %ready = icmp eq ptr %bring, null
  br i1 %ready, label %plain, label %gather
gather:
  %brought = call i32 %bring(ptr %p)
  br label %plain
plain:
  %single = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("alone")})
  %code.alone = call i32 %single(ptr %p, ptr %d, ptr %effect)
  ret i32 %code.alone
}}

define i32 @weft_team_stop(ptr %ctl, ptr %cell) {{
entry:
  %lock = getelementptr i8, ptr %cell, i64 {LOCK}
  %pair = cmpxchg ptr %lock, i64 0, i64 1 acq_rel acquire
  %got = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %got, label %stop, label %busy
busy:
  ret i32 0
stop:
  call void @publish(ptr %ctl, ptr null, ptr null, ptr null)
  store atomic i64 0, ptr %lock release, align 8
  ret i32 1
}}
"""

_WORKER = f"""
define i32 @weft_team_worker(ptr %ctl, i64 %tid, i64 %from) {{
entry:
  %waited = alloca i64
  %team.at = getelementptr i8, ptr %ctl, i64 {TEAM}
  %team = load i64, ptr %team.at
  %desc.at = getelementptr i8, ptr %ctl, i64 {JOB}
  %p.at = getelementptr i8, ptr %ctl, i64 {JOB + 8}
  %d.at = getelementptr i8, ptr %ctl, i64 {JOB + 16}
  br label %idle
idle:
  %last = phi i64 [ %from, %entry ], [ %sequence, %work ], [ %sequence, %join ]
  store i64 0, ptr %waited
  %target = add i64 %last, 2
  call void @wait_for(ptr %ctl, ptr %ctl, i64 %target, ptr %waited, ptr null)
  br label %read
read:
  %sequence = load atomic i64, ptr %ctl acquire, align 8
  %low = and i64 %sequence, 1
  %even = icmp eq i64 %low, 0
  br i1 %even, label %fields, label %again
again:
  call void @relax()
  br label %read
fields:
  %desc = load atomic ptr, ptr %desc.at acquire, align 8
  %p = load atomic ptr, ptr %p.at acquire, align 8
  %d = load atomic ptr, ptr %d.at acquire, align 8
  %check = load atomic i64, ptr %ctl acquire, align 8
  %same = icmp eq i64 %check, %sequence
  br i1 %same, label %known, label %again
known:
  %stop = icmp eq ptr %desc, null
  br i1 %stop, label %end, label %work
work:
  %job = lshr i64 %sequence, 1
  %parts = call i64 @field(ptr %desc, i64 {DESCRIPTOR.index("parts")})
  %needed = icmp slt i64 %tid, %parts
  br i1 %needed, label %join, label %idle
join:
  %code = call i32 @walk(ptr %ctl, ptr %desc, ptr %p, ptr %d, ptr null, i64 %tid, i64 %team, i64 %job, ptr %waited)
  br label %idle
end:
  ret i32 0
}}
"""
