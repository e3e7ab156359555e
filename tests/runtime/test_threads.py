"""The team of threads: the same bits for any number of threads, and no hang under forks, neighbours, failures and exits."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import weft
from weft.codegen.program import Program, Split
from weft.graph.errors import InvalidArgumentError
from weft.runtime import cores, frame
from weft.runtime import team as team_module
from weft.runtime.config import config
from weft.runtime.executable import build
from weft.runtime.team import team
from weft.runtime.team_choice import choose_calls
from weft.runtime.team_gather import team_gather
from weft.runtime.team_layout import PAUSED_UNTIL

pytestmark = pytest.mark.compiles
WIDTHS = (40, 96, 7)


def all_calls(program: Program, dims: Mapping[str, int]) -> frozenset[int]:
    """However short they are, and also of programs that are written by hand and do not list them."""
    return frozenset(range(100)) if team_module.thread_count() > 1 else frozenset()


@pytest.fixture(autouse=True)
def every_step_is_shared(thread_team: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small; the number of threads is what the test sets."""
    monkeypatch.setattr(frame, "choose_calls", all_calls)


class Model:
    """A train step over two dense layers with RMSprop; everything follows from the seed."""

    def __init__(self, threads: int) -> None:
        config.intra_op_threads = threads
        random = np.random.default_rng(3)
        shapes = [(WIDTHS[0], WIDTHS[1]), (WIDTHS[1],), (WIDTHS[1], WIDTHS[2]), (WIDTHS[2],)]
        self.weights = [weft.Variable(random.normal(0, 0.1, s).astype(np.float32)) for s in shapes]
        self.squares = [weft.Variable(np.zeros(s, np.float32)) for s in shapes]
        self.random = random
        self.step = weft.function(self.train)

    def train(self, x: weft.Tensor, y: weft.Tensor) -> weft.Tensor:
        w1, b1, w2, b2 = self.weights
        with weft.GradientTape() as tape:
            h = weft.nn.relu(weft.matmul(x, w1) + b1)
            logits = weft.matmul(h, w2) + b2
            loss = weft.reduce_mean(weft.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        for v, s, g in zip(self.weights, self.squares, tape.gradient(loss, self.weights), strict=True):
            s.assign(0.9 * s + 0.1 * g * g)
            v.assign_sub(0.01 * g / (weft.sqrt(s) + 1e-7))
        return loss

    def run(self, steps: int, batch: int = 64) -> list[np.ndarray]:
        """The losses of so many steps and the weights after them."""
        losses = []
        for _ in range(steps):
            x = self.random.normal(size=(batch, WIDTHS[0])).astype(np.float32)
            losses.append(self.step(weft.constant(x), weft.constant(self.random.integers(0, WIDTHS[2], batch))).numpy())
        return [np.array(losses), *(v.numpy() for v in (*self.weights, *self.squares))]


def assert_same(a: list[np.ndarray], b: list[np.ndarray]) -> None:
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.fixture(scope="module")
def alone() -> list[np.ndarray]:
    """What one thread computes in 12 steps of a batch of 64 and 3 of 37."""
    model = Model(1)
    return model.run(12) + model.run(3, 37)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_same_bits_for_any_number_of_threads(alone: list[np.ndarray], threads: int) -> None:
    model = Model(threads)
    assert_same(model.run(12) + model.run(3, 37), alone)
    assert team.size == threads
    seen = team.counters()
    assert seen["jobs"] + seen["alone_paused"] == 15
    assert seen["jobs"] > 0


def test_one_thread_starts_no_team() -> None:
    Model(1).run(2)
    assert team.size == 1
    assert not [t for t in threading.enumerate() if t.name.startswith("weft_")]


def test_many_short_jobs(alone: list[np.ndarray]) -> None:
    """Late threads find every part taken: many jobs with more threads than cores, never paused."""
    model = Model(4)
    model.run(1)
    expected = Model(1)
    expected.run(1)
    config.intra_op_threads = 4
    assert team._members is not None
    paused = team._members.control.bytes.view(np.int64)[PAUSED_UNTIL // 8 :][:1]
    for _ in range(400):
        paused[:] = 0
        assert_same(model.run(1), expected.run(1))
    assert team.counters()["jobs"] == 401


def test_several_python_threads_at_once() -> None:
    """Each has its own model; whoever finds the team taken runs alone."""
    results: dict[int, list[np.ndarray]] = {}
    models = [Model(3) for _ in range(3)]

    def work(i: int) -> None:
        results[i] = models[i].run(60)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for w in workers:
        w.start()
    for w in workers:
        w.join(30)
        assert not w.is_alive()
    expected = Model(1).run(60)
    for i in range(3):
        assert_same(results[i], expected)


def test_one_function_from_two_threads() -> None:
    config.intra_op_threads = 2
    step = weft.function(lambda x: weft.exp(x) * 2.0 + x)
    x = np.random.default_rng(0).normal(size=20_000).astype(np.float32)
    expected = step(weft.constant(x)).numpy()
    wrong: list[np.ndarray] = []

    def work() -> None:
        results = (step(weft.constant(x)).numpy() for _ in range(100))
        wrong.extend(r for r in results if not np.array_equal(r, expected))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for w in workers:
        w.start()
    for w in workers:
        w.join(30)
        assert not w.is_alive()
    assert not wrong


def test_checks_and_effects(dense: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    config.intra_op_threads = 3
    w = dense.weights()
    step = build(dense.program(), [w])
    for _ in range(20):
        x = dense.data(5)
        before = w.copy()
        y, _ = step([x])
        np.testing.assert_allclose(y, dense.reference(x, before), rtol=1e-6, atol=1e-6)
        assert capsys.readouterr().out.startswith("total ")
        before = w.copy()
        with pytest.raises(InvalidArgumentError, match="The result holds NaN") as caught:
            step([np.full((5, 3), np.nan, np.float32)])
        assert caught.value.__notes__ == ["In train.py:7 dense_1."]
        np.testing.assert_array_equal(w, before)
        assert capsys.readouterr().out == ""
    assert team.size == 3
    assert team.counters()["jobs"] > 0


def test_an_effect_that_raises_and_one_that_calls(dense: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """An effect may run compiled steps of its own: they find the team taken."""
    config.intra_op_threads = 2
    w = dense.weights()
    step = build(dense.program(), [w])
    inner = weft.function(lambda x: weft.exp(x) + 1.0)
    value = weft.constant(np.zeros(5000, np.float32))
    inner(value)
    seen: list[float] = []

    class Stream:
        def write(self, text: str) -> int:
            seen.append(float(inner(value)[0]))
            if len(seen) > 3:
                raise OSError("nobody listens")
            return len(text)

        def flush(self) -> None:
            pass

    monkeypatch.setattr("sys.stdout", Stream())
    with pytest.raises(OSError, match="nobody listens"):
        for _ in range(10):
            step([dense.data(4)])
    assert seen == [2.0] * 4
    monkeypatch.undo()


def test_a_busy_neighbour_costs_no_hang() -> None:
    """Two processes that never rest, on as many cores as there are; every call returns and nothing is lost."""
    model, expected = Model(2), Model(1).run(300)
    config.intra_op_threads = 2
    neighbours = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        started = time.monotonic()
        assert_same(model.run(300), expected)
        assert time.monotonic() - started < 30
    finally:
        for n in neighbours:
            n.kill()
            n.wait()
    seen = team.counters()
    assert seen["jobs"] + seen["alone_paused"] == 300


def test_changing_the_number_while_steps_run() -> None:
    """Stopping the team between, and in, steps of another thread leaves them running alone."""
    model, expected = Model(2), Model(1).run(200)
    config.intra_op_threads = 2
    out: list[list[np.ndarray]] = []
    worker = threading.Thread(target=lambda: out.append(model.run(200)))
    worker.start()
    while worker.is_alive():
        team.stop()
        assert team.start(2)
        time.sleep(0.002)
    worker.join()
    assert_same(out[0], expected)


def test_a_team_that_cannot_be_stopped_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a long step holds the team, a new team is started beside it, and steps run alone until the long one ends."""
    config.intra_op_threads = 2
    inside, go_on = threading.Event(), threading.Event()

    class Stream:
        def write(self, text: str) -> int:
            inside.set()
            assert go_on.wait(20)
            return len(text)

        def flush(self) -> None:
            pass

    @weft.function
    def slow(x: weft.Tensor) -> weft.Tensor:
        y = weft.exp(x)
        weft.print("here", output_stream=sys.stdout)
        return y * 2.0 + 1.0

    x = weft.constant(np.linspace(0, 1, 9000, dtype=np.float32))
    expected = slow(x).numpy()
    model, want = Model(2), Model(1).run(5)
    config.intra_op_threads = 2
    monkeypatch.setattr("sys.stdout", Stream())
    results: list[np.ndarray] = []
    worker = threading.Thread(target=lambda: results.append(slow(x).numpy()))
    worker.start()
    assert inside.wait(20)
    team.stop(0.05)
    assert team.start(2)
    assert_same(model.run(5), want)
    assert team.counters()["alone_busy"] == 5
    go_on.set()
    worker.join(20)
    monkeypatch.undo()
    np.testing.assert_array_equal(results[0], expected)


def test_no_threads_to_be_had(monkeypatch: pytest.MonkeyPatch, alone: list[np.ndarray]) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    model = Model(3)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert_same(model.run(12) + model.run(3, 37), alone)
    assert team.size == 1


SCRIPT = f"""
import sys, os
sys.path.insert(0, {str(Path(__file__).parent)!r})
import importlib.util
spec = importlib.util.spec_from_file_location("threads", {__file__!r})
threads = importlib.util.module_from_spec(spec)
spec.loader.exec_module(threads)
from weft.runtime import frame
frame.choose_calls = threads.all_calls
threads.config.team_delay = 0
"""


def run_script(text: str) -> str:
    """Runs it in a process of its own, which must end by itself and say nothing on stderr."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT + text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork here.")
def test_a_fork_between_steps() -> None:
    """Parent and child both go on with a team of their own."""
    out = run_script("""
import numpy as np
expected = threads.Model(1)
want = expected.run(6)
model = threads.Model(3)
model.run(3)
child = os.fork()
assert threads.team.size == (1 if child == 0 else 3)
threads.config.intra_op_threads = 3
model.run(2)
last = model.run(1)
good = all(np.array_equal(a, b) for a, b in zip(last[1:], want[1:])) and threads.team.size == 3
if child == 0:
    os._exit(0 if good else 3)
_, status = os.waitpid(child, 0)
print(good, os.waitstatus_to_exitcode(status))
""")
    assert out.split() == ["True", "0"]


def test_the_interpreter_ends() -> None:
    assert run_script("threads.Model(4).run(5); print(threads.team.size)").split() == ["4"]


def test_the_interpreter_ends_while_a_daemon_computes() -> None:
    out = run_script("""
import threading, time
model = threads.Model(3)
model.run(1)
threading.Thread(target=model.run, args=(100000,), daemon=True).start()
time.sleep(0.3)
print(threads.team.size)
""")
    assert out.split() == ["3"]


def test_the_team_comes_in_the_background(alone: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps run on one thread until the other form is compiled; the change shows in no bit."""
    monkeypatch.setattr(config, "team_delay", 0.05)
    model = Model(2)
    first = model.run(6)
    assert team.counters()["jobs"] == 0
    losses = np.concatenate([first[0], model.run(6)[0]])
    np.testing.assert_array_equal(losses, alone[0])
    limit = time.monotonic() + 30
    while not team.counters()["jobs"]:
        assert time.monotonic() < limit
        model.run(1)


def test_the_interpreter_ends_while_a_team_is_compiled() -> None:
    for pause in ("0", "0.06"):
        out = run_script(f"threads.config.team_delay = 0.05\nimport time\nthreads.Model(2).run(2)\ntime.sleep({pause})\nprint(1)")
        assert out.split() == ["1"]


def test_the_setting(alone: list[np.ndarray]) -> None:
    threading_ = weft.config.threading
    model = Model(2)
    first = model.run(6)
    assert (threading_.get_intra_op_parallelism_threads(), team.size) == (2, 2)
    threading_.set_intra_op_parallelism_threads(1)
    assert (threading_.usable_threads(), team.size) == (1, 1)
    losses = np.concatenate([first[0], model.run(6)[0]])
    np.testing.assert_array_equal(losses, alone[0])
    threading_.set_intra_op_parallelism_threads(0)
    assert threading_.usable_threads() == cores.usable_cores()
    with pytest.raises(ValueError, match="Received: -1"):
        threading_.set_intra_op_parallelism_threads(-1)


@pytest.mark.parametrize("width", [1, 63, 64, 100, 3136])
@pytest.mark.parametrize("count", [0, 1, 65])
def test_rows_are_gathered_by_all(width: int, count: int) -> None:
    """Bytes at and around the cache lines that threads share rows by; and nothing beyond the rows."""
    config.intra_op_threads = 3
    assert team.start(3)
    gather = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(team_gather())
    random = np.random.default_rng(0)
    source = random.integers(0, 256, (90, width)).astype(np.uint8)
    rows = random.permutation(90)[:count].astype(np.int64)
    target = np.full((count + 1, width), 7, np.uint8)
    fields = np.array([target.ctypes.data, source.ctypes.data, width, rows.ctypes.data, count], np.int64)
    for _ in range(3):
        target[:count] = 0
        assert gather(fields.ctypes.data, None, None) == 0
        np.testing.assert_array_equal(target[:count], source[rows])
        assert (target[count] == 7).all()


def test_fit_gathers_with_all_threads() -> None:
    """The same weights as on one thread, from batches that are large enough to be gathered together."""
    x = np.random.default_rng(1).random((300, 784), np.float32)
    y = np.arange(300) % 10
    weights = []
    for threads in (1, 2, 3):
        config.intra_op_threads = threads
        weft.keras.utils.set_random_seed(3)
        model = weft.keras.Sequential([weft.keras.Input((784,)), weft.keras.layers.Dense(10)])
        model.compile("rmsprop", weft.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(x, y, batch_size=64, epochs=3, verbose=0)
        weights.append(model.get_weights())
        assert threads == 1 or team.counters()["jobs"] + team.counters()["alone_paused"] > 2 * 3 * 4  # steps and gathers
    for other in weights[1:]:
        for a, b in zip(weights[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


# What decides ------------------------------------------------------------------------------------------------------------------


def test_small_steps_stay_alone() -> None:
    """The estimate: a small model is not worth a hand-over, a wide pointwise chain is."""
    config.intra_op_threads = 4
    small = weft.function(lambda x: weft.exp(x) * 2.0).get_concrete_function(weft.TensorSpec([None], weft.float32))
    program = small.compiled.program
    assert isinstance(program.kernels[0].split, Split)
    (name,) = program.sizes
    assert choose_calls(program, {name: 1000}) == frozenset()
    assert choose_calls(program, {name: 1_000_000}) == {0}
    config.intra_op_threads = 1
    assert choose_calls(program, {name: 1_000_000}) == frozenset()


def test_cores_are_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        folder = tmp_path / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings + "\n")
    quota = tmp_path / "cpu.max"
    quota.write_text("max 100000\n")
    cores._physical.cache_clear()
    monkeypatch.setattr(cores, "_TOPOLOGY", tmp_path)
    monkeypatch.setattr(cores, "_QUOTA", quota)
    monkeypatch.setattr(cores, "_allowed", lambda: {0, 1, 2, 3})
    assert cores.usable_cores() == 2
    monkeypatch.setattr(cores, "_allowed", lambda: {0, 2})
    assert cores.usable_cores() == 1
    monkeypatch.setattr(cores, "_allowed", lambda: set(range(16)))
    quota.write_text("250000 100000\n")
    assert cores.usable_cores() == 3
    cores._physical.cache_clear()
