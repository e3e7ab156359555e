"""What `rows.py` times, and the process that times it. In: a case's name; out: its data, the same for every framework.

Only NumPy is needed, so that every peer's environment can import this file.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SECONDS = 0.004  # of one round of one case
Call = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """kind: "sum", "column_sum" (over the first axis), "softmax", "logsumexp" (both over the last axis), "layer_norm" (last axis)
    or "batch_norm" (all but the last axis), these two with scale and offset. backward: the gradients by all arguments as well,
    from a given gradient of the result."""

    kind: str
    shape: tuple[int, ...]
    backward: bool

    @property
    def name(self) -> str:
        return f"{self.kind} {'×'.join(map(str, self.shape))}{', with gradients' * self.backward}"

    @property
    def axes(self) -> tuple[int, ...]:
        return tuple(range(len(self.shape) - 1)) if self.kind == "batch_norm" else (len(self.shape) - 1,)

    def data(self) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """(arguments, gradient of the result)."""
        rng = np.random.default_rng(3)
        rows = [rng.normal(size=self.shape[-1:]) for _ in range(2 * self.kind.endswith("norm"))]
        result = self.shape[:-1] if self.kind == "logsumexp" else self.shape
        arrays = [rng.normal(size=self.shape), *rows, rng.normal(size=result)]
        *arguments, gradient = (a.astype(np.float32) for a in arrays)
        return tuple(arguments), gradient


SUMS = ((512, 784), (4096, 1024))
SHAPES = {
    "softmax": ((512, 10), (64, 64), (64, 1000), (1024, 1000)),
    "logsumexp": ((512, 10), (64, 1000), (1024, 1000)),
    "layer_norm": ((64, 64), (512, 1024), (4096, 256)),
    "batch_norm": ((256, 64), (32, 14, 14, 64)),
}
CASES = [Case(kind, shape, False) for kind in ("sum", "column_sum") for shape in SUMS]
CASES += [Case(kind, shape, backward) for kind, shapes in SHAPES.items() for shape in shapes for backward in (False, True)]


def limit_cores() -> bool:
    """Whether this process was asked for one core, and is held to it. To be called before the framework is imported."""
    one = sys.argv[1:] == ["one"]
    if one and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return one


def serve(name: str, prepare: Callable[[Case], Call], facts: Callable[[Case], dict[str, float]] | None = None) -> None:
    """Answers a case's position with the seconds of one call, which must end when the work is done. facts: more about a case."""
    answers, sys.stdout = sys.stdout, sys.stderr
    print(name, file=answers, flush=True)
    ready: dict[int, Call] = {}
    for line in sys.stdin:
        at = int(line)
        answer: dict[str, float] = {}
        if at not in ready:
            ready[at] = prepare(CASES[at])
            answer = facts(CASES[at]) if facts else {}
            for _ in range(10):
                ready[at]()
        print(json.dumps({**answer, "seconds": _time(ready[at])}), file=answers, flush=True)


def _time(call: Call) -> float:
    """Of one call, from as many as fit."""
    call()
    count, started = 0, time.perf_counter()
    while count < 3 or time.perf_counter() - started < SECONDS:
        call()
        count += 1
    return (time.perf_counter() - started) / count
