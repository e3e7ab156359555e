"""The thread team in LLVM text. In: nothing; out: ``weft_team_run``, ``weft_team_worker`` and ``weft_team_stop``.

A job is one run of a step. Its calls are cut into parts. Every thread walks over the calls in order: it
claims parts, its own first, then those that nobody came for, runs them and marks them done. It waits for a call only before one
that needs its results. So nobody waits for a thread that the system has not scheduled, unless that thread is inside a part; and
who computes a part changes no bit of it.

One 64-bit word per part holds ``2 * job`` when it is claimed and ``2 * job + 1`` when it is done. Job numbers only grow in the
life of the process, so a thread that comes late finds every word of its job taken and does nothing.
"""

from __future__ import annotations

from weft.codegen.function_writer import Integer

from .clock import print_now
from .idle_time import SPEND
from .team_balance import BALANCE
from .team_home import HOME
from .team_layout import (
    BACK_OFF,
    CALL,
    CONDITION,
    DESCRIPTOR,
    HELPED,
    JOB,
    LOCK,
    LONELY,
    MUTEX,
    PAUSE,
    PAUSED_UNTIL,
    SEEN,
    SEEN_BYTES,
    SLEEPERS,
    SLOW,
    TEAM,
)
from .team_walk import CLAIM, WALK
from .team_writer import LOOKS, TeamWriter

SPIN_NS = 50_000
"""How long a waiting thread spins before it lets others have its core."""
AWAKE_NS = 400_000
"""How long it waits in all, offering its core, before it sleeps: to be woken takes longer than many a step."""
TRIES = 4
"""So many jobs in a row that no other thread came for count as slower, too."""
SLOW_TRIES = 2
"""So many jobs in a row that one thread alone would have ended sooner are followed by single-threaded ones: a core that is taken
away for a moment says nothing about the next job."""
MOST_BACK_OFF = 16
"""Single-threaded jobs follow for as long as these tries took, for twice as long if that happens again soon, and so on, up to so
many times as long: what slows threads down may be a thread that was slow to wake, or a neighbour that stays."""
SOON = 16
"""Soon: within so many times the length of the latest pause."""

_RELAX = {
    "x86": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "arm": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}


def team_text(triple: str, clock: int) -> str:
    """The module for this target triple; clock: the number of the clock that never goes back, for ``clock_gettime``."""
    family = "x86" if triple.startswith(("x86_64", "i686")) else "arm" if triple.startswith(("aarch64", "arm64")) else ""
    declared, relax = _RELAX.get(family, ("", ""))
    waiting = [_relax(relax), _now(clock), _wake(), SPEND, _wait_for(), _wait_call()]
    return "\n".join([_DECLARED, declared, *waiting, HOME, BALANCE, CLAIM, WALK, _publish(), _run(), _stop(), _worker()])


_DECLARED = """
declare i32 @clock_gettime(i32, ptr)
declare i32 @sched_yield()
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
"""


def _relax(instruction: str) -> str:
    return f"define internal void @relax() alwaysinline {{\n  {instruction}\n  ret void\n}}\n"


def _now(clock: int) -> str:
    w = TeamWriter()
    w.line("%spec = alloca [2 x i64]")
    w.line(f"ret i64 {print_now(w, '@clock_gettime', clock)}")
    return w.function("internal i64 @now()")


def _wake() -> str:
    w = TeamWriter()
    sleepers = w.see(w.control(SLEEPERS), "seq_cst")
    with w.when(w.equal(sleepers, 0), holds=False):
        mutex = w.control(MUTEX)
        w.let(f"call i32 @pthread_mutex_lock(ptr {mutex})")
        w.let(f"call i32 @pthread_cond_broadcast(ptr {w.control(CONDITION)})")
        w.let(f"call i32 @pthread_mutex_unlock(ptr {mutex})")
    w.line("ret void")
    return w.function("internal void @wake(ptr %ctl)")


def _wait_for() -> str:
    """Waits until the word is at least the target: spins, then yields, then sleeps."""
    w = TeamWriter()
    w.line("%spent = alloca i64")
    w.write("i64", 0, "%spent")
    w.require(w.less(w.see("%word"), "%target"), "quick")
    w.wake_others()
    start = w.now()
    with w.endless() as (rounds, spun):
        w.line("call void @relax()")
        w.require(w.less(w.see("%word"), "%target"), "finish")
        w.line("call void @spend(ptr %spare, ptr %word, i64 %target)")
        with w.every(LOOKS, rounds):
            w.require(w.less(SPIN_NS, _look(w, start)), spun, holds=False)
    with w.endless() as (_, yielded):
        w.let("call i32 @sched_yield()")
        w.require(w.less(w.see("%word"), "%target"), "finish")
        w.require(w.less(AWAKE_NS, _look(w, start)), yielded, holds=False)
    _sleep(w)
    _look(w, start)
    w.arrive("finish")
    w.write("i64", w.add(w.read("i64", "%waited"), w.read("i64", "%spent")), "%waited")
    w.line("ret void")
    w.open("quick")
    w.line("ret void")
    return w.function("internal void @wait_for(ptr %ctl, ptr %word, i64 %target, ptr %waited, ptr %spare)")


