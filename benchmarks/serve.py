"""The loop every timed process runs. In: a JSON line per request; out: a JSON line per answer, so that processes take turns."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from workloads import WORKLOADS, Workload

Run = Callable[[int], float]  # runs that many steps and returns the last loss


def serve(name: str, version: str, prepare: Callable[[Workload], Run]) -> None:
    """Answers ``{"workload": name}`` with the seconds of one round; the first request for a workload also prepares and warms up.

    prepare: builds the model for a workload and returns what runs n steps; it must not return before the work is done.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # what the framework prints must not mix with the answers
    print(json.dumps({"name": name, "version": version}), file=answers, flush=True)
    ready: dict[str, Run] = {}
    for line in sys.stdin:
        workload = WORKLOADS[json.loads(line)["workload"]]
        try:
            first = None
            if workload.name not in ready:
                started = time.perf_counter()
                ready[workload.name] = prepare(workload)
                ready[workload.name](workload.steps if workload.kind == "fit" else 1)
                first = time.perf_counter() - started
                ready[workload.name](max(2, workload.steps // 4))
                time.sleep(0.5)  # some frameworks go on compiling in the background
            ready[workload.name](max(1, workload.steps // 10))  # caches and threads have been the others' since the last round
            started = time.perf_counter()
            loss = ready[workload.name](workload.steps)
            seconds = time.perf_counter() - started
            answer = {"seconds": seconds, "steps": workload.steps, "loss": float(loss), "first": first}
        except Exception as error:  # one peer's failure must not end the comparison
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
