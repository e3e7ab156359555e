"""Compiled functions under a tape that records outside. In: a concrete function and its arguments; out: tensors the tape knows.

The call becomes one ``call`` node whose graph is the function's, with variables as further arguments. Its gradient is another
call, of the backward graph, which is compiled when a gradient is first asked for.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from weft.graph.build import parameter
from weft.graph.ir import Graph
from weft.graph.op import Attrs
from weft.tracer import EagerTensor, record
from weft.tracer.checked import evaluators

from .compiler import Compiled, compile_graph, owner_of

if TYPE_CHECKING:
    from .concrete import ConcreteFunction

_closed: weakref.WeakKeyDictionary[Graph, Graph] = weakref.WeakKeyDictionary()
_compiled: weakref.WeakKeyDictionary[Graph, Compiled] = weakref.WeakKeyDictionary()


def record_call(concrete: ConcreteFunction, tensors: Sequence[Any], arrays: Sequence[np.ndarray]) -> list[EagerTensor]:
    """Runs the function and shows the call to the recording tapes."""
    args = [t if isinstance(t, EagerTensor) else EagerTensor(a.copy()) for t, a in zip(tensors, arrays, strict=True)]
    args += [owner_of(ref).value() for ref in concrete.graph.reads()]  # read before the run, which may write them
    out = tuple(EagerTensor(a) for a in concrete.run(arrays))
    record("call", args, out, graph=close_graph(concrete.graph))
    return list(out)


def close_graph(graph: Graph) -> Graph:
    """The graph as a function of its inputs and the variables it reads, without writes and effects."""
    found = _closed.get(graph)
    if found is None:
        reads = {n: parameter(n.type, n.attrs["variable"].name) for n in graph.nodes() if "variable" in n.attrs}
        outputs = Graph(graph.inputs, graph.outputs).replace(reads).outputs
        found = _closed[graph] = Graph((*graph.inputs, *reads.values()), outputs, name=graph.name)
    return found


def run_called_graph(arrays: Sequence[np.ndarray], attrs: Attrs) -> tuple[np.ndarray, ...]:
    """The kernel of ``call`` in eager mode: compiled, like everything a function contains."""
    graph: Graph = attrs["graph"]
    compiled = _compiled.get(graph)
    if compiled is None:
        compiled = _compiled[graph] = compile_graph(graph)
    return tuple(compiled.run(arrays))


evaluators["call"] = run_called_graph
