"""Threads that compile kernels. In: kernels as soon as their text is known; out: their object code when it is asked for.

LLVM works without the GIL, so it compiles the first kernels while Python still plans and prints the next, and several at once
where there are cores. The threads live only while somebody compiles: no fork happens then. (Not `concurrent.futures`: when it
is imported it registers what a fork has to do, which would come too late for a fork that waits for this very compilation.)
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable

from weft.graph.record import record

from .cores import usable_cores
from .engine import compile_lock, compile_text

_LOOK_SECONDS = 0.05
_SWITCH_SECONDS = 0.0005
"""How long a thread may wait for the interpreter while kernels compile. A compilation is a score of short calls before the long
one; with Python's 5 ms each, it began in earnest only when planning was over."""
_MOST = 8  # threads: one kernel takes some ten milliseconds, and a model has a few dozen


@record(eq=False)
class Kernel:
    """One kernel wanted by a step: its symbol, the key of its object code, how to get LLVM text and object code of that."""

    symbol: str
    key: str
    lower: Callable[[], str]
    compile: Callable[[str], bytes] = compile_text


class _Job:
    """One kernel's text on its way to object code."""

    def __init__(self, kernel: Kernel, text: str) -> None:
        self.kernel, self.text = kernel, text
        self.code = b""
        self.error: BaseException | None = None
        self.done = threading.Event()

    def run(self) -> None:
        try:
            self.code = self.kernel.compile(self.text)
        except BaseException as error:  # whoever asks for the code gets it
            self.error = error
        self.done.set()


class KernelWorkers:
    """``with kernel_workers:`` around a compilation holds `engine.compile_lock`, and ends the threads with the outermost one."""

    def __init__(self) -> None:
        self._depth = 0
        self._jobs: dict[str, _Job] = {}
        self._waiting: deque[_Job] = deque()
        self._threads: list[threading.Thread] = []
        self._interval = 0.0  # Python's own, while it is a shorter one

    def __enter__(self) -> None:
        compile_lock.acquire()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        try:
            if self._depth == 0:
                self._waiting.clear()
                self._jobs.clear()
                for thread in self._threads:
                    thread.join()
                self._threads.clear()
                self._switch_as_before()
        finally:
            compile_lock.release()

    def start(self, kernel: Kernel) -> None:
        """Begins with a kernel, unless that has been done; its text is made in the calling thread."""
        if kernel.symbol in self._jobs:
            return
        job = self._jobs[kernel.symbol] = _Job(kernel, kernel.lower())
        self._waiting.append(job)
        self._threads = [t for t in self._threads if t.is_alive()]
        if len(self._threads) < min(usable_cores(), _MOST):
            self._switch_often()
            thread = threading.Thread(target=self._work, name="weft_kernels", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads: `finish` does it
                return
            self._threads.append(thread)

    def _switch_often(self) -> None:
        if not self._interval and sys.getswitchinterval() > _SWITCH_SECONDS:
            self._interval = sys.getswitchinterval()
            sys.setswitchinterval(_SWITCH_SECONDS)

    def _switch_as_before(self) -> None:
        if self._interval:
            sys.setswitchinterval(self._interval)
            self._interval = 0.0

    def _work(self) -> None:
        """Runs jobs until none waits."""
        while True:
            try:
                job = self._waiting.popleft()
            except IndexError:
                return
            job.run()

    def has_begun(self, kernel: Kernel) -> bool:
        """Whether `finish` can be asked for it."""
        return kernel.symbol in self._jobs

    def finish(self, kernel: Kernel) -> bytes:
        """The object code of a kernel that was begun; what compiling it raised."""
        job = self._jobs.pop(kernel.symbol)
        while not job.done.wait(_LOOK_SECONDS):
            if not any(t.is_alive() for t in self._threads):  # none could be started, or the last one ended as this job came
                self._work()
        if job.error is not None:
            raise job.error
        return job.code


kernel_workers = KernelWorkers()
