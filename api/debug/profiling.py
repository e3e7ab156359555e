"""Where a step spends its time. In: a compiled function or a model, and arguments; out: a `Profile`: table, totals, pictures."""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from weft.graph.ir import Graph
from weft.graph.record import record
from weft.runtime.concrete import ConcreteFunction
from weft.runtime.function import Function, function
from weft.runtime.machine_limits import Limits, measure_limits
from weft.runtime.profiler import CallTime, time_calls

from .profile_page import draw_profile, write_page


@record
class ProfileRow:
    """One kernel call, in the order of execution.

    kernel: its name in the generated module; ops: what it computes; result: what it leaves in memory; origin: the user's lines
    and layers. seconds: the median. flops, bytes: its work. floor: the least seconds that this work takes on this machine; bound:
    what that is limited by, "FMA" or a level of memory.
    """

    kernel: str
    ops: str
    result: str
    origin: str
    seconds: float
    flops: int
    bytes: int
    floor: float
    bound: str

    @property
    def roofline(self) -> float:
        """The share of what the machine could do: 1 is as fast as it gets."""
        return self.floor / self.seconds if self.seconds else 1.0

    @property
    def gflops(self) -> float:
        """Achieved 10⁹ floating-point operations per second."""
        return self.flops / max(self.seconds, 1e-9) * 1e-9

    @property
    def gigabytes(self) -> float:
        """Achieved 10⁹ bytes per second."""
        return self.bytes / max(self.seconds, 1e-9) * 1e-9

    @property
    def layers(self) -> str:
        """The layers' names, without the lines."""
        return ", ".join(dict.fromkeys(p.partition(" ")[2] for p in self.origin.split(", ") if " " in p)) or "-"

    @property
    def lines(self) -> str:
        """The lines, without the layers."""
        return ", ".join(dict.fromkeys(p.partition(" ")[0] for p in self.origin.split(", ") if p)) or "-"


@record
class Profile:
    """What `profile` measured. ``print`` it, `save` it, or read ``rows``.

    step_seconds: the median of the step as it is called, from Python and back. rows: its kernel calls. limits: what the machine
    can do. sources: the text of the user's lines, as "file:line" names them.
    """

    name: str
    steps: int
    step_seconds: float
    rows: tuple[ProfileRow, ...]
    limits: Limits
    sources: dict[str, str]

    @property
    def kernel_seconds(self) -> float:
        """The sum over the kernel calls."""
        return sum(r.seconds for r in self.rows)

    @property
    def floor(self) -> float:
        """The least seconds the calls take at the machine's limits."""
        return sum(r.floor for r in self.rows)

    @property
    def roofline(self) -> float:
        return self.floor / self.kernel_seconds if self.kernel_seconds else 1.0

    def by_layer(self) -> dict[str, float]:
        """Seconds per layer, the slowest first; "-" is what belongs to none."""
        return _totals((r.layers, r.seconds) for r in self.rows)

    def by_line(self) -> dict[str, float]:
        """Seconds per line of the user's program (``train.py:12``), the slowest first."""
        return _totals((r.lines, r.seconds) for r in self.rows)

    def save(self, path: str | Path) -> Path:
        """Writes the picture: a page with tables for ``.html``, the drawing alone for ``.svg``. ValueError for other endings."""
        path = Path(path)
        if path.suffix not in (".html", ".svg"):
            raise ValueError(f'A profile is saved as ".html" or ".svg". Received: {str(path)!r}')
        path.write_text(write_page(self) if path.suffix == ".html" else str(draw_profile(self)), encoding="utf-8")
        return path

    def heading(self) -> list[str]:
        """Three lines: the step, its kernels, the machine."""
        levels = ", ".join(f"{level.name} {level.bandwidth * 1e-9:.0f}" for level in self.limits.levels)
        flops, moved = sum(r.flops for r in self.rows), sum(r.bytes for r in self.rows)
        return [
            f"{self.name}: {self.step_seconds * 1e6:,.1f} µs per step as called (median of {self.steps})",
            f"{len(self.rows)} kernel calls on one thread: {self.kernel_seconds * 1e6:,.1f} µs, {flops * 1e-6:,.1f} MFLOP, "
            f"{moved * 1e-6:,.2f} MB; at the machine's limits {self.floor * 1e6:,.1f} µs: {self.roofline:.0%} of the roofline",
            f"measured limits of one core: {self.limits.peak['f32'] * 1e-9:,.0f} GFLOP/s float32 FMA; GB/s from {levels}",
        ]

    def __str__(self) -> str:
        head = ("µs", "time", "GFLOP/s", "GB/s", "roofline", "kernel", "result", "from")
        rows = [_cells(r, self.kernel_seconds) for r in sorted(self.rows, key=lambda r: -r.seconds)]
        layers = [(f"{s * 1e6:,.1f}", f"{s / max(self.kernel_seconds, 1e-12):.0%}", name) for name, s in self.by_layer().items()]
        return "\n".join([*self.heading(), "", *_aligned([head, *rows], 4), "", *_aligned([("µs", "time", "layer"), *layers], 2)])


