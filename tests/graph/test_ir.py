"""Nodes, interning and graphs."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from weft.graph import ir
from weft.graph.build import constant, expand_dims, o, parameter, read, reshape, zeros_like
from weft.graph.dims import Dim
from weft.graph.dtype import bool_, float32, int32
from weft.graph.ir import ArrayType, Graph, Literal, Node, TokenType, TupleType, VariableRef, make, substitute, topological
from weft.graph.op import REGISTRY
from weft.graph.origin import Origin, created_at

VECTOR = ArrayType(float32, (3,))


def test_equal_nodes_are_one() -> None:
    x, y = parameter(VECTOR), parameter(VECTOR)
    assert x is not y
    assert o.add(x, y) is o.add(x, y)
    assert o.add(x, y) is not o.add(y, x)
    assert o.reduce_sum(x, axes=(0,)) is make(REGISTRY["reduce_sum"], [x], {"keepdims": False, "axes": (0,)})
    assert o.leaky_relu(x) is o.leaky_relu(x, alpha=0.2)
    assert o.leaky_relu(x, alpha=0.0) is not o.leaky_relu(x, alpha=-0.0)


def test_constants_are_told_apart_by_dtype_shape_and_bytes() -> None:
    values = [np.float32(1), np.float64(1), np.int32(1), np.bool_(True), np.float32([1]), np.float32(0), np.float32(-0.0)]
    nodes = [constant(v) for v in values]
    assert len(set(nodes)) == len(values)
    assert all(constant(v) is n for v, n in zip(values, nodes, strict=True))
    assert constant(np.float32(np.nan)) is constant(np.float32(np.nan))


def test_literals_do_not_change() -> None:
    array = np.zeros(2, np.float32)
    literal = Literal(array)
    array[0] = 1
    assert literal.array.tolist() == [0, 0]
    with pytest.raises(ValueError, match="read-only"):
        literal.array[0] = 1


def test_dead_nodes_leave_the_table() -> None:
    x = parameter(VECTOR)
    gc.collect()
    before = len(ir._table)
    node: Node | None = o.exp(o.mul(x, 12345.0))
    assert len(ir._table) == before + 3
    del node
    gc.collect()
    assert len(ir._table) == before


def test_threads_get_the_same_node() -> None:
    x = parameter(VECTOR)
    found: list[Node] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        found.extend(o.mul(o.exp(x), float(i)) for i in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 200
    assert len(set(found)) == 50


def test_origins_are_kept_and_merged() -> None:
    first, second = Origin("a.py", 1, layer="dense"), Origin("/x/b.py", 2, "f")
    x = parameter(VECTOR)
    with created_at((first,)):
        node = o.cos(x)
        with created_at((second,)):
            assert o.cos(x) is node
        assert o.cos(x) is node
    assert node.origins == (first, second)
    assert [str(v) for v in node.origins] == ["a.py:1 dense", "b.py:2"]
    assert second.full == 'File "/x/b.py", line 2, in f'


def test_a_failed_node_leaves_nothing() -> None:
    x = parameter(VECTOR)
    before = len(ir._table)
    with pytest.raises(ValueError, match="number of elements"):
        o.reshape(x, shape=(4,))
    assert len(ir._table) == before


def test_types_print_short() -> None:
    assert str(ArrayType(float32, (Dim("batch"), 64))) == "f32[batch,64]"
    assert str(TupleType((VECTOR, ArrayType(bool_, ())))) == "(f32[3], b1[])"
    assert str(TokenType()) == "token"
    assert ArrayType(float32, (Dim("n"), 2)).size == Dim("n") * 2
    assert ArrayType(float32, (Dim("n"), 2)).names == {"n"}


def test_graphs_know_their_order_reads_and_writes() -> None:
    v = VariableRef("v", VECTOR)
    x = parameter(VECTOR)
    total = o.add(read(v), x)
    graph = Graph((x,), (o.exp(total),), ((v, total),))
    order = graph.nodes()
    assert order[0] is x
    assert all(order.index(a) < order.index(n) for n in order for a in n.args)
    assert graph.reads() == (v,)
    y = parameter(VECTOR)
    replaced = graph.replace({x: y})
    assert replaced.outputs[0] is o.exp(o.add(read(v), y))
    assert replaced.writes[0][1] is o.add(read(v), y)


def test_long_chains_do_not_recurse() -> None:
    x = parameter(VECTOR)
    node = x
    for _ in range(5000):
        node = o.neg(o.add(node, 1.0))
    assert len(topological([node])) == 10002
    y = parameter(VECTOR)
    assert len(topological([substitute([node], {x: y})[node]])) == 10002


def test_builders_take_axes_from_the_end_and_numbers_in_the_nodes_dtype() -> None:
    x = parameter(ArrayType(float32, (2, 3)))
    assert expand_dims(x, -1).shape == (2, 3, 1)
    assert expand_dims(x, 0).shape == (1, 2, 3)
    assert reshape(x, (2, 3)) is x
    assert zeros_like(x).shape == (2, 3)
    condition = parameter(ArrayType(bool_, (3,)))
    assert o.where(condition, x, 0.0).dtype is float32
    assert o.mul(parameter(ArrayType(int32, ())), 2).args[1].dtype is int32
    with pytest.raises(AttributeError, match="no op called 'nothing'"):
        o.nothing(x)
    with pytest.raises(TypeError, match="needs a node"):
        o.add(1, 2)
