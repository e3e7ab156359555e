"""What this machine can do on one core. In: nothing; out: measured FMA peak (GFLOP/s) and memory bandwidth (GB/s)."""

from __future__ import annotations

import ctypes
import time

import llvmlite.binding as llvm
import numpy as np

CHAINS = 12  # independent accumulators: FMA latency times ports, with room


def measure_fma_peak(lanes: int | None = None) -> float:
    """GFLOP/s of float32 fused multiply-adds in registers, the best of several runs; the widest vectors the CPU has win."""
    widths = (lanes,) if lanes else (4, 8, 16)
    return max(_fma_rate(width) for width in widths)


def _fma_rate(lanes: int) -> float:
    run = _compile_fma(lanes)
    rounds = 2_000_000
    best = min(_timed(lambda: run(rounds)) for _ in range(5))
    return 2 * lanes * CHAINS * rounds / best * 1e-9


def _compile_fma(lanes: int):  # a ctypes function; its engine is kept alive by an attribute
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    vector = f"<{lanes} x float>"
    start = [f"%a{i}.0 = phi {vector} [ zeroinitializer, %entry ], [ %a{i}.1, %loop ]" for i in range(CHAINS)]
    step = [f"%a{i}.1 = call {vector} @llvm.fma.v{lanes}f32({vector} %x, {vector} %y, {vector} %a{i}.0)" for i in range(CHAINS)]
    sums = ["%s0 = fadd " + f"{vector} %a0.1, zeroinitializer"]
    sums += [f"%s{i} = fadd {vector} %s{i - 1}, %a{i}.1" for i in range(1, CHAINS)]
    text = f"""
declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})
define float @peak(i64 %n, float %u) #0 {{
entry:
  %xi = insertelement {vector} undef, float %u, i32 0
  %x = shufflevector {vector} %xi, {vector} undef, <{lanes} x i32> zeroinitializer
  %y = fadd {vector} %x, %x
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  {chr(10).join(start)}
  {chr(10).join(step)}
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  {chr(10).join(sums)}
  %r = extractelement {vector} %s{CHAINS - 1}, i32 0
  ret float %r
}}
attributes #0 = {{ "prefer-vector-width"="512" }}
"""
    module = llvm.parse_assembly(text)
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    function = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float)(engine.get_function_address("peak"))

    def run(rounds: int) -> float:
        return function(rounds, 1e-9)

    run.engine = engine  # type: ignore[attr-defined]
    return run


def measure_bandwidth(megabytes: int = 256) -> float:
    """GB/s of copying a large array: bytes read plus bytes written, the best of several runs."""
    source = np.ones(megabytes * 2**20 // 8)
    target = np.empty_like(source)
    np.copyto(target, source)
    best = min(_timed(lambda: np.copyto(target, source)) for _ in range(5))
    return 2 * source.nbytes / best * 1e-9


def _timed(run) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