def _look(w: TeamWriter, start: str) -> str:
    """The time since ``start``, written down as ``%spent``: whoever need not wait any more does not look at the clock first."""
    spent = w.sub(w.now(), start)
    w.write("i64", spent, "%spent")
    return str(spent)


def _sleep(w: TeamWriter) -> None:
    """A sleeper counts itself before it looks again, a waker looks for sleepers after it wrote (both sequentially consistent), so
    no wake-up is lost."""
    mutex, condition, sleepers = w.control(MUTEX), w.control(CONDITION), w.control(SLEEPERS)
    w.let(f"call i32 @pthread_mutex_lock(ptr {mutex})")
    w.let(f"atomicrmw add ptr {sleepers}, i64 1 seq_cst")
    with w.endless() as (_, awake):
        w.require(w.less(w.see("%word", "seq_cst"), "%target"), awake)
        w.let(f"call i32 @pthread_cond_wait(ptr {condition}, ptr {mutex})")
    w.let(f"atomicrmw sub ptr {sleepers}, i64 1 seq_cst")
    w.let(f"call i32 @pthread_mutex_unlock(ptr {mutex})")
    w.count("sleeps")


def _wait_call() -> str:
    """Waits for all parts of a call."""
    w = TeamWriter()
    row = w.at(w.descriptor("table"), w.mul("%call", len(CALL)), "i64")
    with w.counted(w.field(row, CALL, "parts", "i64")) as part:
        slot = w.slot("%call", part)
        w.line(f"call void @wait_for(ptr %ctl, ptr {slot}, i64 %target, ptr %waited, ptr %spare)")
    w.line("ret void")
    return w.function("internal void @wait_call(ptr %ctl, ptr %desc, i64 %call, i64 %target, ptr %waited, ptr %spare)")


def _publish() -> str:
    """Gives the team a job. A late thread may read the job's fields while the next job is written: the sequence number is odd
    meanwhile, and whoever sees it change reads again."""
    w = TeamWriter()
    sequence = w.see("%ctl", "monotonic")
    w.exchange("%ctl", w.add(sequence, 1))
    for i, value in enumerate(("%desc", "%p", "%d")):
        w.show(value, w.control(JOB + 8 * i), "monotonic", "ptr")
    w.exchange("%ctl", w.add(sequence, 2))
    w.line("call void @wake(ptr %ctl)")
    w.line("ret void")
    return w.function("internal void @publish(ptr %ctl, ptr %desc, ptr %p, ptr %d)")


def _run() -> str:
    """Runs a step as a job of the team, or alone where there is no team or somebody has it."""
    w = TeamWriter()
    w.line("%waited = alloca i64")
    cell = w.descriptor("cell")
    before, lock = w.see(cell, kind="ptr"), w.at(cell, LOCK, "i8")
    w.require(w.is_null(before), "alone", holds=False)
    w.require(w.swap_if(lock, 0, 1), "busy")
    w.line(f"%ctl = load atomic ptr, ptr {cell} acquire, align 8")
    w.require(w.is_null("%ctl"), "unlock", holds=False)
    start = w.now()
    w.require(w.less(start, w.read("i64", w.control(PAUSED_UNTIL))), "paused", holds=False)
    code = _run_job(w, start)
    w.show(0, lock)
    w.line(f"ret i32 {code}")
    w.open("busy")
    w.count("alone_busy", before)
    w.go("alone")
    w.open("paused")
    w.count("alone_paused")
    w.arrive("unlock")
    w.show(0, lock)
    w.arrive("alone")
    bring = w.descriptor("bring")
    with w.when(w.is_null(bring), holds=False):
        w.let(f"call i32 {bring}(ptr %p)")
    code = w.let(f"call i32 {w.descriptor('alone')}(ptr %p, ptr %d, ptr %effect)")
    w.line(f"ret i32 {code}")
    return w.function("i32 @weft_team_run(ptr %desc, ptr %p, ptr %d, ptr %effect)")


