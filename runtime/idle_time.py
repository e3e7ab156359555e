"""What threads of the team do while they wait for one another. In: nothing; out: LLVM text of ``spend`` and its companions.

A step may offer a function that does a little work for later: ``i64 fetch(ptr p, i64 thread, i64 cursor)`` returns the next
cursor, or -1 when there is nothing left. It touches memory of the step, which only lasts while the step runs. So a thread first
raises a flag and then looks whether what it waits for is still undone; the caller's thread ends the step when all is done and no
flag is up. One of the two sees the other, as both are in one order of all threads.
"""

from __future__ import annotations

from .team_layout import NOTE
from .team_writer import TeamWriter

SPARE = ("cursor", "fetch", "p", "thread", "flag")
"""The int64 fields of what a thread has to do in spare time. flag: the address of its flag; 0 for the caller's thread."""
_LOOKS = 1024
"""So often the caller's thread looks at a flag before it offers its core."""


def _flag(w: TeamWriter, notes: str, thread: str) -> str:
    """The address of a thread's flag, which only it writes while a step runs."""
    return w.at(w.note(notes, thread), NOTE.index("flag"), "i64")


def _offer_time() -> str:
    w = TeamWriter()
    fetch = w.descriptor("fetch")
    cursor = w.let(f"select i1 {w.is_null(fetch)}, i64 -1, i64 0")
    own = _flag(w, w.descriptor("notes"), "%tid")
    flag = w.let(f"select i1 {w.equal('%tid', 0)}, ptr null, ptr {own}")
    values = (("i64", cursor), ("ptr", fetch), ("ptr", "%p"), ("i64", "%tid"), ("ptr", flag))
    for i, (kind, value) in enumerate(values):
        w.write(kind, value, "%spare", i)
    w.line("ret void")
    return w.function("internal void @offer_time(ptr %spare, ptr %desc, ptr %p, i64 %tid)")


def _spend() -> str:
    w = TeamWriter()
    w.require(w.is_null("%spare"), "end", holds=False)
    cursor = w.field("%spare", SPARE, "cursor", "i64")
    w.require(w.less(cursor, 0), "end", holds=False)
    fetch, p, flag = (w.field("%spare", SPARE, name) for name in ("fetch", "p", "flag"))
    thread = w.field("%spare", SPARE, "thread", "i64")
    caller = w.is_null(flag)
    with w.when(caller, holds=False):
        w.exchange(flag, 1)
        w.require(w.less(w.see("%word", "seq_cst"), "%target"), "lower")
    following = w.let(f"call i64 {fetch}(ptr {p}, i64 {thread}, i64 {cursor})")
    w.write("i64", following, "%spare", SPARE.index("cursor"))
    w.fork(caller, "end", "lower")
    w.open("lower")
    w.show(0, flag)
    w.arrive("end")
    w.line("ret void")
    return w.function("internal void @spend(ptr %spare, ptr %word, i64 %target)")


def _wait_for_idlers() -> str:
    w = TeamWriter()
    notes, threads = w.descriptor("notes"), w.descriptor("threads", "i64")
    with w.when(w.is_null(w.descriptor("fetch")), holds=False), w.loop(1, threads) as loop:
        flag = _flag(w, notes, loop.index)
        with w.endless() as (rounds, lowered):
            w.require(w.equal(w.see(flag, "seq_cst"), 0), lowered, holds=False)
            w.line("call void @relax()")
            with w.every(_LOOKS, rounds):
                w.let("call i32 @sched_yield()")
    w.line("ret void")
    return w.function("internal void @wait_for_idlers(ptr %desc)")


SPEND = _offer_time() + _spend() + _wait_for_idlers()
