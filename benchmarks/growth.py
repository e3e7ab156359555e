"""How step time and compile time grow. In: nothing; out: tables on the screen; with ``--write``, docs/performance.md's parts.

    python benchmarks/growth.py --write          about three minutes; the machine should have nothing else to do

Step times are medians of a model's compiled train step called from Python. Compile times are each taken in a process of its own
without a cache, after a small step has been compiled, so that imports are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from command_line import make_parser
from document import DOCUMENT, replace_part, table

import weft as tf
from weft import keras
from weft.debug.chart import draw_curves
from weft.doctor import examine
from weft.runtime import jit
from weft.runtime.team import thread_count

PICTURES = DOCUMENT.parent / "performance"
SECONDS = 0.5  # per point, about
WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)
DEPTHS = (2, 4, 8, 16, 32, 64)
BATCHES = tuple(2**k for k in range(14))


@dataclass(frozen=True)
class Point:
    """One measured step: what was varied, and seconds: as called, of its kernels on one thread, at the limits of one core."""

    at: int
    step: float
    kernels: float
    floor: float
    flops: int


def build(widths: Iterable[int], inputs: int) -> keras.Sequential:
    """A compiled classifier with relu layers of these widths and ten classes."""
    tf.random.set_seed(3)
    layers = [keras.layers.Dense(w, activation="relu") for w in widths]
    model = keras.Sequential([keras.Input((inputs,)), *layers, keras.layers.Dense(10)])
    model.compile("rmsprop", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def batch_of(size: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.random((size, inputs), np.float32), rng.integers(0, 10, size).astype(np.int32)


def measure(at: int, model: keras.Sequential, size: int, inputs: int) -> Point:
    """The train step on one batch, repeated for about `SECONDS`."""
    x, y = batch_of(size, inputs)
    concrete, arrays = model.concrete_step("train", x, y)
    concrete.run(arrays)
    started = time.perf_counter()
    concrete.run(arrays)
    steps = int(min(max(SECONDS / 2 / (time.perf_counter() - started), 3), 300))
    p = tf.debug.profile(model, x, y, steps=steps)
    print(f"{at}: {p.step_seconds * 1e6:,.1f} µs, median of {steps}", file=sys.stderr)
    return Point(at, p.step_seconds, p.kernel_seconds, p.floor, sum(r.flops for r in p.rows))


def over_width() -> list[Point]:
    return [measure(w, build((w, w), w), 64, w) for w in WIDTHS]


def over_depth() -> list[Point]:
    return [measure(d, build([64] * d, 64), 64, 64) for d in DEPTHS]


def over_batch() -> list[Point]:
    model = build((64, 64), 784)
    return [measure(b, model, b, 784) for b in BATCHES]


GROWTHS: dict[str, tuple[str, Callable[[], list[Point]]]] = {
    "width": ("Two hidden layers of that width on as many inputs, batch 64", over_width),
    "depth": ("That many hidden layers of 64 units, batch 64", over_depth),
    "batch": ("784-64-64-10, one compiled step for all batch sizes", over_batch),
}


# Compiling


def compile_once(depth: int, equal: bool) -> dict[str, float]:
    """Seconds to trace, plan and make machine code of a train step, and how many kernels that took. No cache may be in use."""
    warm = build((3,), 5)
    warm.train_on_batch(*batch_of(2, 5))
    widths = [64] * depth if equal else [64 + i for i in range(depth)]
    model = build(widths, 64)
    before = jit.counters.seconds, jit.counters.kernels_compiled
    started = time.perf_counter()
    concrete, _ = model.concrete_step("train", *batch_of(8, 64))
    traced = time.perf_counter() - started
    compiled = concrete.compiled
    whole = time.perf_counter() - started
    native = jit.counters.seconds - before[0]
    assert compiled.program.kernels
    kernels = jit.counters.kernels_compiled - before[1]
    return {"trace": traced, "plan": whole - traced - native, "native": native, "kernels": kernels}


def measure_compiling() -> dict[bool, dict[int, dict[str, float]]]:
    """`compile_once` for all depths, each in a fresh process."""
    out: dict[bool, dict[int, dict[str, float]]] = {True: {}, False: {}}
    environment = {**os.environ, "WEFT_CACHE_DIR": "off"}
    for depth in DEPTHS:
        for equal in (True, False):
            command = [sys.executable, __file__, "--compile", str(depth), "equal" if equal else "different"]
            answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
            out[equal][depth] = json.loads(answer)
            print(f"{depth} {'equal' if equal else 'different'} layers: {answer.strip()}", file=sys.stderr)
    return out


def total(times: dict[str, float]) -> float:
    return times["trace"] + times["plan"] + times["native"]


# The document


def growth_text(name: str, points: list[Point]) -> str:
    """The plot's place and the table of one growth."""
    head = (name, "step, µs", "kernels on one thread, µs", "limit of one core, µs", "share of the limit", "GFLOP/s")
    rows = [
        (
            f"{p.at}", f"{p.step * 1e6:,.1f}", f"{p.kernels * 1e6:,.1f}", f"{p.floor * 1e6:,.1f}", f"{p.floor / p.kernels:.0%}",
            f"{p.flops / p.step * 1e-9:,.0f}",
        )
        for p in points
    ]  # fmt: skip
    return f"![Step time over {name}](performance/{name}.svg)\n\n{table(head, rows)}"


