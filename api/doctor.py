"""``weft doctor``: what this machine offers and whether weft works on it. In: nothing; out: a `Report` to print or to read."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from weft.graph.record import field, record
from weft.runtime.blas import find_blas
from weft.runtime.config import config
from weft.runtime.cores import usable_cores
from weft.runtime.function import function
from weft.runtime.host import cpu_features, cpu_name, llvm_version
from weft.runtime.machine import cache_bytes, vector_bytes
from weft.runtime.machine_limits import Limits, measure_limits
from weft.runtime.store import cache_usage
from weft.runtime.team import thread_count
from weft.tracer import Variable, convert_to_tensor

TELLING = (
    "sse4.2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512vnni", "avx512bf16", "avx512fp16",
    "amx-bf16", "neon", "sve", "fullfp16", "dotprod",
)  # fmt: skip


@record(frozen=False)
class Report:
    """facts: what was found, by subject, as text. problems: what does not work, in words; empty if all is well."""

    facts: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        width = max(map(len, self.facts), default=0)
        lines = [f"{name:<{width}}  {text}" for name, text in self.facts.items()]
        verdict = [f"problem: {p}" for p in self.problems] or ["No problems found."]
        return "\n".join([*lines, "", *verdict])


def examine(*, measure: bool = True) -> Report:
    """Looks at the machine, the settings and the installed packages, and compiles and runs a small step.

    measure: also measure arithmetic and memory, which takes a few seconds.
    """
    report = Report()
    facts = report.facts
    facts["weft"] = f"{_version('weft')}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    facts["packages"] = ", ".join([*(f"{p} {_version(p)}" for p in ("numpy", "numba", "llvmlite")), f"LLVM {llvm_version()}"])
    facts["CPU"] = f"{_model_name()} ({cpu_name()})"
    features = [f for f in TELLING if f in cpu_features()]
    facts["SIMD"] = f"vectors of {vector_bytes()} bytes, {vector_bytes() // 4} float32; {' '.join(features)}"
    sizes = (f"{name} {_size(size)}" for name, size in zip(("L1", "L2", "L3"), cache_bytes(), strict=True) if size)
    facts["caches"] = ", ".join(sizes)
    cores = usable_cores()
    threads = f"a step uses at most {thread_count()}"
    facts["threads"] = f"{os.cpu_count()} logical processors, {cores} cores for this process; {threads}"
    if measure:
        for count in dict.fromkeys((1, cores)):
            facts[f"speed, {count} core{'s' * (count > 1)}"] = limits_text(measure_limits(count))
    _examine_cache(report)
    blas = find_blas()
    state = "" if config.use_blas else "; switched off"
    facts["BLAS"] = f"{blas.path}, {blas.bits}-bit integers{state}" if blas else "none: matrix products are weft's own kernels"
    _examine_step(report)
    return report


def limits_text(limits: Limits) -> str:
    """The measured limits in a line."""
    levels = ", ".join(f"{level.name} {level.bandwidth * 1e-9:,.0f}" for level in limits.levels)
    peak = {short: rate * 1e-9 for short, rate in limits.peak.items()}
    return f"FMA {peak['f32']:,.0f} GFLOP/s float32, {peak['f64']:,.0f} float64; GB/s: {levels}"


def _examine_cache(report: Report) -> None:
    folder = config.cache_dir
    if folder is None:
        report.facts["cache"] = "in memory only (WEFT_CACHE_DIR=off)"
        return
    usage = cache_usage()
    count, size = (sum(column) for column in zip(*usage.values(), strict=True)) if usage else (0, 0)
    kinds = ", ".join(f"{n} {kind}" for kind, (n, _) in sorted(usage.items()))
    used = f"{count} entries ({kinds})" if count else "empty"
    report.facts["cache"] = f"{folder}: {used}, {_size(size)} of at most {_size(config.cache_bytes)}"
    try:
        Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        report.problems.append(f"the cache folder {folder} cannot be written ({error}): every process compiles for itself.")


def _examine_step(report: Report) -> None:
    """Compiles a step that no cache holds and compares it with NumPy."""
    try:
        seconds, difference = _try_step()
    except Exception as error:  # whatever is wrong with an installation, the report is to name it
        report.problems.append(f"a small step could not be compiled and run: {type(error).__name__}: {error}")
        return
    report.facts["test step"] = f"traced, compiled and run in {seconds:.2f} s; largest difference from NumPy {difference:.1g}"
    if not difference < 1e-5:
        report.problems.append(f"a small step computed wrong numbers: {difference:.3g} away from NumPy's.")


def _try_step() -> tuple[float, float]:
    rng = np.random.default_rng(time.time_ns())
    a, b = rng.random((8, 16), np.float32), rng.random((16, 4), np.float32)
    weights = Variable(b)
    scale = float(rng.random()) + 0.5  # in the step's text, so that it has never been compiled before

    def step(x: Any) -> Any:
        weights.assign(weights * scale)
        return x @ weights

    compiled: Callable[[Any], Any] = function(step)
    started = time.perf_counter()
    result = compiled(convert_to_tensor(a)).numpy()
    seconds = time.perf_counter() - started
    expected = a.astype(np.float64) @ (b.astype(np.float64) * scale)
    return seconds, float(np.max(np.abs(result - expected)))


def _model_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
