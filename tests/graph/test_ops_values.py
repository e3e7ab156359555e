"""Ops against values known from elsewhere: formulas in NumPy, published vectors, TensorFlow's behaviour at the edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from weft.graph import philox
from weft.graph.build import o, parameter
from weft.graph.dims import Dim
from weft.graph.dtype import as_dtype, float32, float64, int32, int64, uint8
from weft.graph.errors import (
    CheckFailedError,
    DivisionByZeroError,
    DTypeError,
    IndexRangeError,
    InvalidArgumentError,
    ShapeError,
)
from weft.graph.evaluate import evaluate
from weft.graph.gradient import gradients
from weft.graph.ir import ArrayType, Graph, Node, TupleType, make
from weft.graph.op import REGISTRY, DimConflict
from weft.graph.ops.effect import format_array
from weft.graph.special import erf, erfinv_central, power


def call(name: str, *values: Any, **attrs: Any) -> np.ndarray:
    """The op's value, after its type rule accepted the arguments; Python floats are float32, integers int32."""
    kinds = {float: np.float32, int: np.int32}
    arrays = [v if isinstance(v, np.ndarray) else np.asarray(v, kinds.get(_leaf(v))) for v in values]
    op = REGISTRY[name]
    node = make(op, [parameter(ArrayType(as_dtype(a.dtype), a.shape)) for a in arrays], attrs)
    return op.evaluate(arrays, node.attrs)


def _leaf(value: Any) -> type:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return type(value)


def f32(*shape: int) -> Node:
    return parameter(ArrayType(float32, shape))


def test_erf_is_within_two_ulp() -> None:
    x = np.concatenate([np.linspace(-7, 7, 20001), np.geomspace(1e-300, 1, 500), [np.inf, -np.inf, 0.0, -0.0]])
    exact = np.array([math.erf(v) for v in x])
    assert np.max(np.abs(erf(x) - exact) / np.spacing(np.abs(exact) + 1e-320)) <= 2
    assert np.isnan(erf(np.float64(np.nan)))
    x32 = x.astype(np.float32)
    exact32 = np.array([math.erf(v) for v in x32.astype(np.float64)])
    error = np.abs(erf(x32).astype(np.float64) - exact32)
    assert erf(x32).dtype == np.float32
    assert np.all(error <= 0.501 * np.spacing(np.abs(exact32).astype(np.float32)).astype(np.float64))


def test_erfinv_inverts_erf() -> None:
    x = np.linspace(-math.sqrt(2), math.sqrt(2), 1001)
    np.testing.assert_allclose(erfinv_central(erf(x)), x, atol=2e-12)


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0xA4093822, 0x299F31D0),
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_vectors(key: Any, counter: Any, expected: Any) -> None:
    """From the known-answer file that the authors distribute with their implementation."""
    block = philox.blocks(key[0] | key[1] << 32, counter[2] | counter[3] << 32, counter[0] | counter[1] << 32, 1)
    assert tuple(int(v) for v in block[0]) == expected


KEY = np.array([42, 3], np.uint64)


def test_part_of_a_stream_can_be_drawn_alone() -> None:
    whole = philox.blocks(7, 1, 0, 100)
    np.testing.assert_array_equal(philox.blocks(7, 1, 60, 10), whole[60:70])
    np.testing.assert_array_equal(philox.bits32(np.array([7, 1], np.uint64), 9), whole.ravel()[:9])