def growth_plot(name: str, points: list[Point]) -> str:
    curves = {
        "step, as called": [(p.at, p.step * 1e6) for p in points],
        "its kernels on one thread": [(p.at, p.kernels * 1e6) for p in points],
        "the machine's limit, one core": [(p.at, p.floor * 1e6) for p in points],
    }
    return str(draw_curves(f"{GROWTHS[name][0]} (RMSprop)", name, "µs per step", curves))


def compile_text(times: dict[bool, dict[int, dict[str, float]]]) -> str:
    columns = ("trace", "plan", "native", "kernels")
    head = ["hidden layers", *(f"{kind}: {what}" for kind in ("equal", "different") for what in ("all, s", *columns))]
    rows = []
    for depth in DEPTHS:
        row = [str(depth)]
        for t in (times[True][depth], times[False][depth]):
            row += [f"{total(t):.2f}", *(f"{t[c]:.2f}" for c in columns[:3]), f"{t['kernels']:.0f}"]
        rows.append(row)
    return f"![Compile time over depth](performance/compile.svg)\n\n{table(head, rows)}"


def compile_plot(times: dict[bool, dict[int, dict[str, float]]]) -> str:
    curves = {}
    for equal, name in ((True, "equal layers"), (False, "different layers")):
        curves[f"{name}, whole first call"] = [(d, total(t)) for d, t in times[equal].items()]
        curves[f"{name}, machine code"] = [(d, max(t["native"], 1e-3)) for d, t in times[equal].items()]
    return str(draw_curves("Compiling a train step, cold cache", "hidden layers", "seconds", curves))


def machine_text() -> str:
    """What the doctor says about the machine, as a block."""
    wanted = ("weft", "packages", "CPU", "SIMD", "caches", "threads", "speed")
    chosen = {k: v for k, v in examine().facts.items() if k.partition(",")[0] in wanted}
    width = max(map(len, chosen))
    lines = "\n".join(f"{k:<{width}}  {v}" for k, v in chosen.items())
    return f"```\n{lines}\n```\n\nThreads per step: at most {thread_count()}. Date: {time.strftime('%Y-%m-%d')}."


def main() -> None:
    parser = make_parser(__doc__, part="the tables and plots")
    parser.add_argument("--only", nargs="*", choices=[*GROWTHS, "compile"], help="which growths (default: all)")
    parser.add_argument("--compile", nargs=2, metavar=("DEPTH", "KIND"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.compile:
        print(json.dumps(compile_once(int(arguments.compile[0]), arguments.compile[1] == "equal")))
        return
    texts, plots = {"machine": machine_text()}, {}
    for name in arguments.only or [*GROWTHS, "compile"]:
        if name == "compile":
            times = measure_compiling()
            texts[name], plots[name] = compile_text(times), compile_plot(times)
        else:
            points = GROWTHS[name][1]()
            texts[name], plots[name] = growth_text(name, points), growth_plot(name, points)
    for name, text in texts.items():
        print(f"\n## {name}\n\n{text}")
        if arguments.write:
            replace_part(name, text)
    if arguments.write:
        PICTURES.mkdir(exist_ok=True)
        for name, plot in plots.items():
            (PICTURES / f"{name}.svg").write_text(plot)


if __name__ == "__main__":
    main()
