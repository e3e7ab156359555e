"""Inlining. In: a graph with ``call`` nodes; out: the same graph with the bodies of the called graphs in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..dims import Dim, Size
from ..ir import ArrayType, Graph, Node, TupleType, make
from ..origin import created_at


def inline_calls(graph: Graph) -> Graph:
    """Replaces each result taken from a call by the called graph's output, also of calls inside called graphs.

    A called graph has no variables and no effects of its own, so its outputs are all there is to it. Its symbolic sizes become
    the caller's.
    """
    nodes = graph.nodes()
    if not any(_body(n) for n in nodes):
        return graph
    new = _rebuild(nodes, {n: n for n in graph.inputs}, {})
    return Graph(
        graph.inputs,
        tuple(new[n] for n in graph.outputs),
        tuple((v, new[n]) for v, n in graph.writes),
        None if graph.token is None else new[graph.token],
        graph.name,
    )


def _rebuild(nodes: Sequence[Node], new: dict[Node, Node], sizes: Mapping[str, Size]) -> dict[Node, Node]:
    """Fills ``new`` with the nodes, calls replaced by bodies and sizes by others."""
    results: dict[Node, tuple[Node, ...]] = {}
    for node in nodes:
        if node in new:
            continue
        body = _body(node)
        if body is not None:
            results[node] = _inlined(body, [new[a] for a in node.args])
        elif len(node.args) == 1 and isinstance(node.args[0].type, TupleType) and node.args[0] in results:
            new[node] = results[node.args[0]][node.attrs["index"]]
        else:
            with created_at(node.origins):
                attrs = {k: _substituted(v, sizes) for k, v in node.attrs.items()} if sizes else node.attrs
                new[node] = make(node.op, [new[a] for a in node.args], attrs)
    return new


def _inlined(body: Graph, args: Sequence[Node]) -> tuple[Node, ...]:
    """The outputs of the called graph for these arguments."""
    sizes: dict[str, Size] = {}
    for inner, outer in zip(body.inputs, args, strict=True):
        for size, actual in zip(inner.shape, outer.shape, strict=True):
            if isinstance(size, Dim) and size == Dim(min(size.names)):
                sizes.setdefault(str(size), actual)
    new = _rebuild(body.nodes(), dict(zip(body.inputs, args, strict=True)), sizes)
    return tuple(new[n] for n in body.outputs)


def _substituted(value: Any, sizes: Mapping[str, Size]) -> Any:
    if isinstance(value, Dim):
        return value.substitute(sizes)
    if isinstance(value, tuple):
        return tuple(_substituted(v, sizes) for v in value)
    if isinstance(value, ArrayType):
        return ArrayType(value.dtype, _substituted(value.shape, sizes))
    return value


def _body(node: Node) -> Graph | None:
    """The graph that the node calls."""
    value = node.attrs.get("graph")
    return value if isinstance(value, Graph) else None
