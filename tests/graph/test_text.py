"""The text form: round trips, exact constants, fingerprints, and errors that name the line."""

from __future__ import annotations

import numpy as np
import pytest

from weft.graph import ArrayType, Dim, Graph, VariableRef, as_dtype, constant, dim_value, make, o, parameter, read
from weft.graph.dtype import ALL
from weft.graph.evaluate import evaluate
from weft.graph.op import REGISTRY
from weft.graph.origin import Origin, created_at
from weft.graph.text import fingerprint, literals, to_text
from weft.graph.text_parser import parse

F32 = as_dtype("float32")
BATCH = Dim("batch")


def dense(name: str = "dense/kernel", units: int = 64) -> Graph:
    x = parameter(ArrayType(F32, (BATCH, 784)), "images")
    kernel = VariableRef(name, ArrayType(F32, (784, units)))
    with created_at((Origin("/home/me/train.py", 12, "step", "dense_1"),)):
        y = o.maximum(o.matmul(x, read(kernel)), 0.0)
    total = o.reduce_sum(y, axes=(0,), keepdims=False)
    mean = o.div(total, dim_value(BATCH * 2, F32))
    return Graph((x,), (mean,), ((kernel, o.mul(read(kernel), 0.5)),), None, "step")


def test_text_shows_types_origins_and_scalar_constants() -> None:
    lines = to_text(dense()).splitlines()
    assert lines[0] == "variable @dense/kernel: f32[784,64]"
    assert lines[2] == "graph step(%0):"
    assert '  %0: f32[batch,784] = parameter(name="images")' in lines
    assert "  %3: f32[batch,64] = maximum(%2, 0.0)  # train.py:12 dense_1" in lines
    assert "  %5: f32[] = dim_value(size=2*batch, dtype=f32)" in lines
    assert lines[-1] == "  write @dense/kernel = %7"


def test_parse_is_the_inverse() -> None:
    text = to_text(dense())
    graph = parse(text)
    assert to_text(graph) == text
    assert graph.name == "step"
    assert graph.writes[0][0].name == "dense/kernel"
    images = np.random.default_rng(0).normal(size=(3, 784)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(784, 64)).astype(np.float32)
    for one in (graph, dense()):
        (mean,) = evaluate(one, [images], dict.fromkeys(one.reads(), kernel)).outputs
        np.testing.assert_array_equal(mean, np.maximum(images @ kernel, 0).sum(0) / np.float32(6))


@pytest.mark.parametrize("dtype", ALL, ids=lambda d: d.name)
def test_scalars_and_arrays_come_back_bit_for_bit(dtype: object) -> None:
    random = np.random.default_rng(0)
    raw = np.frombuffer(random.bytes(16 * dtype.size), np.uint8)
    array = (raw % 2).astype(bool)[:16] if dtype.is_bool else raw.view(dtype.np)
    values = [constant(v) for v in array]
    graph = Graph((), (constant(array), *values))
    again = parse(to_text(graph))
    assert [n.attrs["value"] for n in again.outputs] == [n.attrs["value"] for n in graph.outputs]


@pytest.mark.parametrize("value", [0.1, -0.0, np.inf, -np.inf, np.nan, 1e-45, 3.4028235e38, 1e10, 16777217.0])
def test_special_floats_come_back_bit_for_bit(value: float) -> None:
    for scalar in (np.float16, np.float32, np.float64):
        with np.errstate(all="ignore"):
            node = constant(scalar(value))
        assert parse(to_text(Graph((), (node,)))).outputs == (node,)


def test_nan_with_a_payload_comes_back() -> None:
    node = constant(np.array([0x7FC00001, 0xFFC00000], np.uint32).view(np.float32))
    assert parse(to_text(Graph((), (node,)))).outputs == (node,)


def test_constants_of_equal_elements_and_empty_ones_are_short() -> None:
    zeros, empty = constant(np.zeros((100, 100), np.float32)), constant(np.zeros((0, 3), np.int32))
    text = to_text(Graph((), (zeros, empty)))
    assert "f32[100,100] = constant(0.0)" in text
    assert "i32[0,3] = constant([])" in text
    assert parse(text).outputs == (zeros, empty)


def test_large_constants_are_named_by_their_content() -> None:
    table = np.arange(100, dtype=np.float32)
    graph = Graph((), (constant(table),))
    text, side = to_text(graph), literals(graph)
    (name,) = side
    assert f"constant(${name})" in text
    assert parse(text, side).outputs == graph.outputs
    with pytest.raises(ValueError, match=r"Line 2 .*cannot be read"):
        parse(text)


def test_dtype_of_an_inline_scalar_is_said_where_it_is_not_the_first_arguments() -> None:
    x, c = parameter(ArrayType(F32, (3,))), parameter(ArrayType(as_dtype("bool"), (3,)))
    text = to_text(Graph((x, c), (o.where(c, x, 0.0), o.add(constant(np.float32(2)), x))))
    assert "where(%1, %0, f32(0.0))" in text
    assert "add(2.0, %0)" in text
    assert to_text(parse(text)) == text


