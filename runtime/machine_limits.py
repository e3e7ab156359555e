"""How fast this machine is, measured. In: how many cores take part; out: `Limits`: FMA peak, bandwidth of each memory level.

Both are measured by small LLVM kernels without overhead: chains of fused multiply-adds that stay in registers, and
``a[i] = a[i] * x + b[i]``, the traffic of a fused pointwise kernel, over arrays that fit one level. What other processes take
away is missing from the numbers, so each is the best of several runs. Takes about a second, once per process.
"""

from __future__ import annotations

import ctypes
import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from weft.codegen.function_writer import FunctionWriter
from weft.graph.record import record
from weft.tracer.blocks import aligned_copy

from .engine import engine
from .host import machine_key
from .machine import cache_bytes, detect_target
from .object_code import compiled_object
from .store import content_key

CHAINS = 12  # independent accumulators: FMA latency times ports, with room
_MEMORY_BYTES = 1 << 28
_REPEATS = 5
_WIDE = 'attributes #0 = { "prefer-vector-width"="512" }\n'


@record
class Level:
    """One level of memory: data that together take at most ``bytes`` can be moved at ``bandwidth`` bytes per second."""

    name: str
    bytes: float
    bandwidth: float


@record
class Limits:
    """What ``threads`` cores reach together. peak: floating-point operations per second (an FMA is two) by element type, "f32" or
    "f64". levels: from the smallest to main memory."""

    threads: int
    peak: dict[str, float]
    levels: tuple[Level, ...]

    def level(self, size: float) -> Level:
        """The smallest level that holds so many bytes."""
        return next(level for level in self.levels if size <= level.bytes)

    def floor(self, flops: float, size: float, short: str = "f32") -> tuple[float, str]:
        """(least seconds for this work, what bounds it): FLOPs over the peak or bytes over the bandwidth of the smallest level
        that can hold them, whichever is larger. The bound is "FMA" or the level's name."""
        level = self.level(size)
        compute, move = flops / self.peak.get(short, self.peak["f32"]), size / level.bandwidth
        return (compute, "FMA") if compute >= move else (move, level.name)


@functools.cache
def measure_limits(threads: int = 1) -> Limits:
    """The limits of so many cores of this machine."""
    peak = {short: measure_peak(short, threads) for short in ("f32", "f64")}
    return Limits(threads, peak, tuple(_measure_levels(threads)))


