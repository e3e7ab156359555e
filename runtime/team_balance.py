"""Shares as large as threads are quick. In: nothing; out: LLVM text that times parts of long calls and moves the shares' edges.

Cores differ: another guest of the machine takes a fifth of one of them, for a millisecond or for minutes. A long call that cannot
be cut into pieces, because each would pack the same operand, is cut where both threads are expected to end at once. Each thread
adds up the time that it spends in such parts, and how much of the calls they were; after the job the edges move a quarter of the
way to where the speeds put them. No bit of a result depends on them. In a step without such calls one call whose shares are equal
is timed, and the speeds only say who runs what is not cut (`team_home`).
"""

from __future__ import annotations

from weft.codegen.function_writer import Integer

from .team_layout import NOTE, TIMED, UNEVEN, UNIT_BITS
from .team_writer import TeamWriter

FOLLOW = 0.25
"""How far edges move after one job: a thread that was interrupted once should not count as slow."""
LEAST = 0.5
"""Of the mean speed: nobody counts as slower, so that everybody keeps a share and can be measured again."""


def _begin_part() -> str:
    """The time if parts of the call are timed, else 0."""
    w = TeamWriter()
    flag = w.let(f"and i64 %flags, {UNEVEN | TIMED}")
    w.require(w.equal(flag, 0), "untimed", holds=False)
    w.line(f"ret i64 {w.now()}")
    w.open("untimed")
    w.line("ret i64 0")
    return w.function("internal i64 @begin_part(i64 %flags)")


def _end_part() -> str:
    w = TeamWriter()
    with w.when(w.equal("%began", 0), holds=False):
        took, edges = w.sub(w.now(), "%began"), w.descriptor("edges")
        share = w.sub(w.read("i64", edges, w.add("%part", 1)), w.read("i64", edges, "%part"))
        even = w.equal(w.let(f"and i64 %flags, {UNEVEN}"), 0)
        units = w.let(f"select i1 {even}, i64 {1 << UNIT_BITS}, i64 {share}")
        note = w.note(w.descriptor("notes"), "%tid")
        for name, more in (("time", took), ("units", units)):
            w.write("i64", w.add(w.field(note, NOTE, name, "i64"), more), note, NOTE.index(name))
    w.line("ret void")
    return w.function("internal void @end_part(ptr %desc, i64 %flags, i64 %began, i64 %part, i64 %tid)")


def _balance() -> str:
    """Moves the edges if every thread has been timed, and forgets the times."""
    w = TeamWriter()
    threads, notes = w.descriptor("threads", "i64"), w.descriptor("notes")
    w.require(w.less(0, w.field(notes, NOTE, "time", "i64")), "end")  # the caller's; others' are not looked at in vain
    total = _measure_speeds(w, threads, notes)
    mean = w.let(f"fdiv double {total}, {w.let(f'sitofp i64 {threads} to double')}")
    total = _raise_speeds(w, threads, notes, w.let(f"fmul double {mean}, {LEAST}"))
    w.line(f"call void @choose_home(ptr %desc, double {mean})")
    _move_edges(w, threads, notes, total)
    w.arrive("forget")
    w.line("call void @leave_home(ptr %desc)")
    with w.counted(threads) as i:
        note = w.note(notes, i)
        for name in ("time", "units"):
            w.write("i64", 0, note, NOTE.index(name))
    w.arrive("end")
    w.line("ret void")
    return w.function("internal void @balance(ptr %desc)")


def _measure_speeds(w: TeamWriter, threads: Integer, notes: str) -> str:
    """Writes each thread's speed and returns their sum; goes to ``forget`` if one has done nothing."""
    with w.loop(0, threads, carried=[("double", "0.0")]) as loop:
        note = w.note(notes, loop.index)
        units, time = (w.field(note, NOTE, name, "i64") for name in ("units", "time"))
        for measured in (units, time):
            w.require(w.less(0, measured), "forget")
        done, took = (w.let(f"sitofp i64 {value} to double") for value in (units, time))
        speed = w.let(f"fdiv double {done}, {took}")
        w.write("double", speed, note, NOTE.index("speed"))
        loop.following = [w.let(f"fadd double {loop.carried[0]}, {speed}")]
    return loop.carried[0]


def _raise_speeds(w: TeamWriter, threads: Integer, notes: str, least: str) -> str:
    """Raises speeds to the least that counts, and returns their sum."""
    with w.loop(0, threads, carried=[("double", "0.0")]) as loop:
        note = w.note(notes, loop.index)
        own = w.field(note, NOTE, "speed", "double")
        raised = w.let(f"select i1 {w.let(f'fcmp olt double {own}, {least}')}, double {least}, double {own}")
        w.write("double", raised, note, NOTE.index("speed"))
        loop.following = [w.let(f"fadd double {loop.carried[0]}, {raised}")]
    return loop.carried[0]


def _move_edges(w: TeamWriter, threads: Integer, notes: str, total: str) -> None:
    """Moves each edge between two shares a part of the way to where the speeds put it."""
    edges = w.descriptor("edges")
    with w.loop(0, w.sub(threads, 1), carried=[("double", "0.0")]) as loop:
        speed = w.field(w.note(notes, loop.index), NOTE, "speed", "double")
        upto = w.let(f"fadd double {loop.carried[0]}, {speed}")
        wanted = w.let(f"fmul double {w.let(f'fdiv double {upto}, {total}')}, {float(1 << UNIT_BITS)}")
        place = w.at(edges, w.add(loop.index, 1), "i64")
        edge = w.let(f"sitofp i64 {w.read('i64', place)} to double")
        step = w.let(f"fmul double {w.let(f'fsub double {wanted}, {edge}')}, {FOLLOW}")
        w.write("i64", w.let(f"fptosi double {w.let(f'fadd double {edge}, {step}')} to i64"), place)
        loop.following = [upto]


BALANCE = _begin_part() + _end_part() + _balance()
