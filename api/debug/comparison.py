"""Eager against compiled. In: a function and arguments; out: times, break-even point, largest difference of the results."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from weft.graph.record import record
from weft.runtime.concrete import ConcreteFunction
from weft.runtime.config import config
from weft.runtime.function import Function, function
from weft.tracer import tree


@record
class Comparison:
    """What `compare` measured. Times are medians over the steps.

    eager_us, graph_us: microseconds per step. first_call_s: seconds to trace, compile (or load) and run once. difference: the
    largest absolute difference of any variable after ``steps`` equal steps, or of the result if there is no variable.
    """

    name: str
    steps: int
    eager_us: float
    graph_us: float
    first_call_s: float
    difference: float

    @property
    def speedup(self) -> float:
        return self.eager_us / self.graph_us

    @property
    def break_even(self) -> float:
        """After how many steps compiling has paid; infinite if the graph is not faster."""
        gain = (self.eager_us - self.graph_us) * 1e-6
        return self.first_call_s / gain if gain > 0 else float("inf")

    def __str__(self) -> str:
        pays = f"{self.break_even:,.0f} steps" if np.isfinite(self.break_even) else "never: the graph is not faster here"
        rows = [
            ("eager, µs per step", f"{self.eager_us:,.0f}"),
            ("graph, µs per step", f"{self.graph_us:,.0f}"),
            ("speed-up", f"{self.speedup:.1f}x"),
            ("first call (trace, compile, run), s", f"{self.first_call_s:.2f}"),
            ("compiling has paid after", pays),
            (f"largest difference after {self.steps} equal steps", f"{self.difference:.2g}"),
        ]
        width = max(len(name) for name, _ in rows)
        body = [f"  {name:<{width}}  {value:>12}" for name, value in rows]
        return "\n".join([f"{self.name}: eager against graph", *body])


def compare(fn: Callable[..., Any], *args: Any, steps: int = 50, **kwargs: Any) -> Comparison:
    """Runs ``fn(*args, **kwargs)`` for ``steps`` steps eagerly and as many compiled, from the same state.

    fn: a compiled function or a plain one; variables it uses (weights, optimizer slots, metric and random state) start both runs
    with the same values and have their present values again afterwards. Raises ValueError for steps < 1.
    """
    if steps < 1:
        raise ValueError(f"compare needs at least one step. Received: steps={steps}")
    compiled = fn if isinstance(fn, Function) else function(fn)
    started = time.perf_counter()
    concrete = compiled.get_concrete_function(*args, **kwargs)
    traced_s = time.perf_counter() - started
    start = [v.numpy() for v in concrete.variables]
    try:
        started = time.perf_counter()
        compiled(*args, **kwargs)
        first_call_s = traced_s + time.perf_counter() - started
        eager_us, eager_state = _run(lambda: _eagerly(compiled, args, kwargs), concrete, start, steps)
        graph_us, graph_state = _run(lambda: compiled(*args, **kwargs), concrete, start, steps)
    finally:
        _restore(concrete, start)
    difference = _largest_difference(eager_state, graph_state)
    return Comparison(compiled.__name__, steps, eager_us, graph_us, first_call_s, difference)


def _eagerly(compiled: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    before, config.run_functions_eagerly = config.run_functions_eagerly, True
    try:
        return compiled(*args, **kwargs)
    finally:
        config.run_functions_eagerly = before


def _run(step: Callable[[], Any], concrete: ConcreteFunction, start: list[Any], steps: int) -> tuple[float, list[Any]]:
    """Median microseconds per step, and the values of the variables (or of the result) at the end."""
    _restore(concrete, start)
    times = []
    result = None
    for _ in range(steps):
        started = time.perf_counter()
        result = step()
        times.append(time.perf_counter() - started)
    values = [v.numpy() for v in concrete.variables] or [np.asarray(t) for t in tree.flatten(result)[0] if t is not None]
    return statistics.median(times) * 1e6, values


def _restore(concrete: ConcreteFunction, values: list[Any]) -> None:
    for variable, value in zip(concrete.variables, values, strict=True):
        variable.assign(value)


def _largest_difference(a: list[Any], b: list[Any]) -> float:
    pairs = [(np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in zip(a, b, strict=True)]
    return max((float(np.max(np.abs(x - y))) for x, y in pairs if x.size), default=0.0)
