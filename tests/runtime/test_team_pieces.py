"""Long calls in pieces: threads end together, and pieces change no bit."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.codegen.contract_parts import ALWAYS
from weft.codegen.program import Split
from weft.graph.record import replace
from weft.runtime.config import config
from weft.runtime.team import team
from weft.runtime.team_choice import choose_long
from weft.runtime.team_layout import BACK_OFF, DESCRIPTOR, PAUSE, PAUSED_UNTIL
from weft.runtime.team_segments import PIECES, Segment

sys.path.insert(0, str(Path(__file__).parent))
from team_jobs import AWAIT, PART, KnownStep, cut, load_job

pytestmark = [pytest.mark.compiles, pytest.mark.usefixtures("thread_team", "every_call_is_shared")]

# Words of p: parts that are done; whether the second thread's share has begun; rounds that its first part counts at its end. The
# first part of the first share ends when the second one has begun, and that one's first part when all others are done. Code 1:
# that took longer than a few seconds.
TEXT = f"""{AWAIT}{PART} {{
entry:
  %begun = getelementptr i64, ptr %p, i64 1
  %rounds.at = getelementptr i64, ptr %p, i64 2
  %half = lshr i64 %parts, 1
  %leads = icmp eq i64 %t, 0
  br i1 %leads, label %lead, label %look
lead:
  %came = call i1 @await(ptr %begun, i64 1)
  br i1 %came, label %done, label %never
look:
  %follows = icmp eq i64 %t, %half
  br i1 %follows, label %follow, label %done
follow:
  store atomic i64 1, ptr %begun seq_cst, align 8
  %others = sub i64 %parts, 1
  %all = call i1 @await(ptr %p, i64 %others)
  br i1 %all, label %count, label %never
count:
  %i = phi i64 [ 0, %follow ], [ %i.next, %count ]
  %i.next = add i64 %i, 1
  %rounds = load atomic i64, ptr %rounds.at seq_cst, align 8
  %more = icmp slt i64 %i.next, %rounds
  br i1 %more, label %count, label %done
done:
  %before = atomicrmw add ptr %p, i64 1 seq_cst
  ret i32 0
never:
  ret i32 1
}}
"""


def load(long: bool) -> Callable[[int], int]:
    """A job of the parts above on a team of two: takes rounds, gives the number of parts that ran."""
    config.intra_op_threads = 2
    assert team.start(2)
    job = load_job(TEXT, [Segment([cut(long=long)])])

    def run(rounds: int = 0) -> int:
        words = np.array([0, 0, rounds], np.int64)
        assert job(words) == 0
        return int(words[0])

    return run


def test_a_thread_that_is_done_takes_what_a_busy_one_has_not_begun() -> None:
    """At once: it leaves only the first piece of another's share to its owner for a while."""
    run = load(long=True)
    assert run() == 2 * PIECES
    assert team.counters()["stolen"] == 0


# Each part writes where its thread's scratch memory is, and takes some time.
MEMORY = f"""{PART} {{
entry:
  %at = getelementptr ptr, ptr %p, i64 %t
  store ptr %work, ptr %at
  br label %spin
spin:
  %i = phi i64 [ 0, %entry ], [ %i.next, %spin ]
  %seen = load atomic i64, ptr %at seq_cst, align 8
  %i.next = add i64 %i, 1
  %more = icmp slt i64 %i.next, 100000
  br i1 %more, label %spin, label %end
end:
  ret i32 0
}}
"""


def test_a_larger_team_works_in_the_memory_that_a_step_has(team_steps: list[KnownStep]) -> None:
    """A step that is bound has memory for as many threads as there were then, even if it has parts for more."""
    config.intra_op_threads = 2
    assert team.start(2)
    job = load_job(MEMORY, [Segment([replace(cut(long=True), work=(0, 64))])])
    first, places = int(team_steps[-1].descriptor[DESCRIPTOR.index("work")]), set[int]()
    assert team.start(4)
    jobs, until = 0, time.monotonic() + 20
    while (jobs < 100 or len(places) < 2) and time.monotonic() < until:
        words = np.zeros(2 * PIECES, np.int64)
        if job(words) == 0:
            jobs += 1
            places |= {int(w) - first for w in words}
    assert places == {0, 64}


def test_one_slow_job_is_pardoned() -> None:
    """One thread alone would have been faster; whether that lasts shows in the next job."""
    run = load(long=False)
    pauses = []
    for _ in range(2):
        assert run(100_000_000) == 2
        pauses.append(team.counters()["pauses"])
    assert pauses == [0, 1]


