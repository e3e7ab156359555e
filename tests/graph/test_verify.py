"""The verifier: it accepts what the library builds and finds every kind of damage."""

from __future__ import annotations

import pytest

from weft.graph import REGISTRY, ArrayType, Dim, Graph, Node, VariableRef, as_dtype, make, o, parameter, read
from weft.graph.errors import VerificationError
from weft.graph.verify import verify

F32 = as_dtype("float32")
PAIR = ArrayType(F32, (2,))


def damaged(node: Node, **changes: object) -> Node:
    """A copy of the node with slots changed, as only a defect could make it."""
    copy = object.__new__(Node)
    for slot in ("op", "args", "attrs", "type", "origins"):
        setattr(copy, slot, changes.get(slot, getattr(node, slot)))
    return copy


def test_accepts_a_graph_with_everything() -> None:
    x = parameter(ArrayType(F32, (Dim("batch"), 2)))
    v = VariableRef("v", PAIR)
    total = o.add(o.reduce_sum(x, axes=(0,), keepdims=False), read(v))
    inner = parameter(PAIR)
    both = make(REGISTRY["call"], (total,), {"graph": Graph((inner,), (o.exp(inner), o.neg(inner)))})
    token = make(REGISTRY["print"], (make(REGISTRY["token"]), total), {"parts": (None,)})
    token = make(REGISTRY["check"], (token, o.reduce_all(o.isfinite(total), axes=(0,), keepdims=False)), {})
    graph = Graph((x,), (o.concat(total, o.item(both, index=0), axis=0),), ((v, total),), token)
    assert verify(graph) is graph


def rejects(graph: Graph, message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        verify(graph)


def test_wrong_type() -> None:
    x = parameter(PAIR)
    rejects(Graph((x,), (damaged(o.neg(x), type=ArrayType(F32, (3,))),)), r"The rule of neg gives f32\[2\]")


def test_wrong_number_of_arguments_and_attributes() -> None:
    x = parameter(PAIR)
    rejects(Graph((x,), (damaged(o.neg(x), args=(x, x)),)), "neg takes 1 arguments")
    rejects(Graph((x,), (damaged(o.neg(x), attrs={"axis": 1}),)), "neg has the attributes")


def test_op_that_is_not_registered() -> None:
    x = parameter(PAIR)
    op = type(REGISTRY["neg"])(name="neg", params=("x",), expr="-a")
    rejects(Graph((x,), (damaged(o.neg(x), op=op),)), "must be the registered one")


def test_node_that_its_rule_rejects() -> None:
    x, y = parameter(PAIR), parameter(ArrayType(F32, (3,)))
    rejects(Graph((x, y), (damaged(o.add(x, x), args=(x, y)),)), "The rule of add rejects its own node")


def test_a_node_must_not_depend_on_itself() -> None:
    x = parameter(PAIR)
    first = damaged(o.neg(x))
    second = damaged(o.exp(x), args=(first,))
    first.args = (second,)
    rejects(Graph((x,), (second,)), "must not depend on itself")


def test_inputs_are_different_parameters_and_none_is_missing() -> None:
    x, y = parameter(PAIR), parameter(PAIR)
    rejects(Graph((x,), (o.add(x, y),)), "must be an input of the graph")
    rejects(Graph((x, x), (x,)), "are different nodes")
    rejects(Graph((o.neg(x),), (x,)), "inputs of a graph are parameters")


def test_sizes_that_nothing_determines() -> None:
    x = parameter(ArrayType(F32, ()))
    rejects(Graph((x,), (o.broadcast_to(x, shape=(Dim("lost"),)),)), "The size lost is in no input's")


def test_a_variable_is_written_once_and_with_its_type() -> None:
    x = parameter(ArrayType(F32, (3,)))
    v = VariableRef("v", PAIR)
    rejects(Graph((x,), (), ((v, x),)), r"written to v must be of type f32\[2\]")
    y = parameter(PAIR)
    rejects(Graph((y,), (), ((v, y), (v, y))), "writes a variable at most once")


def test_effects_outside_the_chain() -> None:
    x = parameter(PAIR)
    start = make(REGISTRY["token"])
    one = make(REGISTRY["print"], (start, x), {"parts": (None,)})
    other = make(REGISTRY["print"], (start, x), {"parts": ("!", None)})
    rejects(Graph((x,), (x,), token=x), "last effect of a graph is a token")
    rejects(Graph((x,), (one,), token=other), "outputs of a graph are arrays|one chain of tokens")


def test_graphs_inside_are_verified() -> None:
    x, y, z = parameter(PAIR), parameter(PAIR), parameter(PAIR)
    call = make(REGISTRY["call"], (x,), {"graph": Graph((y,), (o.add(y, z),))})
    rejects(Graph((x,), (o.item(call, index=0),)), "must be an input of the graph")
