"""The passes in order. In: a graph as it was traced; out: an equal graph that is cheaper to run.

`PIPELINE` is the whole list. Common subexpressions merge when nodes are made, and what nothing depends on is not in the graph,
so that neither needs a pass.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ir import Graph
from ..verify import verify
from .inline_calls import inline_calls
from .simplify_algebra import simplify_algebra

__all__ = ["PIPELINE", "optimize"]

Pass = Callable[[Graph], Graph]

PIPELINE: tuple[Pass, ...] = (inline_calls, simplify_algebra)


def optimize(graph: Graph, verify_each: bool = False, pipeline: tuple[Pass, ...] = PIPELINE) -> Graph:
    """Runs the passes in order. The result computes the same bits, but for signs of NaN; reductions are as exact or better.

    Optimising again changes nothing, because the last pass goes on until none of the rules applies.

    verify_each: check the graph before and after every pass; `VerificationError` names the pass that broke it.
    """
    if verify_each:
        verify(graph)
    for run in pipeline:
        graph = run(graph)
        if verify_each:
            _verify_after(run, graph)
    return graph


def _verify_after(run: Pass, graph: Graph) -> None:
    try:
        verify(graph)
    except Exception as error:  # passed on
        error.add_note(f"This is the graph after {run.__name__}.")
        raise
