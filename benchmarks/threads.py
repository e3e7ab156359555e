"""What threads gain: each step with 1, 2, 4, ... threads, rounds interleaved in one process, times relative to one thread.

    python benchmarks/threads.py --threads 1 2 4 8 16 --rounds 15

Prints the least and the median milliseconds per step, the speed-up over one thread, whether all weights are the same bits,
and how many steps the team ran (a step runs alone while another process takes the cores).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from command_line import make_parser

import weft
from weft.runtime.config import config
from weft.runtime.team import team

STEPS = {
    "784-64-64-10, batch 64": ((784, 64, 64, 10), 64, 50),
    "784-512-10, batch 128": ((784, 512, 10), 128, 20),
    "2048-2048-2048-1000, batch 512": ((2048, 2048, 2048, 1000), 512, 1),
}


def make_step(sizes: tuple[int, ...], batch: int, threads: int) -> tuple[Callable[[], object], list[weft.Variable]]:
    """A train step with RMSprop, bound to so many threads, and its variables; everything follows from the sizes."""
    random = np.random.default_rng(0)
    weights = [weft.Variable(random.normal(0, 0.05, s).astype(np.float32)) for n, m in pairwise(sizes) for s in ((n, m), (m,))]
    squares = [weft.Variable(np.zeros(v.shape, np.float32)) for v in weights]
    x = weft.constant(random.normal(size=(batch, sizes[0])).astype(np.float32))
    y = weft.constant(random.integers(0, sizes[-1], batch))

    @weft.function
    def step(x: weft.Tensor, y: weft.Tensor) -> weft.Tensor:
        with weft.GradientTape() as tape:
            h = x
            for i in range(0, len(weights), 2):
                h = weft.matmul(h if i == 0 else weft.nn.relu(h), weights[i]) + weights[i + 1]
            loss = weft.reduce_mean(weft.nn.sparse_softmax_cross_entropy_with_logits(y, h))
        for v, s, g in zip(weights, squares, tape.gradient(loss, weights), strict=True):
            s.assign(0.9 * s + 0.1 * g * g)
            v.assign_sub(0.001 * g / (weft.sqrt(s) + 1e-7))
        return loss

    config.intra_op_threads, config.team_delay = threads, 0.0
    step(x, y)
    return lambda: step(x, y), weights


def measure(name: str, counts: list[int], rounds: int) -> None:
    sizes, batch, repeat = STEPS[name]
    steps = {n: make_step(sizes, batch, n) for n in counts}
    times: dict[int, list[float]] = {n: [] for n in counts}
    shared = dict.fromkeys(counts, 0)
    for _ in range(rounds):
        for n in counts:
            team.stop()
            team.start(n)
            steps[n][0]()
            before = team.counters()["jobs"]
            start = time.perf_counter()
            for _ in range(repeat):
                steps[n][0]()
            times[n].append((time.perf_counter() - start) / repeat * 1e3)
            shared[n] += team.counters()["jobs"] - before
    first = times[counts[0]]
    for n in counts:
        same = all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(steps[n][1], steps[counts[0]][1], strict=True))
        least, middle = min(times[n]), statistics.median(times[n])
        gain = f"{min(first) / least:5.2f} {statistics.median(first) / middle:5.2f}"
        jobs = f"{shared[n]}/{rounds * repeat}"
        print(f"{name:32} {n:3} threads  {least:8.3f} {middle:8.3f} ms  x {gain}  same bits {same}  shared {jobs}")


def main() -> None:
    parser = make_parser(__doc__, rounds=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", default="", help="a part of a step's name")
    args = parser.parse_args()
    for name in STEPS:
        if args.only in name:
            measure(name, args.threads, args.rounds)


if __name__ == "__main__":
    main()
