"""Which thread runs what is not cut. In: nothing; out: LLVM text that moves the calls of one thread to the quickest one.

Small arrays should stay in one core's cache, so all calls that are not cut belong to one thread. The caller's is as good as any,
but another guest of the machine takes a third of one core and not of the other, for seconds at a time. The speeds that
`team_balance` measures tell: who is clearly quicker over many jobs has these calls from then on. Who had no part in a job that
was timed loses them, to the caller's thread: the team may have been made smaller. No bit of a result depends on that.
"""

from __future__ import annotations

from .team_layout import DESCRIPTOR, NOTE
from .team_writer import TeamWriter

FOLLOW = 1 / 16
"""How far a usual speed moves with each job that is timed: the arrays of calls that move are fetched anew, which costs some 20
microseconds."""
SAMPLED = 8
"""One job of so many is timed: looking at clocks and at what other threads wrote down takes a quarter of a microsecond."""
QUICKER = 1.1
"""How much quicker than the one who has the calls another thread must be to get them."""


def _choose_home() -> str:
    w = TeamWriter()
    notes, home = w.descriptor("notes"), w.descriptor("home", "i64")
    start = (("i64", "0"), ("double", "0.0"), ("double", "0.0"))
    with w.loop(0, w.descriptor("threads", "i64"), carried=start) as loop:
        quickest, most, own = loop.carried
        usual = _usual_speed(w, w.note(notes, loop.index))
        more = w.let(f"fcmp ogt double {usual}, {most}")
        quickest = w.let(f"select i1 {more}, i64 {loop.index}, i64 {quickest}")
        most = w.let(f"select i1 {more}, double {usual}, double {most}")
        own = w.let(f"select i1 {w.equal(loop.index, home)}, double {usual}, double {own}")
        loop.following = [quickest, most, own]
    quickest, most, own = loop.carried
    with w.when(w.let(f"fcmp ogt double {most}, {w.let(f'fmul double {own}, {QUICKER}')}")):
        w.write("i64", quickest, "%desc", DESCRIPTOR.index("home"))
    w.line("ret void")
    return w.function("internal void @choose_home(ptr %desc, double %mean)")


def _leave_home() -> str:
    """Takes the calls from a thread that did nothing: without it speeds are not compared, and everybody would go on waiting for
    it before each call."""
    w = TeamWriter()
    note = w.note(w.descriptor("notes"), w.descriptor("home", "i64"))
    with w.when(w.equal(w.field(note, NOTE, "units", "i64"), 0)):
        w.write("i64", 0, "%desc", DESCRIPTOR.index("home"))
    w.line("ret void")
    return w.function("internal void @leave_home(ptr %desc)")


def _usual_speed(w: TeamWriter, note: str) -> str:
    """Moves a thread's usual speed towards that of the last job; at first it is the mean of all threads."""
    speed, known = (w.field(note, NOTE, name, "double") for name in ("speed", "usual"))
    before = w.let(f"select i1 {w.let(f'fcmp oeq double {known}, 0.0')}, double %mean, double {known}")
    step = w.let(f"fmul double {w.let(f'fsub double {speed}, {before}')}, {FOLLOW}")
    usual = w.let(f"fadd double {before}, {step}")
    w.write("double", usual, note, NOTE.index("usual"))
    return usual


HOME = _choose_home() + _leave_home()
