"""How long each call of a step takes. In: a traced graph and input arrays; out: `CallTime` per call: median time, FLOPs, bytes.

The program is generated again, so that it names this graph's lines, whatever a cache on disk may hold; its kernels are the ones
that the ordinary step runs. The driver's text differs in one thing: after each call it notes the time, by clock_gettime, in a
table. One thread runs it, so that a call's time is its own.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from weft import codegen
from weft.codegen import Program, order_variables
from weft.codegen.program import CallDecl
from weft.graph.dims import parse_size, size_value
from weft.graph.errors import UnimplementedError
from weft.graph.ir import Graph
from weft.graph.passes import optimize
from weft.graph.record import record

from .clock import clock_address
from .compiler import owner_of
from .executable import CompiledStep
from .jit import NativeStep, compile_step
from .machine import detect_target
from .team_build import wait_for_teams

TURN = 8
"""Runs in a row of the timed step, and of the ordinary one."""


@record
class CallTime:
    """One call. seconds: the median over the steps. flops, bytes: its work at the sizes it was measured with."""

    decl: CallDecl
    seconds: float
    flops: int
    bytes: int


class TimedStep(CompiledStep):
    """A program whose step notes times; called like any executable. ``seconds``: per call, of the latest step."""

    def __init__(self, program: Program, variables: Sequence[np.ndarray]) -> None:
        super().__init__(program, variables)
        timed = compile_step(program, _clock())
        self._step = NativeStep(timed.address, timed.uses_blas, timed.handle)  # never shared by a team of threads
        self._times = np.zeros((len(program.calls) + 2, 2), np.int64)

    def bind(self, inputs: Sequence[np.ndarray]) -> dict[str, int]:
        """Makes ready for inputs of these shapes; returns the symbolic sizes. Only such inputs may follow."""
        frame = self._take_frame()
        binding = frame.bind(self._layout.prepare(inputs))
        binding.set_spare_pointer(self._times.ctypes.data)
        self.free.append(frame)
        return binding.dims

    @property
    def seconds(self) -> np.ndarray:
        """float64 per call, less what noting a time costs."""
        at = self._times[:, 0] * 1e9 + self._times[:, 1]
        return np.maximum(np.diff(at[1:]) - (at[1] - at[0]), 0) * 1e-9


def time_calls(
    graph: Graph, inputs: Sequence[np.ndarray], steps: int, run: Callable[[], object]
) -> tuple[list[CallTime], float]:
    """Runs the graph ``steps`` times on these arrays and reports on each call of its step.

    run: the same step as usually called, on several threads if it pays. It takes turns with the timed one, so that both meet
    the same neighbours on this machine; its median seconds are returned too. A turn is several runs, of which the first does not
    count: it finds the variables in the caches that the other one left them in. The variables are updated by each run. Raises
    what the step raises, and UnimplementedError where there is no clock_gettime.
    """
    optimized = optimize(graph)
    program = codegen.generate(optimized, detect_target())
    step = TimedStep(program, [owner_of(r)._storage for r in order_variables(optimized)])
    sizes = step.bind(inputs)
    times, whole = [], []
    run()
    wait_for_teams()
    for first in range(0, steps, TURN):
        runs = 1 + min(TURN, steps - first)
        for i in range(runs):
            step(inputs)
            times += [step.seconds] if i else []
        for i in range(runs):
            started = time.perf_counter()
            run()
            whole += [time.perf_counter() - started] if i else []
    medians = np.median(times, axis=0)
    calls = [_call_time(c, float(s), sizes) for c, s in zip(program.calls, medians, strict=True)]
    return calls, statistics.median(whole)


def _call_time(decl: CallDecl, seconds: float, sizes: dict[str, int]) -> CallTime:
    moved = sum(min(size_value(parse_size(t), sizes) for t in least) for least in decl.traffic)
    return CallTime(decl, seconds, size_value(parse_size(decl.flops), sizes), moved)


def _clock() -> int:
    address = clock_address()
    if address == 0:
        raise UnimplementedError("Profiling needs the C library's clock_gettime, which this system does not have.")
    return address
