"""Threads that compile kernels. In: kernels as soon as their text is known; out: their object code when it is asked for.

LLVM works without the GIL, so it compiles the first kernels while Python still plans and prints the next, and several at once
where there are cores. The threads live only while somebody compiles: no fork happens then, and nothing is left at exit.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from weft.graph.record import record

from .cores import usable_cores
from .engine import compile_lock, compile_text

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_MOST = 8  # threads: one kernel takes some ten milliseconds, and a model has a few dozen


@record(eq=False)
class Kernel:
    """One kernel wanted by a step: its symbol, the key of its object code, how to get LLVM text and object code of that."""

    symbol: str
    key: str
    lower: Callable[[], str]
    compile: Callable[[str], bytes] = compile_text


class KernelWorkers:
    """``with kernel_workers:`` around a compilation holds `engine.compile_lock`, and ends the threads with the outermost one."""

    def __init__(self) -> None:
        self._depth = 0
        self._pool: ThreadPoolExecutor | None = None
        self._jobs: dict[str, Future[bytes]] = {}

    def __enter__(self) -> None:
        compile_lock.acquire()
        self._depth += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._depth -= 1
        try:
            if self._depth == 0 and self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
                self._pool = None
                self._jobs.clear()
        finally:
            compile_lock.release()

    def start(self, kernel: Kernel) -> None:
        """Begins with a kernel, unless that has been done; its text is made in the calling thread."""
        if kernel.symbol in self._jobs:
            return
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # with logging behind it, for those who compile

            self._pool = ThreadPoolExecutor(min(usable_cores(), _MOST), "weft_kernels")
        self._jobs[kernel.symbol] = self._pool.submit(kernel.compile, kernel.lower())

    def finish(self, kernel: Kernel) -> bytes:
        """The object code of a kernel that was begun; what compiling it raised."""
        return self._jobs.pop(kernel.symbol).result()


kernel_workers = KernelWorkers()
