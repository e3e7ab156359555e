"""The team of threads: the same bits for any number of threads, and no hang under neighbours, failures and changes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import weft
from weft.graph.errors import InvalidArgumentError
from weft.runtime import cores
from weft.runtime.config import config
from weft.runtime.executable import build
from weft.runtime.team import team
from weft.runtime.team_layout import PAUSED_UNTIL

sys.path.insert(0, str(Path(__file__).parent))
from team_models import Model, assert_same

pytestmark = [pytest.mark.compiles, pytest.mark.usefixtures("thread_team", "every_step_is_shared")]


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
