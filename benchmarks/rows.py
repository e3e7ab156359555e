"""Times softmax, log-sum-exp and normalisation on one core. In: a peer environment's Python; out: a table of times and ratios.

    python benchmarks/rows.py --peers /path/to/environment/bin/python --write

Every framework runs in a process of its own, on the same core; rounds are interleaved and medians compared. What is timed is a
call from Python. The floor is that of weft's kernels as the profiler counts it: bytes over the bandwidth of the level of memory
that holds them, or FLOPs over the FMA peak, a transcendental function taken for 20.
"""

from __future__ import annotations

import json
import statistics
import sys

from command_line import make_parser
from document import replace_part, table
from row_cases import CASES
from worker import Worker

PEERS = ("torch", "jax")


class Framework(Worker):
    """A framework in a process of its own."""

    def __init__(self, python: str, framework: str) -> None:
        super().__init__(python, f"rows_{framework}.py")
        self.name = self.greeting
        self.seconds: dict[int, list[float]] = {}
        self.facts: dict[int, dict[str, float]] = {}

    def round(self, case: int) -> None:
        answer = json.loads(self.ask(str(case)))
        self.seconds.setdefault(case, []).append(answer.pop("seconds"))
        self.facts.setdefault(case, answer)

    def median(self, case: int) -> float:
        return statistics.median(self.seconds[case])


def report(workers: list[Framework]) -> str:
    weft, *peers = workers
    head = ["", "weft, µs", "its kernels, µs", "floor, µs", "kernels' share of it", *(f"{p.name} ÷ weft" for p in peers)]
    rows = []
    for i, case in enumerate(CASES):
        own, facts = weft.median(i), weft.facts[i]
        ratios = [f"{p.median(i) / own:.2f}" for p in peers]
        share = f"{facts['floor'] / facts['kernels']:.0%}"
        times = [f"{t * 1e6:,.1f}" for t in (own, facts["kernels"], facts["floor"])]
        rows.append([case.name, *times, share, *ratios])
    return f"{weft.name}; one core; medians of {len(weft.seconds[0])} rounds.\n\n{table(head, rows)}"


def main() -> None:
    arguments = make_parser(__doc__, peers="torch and jax", rounds=7, part="the table").parse_args()
    workers = [Framework(sys.executable, "weft")]
    if arguments.peers:
        workers += [Framework(arguments.peers, peer) for peer in PEERS]
    for _ in range(arguments.rounds):
        for case in range(len(CASES)):
            for worker in workers:
                worker.round(case)
    text = report(workers)
    print(text)
    if arguments.write:
        replace_part("rows", text)
    for worker in workers:
        worker.close()


if __name__ == "__main__":
    main()
