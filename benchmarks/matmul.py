"""Times matrix products on one thread. In: nothing; out: weft's micro-kernels against NumPy's OpenBLAS, held to one thread.

    python benchmarks/matmul.py [--seconds 0.3] [--only 64x64x784]

Both run interleaved in this process, together with a loop of multiply-adds in registers, which is the peak to compare with. The
least CPU time of many runs counts. Shapes are m x n x k; ``tn`` multiplies a.T by b. ``m?``: the kernel is made for any m.
"""

from __future__ import annotations

import argparse
import ctypes
import time

import numpy as np

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


def measure(line: str, seconds: float, repeat: dict[int, Repeat], registers) -> str:
    """One row of the table."""
    short, shape, form, *unknown = line.split()
    m, n, k = map(int, shape.split("x"))
    flags = form[0] == "t", form[1] == "t"
    kind = {"f32": np.float32, "f64": np.float64}[short]
    rng = np.random.default_rng(0)
    a = aligned(rng.normal(size=(k, m) if flags[0] else (m, k)).astype(kind))
    b = aligned(rng.normal(size=(n, k) if flags[1] else (k, n)).astype(kind))
    ours, theirs = aligned(np.zeros((m, n), kind)), aligned(np.zeros((m, n), kind))
    known = [None if f"{name}?" in unknown else size for name, size in zip("mnk", (m, n, k), strict=True)]
    target = Target(vector_bytes(), vector_registers(), *cache_bytes()[:2])
    before = time.thread_time()
    kernel = print_contract(matrix_product(short, *flags, 1, *known), target)
    symbol = f"product_{abs(hash(line))}"
    address, handle = engine.load(compile_text(kernel.text.replace("KERNEL", symbol), vectorize=False, tidy=False), symbol)
    compiled = time.thread_time() - before
    work = aligned(np.zeros(kernel.work, np.uint8))
    library = blas.bind_contract(short, *flags)
    assert library is not None and handle is not None
    flops = 2 * m * n * k
    rounds = max(1, int(1.5e-3 / (flops / 8e10 + 5e-8)))
    sizes = 1, m, n, k, m * k, k * n
    pointers = [x.ctypes.data for x in (a, b)]
    times: list[list[float]] = [[], [], []]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 3:
        for at, run in enumerate((
            lambda: repeat[4].run(address, rounds, *pointers, ours.ctypes.data, work.ctypes.data, *sizes),
            lambda: repeat[3].run(library[1], rounds, *pointers, theirs.ctypes.data, *sizes),
            lambda: registers(60000),
        )):  # fmt: skip
            start = time.thread_time()
            run()
            times[at].append(time.thread_time() - start)
    own, other, fma = (min(t for t in column if t > 0) for column in times)
    lanes = vector_bytes() // 4
    peak = 2 * lanes * CHAINS * 60000 / fma * 1e-9 / (1 if short == "f32" else 2)
    rate, blas_rate = flops * rounds / own * 1e-9, flops * rounds / other * 1e-9
    left, right = a.T if flags[0] else a, b.T if flags[1] else b
    exact = left.astype(np.longdouble) @ right.astype(np.longdouble) if flops < 3e7 else None
    blas_error = 0 if exact is None else float(np.abs(theirs - exact).mean())
    error = f"{np.abs(ours - exact).mean() / blas_error:.2f}" if blas_error else ""
    numbers = f"{rate:.0f} | {blas_rate:.0f} | {rate / blas_rate:.2f} | {rate / peak:.2f}"
    return f"| {line} | {numbers} | {error} | {compiled * 1e3:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.3, help="per shape")
    parser.add_argument("--only", default="", help="shapes whose name holds this text")
    arguments = parser.parse_args()
    repeat = {count: Repeat(count) for count in (3, 4)}
    registers = peak_loop("f32", vector_bytes() // 4)
    print("| product | weft, GFLOP/s | OpenBLAS | ratio | share of peak | error ÷ OpenBLAS' | compile, ms |")
    print("|---|---|---|---|---|---|---|")
    with blas.one_thread():
        for line in SHAPES.replace("\n", "|").split("|"):
            if line and arguments.only in line:
                print(measure(line, arguments.seconds, repeat, registers), flush=True)


if __name__ == "__main__":
    main()