def _run_job(w: TeamWriter, start: str) -> str:
    """Publishes the job, takes the first thread's part in it, and returns its code; the team pauses if that did not pay."""
    w.write("i64", 0, "%waited")
    w.line("call void @publish(ptr %ctl, ptr %desc, ptr %p, ptr %d)")
    job, team = w.let(f"lshr i64 {w.see('%ctl', 'monotonic')}, 1"), _walkers(w, "%desc")
    arguments = f"ptr %ctl, ptr %desc, ptr %p, ptr %d, ptr %effect, i64 0, i64 {team}, i64 {job}, ptr %waited"
    code, end = w.let(f"call i32 @walk({arguments})"), w.now()
    w.line("call void @wait_for_idlers(ptr %desc)")
    w.line("call void @balance(ptr %desc)")
    w.count("jobs")
    w.wake_others()
    total = w.sub(end, start)
    others = w.mul(total, w.sub(team, 1))  # what one thread alone would have taken, less this job's length, in all threads' time
    slow = _count_in_a_row(w, SLOW, w.less(others, w.mul(w.read("i64", "%waited"), team)))
    helped = w.equal(w.see(w.control(HELPED), "monotonic"), job)
    lonely = _count_in_a_row(w, LONELY, w.let(f"xor i1 {helped}, true"))
    in_vain = w.let(f"icmp sge i64 {lonely}, {TRIES}")
    with w.when(w.let(f"or i1 {in_vain}, {w.let(f'icmp sge i64 {slow}, {SLOW_TRIES}')}")):
        w.count("pauses")
        w.write("i64", 0, w.control(LONELY))
        w.write("i64", 0, w.control(SLOW))
        _pause(w, end, w.mul(total, w.let(f"select i1 {in_vain}, i64 {TRIES}, i64 {SLOW_TRIES}")))
    return code


def _walkers(w: TeamWriter, descriptor: str) -> Integer:
    """How many threads take part in a step's jobs: no more than it was bound for, for only those have memory of their own."""
    return w.least(w.read("i64", w.control(TEAM)), w.field(descriptor, DESCRIPTOR, "threads", "i64"))


def _pause(w: TeamWriter, now: Integer, tries: Integer) -> None:
    """No job for the team for a while. tries: how long those took that did not pay."""
    latest, until = w.read("i64", w.control(PAUSE)), w.read("i64", w.control(PAUSED_UNTIL))
    twice = w.least(w.mul(w.read("i64", w.control(BACK_OFF)), 2), MOST_BACK_OFF)
    soon = w.less(w.sub(now, until), w.mul(latest, SOON))
    times = w.most(w.let(f"select i1 {soon}, i64 {twice}, i64 1"), 1)
    length = w.mul(tries, times)
    w.write("i64", times, w.control(BACK_OFF))
    w.write("i64", length, w.control(PAUSE))
    w.write("i64", w.add(now, length), w.control(PAUSED_UNTIL))


def _count_in_a_row(w: TeamWriter, counter: int, again: str) -> str:
    """How many jobs in a row were like this, by a word of the control block."""
    place = w.control(counter)
    count = w.let(f"select i1 {again}, i64 {w.add(w.read('i64', place), 1)}, i64 0")
    w.write("i64", count, place)
    return count


def _stop() -> str:
    w = TeamWriter()
    lock = w.at("%cell", LOCK, "i8")
    w.require(w.swap_if(lock, 0, 1), "busy")
    w.line("call void @publish(ptr %ctl, ptr null, ptr null, ptr null)")
    w.show(0, lock)
    w.line("ret i32 1")
    w.open("busy")
    w.line("ret i32 0")
    return w.function("i32 @weft_team_stop(ptr %ctl, ptr %cell)")


def _worker() -> str:
    """A thread's life: waits for jobs and walks through them. from: the sequence number that it has seen."""
    w = TeamWriter()
    w.line("%waited = alloca i64")
    w.line("%last = alloca i64")
    w.write("i64", "%from", "%last")
    seen = w.at(w.control(SEEN), w.mul("%tid", SEEN_BYTES), "i8")
    with w.endless() as (_, over):
        w.write("i64", 0, "%waited")
        last = w.read("i64", "%last")
        w.show(last, seen)
        coming = w.add(last, 2)
        w.line(f"call void @wait_for(ptr %ctl, ptr %ctl, i64 {coming}, ptr %waited, ptr null)")
        with w.endless() as (_, whole):
            sequence = w.see("%ctl")
            descriptor, p, d = (w.see(w.control(JOB + 8 * i), kind="ptr") for i in range(3))
            same = w.equal(w.see("%ctl"), sequence)
            even = w.equal(w.let(f"and i64 {sequence}, 1"), 0)
            w.require(w.let(f"and i1 {same}, {even}"), whole, holds=False)
            w.line("call void @relax()")
        w.write("i64", sequence, "%last")
        w.require(w.is_null(descriptor), over, holds=False)
        team = _walkers(w, descriptor)
        with w.when(w.less("%tid", team)):
            job = w.let(f"lshr i64 {sequence}, 1")
            given = f"ptr {descriptor}, ptr {p}, ptr {d}, ptr null, i64 %tid, i64 {team}, i64 {job}, ptr %waited"
            w.let(f"call i32 @walk(ptr %ctl, {given})")
    w.line("ret i32 0")
    return w.function("i32 @weft_team_worker(ptr %ctl, i64 %tid, i64 %from)")
