"""Long calls in pieces: threads end together, and pieces change no bit."""

from __future__ import annotations

import ast
import ctypes
from collections.abc import Iterator

import numpy as np
import pytest

import weft
from weft.codegen.contract_parts import ALWAYS
from weft.codegen.program import Split
from weft.runtime import frame
from weft.runtime.config import config
from weft.runtime.team import Team, team
from weft.runtime.team_choice import choose_long
from weft.runtime.team_segments import PIECES, Segment, TeamCall
from weft.runtime.team_step import TeamPlan, print_entry

pytestmark = pytest.mark.compiles

# Each part counts itself. The first part of the second thread's share ends only when all others have: code 1 if that takes
# longer than a few seconds.
TEXT = f"""
define internal i32 @part(i64 %k, ptr %p, ptr %d, ptr %effect, i64 %t, i64 %parts, ptr %work, ptr %again) {{
entry:
  %others = sub i64 %parts, 1
  %waits = icmp eq i64 %t, {PIECES}
  br i1 %waits, label %wait, label %done
wait:
  %i = phi i64 [ 0, %entry ], [ %i.next, %on ]
  %seen = load atomic i64, ptr %p seq_cst, align 8
  %all = icmp sge i64 %seen, %others
  br i1 %all, label %done, label %on
on:
  %i.next = add i64 %i, 1
  %late = icmp sgt i64 %i.next, 2000000000
  br i1 %late, label %never, label %wait
never:
  ret i32 1
done:
  %before = atomicrmw add ptr %p, i64 1 seq_cst
  ret i32 0
}}
{print_entry()}"""


@pytest.fixture(autouse=True)
def every_product_is_long(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(frame, "choose_calls", lambda program, dims: frozenset(range(100) if config.intra_op_threads > 1 else ()))
    monkeypatch.setattr(frame, "choose_long", lambda program, dims, calls: calls)
    monkeypatch.setattr(config, "team_delay", 0)
    monkeypatch.setattr(config, "intra_op_threads", 1)
    yield
    team.stop()


def test_a_thread_that_is_done_takes_what_another_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "intra_op_threads", 2)
    call = TeamCall(ast.Call(ast.Name("part"), [], []), None, Split(1, "n0"), (), long=True)
    assert team.start(2)
    address = team.load(TEXT, TeamPlan(segments=[Segment([call])]), 0, {})
    seen = np.zeros(8, np.int64)
    run = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(address)
    assert run(seen.ctypes.data, None, None) == 0
    assert seen[0] == 2 * PIECES


def watch_splits(monkeypatch: pytest.MonkeyPatch) -> list[Split]:
    """Fills with how calls are cut that a team gets to know from now on."""
    splits: list[Split] = []
    describe = Team.describe

    def watch(self: Team, plan: TeamPlan, alone: int) -> np.ndarray:
        splits.extend(c.split for s in plan.segments for c in s.calls if c.split is not None and s.pieces == PIECES)
        return describe(self, plan, alone)

    monkeypatch.setattr(Team, "describe", watch)
    return splits


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
def test_the_same_bits(threads: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there are fewer tiles than pieces."""
    alone = forward(1, rows)
    splits = watch_splits(monkeypatch)
    np.testing.assert_array_equal(forward(threads, rows), alone)
    assert splits or rows == 7


def train(threads: int, batch: int, known: bool) -> list[np.ndarray]:
    """A weight and its momentum after two steps whose gradient ends in their update."""
    config.intra_op_threads = threads
    random = np.random.default_rng(6)
    w, s = (weft.Variable(random.normal(size=(300, 512)).astype(np.float32)) for _ in range(2))

    @weft.function(input_signature=[weft.TensorSpec([batch if known else None, n], weft.float32) for n in (300, 512)])
    def step(x: weft.Tensor, d: weft.Tensor) -> None:
        g = weft.matmul(x, d, transpose_a=True)
        s.assign(0.9 * s + g)
        w.assign_sub(0.01 * s)

    for _ in range(2):
        step(*(weft.constant(random.normal(size=(batch, n)).astype(np.float32)) for n in (300, 512)))
    return [w.numpy(), s.numpy()]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("batch", [130, 700])
def test_updates_in_pieces(batch: int, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of a gradient share a packed operand, if the batch is short; a long one's share is one piece."""
    alone = train(1, batch, known)
    splits = watch_splits(monkeypatch)
    for threads in (2, 3):
        for expected, found in zip(alone, train(threads, batch, known), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert any(split.again for split in splits) == (batch == 130 or not known)


def test_what_packs_anew_in_every_part_stays_whole() -> None:
    node = ast.Call(ast.Name("kernel"), [], [])
    calls = [TeamCall(node, None, Split(1, "n0", repeats=repeats), (), long=True) for repeats in ("", ALWAYS)]
    assert [Segment([c]).pieces for c in calls] == [PIECES, 1]
    assert Segment(calls).pieces == 1


def test_only_long_calls_are_cut_into_pieces() -> None:
    config.intra_op_threads = 2
    w = weft.constant(np.arange(784 * 64, dtype=np.float32).reshape(784, 64))
    step = weft.function(lambda x: weft.matmul(x, w)).get_concrete_function(weft.TensorSpec([None, 784], weft.float32))
    program = step.compiled.program
    (name,) = program.sizes
    assert choose_long(program, {name: 100}, frozenset({0})) == frozenset()
    assert choose_long(program, {name: 1000}, frozenset({0})) == {0}
    assert choose_long(program, {name: 1000}, frozenset()) == frozenset()