def test_pauses_grow_while_nothing_gets_better() -> None:
    """Twice as long as the tries if the latest pause has just ended, and so on; as long as these when that is long ago."""
    run = load(long=False)
    words = team._members.control.bytes.view(np.int64)
    grown = []
    for ended in (None, 0, 0, 0, 0, 0, 3600):  # seconds ago
        tries = [timed(run, ended) for _ in range(2)]
        while team.counters()["pauses"] == len(grown):  # a neighbour took a core: the threads did not wait for one another
            tries.append(timed(run, ended))
        grown.append(int(words[BACK_OFF // 8]))
        assert words[PAUSE // 8] <= grown[-1] * 2 * max(tries)
        assert words[PAUSED_UNTIL // 8] > time.monotonic_ns() - words[PAUSE // 8]
    assert grown == [1, 2, 4, 8, 16, 16, 1]


def timed(run: Callable[[int], int], ended: int | None) -> int:
    """Nanoseconds of a job that one thread alone would have ended sooner. ended: so many seconds ago the latest pause did."""
    start = time.monotonic_ns()
    if ended is not None:
        team._members.control.bytes.view(np.int64)[PAUSED_UNTIL // 8] = start - ended * 10**9
    assert run(30_000_000) == 2
    return time.monotonic_ns() - start


def splits_in_pieces(steps: list[KnownStep]) -> list[Split]:
    """How calls are cut that are in pieces."""
    segments = [s for step in steps for s in step.plan.segments if s.pieces == PIECES]
    return [c.split for s in segments for c in s.calls if c.split is not None]


def forward(threads: int, rows: int) -> np.ndarray:
    """Two layers over so many rows."""
    config.intra_op_threads = threads
    random = np.random.default_rng(5)
    w, v = (weft.constant(random.normal(size=s).astype(np.float32)) for s in ((40, 64), (64, 24)))
    x = random.normal(size=(rows, 40)).astype(np.float32)
    step = weft.function(lambda x: weft.matmul(weft.nn.relu(weft.matmul(x, w)), v))
    return step(weft.constant(x)).numpy()


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("rows", [7, 300])
def test_the_same_bits(threads: int, rows: int, team_steps: list[KnownStep]) -> None:
    """Also where there are fewer tiles than pieces."""
    np.testing.assert_array_equal(forward(threads, rows), forward(1, rows))
    assert splits_in_pieces(team_steps) or rows == 7


def train(threads: int, batch: int, known: bool) -> list[np.ndarray]:
    """A weight and its momentum after two steps whose gradient ends in their update."""
    config.intra_op_threads = threads
    random = np.random.default_rng(6)
    w, s = (weft.Variable(random.normal(size=(784, 512)).astype(np.float32)) for _ in range(2))

    @weft.function(input_signature=[weft.TensorSpec([batch if known else None, n], weft.float32) for n in (784, 512)])
    def step(x: weft.Tensor, d: weft.Tensor) -> None:
        g = weft.matmul(x, d, transpose_a=True)
        s.assign(0.9 * s + g)
        w.assign_sub(0.01 * s)

    for _ in range(2):
        step(*(weft.constant(random.normal(size=(batch, n)).astype(np.float32)) for n in (784, 512)))
    return [w.numpy(), s.numpy()]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("batch", [130, 700])
def test_updates_in_pieces(batch: int, known: bool, team_steps: list[KnownStep]) -> None:
    """Pieces of a gradient share a packed operand, if the batch is short; a long one's share is one piece."""
    alone = train(1, batch, known)
    for threads in (2, 3):
        for expected, found in zip(alone, train(threads, batch, known), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert any(split.again for split in splits_in_pieces(team_steps)) == (batch == 130 or not known)


def test_what_packs_anew_in_every_part_stays_whole() -> None:
    calls = [cut(repeats=repeats, long=True) for repeats in ("", ALWAYS)]
    assert [Segment([c]).pieces for c in calls] == [PIECES, 1]
    assert Segment(calls).pieces == 1


def test_only_long_calls_are_cut_into_pieces() -> None:
    config.intra_op_threads = 2
    w = weft.constant(np.arange(784 * 64, dtype=np.float32).reshape(784, 64))
    step = weft.function(lambda x: weft.matmul(x, w)).get_concrete_function(weft.TensorSpec([None, 784], weft.float32))
    program = step.compiled.program
    (name,) = program.sizes
    assert choose_long(program, {name: 10}, frozenset({0})) == frozenset()
    assert choose_long(program, {name: 1000}, frozenset({0})) == {0}
    assert choose_long(program, {name: 1000}, frozenset()) == frozenset()


def test_a_failed_step_has_counted_nothing(team_steps: list[KnownStep]) -> None:
    """The counter does not need the product in pieces, but it must wait for the check behind it."""
    config.intra_op_threads = 2
    random = np.random.default_rng(7)
    w, table = (weft.constant(random.normal(size=s).astype(np.float32)) for s in ((64, 512), (512,)))
    count = weft.Variable(0)

    @weft.function
    def step(x: weft.Tensor, shift: weft.Tensor) -> weft.Tensor:
        found = weft.gather(table, weft.argmax(weft.matmul(x, w), axis=1) + shift)
        count.assign_add(1)
        return found

    x = weft.constant(random.normal(size=(256, 64)).astype(np.float32))
    step(x, weft.constant(0, weft.int64))
    for _ in range(20):
        with pytest.raises(weft.errors.InvalidArgumentError):
            step(x, weft.constant(512, weft.int64))
    step(x, weft.constant(0, weft.int64))
    assert splits_in_pieces(team_steps)
    assert count.numpy() == 2
