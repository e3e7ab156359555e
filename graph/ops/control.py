"""Calls of graphs and the taking apart of their results."""

from __future__ import annotations

import weakref
from typing import Any

from ..build import constant, parameter
from ..dims import Dim, Size
from ..errors import ShapeError
from ..evaluate import evaluate
from ..families import Control
from ..gradient import gradients
from ..ir import ArrayType, Graph, Node, TupleType, Type
from ..op import Attrs, Types, define


def _call_rule(types: Types, attrs: Attrs) -> Type:
    """The results' types, with the called graph's symbolic sizes expressed by the caller's."""
    graph: Graph = attrs["graph"]
    expected = [p.type for p in graph.inputs]
    pairs = list(zip(expected, types, strict=False))
    fits = len(expected) == len(types) and all(e.dtype is t.dtype and e.rank == t.rank for e, t in pairs)
    known: dict[str, Size] = {}
    for e, t in pairs if fits else ():
        for inner, outer in zip(e.shape, t.shape, strict=True):
            if isinstance(inner, Dim) and len(inner.names) == 1 and inner == Dim(next(iter(inner.names))):
                known.setdefault(str(inner), outer)
    if not fits or any(_substituted(e, known).shape != t.shape for e, t in pairs):
        wanted, shown = (", ".join(map(str, ts)) or "nothing" for ts in (expected, types))
        raise ShapeError(f"call of {graph.name} takes {wanted}. Received: {shown}.")
    return TupleType(tuple(_substituted(n.type, known) for n in graph.outputs))


def _substituted(type: ArrayType, known: dict[str, Size]) -> ArrayType:
    return ArrayType(type.dtype, tuple(s.substitute(known) if isinstance(s, Dim) else s for s in type.shape))


def _call(*arrays: Any, graph: Graph) -> Any:
    return evaluate(graph, arrays).outputs


_backward: weakref.WeakKeyDictionary[Graph, dict[Any, tuple[Graph, tuple[int, ...]]]] = weakref.WeakKeyDictionary()


def backward_graph(graph: Graph, given: tuple[bool, ...]) -> tuple[Graph, tuple[int, ...]]:
    """The graph from inputs and output gradients to input gradients, and the inputs that have one. Made once per combination.

    given: which outputs have a gradient; only those are inputs of the result.
    """
    made = _backward.setdefault(graph, {})
    if given not in made:
        seeds = [parameter(n.type, "gradient") if g else None for n, g in zip(graph.outputs, given, strict=True)]
        targets = [n for n, g in zip(graph.outputs, given, strict=True) if g]
        found = gradients(targets, graph.inputs, [s for s in seeds if s is not None])
        connected = tuple(i for i, g in enumerate(found) if g is not None)
        inputs = (*graph.inputs, *(s for s in seeds if s is not None))
        outputs = tuple(g for g in found if g is not None)
        made[given] = Graph(inputs, outputs, name=f"{graph.name}_gradient"), connected
    return made[given]


def _call_gradient(o: Any, node: Node, grads: Any) -> list[Node | None]:
    graph: Graph = node.attrs["graph"]
    backward, connected = backward_graph(graph, tuple(g is not None for g in grads))
    out: list[Node | None] = [None] * len(node.args)
    if connected:
        results = o.call(*node.args, *(g for g in grads if g is not None), graph=backward)
        for index, position in enumerate(connected):
            out[position] = o.item(results, index=index)
    return out


define(
    Control(
        name="call",
        params=("args",),
        attributes={"graph": ...},
        rule=_call_rule,
        compute=_call,
        gradient=_call_gradient,
        doc="The outputs of a graph without variables and effects, as a tuple.",
    )
)


def _custom_call_gradient(o: Any, node: Node, grads: Any) -> list[Node | None]:
    given = [_zeros(o, t) if g is None else g for t, g in zip(node.type.items, grads, strict=True)]
    results = o.call(*node.args, *given, graph=node.attrs["backward"])
    out: list[Node | None] = [None] * len(node.args)
    for index, position in enumerate(node.attrs["connected"]):
        out[position] = o.item(results, index=index)
    return out


def _zeros(o: Any, type: ArrayType) -> Node:
    return o.broadcast_to(constant(type.dtype.np.type(0)), shape=type.shape)


define(
    Control(
        name="custom_call",
        params=("args",),
        attributes={"graph": ..., "backward": ..., "connected": ...},
        rule=_call_rule,
        compute=lambda *arrays, graph, backward, connected: _call(*arrays, graph=graph),
        gradient=_custom_call_gradient,
        doc="A call with its own gradient. ``backward`` maps the arguments and one gradient per output to the gradients of the "
        "arguments at the positions ``connected``; the others get none.",
    )
)


def _item_rule(types: Types, attrs: Attrs) -> Type:
    (t,) = types
    if not isinstance(t, TupleType) or not 0 <= attrs["index"] < len(t.items):
        raise ShapeError(f"item {attrs['index']} does not exist. Received: {t}.")
    return t.items[attrs["index"]]


define(
    Control(
        name="item",
        params=("tuple",),
        attributes={"index": ...},
        rule=_item_rule,
        compute=lambda values, index: values[index],
        doc="One result of a node that has several.",
    )
)
