"""What all cores reach together, a round at a time. In: a line per request; out: a JSON line: FLOPs and bytes per second.

It takes turns with the frameworks, because a virtual machine's speed changes by the minute. A round takes about as long as one of
theirs and its mean counts, as theirs does: every core runs chains of fused multiply-adds in registers, then sweeps over arrays of
its own that no cache holds.
"""

from __future__ import annotations

import json
import sys

from weft.runtime.cores import usable_cores
from weft.runtime.machine import cache_bytes, vector_bytes
from weft.runtime.machine_limits import CHAINS, Cores, peak_loop, sweep_loop

CHAIN_ROUNDS = 8_000_000  # about 25 ms
SWEEPS = 3  # about 40 ms
MEMORY_BYTES = 1 << 28


def serve_limits() -> None:
    count, lanes = usable_cores(), vector_bytes() // 4
    cores, chains = Cores(count), peak_loop("f32", lanes)
    size = max(MEMORY_BYTES, 2 * cache_bytes()[2]) // count
    sweep = sweep_loop(size)
    moved: list[float] = []
    cores.seconds(lambda: moved.append(sweep(1)))  # each takes its memory
    print(json.dumps({"name": "limits", "version": str(count)}), flush=True)
    for _ in sys.stdin:
        flops = 2 * lanes * CHAINS * CHAIN_ROUNDS * count / cores.seconds(lambda: chains(CHAIN_ROUNDS))
        bandwidth = SWEEPS * sum(moved) / cores.seconds(lambda: sweep(SWEEPS))
        print(json.dumps({"flops": flops, "bytes": bandwidth}), flush=True)


if __name__ == "__main__":
    serve_limits()
