"""Who runs what is not cut: the thread that is clearly quicker, over many jobs; and no bit depends on it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.codegen.contract_parts import ALWAYS
from weft.graph.record import replace
from weft.runtime import frame
from weft.runtime.config import config
from weft.runtime.plan_team import TeamPlan
from weft.runtime.team import team
from weft.runtime.team_home import FOLLOW, QUICKER, SAMPLED
from weft.runtime.team_layout import CALL, DESCRIPTOR, NOTE, NOTE_BYTES, TIMED, UNEVEN
from weft.runtime.team_segments import MANY, Segment, TeamCall

sys.path.insert(0, str(Path(__file__).parent))
from team_jobs import ALONE, PART, WHOLE, KnownStep, Threads, cut, load_job, load_team_function, table_of, whole

pytestmark = pytest.mark.compiles
HOME = DESCRIPTOR.index("home")
LONG = cut(repeats=ALWAYS, long=True, granules=2)

# Each part writes where its thread's stack is: a cut call's parts into the first words, the call that is not cut into the third.
TEXT = f"""
{PART} {{
  %here = alloca i64
  %two = mul i64 %k, 2
  %place = add i64 %two, %t
  %at = getelementptr ptr, ptr %p, i64 %place
  store ptr %here, ptr %at
  ret i32 0
}}
"""
PARTS_OF_NOTHING = f"{PART} {{\n  ret i32 0\n}}\n"


@pytest.fixture(autouse=True)
def two_threads(thread_team: None) -> None:
    config.intra_op_threads = 2


@pytest.fixture(scope="module")
def end_job() -> Callable[[int], int]:
    """What is done behind a job."""
    text = "define i32 @weft_home_test(ptr %desc) {\n  call void @balance(ptr %desc)\n  ret i32 0\n}"
    return load_team_function("weft_home_test", text)


class Jobs(Threads):
    """A step of so many threads without calls, whose times are given."""

    def __init__(self, end_job: Callable[[int], int], threads: int) -> None:
        super().__init__(threads)
        self.end_job = end_job

    def run(self, times: tuple[int, ...], jobs: int) -> list[int]:
        """Where home is after each of so many jobs in which threads took so long; 0: a thread did nothing."""
        homes = []
        for _ in range(jobs):
            self.note(times, [WHOLE * (t > 0) for t in times])
            self.end_job(self.descriptor.ctypes.data)
            homes.append(int(self.descriptor[HOME]))
        return homes


def test_the_quickest_thread_gets_the_calls(end_job: Callable[[int], int]) -> None:
    jobs = Jobs(end_job, 3)
    homes = jobs.run((35_000, 36_000, 26_000), 100)
    assert homes[0] == 0 and homes[-1] == 2 and homes == sorted(homes), "over many jobs, and once"
    homes = jobs.run((35_000, 26_000, 36_000), 100)
    assert homes[0] == 2 and homes[-1] == 1


def test_a_little_quicker_is_not_enough(end_job: Callable[[int], int]) -> None:
    slow = 30_000
    quick = int(slow / QUICKER) + 200
    assert not any(Jobs(end_job, 2).run((slow, quick), 500))
    assert Jobs(end_job, 2).run((slow, quick - 400), 500)[-1] == 1


def test_one_interrupted_job_is_not_enough(end_job: Callable[[int], int]) -> None:
    """Nobody counts as slower than half of the mean, and one job for a sixteenth."""
    jobs = Jobs(end_job, 2)
    jobs.run((30_000, 30_000), 50)
    assert FOLLOW * 0.5 < QUICKER - 1 and jobs.run((10_000_000, 30_000), 1) == [0]


def test_who_did_nothing_loses_the_calls(end_job: Callable[[int], int]) -> None:
    """And gets them back as soon as it comes."""
    jobs = Jobs(end_job, 3)
    assert jobs.run((35_000, 36_000, 26_000), 100)[-1] == 2
    assert jobs.run((35_000, 0, 26_000), 1) == [2]
    assert jobs.run((35_000, 36_000, 0), 2) == [0, 0]
    assert jobs.run((35_000, 36_000, 26_000), 1) == [2]


def test_a_smaller_team_does_not_wait_for_a_thread_that_it_has_no_more(team_steps: list[KnownStep]) -> None:
    config.intra_op_threads = 3
    assert team.start(3)
    calls = [cut(granules=3), whole(), cut(granules=3)]
    run = load_job(PARTS_OF_NOTHING, [Segment([c], [(i - 1, False)] if i else []) for i, c in enumerate(calls)])
    descriptor, until = team_steps[-1].descriptor, time.monotonic() + 20
    descriptor[HOME] = 2
    assert team.start(2)
    while descriptor[HOME] and time.monotonic() < until:
        assert run(np.zeros(6, np.int64)) in (0, ALONE)
    assert descriptor[HOME] == 0


def test_speeds_are_told_by_equal_shares() -> None:
    equal = [cut(granules=n) for n in (2, 0, 2 * MANY + 1)]
    assert all(Segment([c]).tells_speeds(2) for c in equal) and Segment([*equal]).tells_speeds(2)
    unequal = [cut(), cut(granules=2 * MANY - 1), cut(granules=2, long=True), LONG]
    assert not any(Segment([c]).tells_speeds(2) for c in [*unequal, replace(whole(), granules=2)])
    assert not Segment([cut(granules=2), cut()]).tells_speeds(2)


def flags(calls: list[TeamCall]) -> list[int]:
    """Which of these calls are timed, and how."""
    plan = TeamPlan(segments=[Segment([c]) for c in calls])
    descriptor, memory = team.describe(plan, 0)
    table = table_of(descriptor, "table", len(calls) * len(CALL))
    return [int(f) & (TIMED | UNEVEN) for f in table[CALL.index("flags") :: len(CALL)] if memory]


def test_one_call_is_timed_if_none_has_uneven_shares() -> None:
    assert flags([cut(), cut(granules=2), cut(granules=2)]) == [0, TIMED, 0]
    assert flags([cut(granules=2), LONG]) == [0, UNEVEN]


@pytest.mark.parametrize("home", [0, 1])
def test_calls_that_are_not_cut_run_at_home(home: int, team_steps: list[KnownStep]) -> None:
    """Unless its thread does not come."""
    assert team.start(2)
    calls = [cut(granules=2), whole(), cut(granules=2)]  # behind the last one that is cut, anybody may take them
    run = load_job(TEXT, [Segment([c], [(i - 1, False)] if i else []) for i, c in enumerate(calls)])
    stacks, seen = np.zeros(6, np.int64), 0
    until = time.monotonic() + 20
    while seen < 20 and time.monotonic() < until:
        before = team.counters()
        team_steps[-1].descriptor[HOME] = home
        assert run(stacks) in (0, ALONE)
        after = team.counters()
        if after["stolen"] == before["stolen"] and after["jobs"] > before["jobs"] and stacks[0] != stacks[1]:
            assert stacks[2] == stacks[home]
            seen += 1
    assert seen == 20


def test_few_jobs_are_timed(team_steps: list[KnownStep]) -> None:
    assert team.start(2)
    job, words = load_job(TEXT, [Segment([cut(granules=2)])]), np.zeros(2, np.int64)
    notes = table_of(team_steps[-1].descriptor, "notes", 2 * NOTE_BYTES // 8)
    usual, changes, until = NOTE.index("usual"), 0, time.monotonic() + 20
    start = team.counters()["jobs"]
    while changes < 5 and time.monotonic() < until:
        before = notes[usual]
        job(words)
        changes += int(notes[usual] != before)
    assert changes == 5 and team.counters()["jobs"] - start > 4 * SAMPLED


def test_home_changes_no_bit(team_steps: list[KnownStep], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "choose_calls", lambda program, dims: frozenset(range(2) if config.intra_op_threads > 1 else ()))
    random = np.random.default_rng(3)
    w, v = (weft.constant(random.normal(size=s).astype(np.float32)) for s in ((300, 200), (200, 70)))
    x = weft.constant(random.normal(size=(64, 300)).astype(np.float32))
    outputs = []
    for threads in (1, 2):
        config.intra_op_threads = threads
        step = weft.function(lambda x: weft.reduce_sum(weft.matmul(weft.nn.relu(weft.matmul(x, w)) * 2.0, v), axis=0))
        for home in range(threads):
            step(x)
            if threads > 1:
                team_steps[-1].descriptor[HOME] = home
            outputs.append(step(x).numpy())
    np.testing.assert_array_equal(outputs[1], outputs[0])
    np.testing.assert_array_equal(outputs[2], outputs[0])
