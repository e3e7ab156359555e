"""Times weft against its peers in one run. In: the workloads' names and a peer environment's Python; out: a table of ratios.

    python benchmarks/run.py --peers /path/to/peers/bin/python --rounds 9

Every framework runs in a process of its own; rounds are interleaved and medians compared. Before a round nobody runs a moment,
because some frameworks' threads keep a core busy for a while after their last step; a round that lost processor time to the host
is run again (`stolen.py`). The machine's limits, of all cores at once, take turns with the frameworks (`peers/run_limits.py`).
What is printed are ratios (peer's time over weft's), GFLOP/s, and the share of the floor that the medians of those limits give.
"""

from __future__ import annotations

import functools
import json
import statistics
import sys
import time

from command_line import make_parser
from document import replace_part, table
from stolen import undisturbed
from worker import Worker
from workloads import WORKLOADS, Workload

SETTLE = 0.3  # seconds; OpenMP threads spin for 0.2 after their work
PEERS = {
    "tf": ["run_tensorflow.py"],
    "tf-xla": ["run_tensorflow.py", "--xla"],
    "jax": ["run_keras_jax.py"],
    "torch": ["run_torch.py"],
    "torch-compile": ["run_torch.py", "--compile"],
}


class Runner(Worker):
    """A process of its own, mostly a framework's, that runs one round when asked."""

    def __init__(self, python: str, script: str, *options: str) -> None:
        super().__init__(python, script, *options)
        hello = json.loads(self.greeting or "{}")
        self.name, self.version = hello.get("name", ""), hello.get("version", "")
        self.first: dict[str, float] = {}  # seconds of a workload's first call

    def round(self, workload: str) -> dict:
        try:
            answer = json.loads(self.ask(json.dumps({"workload": workload})))
        except SystemExit as ended:  # one peer's end must not end the comparison
            return {"error": str(ended)}
        if answer.get("first") is not None:
            self.first[workload] = answer["first"]
        return answer


def measure(workers: list[Runner], machine: Runner, workload: Workload, rounds: int) -> tuple[dict[str, dict], dict[str, float]]:
    """Per framework: median seconds per step over the rounds, its first-call seconds and last loss. And what the machine reached
    meanwhile, the median over the rounds: FLOPs and bytes per second."""
    seconds: dict[str, list[float]] = {w.name: [] for w in workers}
    out: dict[str, dict] = {w.name: {} for w in workers}
    limits: list[dict[str, float]] = []
    for _ in range(rounds):
        time.sleep(SETTLE)
        limits.append(undisturbed(functools.partial(machine.round, workload.name))[0])
        for worker in workers:
            if "error" in out[worker.name]:
                continue
            time.sleep(SETTLE)
            answer, share = undisturbed(functools.partial(worker.round, workload.name))
            out[worker.name]["stolen"] = max(share, out[worker.name].get("stolen", 0.0))
            if "error" in answer:
                out[worker.name]["error"] = answer["error"]
                continue
            out[worker.name]["first"] = worker.first[workload.name]
            out[worker.name]["loss"] = answer["loss"]
            seconds[worker.name].append(answer["seconds"] / answer["steps"])
    for name, values in seconds.items():
        if values:
            out[name]["median"], out[name]["spread"] = statistics.median(values), (min(values), max(values))
    return out, {key: statistics.median(r[key] for r in limits) for key in ("flops", "bytes")}


def floor_of(workload: Workload, limits: dict[str, float]) -> tuple[float, str]:
    """(seconds, how it comes about) on all cores: the products' FLOPs over the FMA peak, or where there is no product the bytes
    over memory's bandwidth. A step called again with the same batch has its data in caches, so its bytes make no floor."""
    if workload.flops:
        return workload.flops / limits["flops"], f"{workload.flops / 1e6:.1f} MFLOP at {limits['flops'] * 1e-9:.0f} GFLOP/s"
    return workload.bytes / limits["bytes"], f"{workload.bytes / 1e6:.0f} MB at {limits['bytes'] * 1e-9:.1f} GB/s from memory"


def report(workload: Workload, results: dict[str, dict], limits: dict[str, float]) -> str:
    """One workload's table."""
    floor, work = floor_of(workload, limits)
    title = f"### {workload.name}, batch {workload.batch}, {workload.optimizer}"
    numbers = ("µs per step (min … max)", "time ÷ weft's", "GFLOP/s", "share of the floor", "first call, s", "last loss")
    head = ("", *numbers, "time lost to the host")
    rows = []
    base = results["weft"].get("median")
    for name, r in results.items():
        if "median" not in r:
            rows.append((name, f"failed: {r.get('error', '?')[:80]}", "", "", "", "", "", ""))
            continue
        low, high = r["spread"]
        ratio = f"{r['median'] / base:.2f}" if base else "?"
        rate = workload.flops / r["median"] * 1e-9
        times = f"{r['median'] * 1e6:,.1f} ({low * 1e6:,.1f} … {high * 1e6:,.1f})"
        first = f"{r.get('first', float('nan')):.2f}"
        loss, share, stolen = f"{r['loss']:.4f}", f"{floor / r['median']:.2f}", f"{r['stolen']:.1%}"
        rows.append((name, times, ratio, f"{rate:.1f}", share, first, loss, stolen))
    return f"\n{title}\n\nFloor: {floor * 1e6:.1f} µs ({work})\n\n{table(head, rows)}"


def main() -> None:
    parser = make_parser(__doc__, peers="tensorflow, keras, jax, torch", rounds=7, part="the tables")
    parser.add_argument("--only", nargs="*", choices=sorted(PEERS), help="which peers (default: all that start)")
    parser.add_argument("--workloads", nargs="*", choices=sorted(WORKLOADS), default=None)
    parser.add_argument("--eager", action="store_true", help="also time weft's own eager mode")
    arguments = parser.parse_args()
    workers = [Runner(sys.executable, "run_weft.py")]
    if arguments.eager:
        workers.append(Runner(sys.executable, "run_weft.py", "--eager"))
    if arguments.peers:
        workers += [Runner(arguments.peers, *PEERS[p]) for p in (arguments.only or PEERS)]
    workers = [w for w in workers if w.name]
    machine = Runner(sys.executable, "run_limits.py")
    parts = [f"Floors are those of {machine.version} cores. " + "; ".join(f"{w.name} {w.version}" for w in workers)]
    print(parts[0])
    for name in arguments.workloads or WORKLOADS:
        results, limits = measure(workers, machine, WORKLOADS[name], arguments.rounds)
        parts.append(report(WORKLOADS[name], results, limits))
        print(parts[-1], flush=True)
    if arguments.write:
        replace_part("peers", "\n".join(parts))
    for worker in (machine, *workers):
        worker.close()


if __name__ == "__main__":
    main()
