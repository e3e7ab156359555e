"""Times matrix products on one thread. In: optionally an environment with torch; out: weft's micro-kernels against libraries.

    python benchmarks/matmul.py [--seconds 0.3] [--only 64x64x784] [--peers /path/to/environment/bin/python]

NumPy's OpenBLAS, held to one thread, runs in this process in turn with weft's kernel and with a loop of multiply-adds in
registers, which is the peak to compare with. With ``--peers`` MKL and oneDNN, which torch brings, take turns with them in a
process of their own on the same core (`peers/products_torch.py`). Each has a score of turns; of a turn the least CPU time counts,
and of the turns the median, because a core shared with strangers changes its speed in between. Shapes are m x n x k; ``tn``
multiplies a.T by b. ``m?``: the kernel is made for any m.
"""

from __future__ import annotations

import ctypes
import json
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
from command_line import make_parser
from worker import Worker

from weft.codegen.contract_kernel import print_contract
from weft.codegen.contract_product import matrix_product
from weft.codegen.target import Target
from weft.runtime import blas
from weft.runtime.engine import compile_text, engine
from weft.runtime.machine import cache_bytes, vector_bytes, vector_registers
from weft.runtime.machine_limits import CHAINS, peak_loop

SHAPES = """
f32 64x64x784 nn|f32 64x784x64 nn|f32 64x784x64 nt|f32 64x784x64 tn|f32 64x784x64 tt|f32 784x64x64 tn k?|f32 64x64x784 nn m?
f32 61x64x784 nn m?|f32 128x512x784 nn|f32 784x512x128 tn|f32 128x10x512 nn|f32 512x10x128 tn|f32 128x512x10 nt|f32 97x61x333 nn
f32 512x512x512 nn|f32 1024x1024x1024 nn|f32 2048x2048x2048 nn|f32 1x512x784 nn|f32 1x512x784 nt|f32 512x1x784 nn|f32 512x1x784 tn
f32 4x4x4 nn|f32 16x1x2 nn|f32 8x8x8 nn|f32 16x16x16 nn|f32 32x32x32 nn|f32 64x10x64 nn|f32 64x10x64 tn|f32 64x64x10 nt
f64 64x64x784 nn|f64 512x512x512 nn
"""
TURNS = 20
REPEAT = """
define i32 @repeat{count}(ptr %f, i64 %rounds, {pointers}, {sizes}) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %r = call i32 %f({pointers}, {sizes})
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %rounds
  br i1 %more, label %loop, label %done
done:
  ret i32 0
}}
"""


class Repeat:
    """A compiled loop around a kernel of so many pointers, so that Python's calls are not timed."""

    def __init__(self, pointers: int) -> None:
        names = ", ".join(f"ptr %p{i}" for i in range(pointers))
        sizes = ", ".join(f"i64 %s{i}" for i in range(6))
        text = REPEAT.format(count=pointers, pointers=names, sizes=sizes)
        address, self.handle = engine.load(compile_text(text), f"repeat{pointers}")
        kinds = [ctypes.c_void_p, ctypes.c_int64, *[ctypes.c_void_p] * pointers, *[ctypes.c_int64] * 6]
        self.run = ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(address)


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy at a multiple of 64 bytes, as steps lay out their arrays."""
    block = np.empty(array.nbytes + 64, np.uint8)
    start = -block.ctypes.data % 64
    out = block[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    out[...] = array
    return out


class Case:
    """One line of the table: arrays, weft's kernel for it and OpenBLAS' routine."""

    def __init__(self, line: str) -> None:
        self.short, shape, self.form, *unknown = line.split()
        self.m, self.n, self.k = map(int, shape.split("x"))
        self.flags = self.form[0] == "t", self.form[1] == "t"
        self.flops = 2 * self.m * self.n * self.k
        kind = {"f32": np.float32, "f64": np.float64}[self.short]
        rng = np.random.default_rng(0)
        self.a = aligned(rng.normal(size=(self.k, self.m) if self.flags[0] else (self.m, self.k)).astype(kind))
        self.b = aligned(rng.normal(size=(self.n, self.k) if self.flags[1] else (self.k, self.n)).astype(kind))
        self.ours, self.theirs = aligned(np.zeros((self.m, self.n), kind)), aligned(np.zeros((self.m, self.n), kind))
        sizes = zip("mnk", (self.m, self.n, self.k), strict=True)
        self.known = [None if f"{name}?" in unknown else size for name, size in sizes]

    def compile(self) -> tuple[int, np.ndarray, float, object]:
        """The kernel's address, the scratch memory it needs, what compiling took, and what keeps it loaded."""
        target = Target(vector_bytes(), vector_registers(), *cache_bytes()[:2])
        before = time.thread_time()
        kernel = print_contract(matrix_product(self.short, *self.flags, 1, *self.known), target)
        symbol = f"product_{id(self)}"
        address, handle = engine.load(compile_text(kernel.text.replace("KERNEL", symbol), vectorize=False, tidy=False), symbol)
        return address, aligned(np.zeros(kernel.work, np.uint8)), time.thread_time() - before, handle

    def error(self) -> str:
        """The mean error over OpenBLAS', against more digits; for small products."""
        if self.flops >= 3e7:
            return ""
        left, right = self.a.T if self.flags[0] else self.a, self.b.T if self.flags[1] else self.b
        exact = left.astype(np.longdouble) @ right.astype(np.longdouble)
        theirs = float(np.abs(self.theirs - exact).mean())
        return f"{np.abs(self.ours - exact).mean() / theirs:.2f}" if theirs else ""


