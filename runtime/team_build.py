"""Team code made while the first steps run. In: a binding's header and its step; out: later, the header's step is the team's.

A step starts on the caller's thread at once, and whoever only runs a few steps never pays for compiling the other form. After
``config.team_delay`` seconds a background thread compiles it and swaps the address; results are the same bits before and after.
No fork happens while it compiles, and the interpreter's exit waits for it.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from . import entry
from .config import config
from .engine import compile_lock
from .jit import NativeStep, TeamStep
from .team import team, thread_count

_STEP = entry.HEADER.index("step")


class _Background:
    """One daemon thread, alive while there is work."""

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def add(self, job: Callable[[], None]) -> None:
        with self._lock:
            self._jobs.append(job)
            if self._thread is None and not self._ending.is_set():
                self._thread = threading.Thread(target=self._run, name="weft_compile", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # no more threads: steps stay on one
                    self._thread = None

    def _run(self) -> None:
        while not self._ending.wait(config.team_delay):
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                job = self._jobs.popleft()
            job()

    def wait(self) -> None:
        """Until there is no more work."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def end(self) -> None:
        """At exit: nothing new, and what is being compiled is finished."""
        self._ending.set()
        thread = self._thread
        if thread is not None:
            thread.join()


_background = _Background()


def share_step(
    header: np.ndarray, step: NativeStep, calls: frozenset[int], long: frozenset[int], note: Callable[[TeamStep], None]
) -> None:
    """Has threads share the calls of these numbers in the header's step: now if ``config.team_delay`` is 0, else soon.
    long: those of them that are cut into pieces. note: told of the step that the header has from then on."""

    def swap() -> None:
        try:
            shared = step.make_team(calls, long) if team.start(thread_count()) else None
        except Exception:  # the step runs on one thread as before
            if not threading.main_thread().is_alive():
                return  # the interpreter is ending, and no thread may be started any more
            import logging  # not needed by those whom nothing is said to

            logging.getLogger("weft").warning("A step could not be compiled for several threads; it stays on one.", exc_info=True)
            return
        if shared is not None:
            header[_STEP] = shared.address
            note(shared)

    if config.team_delay == 0:
        swap()
    else:
        _background.add(swap)


def wait_for_teams() -> None:
    """Returns when all steps that threads are to share have the form for it: for whoever measures."""
    _background.wait()


def _forget() -> None:
    """In a forked child: the thread is gone, and the bindings that it worked for are made anew."""
    global _background
    _background = _Background()
    compile_lock.release()


atexit.register(lambda: _background.end())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=compile_lock.acquire, after_in_parent=compile_lock.release, after_in_child=_forget)
