"""Batches gathered by a step for a team, each thread's columns in a buffer of its own: the same bits, whoever runs what."""

from __future__ import annotations

import ast
import ctypes
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft
from weft.codegen.program import Buffer, Split
from weft.graph.dims import Dim
from weft.runtime import batch_loop
from weft.runtime import team as team_module
from weft.runtime.batch_loop import BatchRun
from weft.runtime.concrete import ConcreteFunction
from weft.runtime.config import config
from weft.runtime.engine import compile_text, engine
from weft.runtime.executable import CompiledStep
from weft.runtime.frame import Binding
from weft.runtime.own_rows import find_own_rows, mark_own_rows, print_own_rows
from weft.runtime.team import Team, team
from weft.runtime.team_layout import NOTE, NOTE_BYTES, PAUSED_UNTIL, ROWS
from weft.runtime.team_retired import StepMemory
from weft.runtime.team_segments import Access, TeamCall, form_segments

sys.path.insert(0, str(Path(__file__).parent))
from team_jobs import KnownStep, table_of

pytestmark = [pytest.mark.compiles, pytest.mark.usefixtures("thread_team")]
FEATURES, UNITS, SIZE, COUNT = 784, 64, 64, 6
RANDOM = np.random.default_rng(5)
X = RANDOM.random((500, FEATURES), np.float32)
Y = RANDOM.random((500, UNITS), np.float32)
ORDER = RANDOM.permutation(500)


class Training:
    """A layer that is long enough to be multiplied in halves, and its variables."""

    def __init__(self, threads: int) -> None:
        config.intra_op_threads = threads
        random = np.random.default_rng(3)
        self.weights = weft.Variable(random.normal(0, 0.1, (FEATURES, UNITS)).astype(np.float32))
        self.squares = weft.Variable(np.zeros((FEATURES, UNITS), np.float32))
        specs = weft.TensorSpec([Dim("batch"), FEATURES]), weft.TensorSpec([Dim("batch"), UNITS])
        self.concrete: ConcreteFunction = weft.function(self.train).get_concrete_function(*specs)

    def train(self, x: weft.Tensor, y: weft.Tensor) -> weft.Tensor:
        with weft.GradientTape() as tape:
            error = weft.nn.relu(weft.matmul(x, self.weights)) - y
            loss = weft.reduce_mean(error * error)
        g = tape.gradient(loss, self.weights)
        self.squares.assign(0.9 * self.squares + 0.1 * g * g)
        self.weights.assign_sub(0.01 * g / (weft.sqrt(self.squares) + 1e-7))
        return loss

    def run(self, count: int = COUNT, first: int = 0, size: int = SIZE) -> np.ndarray:
        result = self.concrete.compiled.run_many(BatchRun([X, Y], size, count, first, ORDER))
        assert result.error is None and result.done == count
        return result.outputs[0]

    @property
    def binding(self) -> Binding:
        step = self.concrete.compiled.executable
        assert isinstance(step, CompiledStep) and step.free[-1].current is not None
        return step.free[-1].current

    def state(self) -> tuple[bytes, bytes]:
        return self.weights.numpy().tobytes(), self.squares.numpy().tobytes()


@pytest.fixture(scope="module")
def alone() -> tuple[bytes, bytes]:
    """What batch after batch gives on one thread, called one by one."""
    training = Training(1)
    for i in range(COUNT):
        rows = ORDER[i * SIZE : (i + 1) * SIZE]
        training.concrete.run([X[rows], Y[rows]])
    return training.state()


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_same_bits_as_batch_by_batch(alone: tuple[bytes, bytes], threads: int) -> None:
    training = Training(threads)
    training.run()
    shared = training.binding.team_step
    assert shared is not None and shared.gathers == threads
    assert training.binding.batch is not None and training.binding.batch.size >= threads * SIZE * FEATURES * 4
    assert training.state() == alone