def take_turns(runs: dict[str, Callable[[], object]], peer: Callable[[], dict], seconds: float) -> list[dict[str, float]]:
    """Of each turn the least CPU time of each run, all in so many seconds, and the peer's answer."""
    turns = []
    for _ in range(TURNS):
        best, end = dict.fromkeys(runs, float("inf")), time.perf_counter() + seconds / TURNS
        while time.perf_counter() < end or float("inf") in best.values():
            for name, run in runs.items():
                start = time.thread_time()
                run()
                best[name] = min(best[name], (time.thread_time() - start) or best[name])
        turns.append(best | peer())
    return turns


def measure(line: str, seconds: float, repeat: dict[int, Repeat], registers: Callable[[int], float], peer: Worker | None) -> str:
    """One row of the table."""
    case = Case(line)
    address, work, compiled, handle = case.compile()
    library = blas.bind_contract(case.short, *case.flags)
    assert library is not None and handle is not None
    rounds = max(1, int(1.5e-3 / (case.flops / 8e10 + 5e-8)))
    sizes = 1, case.m, case.n, case.k, case.m * case.k, case.k * case.n
    pointers = [x.ctypes.data for x in (case.a, case.b)]
    runs = {
        "weft": lambda: repeat[4].run(address, rounds, *pointers, case.ours.ctypes.data, work.ctypes.data, *sizes),
        "OpenBLAS": lambda: repeat[3].run(library[1], rounds, *pointers, case.theirs.ctypes.data, *sizes),
        "peak": lambda: registers(60000),
    }
    request = json.dumps({"m": case.m, "n": case.n, "k": case.k, "form": case.form})
    turns = take_turns(runs, lambda: json.loads(peer.ask(request)) if peer and case.short == "f32" else {}, seconds)
    return f"| {line} | {' | '.join(figures(case, rounds, turns, peer))} | {case.error()} | {compiled * 1e3:.0f} |"


def figures(case: Case, rounds: int, turns: list[dict[str, float]], peer: Worker | None) -> list[str]:
    """Rates, the ratio to the best other and the share of the peak, medians over the turns."""
    peak_flops = vector_bytes() // 2 * CHAINS * 60000 // (1 if case.short == "f32" else 2)
    rates = [turn_rates(turn, case.flops, rounds) for turn in turns]
    texts = {name: f"{statistics.median(r[name] for r in rates):.0f}" for name in rates[0]}
    ratio = statistics.median(r["weft"] / max(rate for name, rate in r.items() if name != "weft") for r in rates)
    share = statistics.median(r["weft"] * 1e9 / (peak_flops / turn["peak"]) for r, turn in zip(rates, turns, strict=True))
    return [texts["weft"], *(texts.get(name, "") for name in libraries(peer)), f"{ratio:.2f}", f"{share:.2f}"]


def turn_rates(turn: dict[str, float], flops: int, rounds: int) -> dict[str, float]:
    """GFLOP/s of each in one turn; of oneDNN with and without torch's way to it."""
    seconds = {name: turn[name] / rounds for name in ("weft", "OpenBLAS")}
    if "mkl" in turn:
        seconds["MKL"] = turn["mkl"]
    if "onednn" in turn:
        seconds["oneDNN, as called"], seconds["oneDNN"] = turn["onednn"], max(turn["onednn"] - turn["call"], 1e-7)
    return {name: flops / value * 1e-9 for name, value in seconds.items()}


def libraries(peer: Worker | None) -> list[str]:
    return ["OpenBLAS", "MKL", "oneDNN, as called", "oneDNN"] if peer else ["OpenBLAS"]


def main() -> None:
    parser = make_parser(__doc__, peers="torch")
    parser.add_argument("--seconds", type=float, default=0.3, help="per shape")
    parser.add_argument("--only", nargs="*", default=[""], help="shapes whose name holds one of these texts")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the peer's process inherits it
    repeat = {count: Repeat(count) for count in (3, 4)}
    registers = peak_loop("f32", vector_bytes() // 4)
    peer = Worker(arguments.peers, "products_torch.py") if arguments.peers else None
    head = ["product", "weft, GFLOP/s", *libraries(peer), "weft ÷ best", "share of peak", "error ÷ OpenBLAS'", "compile, ms"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    with blas.one_thread():
        for line in SHAPES.replace("\n", "|").split("|"):
            if line and any(text in line for text in arguments.only):
                print(measure(line, arguments.seconds, repeat, registers, peer), flush=True)
    if peer:
        peer.close()


if __name__ == "__main__":
    main()
