"""Who runs what is not cut: the thread that is clearly quicker, over many jobs; and no bit depends on it."""

from __future__ import annotations

import ast
import ctypes
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import weft
from weft.codegen.contract_parts import ALWAYS
from weft.codegen.program import Split
from weft.runtime import frame
from weft.runtime.config import config
from weft.runtime.engine import compile_text, engine
from weft.runtime.host import target_triple
from weft.runtime.team import Team, team
from weft.runtime.team_home import FOLLOW, QUICKER
from weft.runtime.team_layout import CALL, DESCRIPTOR, NOTE_BYTES, TIMED, UNEVEN, UNIT_BITS
from weft.runtime.team_segments import MANY, Segment, TeamCall
from weft.runtime.team_step import TeamPlan, print_entry
from weft.runtime.team_text import team_text

pytestmark = pytest.mark.compiles
HOME = DESCRIPTOR.index("home")
NODE = ast.Call(ast.Name("part"), [], [])

# Each part writes where its thread's stack is: a cut call's parts into the first words, the call that is not cut into the third.
TEXT = f"""
define internal i32 @part(i64 %k, ptr %p, ptr %d, ptr %effect, i64 %t, i64 %parts, ptr %work, ptr %again) {{
  %here = alloca i64
  %two = mul i64 %k, 2
  %place = add i64 %two, %t
  %at = getelementptr ptr, ptr %p, i64 %place
  store ptr %here, ptr %at
  ret i32 0
}}

define internal i32 @alone(ptr %p, ptr %d, ptr %effect) {{
  ret i32 0
}}
{print_entry("alone")}"""


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config, "team_delay", 0)
    monkeypatch.setattr(config, "intra_op_threads", 2)
    yield
    team.stop()


@pytest.fixture
def descriptors(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The descriptors of steps that are bound from now on."""
    kept: list[np.ndarray] = []
    describe = Team.describe

    def describe_and_keep(self: Team, plan: TeamPlan, alone: int) -> np.ndarray:
        kept.append(describe(self, plan, alone))
        return kept[-1]

    monkeypatch.setattr(Team, "describe", describe_and_keep)
    return kept


@pytest.fixture(scope="module")
def end_job() -> Callable[[int], int]:
    """What is done behind a job."""
    text = f"""{team_text(target_triple(), time.CLOCK_MONOTONIC)}
define i32 @weft_home_test(ptr %desc) {{
  call void @balance(ptr %desc)
  ret i32 0
}}"""
    return ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(
        engine.keep(compile_text(text, vectorize=False), "weft_home_test", None)
    )


class Jobs:
    """A step of so many threads without calls, whose times are given."""

    def __init__(self, end_job: Callable[[int], int], threads: int) -> None:
        self.end_job, self.notes = end_job, np.zeros((threads, NOTE_BYTES // 8), np.int64)
        self.edges = np.arange(threads + 1, dtype=np.int64) * (1 << UNIT_BITS) // threads
        values = {"threads": threads, "edges": self.edges.ctypes.data, "notes": self.notes.ctypes.data}
        self.descriptor = np.array([values.get(name, 0) for name in DESCRIPTOR], np.uint64)

    def run(self, times: tuple[int, ...], jobs: int) -> list[int]:
        """Where home is after each of so many jobs in which threads took so long."""
        homes = []
        for _ in range(jobs):
            self.notes[:, 0], self.notes[:, 1] = times, 1 << UNIT_BITS
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


def cut(granules: int | None, *, repeats: str = "", long: bool = False) -> TeamCall:
    return TeamCall(NODE, None, Split(1, "n0", repeats=repeats), (), long=long, granules=granules)


def test_speeds_are_told_by_equal_shares() -> None:
    equal = [cut(2), cut(0), cut(2 * MANY + 1)]
    assert all(Segment([c]).tells_speeds(2) for c in equal) and Segment([*equal]).tells_speeds(2)
    unequal = [cut(None), cut(2 * MANY - 1), cut(2, long=True), cut(2, repeats=ALWAYS, long=True)]
    assert not any(Segment([c]).tells_speeds(2) for c in [*unequal, TeamCall(NODE, None, None, (), granules=2)])
    assert not Segment([cut(2), cut(None)]).tells_speeds(2)


def flags(calls: list[TeamCall]) -> list[int]:
    """Which of these calls are timed, and how."""
    plan = TeamPlan(segments=[Segment([c]) for c in calls])
    descriptor = team.describe(plan, 0)
    address = int(descriptor[DESCRIPTOR.index("table")])
    table = np.ctypeslib.as_array((ctypes.c_int64 * (len(calls) * len(CALL))).from_address(address))
    return [int(f) & (TIMED | UNEVEN) for f in table[1 :: len(CALL)]]


def test_one_call_is_timed_if_none_has_uneven_shares() -> None:
    assert flags([cut(None), cut(2), cut(2)]) == [0, TIMED, 0]
    assert flags([cut(2), cut(2, repeats=ALWAYS, long=True)]) == [0, UNEVEN]


@pytest.mark.parametrize("home", [0, 1])
def test_calls_that_are_not_cut_run_at_home(home: int, descriptors: list[np.ndarray]) -> None:
    """Unless its thread does not come."""
    assert team.start(2)
    whole = TeamCall(NODE, None, None, ())
    calls = [cut(2), whole, cut(2)]  # behind the last one that is cut, anybody may take them
    plan = TeamPlan(segments=[Segment([c], [(i - 1, False)] if i else []) for i, c in enumerate(calls)])
    run = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(team.load(TEXT, plan, 0, {}))
    stacks, seen = np.zeros(6, np.int64), 0
    until = time.monotonic() + 20
    while seen < 20 and time.monotonic() < until:
        before = team.counters()
        descriptors[-1][HOME] = home
        assert run(stacks.ctypes.data, None, None) == 0
        after = team.counters()
        if after["stolen"] == before["stolen"] and after["jobs"] > before["jobs"] and stacks[0] != stacks[1]:
            assert stacks[2] == stacks[home]
            seen += 1
    assert seen == 20


def test_home_changes_no_bit(descriptors: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
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
                descriptors[-1][HOME] = home
            outputs.append(step(x).numpy())
    np.testing.assert_array_equal(outputs[1], outputs[0])
    np.testing.assert_array_equal(outputs[2], outputs[0])
