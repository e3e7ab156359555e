"""Times softmax, log-sum-exp and normalisation on one core. In: a peer environment's Python; out: a table of times and ratios.

    python benchmarks/rows.py --peers /path/to/environment/bin/python --write

Every framework runs in a process of its own, on the same core; rounds are interleaved and medians compared. What is timed is a
call from Python. The floor is that of weft's kernels as the profiler counts it: bytes over the bandwidth of the level of memory
that holds them, or FLOPs over the FMA peak, a transcendental function taken for 20.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from document import replace_part, table
from row_cases import CASES

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs" / "performance.md"
PEERS = ("torch", "jax")


class Worker:
    """A framework in a process of its own."""

    def __init__(self, python: str, framework: str) -> None:
        command = [python, str(HERE / "peers" / f"rows_{framework}.py")]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        self.name = self._line()
        self.seconds: dict[int, list[float]] = {}
        self.facts: dict[int, dict[str, float]] = {}

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit(f"{' '.join(map(str, self.process.args))} ended.")  # type: ignore[arg-type]  # Popen takes more than texts
        return line

    def round(self, case: int) -> None:
        assert self.process.stdin is not None
        print(case, file=self.process.stdin, flush=True)
        answer = json.loads(self._line())
        self.seconds.setdefault(case, []).append(answer.pop("seconds"))
        self.facts.setdefault(case, answer)

    def median(self, case: int) -> float:
        return statistics.median(self.seconds[case])

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


def report(workers: list[Worker]) -> str:
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="Python of an environment with torch and jax; default: no peers")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    arguments = parser.parse_args()
    workers = [Worker(sys.executable, "weft")]
    if arguments.peers:
        workers += [Worker(arguments.peers, peer) for peer in PEERS]
    for _ in range(arguments.rounds):
        for case in range(len(CASES)):
            for worker in workers:
                worker.round(case)
    text = report(workers)
    print(text)
    if arguments.write:
        replace_part(DOCUMENT, "rows", text)
    for worker in workers:
        worker.close()


if __name__ == "__main__":
    main()
