"""Steps that are gone give their memory back, as soon as no thread of the team can look at it."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft
from weft.runtime.arena import Arena
from weft.runtime.config import config
from weft.runtime.team import team
from weft.runtime.team_layout import SEEN, SEEN_BYTES
from weft.runtime.team_retired import RetiredSteps, Worker

sys.path.insert(0, str(Path(__file__).parent))
from team_jobs import KnownStep


class Late:
    """A worker that does what the test says, and a dead step's memory."""

    def __init__(self, retired: RetiredSteps) -> None:
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.end.wait)
        self.thread.start()
        control = Arena(SEEN + 2 * SEEN_BYTES)
        self.words = control.bytes.view(np.int64)
        self.words[:] = 0
        retired.watch(Worker(self.thread, control, 1))

    def set(self, published: int, seen: int) -> None:
        self.words[0], self.words[(SEEN + SEEN_BYTES) // 8] = published, seen


@pytest.fixture
def retired() -> RetiredSteps:
    return RetiredSteps()


@pytest.fixture
def workers(retired: RetiredSteps) -> Iterator[list[Late]]:
    both = [Late(retired), Late(retired)]
    yield both
    for worker in both:
        worker.end.set()
        worker.thread.join()


def keep(retired: RetiredSteps) -> tuple[Any, Callable[[], object]]:
    """What keeps a step, and what tells whether its memory is there."""
    array = np.zeros(3)
    return retired.keep([array]), weakref.ref(array)


def test_memory_waits_for_a_worker_that_may_be_late(retired: RetiredSteps, workers: list[Late]) -> None:
    """Until each is through with the latest job at the step's death."""
    memory, there = keep(retired)
    first, second = workers
    first.set(8, 6)
    second.set(8, 4)
    retired.sweep()
    del memory
    for worker, published, seen in ((first, 8, 8), (second, 8, 6), (first, 10, 10), (second, 10, 6)):
        worker.set(published, seen)
        retired.sweep()
        assert there() is not None
    second.set(10, 8)
    retired.sweep()
    assert there() is None


def test_memory_does_not_wait_for_a_worker_that_gets_no_job_any_more(retired: RetiredSteps, workers: list[Late]) -> None:
    """As those of a team that was left because it could not be stopped."""
    for worker in workers:
        worker.set(8, 8)
    memory, there = keep(retired)
    del memory
    retired.sweep()
    assert there() is None


def test_nobody_waits_for_threads_that_have_ended(retired: RetiredSteps, workers: list[Late]) -> None:
    for worker in workers:
        worker.set(8, 6)
    memory, there = keep(retired)
    del memory
    retired.sweep()
    assert there() is not None
    for worker in workers:
        worker.end.set()
        worker.thread.join()
    retired.sweep()
    assert there() is None


def test_a_living_step_keeps_its_memory(retired: RetiredSteps) -> None:
    memory, there = keep(retired)
    retired.sweep()
    assert there() is not None
    del memory
    retired.sweep()
    assert there() is None


@pytest.mark.compiles
@pytest.mark.usefixtures("thread_team", "every_call_is_shared")
def test_model_after_model_does_not_add_up(team_steps: list[KnownStep]) -> None:
    """Each is run by the team and dies; what one has left goes when another one is bound and all threads have run a later one."""
    config.intra_op_threads = 3
    x = weft.constant(np.linspace(0, 1, 5000, dtype=np.float32))
    until, alive = time.monotonic() + 30, 0
    while len(team_steps) < 6 or (alive > 2 and time.monotonic() < until):
        factor = float(len(team_steps))
        step = weft.function(lambda x, factor=factor: weft.tanh(x) * factor + 1.0)
        for _ in range(3):
            result = step(x)
        np.testing.assert_allclose(result.numpy(), np.tanh(x.numpy()) * factor + 1.0, rtol=1e-5)
        del step, result
        gc.collect()
        alive = sum(any(isinstance(m(), Arena) for m in known.memory) for known in team_steps)
    assert team.counters()["jobs"] > 0 and alive <= 2