def measure_peak(short: str = "f32", threads: int = 1) -> float:
    """Floating-point operations per second of fused multiply-adds in registers, with the vector width that gives most."""
    width, size = detect_target().vector_bytes, 4 if short == "f32" else 8
    rounds, rates = 400_000, []
    for lanes in dict.fromkeys((width // size, 16 // size, 32 // size)):
        if lanes * size <= width:
            run = functools.partial(peak_loop(short, lanes), rounds)
            rates.append(2 * lanes * CHAINS * rounds * threads / _best_time(run, threads))
    return max(rates)


def peak_loop(short: str, lanes: int) -> Callable[[int], float]:
    """A function that runs so many rounds of `CHAINS` fused multiply-adds of vectors with so many lanes, all in registers."""
    loop: Callable[[int], float] = _kernel(*_peak_text(short, lanes), (ctypes.c_int64,))
    return loop


def sweep_loop(size: int) -> Callable[[int], float]:
    """A function that updates one array from another so many times and returns the bytes read and written. The two, together of
    about this size, are the calling thread's own."""
    count = max(size // 8 // 64 * 64, 64)
    kinds = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    update = _kernel(*_update_text(detect_target().vector_bytes // 4), kinds)
    memory = threading.local()

    def run(repeats: int) -> float:
        if not hasattr(memory, "arrays"):
            memory.arrays = aligned_copy(np.zeros(count, np.float32)), aligned_copy(np.ones(count, np.float32))
        a, b = memory.arrays
        update(a.ctypes.data, b.ctypes.data, count, repeats)
        return 12.0 * count * repeats

    return run


def measure_bandwidth(size: int, threads: int = 1, seconds: float = 2e-3) -> float:
    """Bytes per second, read and written, of updating one array from another, both together of about this size per thread."""
    sweep = sweep_loop(size)
    sweep(1)
    started = time.perf_counter()
    moved = sweep(1)
    repeats = max(1, int(seconds / max(time.perf_counter() - started, 1e-6)))
    return moved * repeats * threads / _best_time(lambda: sweep(repeats), threads)


def _measure_levels(threads: int) -> list[Level]:
    """The caches of one core, the shared one if it is larger, and memory."""
    l1, l2, l3 = cache_bytes()
    sizes = {"L1": l1 * threads, "L2": l2 * threads, "L3": l3}
    levels: list[Level] = []
    for name, size in sizes.items():
        if size and (not levels or size > 2 * levels[-1].bytes):
            shares = (min(size // threads * n // 12, 1 << 24) for n in (6, 8))  # how two arrays lie in a cache matters
            levels.append(Level(name, size, max(measure_bandwidth(share, threads) for share in shares)))
    past_caches = max(_MEMORY_BYTES, 2 * l3) // threads
    memory = max(measure_bandwidth(past_caches, threads), _copy_bandwidth(past_caches) if threads == 1 else 0)
    return [*levels, Level("memory", float("inf"), memory)]


def _copy_bandwidth(size: int) -> float:
    """Bytes per second, read and written, of the C library's copy, which may write past the caches."""
    source = np.ones(size // 16)
    target = np.zeros_like(source)
    return 2 * source.nbytes / _best_time(lambda: np.copyto(target, source), 1)


class Cores:
    """Threads, one for each of so many cores, that run something at the same moment."""

    def __init__(self, count: int) -> None:
        self._count, self._start = count, threading.Barrier(count)
        self._pool = ThreadPoolExecutor(count)

    def seconds(self, run: Callable[[], Any]) -> float:
        """How long the slowest of them takes."""
        return max(f.result() for f in [self._pool.submit(self._one, run) for _ in range(self._count)])

    def _one(self, run: Callable[[], Any]) -> float:
        self._start.wait()
        return _timed(run)

    def close(self) -> None:
        self._pool.shutdown()


def _best_time(run: Callable[[], Any], threads: int) -> float:
    """Seconds of the best of several runs, in which all threads run at once; the slowest of them counts."""
    if threads == 1:
        return min(_timed(run) for _ in range(_REPEATS))
    cores = Cores(threads)
    try:
        return min(cores.seconds(run) for _ in range(_REPEATS))
    finally:
        cores.close()


def _timed(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _kernel(symbol: str, text: str, arguments: tuple[Any, ...]) -> Any:
    """A kernel as a foreign function; ctypes releases the GIL around it."""
    code = compiled_object(content_key("limits", text, machine_key()), lambda: text, vectorize=False)
    return ctypes.CFUNCTYPE(ctypes.c_float, *arguments)(engine.keep(code, symbol))


def _peak_text(short: str, lanes: int) -> tuple[str, str]:
    """``float peak(i64 rounds)``: chains of multiply-adds, fused where the CPU can, whose values the compiler cannot know."""
    real = "float" if short == "f32" else "double"
    vector, fma, symbol = f"<{lanes} x {real}>", f"@llvm.fmuladd.v{lanes}{short}", f"weft_peak_{short}_{lanes}"
    start = [f"%a{i}.0 = phi {vector} [ zeroinitializer, %entry ], [ %a{i}.1, %loop ]" for i in range(CHAINS)]
    step = [f"%a{i}.1 = call {vector} {fma}({vector} %a{i}.0, {vector} %x, {vector} %x)" for i in range(CHAINS)]
    sums = [f"%s{i} = fadd {vector} {f'%s{i - 1}' if i else 'zeroinitializer'}, %a{i}.1" for i in range(CHAINS)]
    text = f"""
declare {vector} {fma}({vector}, {vector}, {vector})
define float @{symbol}(i64 %n) #0 {{
entry:
  %wide = sitofp i64 %n to {real}
  %small = fdiv {real} 1.0, %wide
  %xi = insertelement {vector} poison, {real} %small, i32 0
  %x = shufflevector {vector} %xi, {vector} poison, <{lanes} x i32> zeroinitializer
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  {chr(10).join((*start, *step))}
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  {chr(10).join(sums)}
  %r = extractelement {vector} %s{CHAINS - 1}, i32 0
  %out = {"fadd float %r, 0.0" if short == "f32" else "fptrunc double %r to float"}
  ret float %out
}}
{_WIDE}"""
    return symbol, text


def _update_text(lanes: int) -> tuple[str, str]:
    """``float update(ptr a, ptr b, i64 count, i64 repeats)``: ``a = a * 0.5 + b``, four vectors at a time, so often."""
    vector, symbol, steps = f"<{lanes} x float>", f"weft_update_{lanes}", 4
    half = f"<{', '.join(['float 0.5'] * lanes)}>"
    w = FunctionWriter()
    with w.counted("%repeats"), w.loop(0, "%count", steps * lanes) as loop:
        for u in range(steps):
            at = w.add(loop.index, u * lanes)
            a, b = (w.at(pointer, at, "float") for pointer in ("%a", "%b"))
            old, more = (w.let(f"load {vector}, ptr {pointer}, align 4") for pointer in (a, b))
            new = w.let(f"fadd {vector} {w.let(f'fmul {vector} {old}, {half}')}, {more}")
            w.line(f"store {vector} {new}, ptr {a}, align 4")
    w.line("ret float 0.0")
    head = f"float @{symbol}(ptr noalias %a, ptr noalias %b, i64 %count, i64 %repeats) #0"
    return symbol, w.function(head) + _WIDE
