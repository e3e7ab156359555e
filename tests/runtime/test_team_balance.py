"""Shares as large as threads are quick: edges move to where threads end together, and change no bit."""

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
from weft.runtime.own_rows import OwnRows, mark_own_rows
from weft.runtime.team import Team, team
from weft.runtime.team_balance import FOLLOW, LEAST
from weft.runtime.team_layout import DESCRIPTOR, FREE, NOTE_BYTES, UNEVEN, UNIT_BITS
from weft.runtime.team_segments import Access, Segment, TeamCall
from weft.runtime.team_step import TeamPlan, print_entry
from weft.runtime.team_text import team_text

pytestmark = pytest.mark.compiles
WHOLE = 1 << UNIT_BITS

# A part takes as many rounds as its share is long, the second thread's share so many times more.
TEXT = f"""
define internal i32 @part(i64 %k, ptr %p, ptr %d, ptr %effect, i64 %t, i64 %parts, ptr %work, ptr %again) {{
entry:
  %desc = load ptr, ptr @descriptor
  %edges.at = getelementptr ptr, ptr %desc, i64 {DESCRIPTOR.index("edges")}
  %edges = load ptr, ptr %edges.at
  %first.at = getelementptr i64, ptr %edges, i64 %t
  %first = load i64, ptr %first.at
  %last.at = getelementptr i64, ptr %first.at, i64 1
  %last = load i64, ptr %last.at
  %share = sub i64 %last, %first
  %own.at = getelementptr i64, ptr %p, i64 %t
  %times = load i64, ptr %own.at
  %rounds = mul i64 %share, %times
  br label %spin
spin:
  %i = phi i64 [ 0, %entry ], [ %i.next, %spin ]
  %seen = load atomic i64, ptr %own.at seq_cst, align 8
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, %rounds
  br i1 %more, label %spin, label %end
end:
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


def edges_of(descriptor: np.ndarray, threads: int) -> np.ndarray:
    """The edges between shares, as the step sees them."""
    address = int(descriptor[DESCRIPTOR.index("edges")])
    return np.ctypeslib.as_array((ctypes.c_int64 * (threads + 1)).from_address(address))


def caught(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The descriptors of steps that are bound from now on."""
    descriptors: list[np.ndarray] = []
    describe = Team.describe

    def describe_and_keep(self: Team, plan: TeamPlan, alone: int) -> np.ndarray:
        descriptors.append(describe(self, plan, alone))
        return descriptors[-1]

    monkeypatch.setattr(Team, "describe", describe_and_keep)
    return descriptors


def run_jobs(jobs: int, monkeypatch: pytest.MonkeyPatch, long: bool) -> list[int]:
    """The edges after so many jobs whose second part is slower than the first, or as soon as they have moved."""
    descriptors = caught(monkeypatch)
    split = Split(1, "n0", repeats=ALWAYS)
    call = TeamCall(ast.Call(ast.Name("part"), [], []), None, split, (), long=long)
    assert team.start(2)
    run = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(team.load(TEXT, TeamPlan(segments=[Segment([call])]), 0, {}))
    times, edges = np.array([100, 180], np.int64), edges_of(descriptors[-1], 2)
    while team.counters()["jobs"] < jobs and edges[1] == WHOLE // 2:
        assert run(times.ctypes.data, None, None) == 0
    return edges.tolist()


def test_edges_of_long_calls_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where to depends on what else the machine does; that both parts take equally long, to the nanosecond, does not happen."""
    first, edge, last = run_jobs(500, monkeypatch, long=True)
    assert (first, last) == (0, WHOLE) and 0 < edge < WHOLE and edge != WHOLE // 2


def test_edges_of_short_calls_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_jobs(3, monkeypatch, long=False) == [0, WHOLE // 2, WHOLE]


@pytest.fixture(scope="module")
def native() -> Callable[..., int]:
    """``(descriptor, flags, part, thread, whether the job is over)``: what is done around a part, or behind a job."""
    text = f"""{team_text(target_triple(), time.CLOCK_MONOTONIC)}