def test_another_number_of_threads_while_a_step_is_compiled(alone: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """The step has columns, buffers and words for as many as it was planned for, and no others take part in it."""
    load = Team.load

    def load_late(self: Team, *args: Any) -> tuple[int, StepMemory]:
        config.intra_op_threads = 4
        return load(self, *args)

    monkeypatch.setattr(Team, "load", load_late)
    training = Training(2)
    training.run(1)
    assert team.start(4)
    training.run(COUNT - 1, SIZE)
    assert training.state() == alone


def test_one_job_per_batch() -> None:
    training = Training(2)
    training.run(1)
    before = team.counters()
    training.run(5, SIZE)
    after = team.counters()
    assert sum(after[k] - before[k] for k in ("jobs", "alone_paused", "alone_busy")) == 5


def test_a_paused_team_finds_whole_rows(alone: tuple[bytes, bytes]) -> None:
    """A batch is run by the team, the next by one thread, in turn: each gathers for itself."""
    training = Training(2)
    training.run(1)
    assert team._members is not None
    paused_until = team._members.control.bytes.view(np.int64)[PAUSED_UNTIL // 8 :]
    for i in range(1, COUNT):
        paused_until[0] = (1 << 62) if i % 2 else 0
        training.run(1, i * SIZE)
    assert team.counters()["alone_paused"] >= COUNT // 2
    assert training.state() == alone


def test_a_step_that_comes_late_is_not_relied_on(alone: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop began before the step for the team was there: it gathers for itself, also once that step runs."""
    training = Training(2)
    training.run(1)
    with monkeypatch.context() as patch:
        patch.setattr(training.binding, "team_step", None)
        training.run(2, SIZE)
        assert team.counters()["jobs"] + team.counters()["alone_paused"] > 3  # steps, and jobs that gather
    training.run(3, 3 * SIZE)
    assert training.state() == alone


def test_a_single_call_reads_its_own_arrays() -> None:
    """After the loop nothing is left of its buffers."""
    one, two = Training(1), Training(2)
    for training in (one, two):
        training.run()
        training.concrete.run([X[:SIZE], Y[:SIZE]])
        assert not training.binding.rows[0]
    assert one.state() == two.state()


def test_batches_in_order_are_not_copied(alone: tuple[bytes, bytes]) -> None:
    one, two = Training(1), Training(2)
    for training in (one, two):
        training.run()
        training.concrete.compiled.run_many(BatchRun([X, Y], SIZE, 3))
    assert one.state() == two.state()


def test_batches_of_two_sizes() -> None:
    one, two = Training(1), Training(3)
    for training in (one, two):
        training.run(2)
        training.run(1, 2 * SIZE, 100)
        training.run(2, 0, 40)
    assert one.state() == two.state()


def test_small_batches_are_gathered_by_the_loop() -> None:
    one, two = Training(1), Training(2)
    for training in (one, two):
        training.run(1)
        training.run(3, 0, batch_loop.LEAST_BYTES // (4 * FEATURES) - 1)
    assert not two.binding.rows[ROWS:].any()
    assert one.state() == two.state()


# What comes next --------------------------------------------------------------------------------------------------------------


def test_nothing_is_left_of_a_loop_that_ends_early() -> None:
    """Its time is over after the first batch: whoever waits in a later call must not look at these rows."""
    training = Training(2)
    training.run(1)
    result = training.concrete.compiled.run_many(BatchRun([X, Y], SIZE, 3, 0, ORDER), seconds=0.0)
    assert result.done == 1
    assert training.binding.rows[0] == training.binding.rows[2] == 0


def test_waiting_threads_fetch_each_line_once() -> None:
    """As many steps as their columns of the next batch have pieces; nothing if there is no next batch, or no share of it."""
    own = find_own_rows([read(0, (0, 392, 784))], [Buffer("input", 0, "f32", ("batch", "784"))], 3)
    assert own is not None and own.inputs[0] == ((0, 0), (0, 1600), (1536, 3136))
    text = print_own_rows(own).replace("define internal i64 @fetch", "define i64 @fetch")
    address, kept = engine.load(compile_text(text, vectorize=False), "fetch")
    fetch = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)
    rows = np.array([0, 3, ORDER[:3].ctypes.data, X.ctypes.data, 3136, 0, 0], np.int64)
    pointers = np.array([0, 0, rows.ctypes.data], np.int64)
    for thread, pieces in ((1, 4), (2, 4)):
        cursors = [0]
        while cursors[-1] >= 0:
            cursors.append(fetch(pointers.ctypes.data, thread, cursors[-1]))
        assert cursors == [*range(3 * pieces + 1), -1]
    assert fetch(pointers.ctypes.data, 0, 0) == -1
    rows[2] = 0
    assert fetch(pointers.ctypes.data, 1, 0) == -1
    rows[2:5] = ORDER.ctypes.data, X.ctypes.data, 0
    assert fetch(pointers.ctypes.data, 1, 0) == -1
    del kept


def test_a_step_does_not_end_while_a_thread_uses_its_memory(team_steps: list[KnownStep]) -> None:
    """The flag of a thread that is not in the team now, so that nobody else moves it."""
    training = Training(3)
    training.run(1)
    team.stop()
    assert team.start(2)
    notes = table_of(team_steps[0].descriptor, "notes", 3 * NOTE_BYTES // 8)
    flag = notes[2 * NOTE_BYTES // 8 + NOTE.index("flag") :][:1]
    flag[0] = 1
    thread = threading.Thread(target=training.run, args=(1, SIZE))
    thread.start()
    thread.join(0.2)
    waited = thread.is_alive()
    flag[0] = 0
    thread.join(10)
    assert waited and not thread.is_alive()


# The plan ----------------------------------------------------------------------------------------------------------------------

BUFFERS = [
    Buffer("input", 0, "f32", ("batch", "100")), Buffer("input", 1, "f32", ("batch",)), Buffer("variable", 0, "f32", ("100",)),
]  # fmt: skip
HALVES, TILES = (0, 50, 100), (0, 6, 12, 96, 100)


def read(number: int, columns: tuple[int, ...] = (), cut: bool = True) -> TeamCall:
    access = Access(("input", number), False, None, columns)
    return TeamCall(ast.Call(ast.Name("k"), [], []), None, Split(1, "n0") if cut else None, (access,))


def test_threads_get_the_lines_that_their_products_reach() -> None:
    own = find_own_rows([read(0, HALVES), read(0, TILES), read(1, cut=False)], BUFFERS, 2)
    assert own is not None and own.threads == 2 and own.at == len(BUFFERS) + 1 and own.pointers == {0: 0}
    assert own.inputs == {0: ((0, 256), (0, 400))}  # columns 0 to 50 and to 12; 50 to 100 and from 12, which is on the first line


def test_a_thread_without_a_share_gathers_nothing() -> None:
    own = find_own_rows([read(0, HALVES)], BUFFERS, 4)
    assert own is not None and own.inputs[0] == ((0, 0), (0, 256), (0, 0), (192, 400))


@pytest.mark.parametrize("calls", [
    [read(0, HALVES), read(0)], [read(0, HALVES), read(0, cut=False)], [read(0, (0, 25, 50))], [read(1)], [],
])  # fmt: skip
def test_inputs_that_others_read_too_have_one_buffer(calls: list[TeamCall]) -> None:
    assert find_own_rows(calls, BUFFERS, 2) is None


def test_the_first_product_does_not_wait_for_other_threads() -> None:
    """It is in one segment with gathering; what reads another input waits for all of it."""
    calls = [read(0, HALVES), read(1, cut=False)]
    own = find_own_rows(calls, BUFFERS, 2)
    assert own is not None
    first, second = form_segments(mark_own_rows(calls, own))
    assert len(first.calls) == 2 and not first.needs
    assert second.needs == [(0, False)]


def test_threads_are_counted_when_the_step_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers for as many threads as the code was printed for, whatever is set later."""
    training = Training(3)
    training.run(1)
    monkeypatch.setattr(team_module.config, "intra_op_threads", 2)
    training.run(2, SIZE)
    shared = training.binding.team_step
    assert shared is not None and shared.gathers == 3
    assert training.binding.batch is not None and training.binding.batch.size >= 3 * SIZE * FEATURES * 4
