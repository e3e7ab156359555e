"""Shares as large as threads are quick: edges move to where threads end together, and change no bit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.codegen.contract_parts import ALWAYS
from weft.graph.record import replace
from weft.runtime.config import config
from weft.runtime.own_rows import OwnRows, mark_own_rows
from weft.runtime.team import team
from weft.runtime.team_balance import FOLLOW, LEAST
from weft.runtime.team_layout import DESCRIPTOR, FREE, UNEVEN
from weft.runtime.team_segments import Access, Segment

sys.path.insert(0, str(Path(__file__).parent))
from team_jobs import ALONE, PART, WHOLE, KnownStep, Threads, cut, load_job, load_team_function, table_of, whole

pytestmark = pytest.mark.compiles

# A part takes as many rounds as its share is long, the second thread's share so many times more.
TEXT = f"""
{PART} {{
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
"""


@pytest.fixture(autouse=True)
def two_threads(thread_team: None) -> None:
    config.intra_op_threads = 2


def run_jobs(jobs: int, team_steps: list[KnownStep], long: bool) -> list[int]:
    """The edges after so many jobs whose second part is slower than the first, or as soon as they have moved."""
    assert team.start(2)
    run = load_job(TEXT, [Segment([cut(repeats=ALWAYS, long=long)])])
    times, edges = np.array([100, 180], np.int64), table_of(team_steps[-1].descriptor, "edges", 3)
    while team.counters()["jobs"] < jobs and edges[1] == WHOLE // 2:
        assert run(times) in (0, ALONE)
    return edges.tolist()


def test_edges_of_long_calls_move(team_steps: list[KnownStep]) -> None:
    """Where to depends on what else the machine does; that both parts take equally long, to the nanosecond, does not happen."""
    first, edge, last = run_jobs(500, team_steps, long=True)
    assert (first, last) == (0, WHOLE) and 0 < edge < WHOLE and edge != WHOLE // 2


def test_edges_of_short_calls_do_not(team_steps: list[KnownStep]) -> None:
    assert run_jobs(3, team_steps, long=False) == [0, WHOLE // 2, WHOLE]


@pytest.fixture(scope="module")
def native() -> Callable[..., int]:
    """``(descriptor, flags, part, thread, whether the job is over)``: what is done around a part, or behind a job."""
    return load_team_function("weft_balance_test", """
define i32 @weft_balance_test(ptr %desc, i64 %flags, i64 %part, i64 %tid, i64 %over) {
  %job = icmp ne i64 %over, 0
  br i1 %job, label %end, label %part.run
part.run:
  %began = call i64 @begin_part(i64 %flags)
  call void @end_part(ptr %desc, i64 %flags, i64 %began, i64 %part, i64 %tid)
  ret i32 0
end:
  call void @balance(ptr %desc)
  ret i32 0
}""", 4)  # fmt: skip


def test_only_parts_of_uneven_calls_are_timed(native: Callable[..., int]) -> None:
    threads = Threads(2)
    threads.edges[1] = 20000
    for flags in (0, UNEVEN, FREE, UNEVEN | FREE):
        native(threads.descriptor.ctypes.data, flags, 1, 0, 0)
    notes = threads.notes
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
    threads = Threads(len(times))
    edges, wanted, before = threads.edges, np.cumsum((0, *shares)) * WHOLE, threads.edges.copy()
    for jobs in range(40):
        threads.note([t * 10**6 for t in times], units)
        native(threads.descriptor.ctypes.data, 0, 0, 0, 1)
        if jobs == 0:
            np.testing.assert_allclose(edges, before + FOLLOW * (wanted - before), atol=70)
    np.testing.assert_allclose(edges, wanted, atol=70)
    assert not threads.notes[:, :2].any()


def test_a_job_that_one_thread_did_not_help_with_moves_nothing(native: Callable[..., int]) -> None:
    threads = Threads(2)
    threads.note((100, 0), (WHOLE, 0))
    native(threads.descriptor.ctypes.data, 0, 0, 0, 1)
    assert threads.edges.tolist() == [0, WHOLE // 2, WHOLE] and not threads.notes[:, :2].any()


@pytest.mark.parametrize("edges", [(0, WHOLE), (WHOLE // 3, WHOLE), (WHOLE - 5, WHOLE), (0, 7)])
@pytest.mark.parametrize("rows", [7, 300])
@pytest.mark.usefixtures("every_call_is_shared")
def test_edges_change_no_bit(rows: int, edges: tuple[int, int], team_steps: list[KnownStep]) -> None:
    """A layer whose product packs an operand in every part, and what reads it part by part; three threads."""
    random = np.random.default_rng(3)
    w, v = (weft.constant(random.normal(size=s).astype(np.float32)) for s in ((1100, 200), (200, 70)))
    x = weft.constant(random.normal(size=(rows, 1100)).astype(np.float32))
    outputs = []
    for threads in (1, 3):
        config.intra_op_threads = threads
        step = weft.function(lambda x: weft.matmul(weft.nn.relu(weft.matmul(x, w)) * 2.0, v))
        step(x)
        if threads > 1:
            table_of(team_steps[-1].descriptor, "edges", 4)[1:3] = edges
        outputs.append(step(x).numpy())
    np.testing.assert_array_equal(outputs[1], outputs[0])


def test_what_is_long_and_whole_is_uneven() -> None:
    calls = [cut(repeats=repeats, long=long) for repeats, long in ((ALWAYS, True), (ALWAYS, False), ("", True))]
    assert [Segment([c]).uneven for c in calls] == [True, False, False]
    assert not Segment([replace(whole(), long=True)]).uneven


def test_who_has_gathered_its_own_columns_keeps_its_share() -> None:
    """Else a thread would read columns that only another one has."""
    reads = Access(("input", 0), False, None, columns=(0, 4, 8))
    call = replace(cut(repeats=ALWAYS, long=True), accesses=(reads,))
    own = OwnRows({0: ((0, 16), (16, 32))}, 1, {0: 0}, 0)
    gather, marked = mark_own_rows([call], own)
    assert Segment([call]).uneven and not Segment([marked]).uneven and not Segment([gather]).uneven