def profile(step: Any, *args: Any, steps: int = 50, **kwargs: Any) -> Profile:
    """Measures each kernel call of ``step(*args, **kwargs)``.

    step: a compiled function; a plain function, which is compiled for this; or a model: its train step if `compile` was called
    and targets are given (``profile(model, x, y)``), else its forward pass. The arguments of a model are one batch.
    Variables (weights, optimizer slots, metrics, random state) have their present values again afterwards.

    FLOPs and bytes are counted from the kernels' loops (see `weft.codegen.count_work`); a share of the roofline is the time that
    this work takes at the machine's measured limits, over the measured time. Raises ValueError for steps < 1.
    """
    if steps < 1:
        raise ValueError(f"profile needs at least one step. Received: steps={steps}")
    concrete, inputs = _concrete(step, args, kwargs)
    before = [v.numpy() for v in concrete.variables]
    try:
        calls, step_seconds = time_calls(concrete.graph, inputs, steps, lambda: concrete.run(inputs))
    finally:
        for variable, value in zip(concrete.variables, before, strict=True):
            variable.assign(value)
    limits = measure_limits()
    rows = tuple(_row(call, limits) for call in calls)
    return Profile(concrete.name, steps, step_seconds, rows, limits, _source_lines(concrete.graph))


def _concrete(step: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[ConcreteFunction, list[np.ndarray]]:
    """The trace to measure and the arrays to run it on."""
    if hasattr(step, "concrete_step"):  # a model
        trains = step.compiled and (len(args) > 1 or "y" in kwargs)
        found: tuple[ConcreteFunction, list[np.ndarray]] = step.concrete_step("train" if trains else "predict", *args, **kwargs)
        return found
    compiled = step if isinstance(step, Function) else function(step)
    concrete, arrays = compiled.trace_call(*args, **kwargs)
    if any(a is None for a in arrays):
        raise ValueError(f"profile runs the step, so it needs values for all tensors. Received: {args} {kwargs}")
    return concrete, arrays


def _row(call: CallTime, limits: Limits) -> ProfileRow:
    d = call.decl
    floor, bound = limits.floor(call.flops, call.bytes, "f64" if d.result.startswith("f64") else "f32")
    return ProfileRow(d.kernel, d.ops, d.result, d.origin, call.seconds, call.flops, call.bytes, floor, bound)


def _source_lines(graph: Graph) -> dict[str, str]:
    """The text of every line that the graph's nodes come from."""
    origins = {str(o).partition(" ")[0]: o for node in graph.nodes() for o in node.origins}
    texts = {where: linecache.getline(o.file, o.line).strip() for where, o in origins.items()}
    return {where: text for where, text in texts.items() if text}


def _totals(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    out: dict[str, float] = {}
    for name, seconds in pairs:
        out[name] = out.get(name, 0.0) + seconds
    return dict(sorted(out.items(), key=lambda item: -item[1]))


def _cells(row: ProfileRow, total: float) -> tuple[str, ...]:
    time_share = f"{row.seconds / max(total, 1e-12):.0%}"
    numbers = (f"{row.seconds * 1e6:,.2f}", time_share, f"{row.gflops:,.1f}", f"{row.gigabytes:,.1f}")
    return (*numbers, f"{row.roofline:.0%} {row.bound}", row.kernel, row.result, row.origin)


def _aligned(rows: list[tuple[str, ...]], numbers: int) -> list[str]:
    """Columns of equal width; the first ``numbers`` of them to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pad = [str.rjust if i < numbers else str.ljust for i in range(len(widths))]
    return ["  ".join(p(cell, w) for p, cell, w in zip(pad, row, widths, strict=True)).rstrip() for row in rows]
