"""Compiling while the first calls already run. In: a traced graph; out: a job that compiles it in a thread.

Until the job is done, calls run the graph with the NumPy kernels (`graph.evaluate`). It pays where compiling takes long and a
call takes little of that; both are guessed from the graph before anything is planned. Whether it is wanted is what
``config.background_compile`` says, by default no: on two cores only the first few calls gain by it, and how many steps of a
training are rounded in NumPy's way depends on the clock, so that the same seed no longer gives the same run.

The job holds the lock of all compilations, which a fork waits for. At exit nothing is waited for but a running call of LLVM.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Mapping, Sequence

import numpy as np

from weft.graph.dims import size_value
from weft.graph.evaluate import solve_dims
from weft.graph.ir import ArrayType, Graph, Node

from .compiler import Compiled, compile_graph, is_stored
from .config import config
from .kernel_workers import kernel_workers

LEAST_SECONDS = 0.3
"""Compiling that takes less is waited for."""
MOST_SHARE = 0.1
"""The share of the time to compile that one interpreted call may take."""
PATIENCE = 20
"""A call waits so many times as long as the last one was interpreted: the thread is hardly slowed down."""
START, PER_PRODUCT, PER_NODE = 0.1, 0.045, 0.0025
"""Seconds of compiling: once, for each different matrix product, and for every other node. Measured on 2 cores at 2 GHz."""
CALL, PER_ELEMENT, PER_FLOP = 10e-6, 2e-9, 3e-11
"""Seconds of the interpreter: per node, element and FLOP of a matrix product."""


class BackgroundCompile:
    """A compilation in a thread."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._process = os.getpid()
        self._done = threading.Event()
        self._due = 0.0
        self._compiled: Compiled | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="weft_background", daemon=True).start()

    def _run(self) -> None:
        try:
            with kernel_workers:
                self._compiled = compile_graph(self._graph)
                self._done.set()  # inside, so that a forked child sees either nothing or all of it
        except BaseException as error:  # `wait` raises it
            self._error = error
            self._done.set()

    def ready(self) -> bool:
        """Whether `wait` need not wait; first gives the thread the time that is due to it."""
        if os.getpid() != self._process:
            return True
        due, self._due = self._due, 0.0
        return self._done.wait(due)

    def note_call(self, seconds: float) -> None:
        """A call was interpreted in this time, which is taken from the thread where it runs Python too."""
        self._due = PATIENCE * seconds

    def wait(self) -> Compiled:
        """What was compiled, when it is ready. A forked child, whose thread is gone, compiles for itself."""
        if os.getpid() == self._process:
            self._done.wait()
        if self._error is not None:
            raise self._error
        return self._compiled or compile_graph(self._graph)


def start_compile(graph: Graph, arrays: Sequence[np.ndarray]) -> BackgroundCompile | None:
    """A job for the graph, called with such arrays, or None where compiling at once is better."""
    mode = config.background_compile
    if mode == "off" or (mode == "stateless" and graph.writes) or any(_inner_graph(n) for n in graph.nodes()):
        return None
    seconds = compile_seconds(graph)
    dims = solve_dims([p.type for p in graph.inputs], [a.shape for a in arrays])
    if seconds < LEAST_SECONDS or interpreter_seconds(graph, dims) > MOST_SHARE * seconds or is_stored(graph):
        return None
    try:
        return BackgroundCompile(graph)
    except RuntimeError:  # no more threads
        return None


def compile_seconds(graph: Graph) -> float:
    """A guess how long compiling takes if nothing is in the cache."""
    products = {(n.op.name, tuple(a.type for a in n.args), n.type) for n in graph.nodes() if n.op.family == "contract"}
    others = sum(n.op.family != "contract" for n in graph.nodes())
    return START + PER_PRODUCT * len(products) + PER_NODE * others


def interpreter_seconds(graph: Graph, dims: Mapping[str, int]) -> float:
    """A guess how long the NumPy kernels take for one call with these sizes."""
    total = 0.0
    for node in graph.nodes():
        out = _elements(node, dims)
        total += CALL + PER_ELEMENT * out
        if node.op.family == "contract":  # sizes mk, kn and mn: their product is the square of mnk
            total += PER_FLOP * 2 * math.sqrt(out * math.prod(_elements(a, dims) for a in node.args))
    return total


def _elements(node: Node, dims: Mapping[str, int]) -> int:
    return size_value(node.type.size, dims) if isinstance(node.type, ArrayType) else 0


def _inner_graph(node: Node) -> bool:
    """Whether the node holds graphs, whose number of rounds nobody knows."""
    return any(isinstance(v, Graph) for v in node.attrs.values())