@pytest.mark.parametrize("dtype", [float32, float64, as_dtype("float16")])
def test_uniform_and_normal_are_distributed_as_stated(dtype: Any) -> None:
    n = 40000
    u = call("random_uniform", KEY, shape=(n,), dtype=dtype).astype(np.float64)
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < 4 * math.sqrt(1 / 12 / n)
    assert abs(np.histogram(u, 10, (0, 1))[0] / n - 0.1).max() < 0.01
    z = call("random_normal", KEY, shape=(n,), dtype=dtype).astype(np.float64)
    assert abs(z.mean()) < 4 / math.sqrt(n)
    assert abs(z.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs((np.abs(z) < 1).mean() - 0.6827) < 0.01
    assert abs(np.corrcoef(z[::2], z[1::2])[0, 1]) < 4 / math.sqrt(n / 2)


def test_truncated_normal_stays_within_two_deviations() -> None:
    z = call("random_truncated_normal", KEY, shape=(40000,), dtype=float32)
    assert np.abs(z).max() <= 2
    assert abs(z.var() - 0.7737) < 0.02
    assert abs((np.abs(z) < 1).mean() - 0.6827 / 0.9545) < 0.01


def test_integers_cover_their_range_evenly() -> None:
    v = call("random_int", KEY, shape=(30000,), dtype=int64, low=-2, high=4)
    assert sorted(set(v.tolist())) == [-2, -1, 0, 1, 2, 3]
    assert np.bincount(v + 2).min() > 4500
    extreme = call("random_int", KEY, shape=(100,), dtype=uint8, low=0, high=256)
    assert extreme.max() > 200


def test_random_demands() -> None:
    with pytest.raises(InvalidArgumentError, match="low 3, high 3"):
        call("random_int", KEY, shape=(2,), dtype=int32, low=3, high=3)
    with pytest.raises(InvalidArgumentError, match="floating-point"):
        call("random_normal", KEY, shape=(2,), dtype=int32)
    with pytest.raises(DTypeError, match="uint64 key"):
        call("random_normal", KEY.astype(np.int64), shape=(2,), dtype=float32)


def test_different_keys_differ_and_equal_keys_agree() -> None:
    first = call("random_uniform", KEY, shape=(8,), dtype=float32)
    np.testing.assert_array_equal(first, call("random_uniform", KEY.copy(), shape=(2, 4), dtype=float32).ravel())
    for other in ([43, 3], [42, 4], [42 + 2**32, 3], [42, 3 + 2**32]):
        assert not np.array_equal(first, call("random_uniform", np.array(other, np.uint64), shape=(8,), dtype=float32))


LOGITS = np.array([[1.0, -2.0, 0.5], [1000.0, 0.0, -1000.0], [-np.inf, 0.0, 1.0]], np.float32)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_rows_agree_with_formulas() -> None:
    wide = LOGITS.astype(np.float64)
    p = softmax(wide)
    np.testing.assert_allclose(call("softmax", LOGITS), p, rtol=3e-7)
    np.testing.assert_allclose(call("logsumexp", LOGITS), np.logaddexp.reduce(wide, -1), rtol=3e-7)
    expected = wide - np.logaddexp.reduce(wide, -1, keepdims=True)
    np.testing.assert_allclose(call("log_softmax", LOGITS), expected, rtol=1e-6)
    labels = np.array([0, 1, 2])
    np.testing.assert_allclose(
        call("sparse_softmax_cross_entropy_with_logits", LOGITS, labels), -expected[[0, 1, 2], labels], rtol=1e-6
    )
    dense = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(
        call("softmax_cross_entropy_with_logits", LOGITS, dense), -expected[[0, 1, 2], [0, 1, 2]], rtol=1e-6
    )


def test_logsumexp_of_nothing_and_of_infinities() -> None:
    found = call("logsumexp", np.array([[-np.inf, -np.inf], [np.inf, 0], [np.nan, 0]], np.float32))
    np.testing.assert_array_equal(found, np.array([-np.inf, np.inf, np.nan], np.float32))
    np.testing.assert_array_equal(call("logsumexp", np.zeros((2, 0), np.float32)), [-np.inf, -np.inf])


def test_reductions_of_nothing() -> None:
    empty = np.zeros((0, 2), np.float32)
    assert call("reduce_max", empty, axes=(0,)).tolist() == [-np.inf, -np.inf]
    assert call("reduce_max", empty.astype(np.int32), axes=(0,)).tolist() == [-(2**31)] * 2
    assert call("reduce_sum", empty, axes=(0, 1)) == 0
    with pytest.raises(ShapeError, match="no elements"):
        call("argmax", empty, axes=(0,))


def test_integer_arithmetic_wraps_and_rounds_down() -> None:
    big = np.array([2**31 - 1], np.int32)
    assert call("add", big, np.array([1], np.int32)).tolist() == [-(2**31)]
    assert call("mul", np.array(200, np.uint8), np.array(2, np.uint8)) == 144
    assert call("floordiv", [-7], [2]).tolist() == [-4]
    assert call("mod", [-7], [2]).tolist() == [1]
    assert call("reduce_sum", np.full(3, 2**30, np.int32), axes=(0,)) == -(2**30)
    assert call("round", [0.5, 1.5, -0.5]).tolist() == [0, 2, 0]


@pytest.mark.parametrize(
    ("name", "args", "attrs", "error", "message"),
    [
        ("floordiv", ([1], [0]), {}, DivisionByZeroError, r"Integer division by zero. Received: x = 1, y = 0 at index \(0,\)"),
        ("mod", (1, 0), {}, ZeroDivisionError, "Integer division by zero. Received: x = 1, y = 0"),
        ("pow", ([2], [-1]), {}, InvalidArgumentError, "negative integer powers"),
        ("check_finite", ([1.0, math.nan],), {}, InvalidArgumentError, "NaN or infinite"),
        ("gather", ([1.0, 2.0], [-1]), {}, IndexRangeError, r"\[0, 2\). Received: -1"),
        ("gather", ([1.0, 2.0], [0, 2]), {}, IndexError, "Received: 2"),
        ("scatter_add", ([1.0], [7]), {"shape": (3,)}, IndexRangeError, "Received: 7"),
        (
            "sparse_softmax_cross_entropy_with_logits",
            ([[1.0, 2.0]], [5]),
            {},
            IndexRangeError,
            "name a column of the logits. Received: labels = 5",
        ),
        ("sparse_softmax_cross_entropy_with_logits", ([[1.0]], [0.0]), {}, DTypeError, "int32 or int64 labels"),
        ("sparse_softmax_cross_entropy_with_logits", ([[1.0]], [[0]]), {}, ShapeError, "without the last axis"),
        ("softmax_cross_entropy_with_logits", ([[1.0]], [1.0]), {}, ShapeError, "one shape"),
        ("softmax", (1.0,), {}, ShapeError, "last axis"),
        ("add", ([1.0], [1]), {}, DTypeError, "does not promote between tensors"),
        ("add", ([1.0, 2.0], [1.0, 2.0, 3.0]), {}, ShapeError, "2 against 3 on axis 0"),
        ("exp", ([1],), {}, DTypeError, r"floating tensors. Received: x: int32 \(1,\)"),
        ("where", ([1], [1.0], [1.0]), {}, DTypeError, "bool condition"),
        ("matmul", ([[1.0, 2.0]], [[1.0, 2.0]]), {}, ShapeError, "2 against 1"),
        ("matmul", ([1.0], [[1.0]]), {}, ShapeError, "rank 2"),
        ("reshape", ([1.0, 2.0],), {"shape": (3,)}, ShapeError, "number of elements"),
        ("transpose", ([1.0, 2.0],), {"perm": (1,)}, ShapeError, "each axis once"),
        ("broadcast_to", ([1.0, 2.0],), {"shape": (1,)}, ShapeError, "cannot shrink"),
        ("slice", ([1.0, 2.0],), {"begin": (1,), "shape": (2,), "strides": (1,)}, ShapeError, "outside"),
        ("concat", ([1.0], [[1.0]]), {"axis": 0}, ShapeError, "one rank"),
        ("concat", ([[1.0]], [[1.0, 2.0]]), {"axis": 0}, ShapeError, "equal sizes"),
        ("pad", ([1.0],), {"low": (-1,), "high": (0,), "interior": (0,)}, ShapeError, "non-negative"),
        ("reduce_sum", ([1.0],), {"axes": (1,)}, ShapeError, "rank 1"),
        ("cumsum", ([1.0],), {"axis": 1}, ShapeError, "rank 1"),
        ("gather", ([1.0], [0]), {"axis": 1}, ShapeError, "axis < rank"),
        ("scatter_add", ([1.0, 2.0], [0]), {"shape": (3,)}, ShapeError, r"updates of shape \(1,\)"),
        ("leaky_relu", ([1.0],), {"beta": 1.0}, TypeError, "no attribute beta. It has: alpha"),
        ("reshape", ([1.0],), {}, TypeError, "needs the attribute shape"),
    ],
)
def test_mistakes_are_explained(name: str, args: Any, attrs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(name, *args, **attrs)


def test_sizes_not_known_to_be_equal_are_a_conflict() -> None:
    batch, other = Dim("batch"), Dim("other")
    x, y = (parameter(ArrayType(float32, (s, 3))) for s in (batch, other))
    with pytest.raises(DimConflict) as conflict:
        o.add(x, y)
    assert set(conflict.value.sizes) == {batch, other}
    for build in (
        lambda: o.concat(x, y, axis=1),
        lambda: o.matmul(x, y, transpose_a=True),
        lambda: o.reshape(x, shape=(other, 3)),
        lambda: o.softmax_cross_entropy_with_logits(x, y),
        lambda: o.sparse_softmax_cross_entropy_with_logits(x, parameter(ArrayType(int32, (other,)))),
    ):
        with pytest.raises(DimConflict):
            build()
    assert o.concat(x, y, axis=0).shape == (batch + other, 3)
    assert o.reshape(x, shape=(batch * 3,)).shape == (batch * 3,)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.arange(10, dtype=np.int32), "[0 1 2 ... 7 8 9]"),
        (np.float32(1.5), "1.5"),
        (np.array([[1, 2], [3, 4]], np.float32), "[[1 2]\n [3 4]]"),
        (np.array([True, False]), "[1 0]"),
        (np.zeros((0,), np.float32), "[]"),
        (np.array([1e-10, 1e10, 0.1, -2.5], np.float32), "[1e-10 1e+10 0.1 -2.5]"),
        (np.array([np.nan, np.inf, -np.inf]), "[nan inf -inf]"),
        (np.arange(8).reshape(2, 2, 2), "[[[0 1]\n  [2 3]]\n\n [[4 5]\n  [6 7]]]"),
        (np.zeros((10, 2), np.int32), "[[0 0]\n [0 0]\n [0 0]\n ...\n [0 0]\n [0 0]\n [0 0]]"),
    ],
)
def test_printed_arrays_look_like_tensorflows(value: Any, expected: str) -> None:
    assert format_array(value) == expected


