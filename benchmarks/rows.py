"""Times sums, softmax, log-sum-exp and normalisation, on one core and on all. In: a peer environment's Python; out: a table.

    python benchmarks/rows.py --peers /path/to/environment/bin/python --write

Every framework runs in two processes of its own, one of them held to one core. Rounds of all cases are interleaved and medians
compared. What is timed is a call from Python. The floor is that of weft's kernels on one core as the profiler counts it: bytes
over the bandwidth of the level of memory that holds them, or FLOPs over the FMA peak, a transcendental function taken for 20.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from command_line import make_parser
from document import replace_part, table
from row_cases import CASES
from worker import Worker

PEERS = ("torch", "jax")
SPINNING = 0.3
"""Seconds that threads of a framework may spin after their work, before the next one is timed: OpenMP's do so for 0.2."""


class Framework(Worker):
    """A framework in a process of its own."""

    def __init__(self, python: str, framework: str, cores: str) -> None:
        super().__init__(python, f"rows_{framework}.py", cores)
        self.name = self.greeting
        self.seconds: dict[int, list[float]] = {}
        self.facts: dict[int, dict[str, float]] = {}

    def round(self) -> None:
        """All cases, the first of them once more at the start: threads and processors wake up meanwhile."""
        self.time(0)
        for case in range(len(CASES)):
            self.seconds.setdefault(case, []).append(self.time(case))

    def time(self, case: int) -> float:
        answer: dict[str, float] = json.loads(self.ask(str(case)))
        seconds = answer.pop("seconds")
        self.facts.setdefault(case, answer)
        return seconds

    def median(self, case: int) -> float:
        return statistics.median(self.seconds[case])


def report(one: list[Framework], every: list[Framework]) -> str:
    """one: the frameworks held to one core, weft first; every: the same on all cores."""
    weft, *peers = one
    ratios = [f"{p.name} ÷ weft" for p in peers]
    head = ["", "weft, µs", "its kernels, µs", "floor, µs", "kernels' share of it", *ratios, "weft, all cores, µs", *ratios]
    rows = []
    for i, case in enumerate(CASES):
        facts = weft.facts[i]
        share = f"{facts['floor'] / facts['kernels']:.0%}"
        times = [f"{t * 1e6:,.1f}" for t in (weft.median(i), facts["kernels"], facts["floor"])]
        rows.append([case.name, *times, share, *_ratios(one, i), f"{every[0].median(i) * 1e6:,.1f}", *_ratios(every, i)])
    return f"{weft.name}; medians of {len(weft.seconds[0])} rounds.\n\n{table(head, rows)}"


def _ratios(frameworks: list[Framework], case: int) -> list[str]:
    weft, *peers = frameworks
    return [f"{p.median(case) / weft.median(case):.2f}" for p in peers]


def main() -> None:
    arguments = make_parser(__doc__, peers="torch and jax", rounds=7, part="the table").parse_args()
    pythons = [("weft", sys.executable), *((peer, arguments.peers) for peer in PEERS if arguments.peers)]
    one, every = ([Framework(python, name, cores) for name, python in pythons] for cores in ("one", "all"))
    workers = [w for pair in zip(one, every, strict=True) for w in pair]
    for _ in range(arguments.rounds):
        for worker in workers:
            time.sleep(SPINNING)
            worker.round()
    text = report(one, every)
    print(text)
    if arguments.write:
        replace_part("rows", text)
    for worker in workers:
        worker.close()


if __name__ == "__main__":
    main()
