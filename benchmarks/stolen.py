"""Processor time that the host took away while something ran. In: a function; out: its result, from an attempt with little of it.

On a virtual machine the host counts the time in which a processor wanted to run and could not ("steal" in Linux' /proc/stat). A
round that lost much of it tells about the neighbours and not about the framework, so it is run again, for everybody alike.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")
MOST = 0.02  # of the processors' time
ATTEMPTS = 6
STAT = Path("/proc/stat")


def stolen_seconds() -> float:
    """Since the machine's start, over all processors; 0 where the system does not say."""
    try:
        fields = STAT.read_text().split("\n", 1)[0].split()
        return int(fields[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


def undisturbed(run: Callable[[], Result]) -> tuple[Result, float]:
    """The attempt that lost least: its result, and the share of the processors' time it lost. One below ``MOST`` is the last."""
    best: tuple[Result, float] | None = None
    for _ in range(ATTEMPTS):
        before, start = stolen_seconds(), time.perf_counter()
        result = run()
        share = (stolen_seconds() - before) / ((time.perf_counter() - start) * (os.cpu_count() or 1))
        if best is None or share < best[1]:
            best = result, share
        if share < MOST:
            break
    assert best is not None
    return best
