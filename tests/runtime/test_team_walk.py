"""Whom a part is left to: a thread waits for the owner of a call that is not cut, but not where whoever comes first takes it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from weft.runtime.config import config
from weft.runtime.team import team
from weft.runtime.team_segments import Segment

sys.path.insert(0, str(Path(__file__).parent))
from team_jobs import AWAIT, PART, cut, load_job, whole

pytestmark = [pytest.mark.compiles, pytest.mark.usefixtures("thread_team")]

# The words of p: whether the caller's part of the first call has begun, and whether the second call has run, which is not cut.
# That part ends when the second call has run, so only the other thread can take this; its own part ends when the caller's has
# begun, so there is nothing else to take. Code 1: that took longer than a few seconds.
TEXT = f"""{AWAIT}
{PART} {{
entry:
  %ran = getelementptr i64, ptr %p, i64 1
  %first = icmp eq i64 %k, 0
  br i1 %first, label %cut, label %whole
cut:
  %caller = icmp eq i64 %t, 0
  br i1 %caller, label %begin, label %follow
begin:
  store atomic i64 1, ptr %p seq_cst, align 8
  %taken = call i1 @await(ptr %ran, i64 1)
  br i1 %taken, label %done, label %never
follow:
  %begun = call i1 @await(ptr %p, i64 1)
  br i1 %begun, label %done, label %never
whole:
  store atomic i64 1, ptr %ran seq_cst, align 8
  br label %done
done:
  ret i32 0
never:
  ret i32 1
}}
"""


@pytest.mark.parametrize("free", [True, False])
def test_a_free_call_is_not_left_to_its_owner(free: bool) -> None:
    """Who comes first takes it at once; any other call counts as taken over, after its owner had time to come."""
    config.intra_op_threads = 2
    assert team.start(2)
    job = load_job(TEXT, [Segment([cut()]), Segment([whole()], free=free)])
    for jobs in range(1, 4):
        assert job(np.zeros(2, np.int64)) == 0
        assert team.counters()["stolen"] == (0 if free else jobs)


# The caller's part of the first call takes some milliseconds; that of the second waits for the other part, whose thread must have
# been woken for it. The second word of p is set if it was not within a few seconds.
SLEEPS = f"""{AWAIT}
{PART} {{
entry:
  %first = icmp eq i64 %k, 0
  %caller = icmp eq i64 %t, 0
  br i1 %first, label %long, label %second
long:
  br i1 %caller, label %spin, label %done
spin:
  %i = phi i64 [ 0, %long ], [ %i.next, %spin ]
  %seen = load atomic i64, ptr %p seq_cst, align 8
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, 8000000
  br i1 %more, label %spin, label %done
second:
  br i1 %caller, label %follow, label %come
come:
  store atomic i64 1, ptr %p seq_cst, align 8
  br label %done
follow:
  %came = call i1 @await(ptr %p, i64 1)
  br i1 %came, label %done, label %never
done:
  ret i32 0
never:
  %late = getelementptr i64, ptr %p, i64 1
  store i64 1, ptr %late
  ret i32 0
}}
"""


def test_who_sleeps_within_a_job_is_woken_before_the_next_part_begins() -> None:
    config.intra_op_threads = 2
    assert team.start(2)
    job = load_job(SLEEPS, [Segment([cut()]), Segment([cut()], [(0, False)])])
    until = time.monotonic() + 20
    while team.counters()["sleeps"] < 3 and time.monotonic() < until:
        words = np.zeros(2, np.int64)
        job(words)
        assert not words[1]
    assert team.counters()["sleeps"] >= 3
