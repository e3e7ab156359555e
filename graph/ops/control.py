"""Calls of graphs and the taking apart of their results."""

from __future__ import annotations

from typing import Any

from ..dims import Dim, Size
from ..errors import ShapeError
from ..evaluate import evaluate
from ..families import Control
from ..ir import ArrayType, Graph, TupleType, Type
from ..op import Attrs, Types, define


def _call_rule(types: Types, attrs: Attrs) -> Type:
    """The results' types, with the called graph's symbolic sizes expressed by the caller's."""
    graph: Graph = attrs["graph"]
    expected = [p.type for p in graph.inputs]
    fits = len(expected) == len(types) and all(e.dtype is t.dtype and e.rank == t.rank for e, t in zip(expected, types))
    known: dict[str, Size] = {}
    for e, t in zip(expected, types) if fits else ():
        for inner, outer in zip(e.shape, t.shape):
            if isinstance(inner, Dim) and len(inner.names) == 1 and inner == Dim(next(iter(inner.names))):
                known.setdefault(str(inner), outer)
    if not fits or any(_substituted(e, known).shape != t.shape for e, t in zip(expected, types)):
        shown = ", ".join(map(str, types))
        raise ShapeError(f"call of {graph.name} takes {', '.join(map(str, expected)) or 'nothing'}. Received: {shown or 'nothing'}.")
    return TupleType(tuple(_substituted(n.type, known) for n in graph.outputs))


def _substituted(type: ArrayType, known: dict[str, Size]) -> ArrayType:
    return ArrayType(type.dtype, tuple(s.substitute(known) if isinstance(s, Dim) else s for s in type.shape))


def _call(*arrays: Any, graph: Graph) -> Any:
    return evaluate(graph, arrays).outputs


define(
    Control(
        name="call",
        params=("args",),
        attributes={"graph": ...},
        rule=_call_rule,
        compute=_call,
        doc="The outputs of a graph without variables and effects, as a tuple.",
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
