"""How one thread of the team goes through a job. In: nothing; out: LLVM text of ``claim`` and ``walk``, used by `team_text`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from weft.codegen.function_writer import Integer
from weft.graph.record import record

from .idle_time import SPARE
from .team_home import SAMPLED
from .team_layout import CALL, EFFECT, FALLIBLE, FREE, HELPED, NEED, TIMED
from .team_writer import LOOKS, TeamWriter

PATIENCE_NS = 3_000
"""How long a thread leaves a part to its owner before it takes it over; calls that are not cut belong to one thread, in whose
cache their small arrays stay (`team_home`)."""


def _claim() -> str:
    """Takes a part if nobody has it. A part of another thread is left to it for a while, unless a part had to be taken over just
    now, or it is a later piece of a share that has been begun: then its owner is busy."""
    w = TeamWriter()
    w.require(w.less(w.see("%slot"), "%claimed"), "taken")
    calm = w.equal(w.read("i64", "%impatient"), 0)
    with w.when(w.let(f"and i1 {calm}, {w.let('xor i1 %own, true')}")):
        w.wake_others()
        start = w.now()
        with w.endless() as (rounds, over):
            w.line("call void @relax()")
            w.require(w.less(w.see("%slot"), "%claimed"), "calm")
            with w.every(LOOKS, rounds):
                w.require(w.less(PATIENCE_NS, w.sub(w.now(), start)), over, holds=False)
        w.write("i64", 1, "%impatient")
        w.count("stolen")
    before = w.see("%slot")
    w.require(w.less(before, "%claimed"), "no")
    w.line(f"ret i1 {w.swap_if('%slot', before, '%claimed')}")
    w.open("taken")
    w.fork("%own", "no", "calm")
    w.open("calm")
    w.write("i64", 0, "%impatient")
    w.arrive("no")
    w.line("ret i1 false")
    return w.function("internal i1 @claim(ptr %ctl, ptr %slot, i64 %claimed, i1 %own, ptr %impatient)")


@record
class _Call:
    """Values of the call that a thread is at: its number and the fields of its row."""

    number: Integer
    parts: str
    flags: str
    first_need: str
    last_need: str


def _walk() -> str:
    """One thread's way through a job. Returns the code of the first failed part of the first failed call; the caller's thread
    returns only when nothing of the job is running or can be started any more."""
    w = TeamWriter()
    for name, kind in (("impatient", "i64"), ("again", "i64"), ("result", "i32")):
        w.line(f"%{name} = alloca {kind}")
        w.write(kind, 0, f"%{name}")
    w.line(f"%spare = alloca [{len(SPARE)} x i64]")
    w.line("call void @offer_time(ptr %spare, ptr %desc, ptr %p, i64 %tid)")
    w.line("%claimed = shl i64 %job, 1")
    w.line("%done = or i64 %claimed, 1")
    w.line("%caller = icmp eq i64 %tid, 0")
    sampled = w.equal(w.let(f"and i64 %job, {SAMPLED - 1}"), 0)
    w.line(f"%watched = select i1 {sampled}, i64 -1, i64 {~TIMED}")
    w.line(f"%away = icmp ne i64 %tid, {w.descriptor('home', 'i64')}")
    calls, table = w.descriptor("calls", "i64"), w.descriptor("table")
    with w.counted(calls) as number:
        row = w.at(table, w.mul(number, len(CALL)), "i64")
        _walk_call(w, _Call(number, *(w.field(row, CALL, name, "i64") for name in CALL)))
    w.go("finish")
    w.open("failed")
    w.require("%caller", "leave")
    _end_calls(w, w.add(number, 1), calls)
    w.arrive("finish")
    w.require("%caller", "leave")
    with w.counted(calls) as number:
        _wait_for_call(w, number)
    w.line(f"ret i32 {w.read('i32', '%result')}")
    w.open("leave")
    w.line("ret i32 0")
    arguments = "ptr %ctl, ptr %desc, ptr %p, ptr %d, ptr %effect, i64 %tid, i64 %team, i64 %job, ptr %waited"
    return w.function(f"internal i32 @walk({arguments})")


def _walk_call(w: TeamWriter, call: _Call) -> None:
    """Waits for what the call needs, runs parts of it, and goes to ``failed`` if one failed, with its code as ``%result``."""
    w.write("i64", 0, "%again")
    first, own = _own_parts(w, call)
    with w.when(w.less(0, own)):
        w.claim_line(w.slot(call.number, first))
    with _each_need(w, call, partwise=False) as needed:
        _wait_for_call(w, needed)
    no_effect = w.equal(w.let(f"and i64 {call.flags}, {EFFECT}"), 0)
    with w.when(w.let(f"or i1 {no_effect}, %caller")):
        _take_parts(w, call, first, own)
    safe = w.equal(w.let(f"and i64 {call.flags}, {FALLIBLE | EFFECT}"), 0)
    with w.when(safe, holds=False):
        _wait_for_call(w, call.number)
        with w.counted(call.parts) as part:
            code = w.read("i32", w.slot(call.number, part), 8, "i8")
            w.write("i32", code, "%result")
            w.require(w.equal(code, 0, "i32"), "failed")


def _wait_for_call(w: TeamWriter, number: Integer) -> None:
    w.line(f"call void @wait_call(ptr %ctl, ptr %desc, i64 {number}, i64 %done, ptr %waited, ptr %spare)")


@contextmanager
def _each_need(w: TeamWriter, call: _Call, partwise: bool) -> Iterator[str]:
    """A loop over the calls that this one needs, whole or by the same part."""
    needs = w.descriptor("needs")
    with w.loop(call.first_need, call.last_need) as loop:
        pair = w.at(needs, w.mul(loop.index, len(NEED)), "i64")
        needed = w.field(pair, NEED, "call", "i64")
        with w.when(w.equal(w.field(pair, NEED, "partwise", "i64"), 0), holds=not partwise):
            yield needed


def _take_parts(w: TeamWriter, call: _Call, first: Integer, own: Integer) -> None:
    """Claims parts of the call, the thread's own first, and runs them."""
    pieces = w.most(w.div(call.parts, "%team"), 1)
    with w.counted(call.parts) as position:
        place = w.add(first, position)
        inside = w.less(place, call.parts)
        part = w.let(f"select i1 {inside}, i64 {place}, i64 {w.sub(place, call.parts)}")
        slot, piece = w.slot(call.number, part), w.rest(part, pieces)
        share = w.see(w.slot(call.number, w.sub(part, piece)))
        begun = w.let(f"icmp sge i64 {share}, %claimed")
        busy = w.let(f"and i1 {begun}, {w.less(0, piece)}")  # the share's owner, with an earlier piece
        now = w.let(f"or i1 {busy}, {w.less(position, own)}")
        won = w.let(f"call i1 @claim(ptr %ctl, ptr {slot}, i64 %claimed, i1 {now}, ptr %impatient)")
        with w.when(won):
            _run_part(w, call, part, slot)


