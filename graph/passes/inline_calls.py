"""Inlining. In: a graph with ``call`` nodes; out: the same graph with the bodies of the called graphs in their place."""

from __future__ import annotations

from ..ir import Graph, Node, TupleType, make, substitute, topological
from ..origin import created_at


def inline_calls(graph: Graph) -> Graph:
    """Replaces each result taken from a call by the called graph's output. Calls inside called graphs are inlined as well.

    Variables that the called graph writes are not written: a call stands for its results only.
    """
    while any(_body(n) is not None for n in topological(graph.roots)):
        replacement: dict[Node, Node] = {}
        results: dict[Node, tuple[Node, ...]] = {}
        for node in topological(graph.roots):
            with created_at(node.origins):
                _inline(node, replacement, results)
        graph = graph.replace(replacement)
    return graph


def _inline(node: Node, replacement: dict[Node, Node], results: dict[Node, tuple[Node, ...]]) -> None:
    args = [replacement.get(a, a) for a in node.args]
    body = _body(node)
    if body is not None:
        new = substitute(body.outputs, dict(zip(body.inputs, args, strict=True)))
        results[node] = tuple(new[n] for n in body.outputs)
    elif len(node.args) == 1 and isinstance(node.args[0].type, TupleType) and node.args[0] in results:
        replacement[node] = results[node.args[0]][node.attrs["index"]]
    elif any(a is not b for a, b in zip(args, node.args, strict=True)):
        replacement[node] = make(node.op, args, node.attrs)


def _body(node: Node) -> Graph | None:
    """The graph that the node calls."""
    value = node.attrs.get("graph")
    return value if isinstance(value, Graph) else None
