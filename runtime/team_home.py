"""Which thread runs what is not cut. In: nothing; out: LLVM text that moves the calls of one thread to the quickest one.

Small arrays should stay in one core's cache, so all calls that are not cut belong to one thread. The caller's is as good as any,
but another guest of the machine takes a third of one core and not of the other, for seconds at a time. The speeds that
`team_balance` measures tell: who is clearly quicker over many jobs has these calls from then on. No bit of a result depends on
that.
"""

from __future__ import annotations

from .team_balance import NOTE_BYTES, SPEED
from .team_layout import DESCRIPTOR

USUAL = 32  # offset in a thread's notes
FOLLOW = 1 / 16
"""How far a usual speed moves with each job: the arrays of calls that move are fetched anew, which costs some 20 microseconds."""
QUICKER = 1.1
"""How much quicker than the one who has the calls another thread must be to get them."""

HOME = f"""
define internal void @choose_home(ptr %desc, double %mean) {{
entry:
  %threads = call i64 @field(ptr %desc, i64 {DESCRIPTOR.index("threads")})
  %notes = call ptr @address(ptr %desc, i64 {DESCRIPTOR.index("notes")})
  %home = call i64 @field(ptr %desc, i64 {DESCRIPTOR.index("home")})
  br label %one
one:
  %i = phi i64 [ 0, %entry ], [ %i.next, %one ]
  %best = phi i64 [ 0, %entry ], [ %best.next, %one ]
  %most = phi double [ 0.0, %entry ], [ %most.next, %one ]
  %own = phi double [ 0.0, %entry ], [ %own.next, %one ]
  %offset = mul i64 %i, {NOTE_BYTES}
  %note = getelementptr i8, ptr %notes, i64 %offset
  %speed.at = getelementptr i8, ptr %note, i64 {SPEED}
  %speed = load double, ptr %speed.at
  %usual.at = getelementptr i8, ptr %note, i64 {USUAL}
  %known = load double, ptr %usual.at
  %new = fcmp oeq double %known, 0.0
  %before = select i1 %new, double %mean, double %known
  %far = fsub double %speed, %before
  %step = fmul double %far, {FOLLOW}
  %usual = fadd double %before, %step
  store double %usual, ptr %usual.at
  %more.speed = fcmp ogt double %usual, %most
  %most.next = select i1 %more.speed, double %usual, double %most
  %best.next = select i1 %more.speed, i64 %i, i64 %best
  %is.home = icmp eq i64 %i, %home
  %own.next = select i1 %is.home, double %usual, double %own
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %threads
  br i1 %more, label %one, label %compare
compare:
  %least = fmul double %own.next, {QUICKER}
  %quicker = fcmp ogt double %most.next, %least
  br i1 %quicker, label %move, label %end
move:
  %home.at = getelementptr i64, ptr %desc, i64 {DESCRIPTOR.index("home")}
  store i64 %best.next, ptr %home.at
  br label %end
end:
  ret void
}}
"""