def _own_parts(w: TeamWriter, call: _Call) -> tuple[Integer, Integer]:
    """(first, how many) of the parts that this thread takes without waiting for another one to come for them."""
    first, last = (w.div(w.mul(thread, call.parts), "%team") for thread in ("%tid", w.add("%tid", 1)))
    bound = w.equal(w.let(f"and i64 {call.flags}, {FREE}"), 0)
    left = w.let(f"and i1 {bound}, %away")
    single = w.let(f"select i1 {left}, i64 0, i64 1")
    return first, w.let(f"select i1 {w.equal(call.parts, 1)}, i64 {single}, i64 {w.sub(last, first)}")


def _run_part(w: TeamWriter, call: _Call, part: Integer, slot: str) -> None:
    """Runs a claimed part as soon as the same part of what it needs is done. That it is done, other threads will see without this
    one waiting until they can; it wakes who sleeps before anything that takes long: the next part, or waiting."""
    w.wake_others()
    with _each_need(w, call, partwise=True) as needed:
        w.line(f"call void @wait_for(ptr %ctl, ptr {w.slot(needed, part)}, i64 %done, ptr %waited, ptr %spare)")
    with w.when("%caller", holds=False):
        w.show("%job", w.control(HELPED), "monotonic")
    work = w.at(w.descriptor("work"), w.mul(w.descriptor("work_bytes", "i64"), "%tid"), "i8")
    flags = w.let(f"and i64 {call.flags}, %watched")
    began = w.let(f"call i64 @begin_part(i64 {flags})")
    arguments = f"i64 {call.number}, ptr %p, ptr %d, ptr %effect, i64 {part}, i64 {call.parts}, ptr {work}, ptr %again"
    code = w.let(f"call i32 {w.descriptor('part')}({arguments})")
    w.line(f"call void @end_part(ptr %desc, i64 {flags}, i64 {began}, i64 {part}, i64 %tid)")
    w.write("i32", code, slot, 8, "i8")
    w.show("%done", slot)


def _end_calls(w: TeamWriter, first: Integer, last: Integer) -> None:
    """Marks these calls as done, so that nobody begins a part of them."""
    with w.loop(first, last) as calls, w.counted(w.descriptor("parts", "i64")) as part:
        w.show("%done", w.slot(calls.index, part))


CLAIM, WALK = _claim(), _walk()