def test_variables_of_one_name_are_told_apart() -> None:
    kind = ArrayType(F32, ())
    first, second, odd = VariableRef("v", kind), VariableRef("v", kind), VariableRef("my weight: 0", kind)
    text = to_text(Graph((), (o.add(o.add(read(first), read(second)), read(odd)),)))
    assert 'variable @v: f32[]\nvariable @v~1: f32[] = "v"\nvariable @my_weight:_0: f32[] = "my weight: 0"' in text
    again = parse(text)
    assert [v.name for v in again.reads()] == ["v", "v", "my weight: 0"]
    assert to_text(again) == text


def test_sizes_that_look_like_dtypes_and_dtypes_that_look_like_sizes() -> None:
    size = Dim("f32") * 3
    x = parameter(ArrayType(F32, (Dim("f32"), 3)))
    text = to_text(Graph((x,), (o.reshape(x, shape=(size,)), dim_value(Dim("f32"), F32), o.cast(x, dtype=as_dtype("int8")))))
    assert "dim_value(size=<f32>, dtype=f32)" in text
    assert to_text(parse(text)) == text


def test_calls_tuples_and_effects_round_trip() -> None:
    x = parameter(ArrayType(F32, (2,)))
    inner = Graph((x,), (o.square(x), o.reduce_sum(x, axes=(0,), keepdims=False)), name="inner one")
    y = parameter(ArrayType(F32, (2,)))
    both = make(REGISTRY["call"], (y,), {"graph": inner})
    start = make(REGISTRY["token"])
    token = make(REGISTRY["print"], (start, y), {"parts": ("x = #1 \"", None)})
    graph = Graph((y,), (o.item(both, index=1),), token=token, name="outer")
    text = to_text(graph)
    assert 'graph &0 "inner one"(%0):' in text
    assert "(f32[2], f32[]) = call(%0, graph=&0)" in text
    assert "effects %4" in text
    again = parse(text)
    assert to_text(again) == text
    assert again.token is not None
    assert again.token.attrs["parts"] == ("x = #1 \"", None)


def test_every_sample_of_every_op_round_trips() -> None:
    count = 0
    for op in REGISTRY.values():
        for sample in op.samples():
            args = [parameter(ArrayType(as_dtype(np.asarray(a).dtype), np.shape(a))) for a in sample.args]
            graph = Graph(tuple(args), (make(op, args, sample.attrs),))
            text = to_text(graph)
            assert to_text(parse(text, literals(graph))) == text
            count += 1
    assert count > 200


def test_fingerprint_ignores_names_and_origins_and_nothing_else() -> None:
    base = fingerprint(dense())
    assert base == fingerprint(dense("layer_7/w"))
    assert base == fingerprint(parse(to_text(dense(), origins=False)))
    assert base != fingerprint(dense(units=65))
    assert len(base) == 64
    small, other = np.arange(100.0), np.arange(100.0)
    other[99] = 0
    assert fingerprint(Graph((), (constant(small),))) != fingerprint(Graph((), (constant(other),)))
    assert fingerprint(Graph((), (constant(0.0),))) != fingerprint(Graph((), (constant(-0.0),)))
    x, y = parameter(ArrayType(F32, (2,))), parameter(ArrayType(F32, (2,)))
    assert fingerprint(Graph((x, y), (o.sub(x, y),))) != fingerprint(Graph((y, x), (o.sub(x, y),)))


def test_fingerprint_tells_the_lines_of_errors_apart() -> None:
    def division(line: int) -> Graph:
        x, y = parameter(ArrayType(as_dtype("int32"), (2,))), parameter(ArrayType(as_dtype("int32"), (2,)))
        with created_at((Origin("train.py", line),)):
            return Graph((x, y), (o.floordiv(x, y),))

    assert fingerprint(division(7)) == fingerprint(division(7))
    assert fingerprint(division(7)) != fingerprint(division(8))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("graph f():\n  %0: f32[2] = frobnicate()\n  return %0", r"Line 2 .*no op called 'frobnicate'"),
        ("graph f(%0):\n  %0: f32[2] = parameter()\n  %1: f32[3] = neg(%0)", r"Line 3 .*gives f32\[2\], the text says f32\[3\]"),
        ("graph f():\n  return %7", r"Line 2 .*'%7'"),
        ("graph f():\n  %0: f32[] = add(1.0, 2.0)", r"Line 2 .*needs its dtype"),
        ("graph f():\n  nonsense", r"Line 2 .*a line starts with"),
        ("graph f():\n  return %0 !", r"Line 2 .*'!' is no word"),
        ("graph f(%0):\n", r"'%0'|%0 is missing|no complete graph"),
        ("", "no complete graph"),
        ("graph f():\n  %0: f32[2] = constant([1.0)", r"Line 2 "),
    ],
)
def test_bad_text_is_an_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)