def test_summarize_counts_the_ends() -> None:
    assert format_array(np.arange(5), 1) == "[0 ... 4]"
    assert format_array(np.arange(5), -1) == "[0 1 2 3 4]"


def test_print_and_check_follow_the_token(capsys: pytest.CaptureFixture[str]) -> None:
    x = f32(2)
    token = make(REGISTRY["token"])
    first = o.print(token, x, parts=("x is ", None, "!"), stream="stdout")
    second = o.check(first, o.reduce_all(o.greater(x, 0), axes=(0,)), x, message="x must be positive.")
    graph = Graph((x,), (o.square(x),), token=second)
    (out,) = evaluate(graph, [np.array([1, 2], np.float32)]).outputs
    assert out.tolist() == [1, 4]
    assert capsys.readouterr().out == "x is [1 2]!\n"
    with pytest.raises(CheckFailedError, match=r"x must be positive.\n\[-1 2\]"):
        evaluate(graph, [np.array([-1, 2], np.float32)])
    assert capsys.readouterr().out == "x is [-1 2]!\n"


def test_call_returns_a_tuple_with_the_callers_sizes() -> None:
    n = Dim("n")
    a = parameter(ArrayType(float32, (n, 3)))
    inner = Graph((a,), (o.square(a), o.reduce_sum(a, axes=(0,))), name="inner")
    x = parameter(ArrayType(float32, (Dim("batch") + 1, 3)))
    called = make(REGISTRY["call"], (x,), {"graph": inner})
    assert isinstance(called.type, TupleType)
    squares, sums = o.item(called, index=0), o.item(called, index=1)
    assert squares.shape == x.shape
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = evaluate(Graph((x,), (squares, sums)), [value]).outputs
    np.testing.assert_array_equal(found[0], value**2)
    np.testing.assert_array_equal(found[1], value.sum(0))
    (g,) = gradients([squares], [x])
    assert g is not None
    np.testing.assert_array_equal(evaluate(Graph((x,), (g,)), [value]).outputs[0], 2 * value)
    with pytest.raises(ShapeError, match=r"call of inner takes f32\[n,3\]. Received: f32\[2,4\]"):
        make(REGISTRY["call"], (f32(2, 4),), {"graph": inner})
    with pytest.raises(ShapeError, match="item 2 does not exist"):
        o.item(called, index=2)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_power_is_the_same_wherever_it_lies(dtype: str) -> None:
    """One exponent for all bases, as in x ** 0.5, gives what an array of exponents gives, bit by bit."""
    numbers = np.array([0.0, -0.0, 1, -1, 2, 3, 0.5, -0.5, -3.5, np.inf, -np.inf, np.nan, 6e-8, 6e4], dtype)
    with np.errstate(all="ignore"):
        table = power(np.repeat(numbers[:, None], numbers.size, 1), np.repeat(numbers[None, :], numbers.size, 0))
        np.testing.assert_array_equal(power(numbers[:, None], numbers).view("u1"), table.view("u1"))
        for j, exponent in enumerate(numbers):
            for one in (exponent, numbers[j : j + 1]):
                np.testing.assert_array_equal(power(numbers, one).view("u1"), np.ascontiguousarray(table[:, j]).view("u1"))
            for base, expected in zip(numbers, table[:, j], strict=True):
                assert power(base, exponent).tobytes() == expected.tobytes()
        wide = numbers.astype(np.float64)
        exact = np.power(np.repeat(wide[:, None], wide.size, 1), np.repeat(wide[None, :], wide.size, 0)).astype(dtype)
    np.testing.assert_allclose(table, exact, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(np.signbit(table), np.signbit(exact))


def test_roots_as_powers_are_those_of_ieee_754() -> None:
    x = parameter(ArrayType(float32, (2,)))
    graph = Graph((x,), (o.pow(x, 0.5),))
    (found,) = evaluate(graph, [np.array([-np.inf, -0.0], np.float32)]).outputs
    np.testing.assert_array_equal(found, [np.inf, 0.0])
    assert not np.signbit(found).any()
