"""Memory of steps that a team ran and that are gone. In: what a step consists of; out: nothing: it goes when nobody can see it.

A worker that the system has stopped for a while may walk through a job that has ended without it. It finds every part taken, but
to see that it reads the step's tables. So each worker writes down the number of the latest job that it is through with, and the
memory of a step that has died waits until all workers are through with the latest job that may have been its.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import Any

import numpy as np

from weft.graph.record import record

from .arena import Arena
from .team_layout import SEEN, SEEN_BYTES, SEQUENCE


class StepMemory:
    """Whoever has it may run the step."""


@record(eq=False)
class Worker:
    """A thread of the team, and the control block by which it gets its jobs."""

    thread: threading.Thread
    control: Arena
    tid: int

    @property
    def published(self) -> int:
        """The number of the latest job, which the worker may or may not have seen."""
        return int(self.control.bytes.view(np.int64)[SEQUENCE // 8])

    def is_past(self, job: int) -> bool:
        """Whether the worker looks at no job up to this one any more."""
        return not self.thread.is_alive() or int(self.control.bytes.view(np.int64)[(SEEN + self.tid * SEEN_BYTES) // 8]) >= job


class RetiredSteps:
    """The memory of dead steps, until `sweep` finds that no worker can look at it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._dead: deque[list[Any]] = deque()
        self._waiting: list[tuple[list[tuple[Worker, int]], list[Any]]] = []
        self._workers: list[Worker] = []

    def watch(self, worker: Worker) -> None:
        """From now on the worker may be given jobs."""
        with self._lock:
            self._workers.append(worker)

    def keep(self, parts: list[Any]) -> StepMemory:
        """Keeps what a step consists of, as long as what is returned lives and then until no worker looks at it."""
        memory = StepMemory()
        weakref.finalize(memory, self._dead.append, parts).atexit = False
        return memory

    def sweep(self) -> None:
        """Lets go of what it can. Called when a step is loaded: not from a finaliser, which may run while locks are held."""
        if not self._lock.acquire(blocking=False):
            return  # another thread is at it
        try:
            self._workers = [w for w in self._workers if w.thread.is_alive()]
            while self._dead:
                self._waiting.append(([(w, w.published) for w in self._workers], self._dead.popleft()))
            self._waiting = [(late, parts) for late, parts in self._waiting if not all(w.is_past(job) for w, job in late)]
        finally:
            self._lock.release()
