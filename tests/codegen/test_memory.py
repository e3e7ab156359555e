"""Variables, outputs and effects: who writes where, and in which order."""

from __future__ import annotations

import numpy as np
import pytest

from weft.codegen import generate, order_variables
from weft.graph import ArrayType, Dim, Graph, VariableRef, as_dtype, constant, make, o, parameter, read
from weft.graph.errors import CheckFailedError, UnimplementedError
from weft.graph.op import REGISTRY
from weft.graph.origin import Origin, created_at
from weft.runtime.executable import build

F32 = as_dtype("float32")


def vector(name: str, n: int = 4) -> VariableRef:
    return VariableRef(name, ArrayType(F32, (n,)))


def run(graph: Graph, variables: list[np.ndarray], inputs: list[np.ndarray]) -> list[np.ndarray]:
    return build(generate(graph), variables, "python")(inputs)


def test_two_variables_can_be_swapped():
    a, b = vector("a"), vector("b")
    graph = Graph((), (), ((a, read(b)), (b, read(a))))
    storages = [np.full(4, 1, np.float32), np.full(4, 2, np.float32)]
    assert order_variables(graph) == (b, a)
    run(graph, storages, [])
    assert storages[0][0] == 2
    assert storages[1][0] == 1


def test_new_value_is_written_after_the_old_one_is_read():
    v = vector("v")
    moved = o.reverse(read(v), axes=(0,))
    graph = Graph((), (o.add(moved, 1.0), read(v)), ((v, o.mul(moved, 2.0)),))
    storage = np.arange(4, dtype=np.float32)
    first, second = run(graph, [storage], [])
    np.testing.assert_array_equal(first, [4, 3, 2, 1])
    np.testing.assert_array_equal(second, [0, 1, 2, 3])
    np.testing.assert_array_equal(storage, [6, 4, 2, 0])


def test_in_place_update_needs_no_scratch():
    v = vector("v", 100)
    program = generate(Graph((), (), ((v, o.add(o.mul(read(v), 0.5), 1.0)),)))
    assert program.slots == ()
    assert program.notes["calls"] == 1
    assert program.kernels[0].pointers == ("f32",)


def test_one_value_for_two_variables_and_two_outputs():
    a, b = vector("a"), vector("b")
    new = o.add(read(a), 1.0)
    graph = Graph((), (new, new), ((a, new), (b, new)))
    storages = [np.zeros(4, np.float32), np.zeros(4, np.float32)]
    outputs = run(graph, storages, [])
    for array in (*storages, *outputs):
        np.testing.assert_array_equal(array, 1)


def test_input_handed_back_is_a_copy():
    x = parameter(ArrayType(F32, (3,)))
    given = np.ones(3, np.float32)
    (out,) = run(Graph((x,), (x,)), [], [given])
    assert out is not given
    np.testing.assert_array_equal(out, given)


def test_product_and_its_reshape_as_outputs():
    x = parameter(ArrayType(F32, (2, 3)))
    product = o.matmul(x, x, transpose_a=False, transpose_b=True)
    flat = o.reshape(product, shape=(4,))
    given = np.arange(6, dtype=np.float32).reshape(2, 3)
    outputs = run(Graph((x,), (product, flat, product)), [], [given])
    for out in outputs:
        np.testing.assert_array_equal(out.reshape(2, 2), given @ given.T)


def token_after(op: str, token, *args, **attrs):
    return make(REGISTRY[op], (token, *args), attrs)


def test_effects_run_in_order_and_before_any_write(capsys):
    v = vector("v")
    new = o.add(read(v), 1.0)
    token = token_after("print", make(REGISTRY["token"]), new, parts=("new", None), stream="stdout")
    token = token_after("check", token, o.reduce_all(o.less(new, 5.0), axes=(0,), keepdims=False), message="too large")
    token = token_after("print", token, read(v), parts=("old", None), stream="stdout")
    graph = Graph((), (), ((v, new),), token)
    storage = np.zeros(4, np.float32)
    step = build(generate(graph), [storage], "python")
    step([])
    shown = capsys.readouterr().out
    assert shown.index("new") < shown.index("old")
    assert storage[0] == 1
    storage[:] = 9
    with pytest.raises(CheckFailedError, match="too large"):
        step([])
    np.testing.assert_array_equal(storage, 9)


def test_dead_memory_is_used_again():
    x = parameter(ArrayType(F32, (Dim("n"), 8)), "x")
    h = x
    for _ in range(6):
        h = o.tanh(o.matmul(h, constant(np.eye(8, dtype=np.float32))))
    program = generate(Graph((x,), (h,)))
    assert len(program.slots) == 2


def test_half_precision_names_the_line():
    x = parameter(ArrayType(as_dtype("float16"), (3,)), "x")
    with created_at((Origin("train.py", 12),)):
        y = o.add(x, 1.0)
    with pytest.raises(UnimplementedError, match=r"float16.*add at train\.py:12"):
        generate(Graph((x,), (y,)))