define i32 @weft_balance_test(ptr %desc, i64 %flags, i64 %part, i64 %tid, i64 %over) {{
  %job = icmp ne i64 %over, 0
  br i1 %job, label %end, label %part.run
part.run:
  %began = call i64 @begin_part(i64 %flags)
  call void @end_part(ptr %desc, i64 %flags, i64 %began, i64 %part, i64 %tid)
  ret i32 0
end:
  call void @balance(ptr %desc)
  ret i32 0
}}"""
    address = engine.keep(compile_text(text, vectorize=False), "weft_balance_test", None)
    return ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, *[ctypes.c_int64] * 4)(address)


def describe_threads(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(descriptor, edges, notes: a row of nanoseconds and units for each thread)"""
    edges = np.arange(count + 1, dtype=np.int64) * WHOLE // count
    notes = np.zeros((count, NOTE_BYTES // 8), np.int64)
    values = {"threads": count, "edges": edges.ctypes.data, "notes": notes.ctypes.data}
    return np.array([values.get(name, 0) for name in DESCRIPTOR], np.uint64), edges, notes


def test_only_parts_of_uneven_calls_are_timed(native: Callable[..., int]) -> None:
    descriptor, edges, notes = describe_threads(2)
    edges[1] = 20000
    for flags in (0, UNEVEN, FREE, UNEVEN | FREE):
        native(descriptor.ctypes.data, flags, 1, 0, 0)
    assert notes[0, 0] > 0 and notes[0, 1] == 2 * (WHOLE - 20000)
    assert not notes[1].any()


@pytest.mark.parametrize(
    ("times", "units", "shares"),
    [
        ((100, 150), (1, 1), (0.6, 0.4)),
        ((100, 100, 50), (2, 1, 1), (0.4, 0.2, 0.4)),
        ((1, 1000), (1, 1), (1 - LEAST / (2 + LEAST), LEAST / (2 + LEAST))),
    ],
)
def test_edges_follow_speeds(
    times: tuple[int, ...], units: tuple[int, ...], shares: tuple[float, ...], native: Callable[..., int]
) -> None:
    """A part of the way at once, and in the end all of it; nobody counts as slower than half of the mean."""
    descriptor, edges, notes = describe_threads(len(times))
    wanted, before = np.cumsum((0, *shares)) * WHOLE, edges.copy()
    for jobs in range(40):
        notes[:, 0], notes[:, 1] = np.array(times) * 10**6, units
        native(descriptor.ctypes.data, 0, 0, 0, 1)
        if jobs == 0:
            np.testing.assert_allclose(edges, before + FOLLOW * (wanted - before), atol=70)
    np.testing.assert_allclose(edges, wanted, atol=70)
    assert not notes[:, :2].any()


def test_a_job_that_one_thread_did_not_help_with_moves_nothing(native: Callable[..., int]) -> None:
    descriptor, edges, notes = describe_threads(2)
    notes[0, :2] = 100, WHOLE
    native(descriptor.ctypes.data, 0, 0, 0, 1)
    assert edges.tolist() == [0, WHOLE // 2, WHOLE] and not notes[:, :2].any()


@pytest.mark.parametrize("edges", [(0, WHOLE), (WHOLE // 3, WHOLE), (WHOLE - 5, WHOLE), (0, 7)])
@pytest.mark.parametrize("rows", [7, 300])
def test_edges_change_no_bit(rows: int, edges: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer whose product packs an operand in every part, and what reads it part by part; three threads."""
    descriptors = caught(monkeypatch)
    monkeypatch.setattr(frame, "choose_calls", lambda program, dims: frozenset(range(100) if config.intra_op_threads > 1 else ()))
    monkeypatch.setattr(frame, "choose_long", lambda program, dims, calls: calls)
    random = np.random.default_rng(3)
    w, v = (weft.constant(random.normal(size=s).astype(np.float32)) for s in ((1100, 200), (200, 70)))
    x = weft.constant(random.normal(size=(rows, 1100)).astype(np.float32))
    outputs = []
    for threads in (1, 3):
        config.intra_op_threads = threads
        step = weft.function(lambda x: weft.matmul(weft.nn.relu(weft.matmul(x, w)) * 2.0, v))
        step(x)
        if threads > 1:
            edges_of(descriptors[-1], 3)[1:3] = edges
        outputs.append(step(x).numpy())
    np.testing.assert_array_equal(outputs[1], outputs[0])


def test_what_is_long_and_whole_is_uneven() -> None:
    node = ast.Call(ast.Name("kernel"), [], [])
    facts = [(ALWAYS, True), (ALWAYS, False), ("", True)]
    calls = [TeamCall(node, None, Split(1, "n0", repeats=repeats), (), long=long) for repeats, long in facts]
    assert [Segment([c]).uneven for c in calls] == [True, False, False]
    assert not Segment([TeamCall(node, None, None, (), long=True)]).uneven


def test_who_has_gathered_its_own_columns_keeps_its_share() -> None:
    """Else a thread would read columns that only another one has."""
    reads = Access(("input", 0), False, None, columns=(0, 4, 8))
    node = ast.Call(ast.Name("kernel"), [], [])
    call = TeamCall(node, None, Split(1, "n0", repeats=ALWAYS), (reads,), long=True)
    own = OwnRows({0: ((0, 16), (16, 32))}, 1, {0: 0}, 0)
    gather, marked = mark_own_rows([call], own)
    assert Segment([call]).uneven and not Segment([marked]).uneven and not Segment([gather]).uneven
