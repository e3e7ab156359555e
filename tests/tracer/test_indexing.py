"""``x[...]`` against NumPy, directly, through ops under a tape, and traced."""

from __future__ import annotations

import numpy as np
import pytest

from weft.graph.dims import Dim
from weft.graph.errors import IndexRangeError, InvalidArgumentError
from weft.graph.evaluate import evaluate
from weft.graph.ir import array_type
from weft.tracer import GradientTape, OperatorNotAllowedInGraphError, convert_to_tensor
from weft.tracer.trace import trace

A = np.arange(60, dtype=np.float32).reshape(3, 4, 5)

KEYS = [
    0,
    -1,
    (1, 2),
    (1, 2, 3),
    slice(None),
    slice(1, None),
    slice(None, -1),
    slice(None, None, -1),
    slice(2, 0, -1),
    slice(5, 9),
    slice(None, None, 2),
    (slice(None), 1),
    (..., 0),
    (0, ..., 1),
    (None, 0),
    (..., None),
    (slice(None), None, slice(1, 3)),
    (slice(None, None, -2), slice(3, None, -1), slice(1, 4, 2)),
    np.array([2, 0, 0]),
    (slice(None), np.array([1, -1])),
    (slice(1, None), np.array([[0, 1], [2, 3]]), 0),
    [0, 2],
]


def evaluated(key):
    traced = trace(lambda x: x[key], [array_type("float32", A.shape)])
    return evaluate(traced.graph, [A]).outputs[0]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_equals_numpy_in_every_mode(key):
    x = convert_to_tensor(A)
    np.testing.assert_array_equal(x[key].numpy(), A[key])
    np.testing.assert_array_equal(evaluated(key), A[key])
    with GradientTape() as tape:
        tape.watch(x)
        y = x[key]
    np.testing.assert_array_equal(y.numpy(), A[key])
    want = np.zeros_like(A)
    np.add.at(want, key, 1)
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), want)


def test_scalar_tensors_as_index_and_bounds():
    x = convert_to_tensor(A)
    one = convert_to_tensor(1)
    np.testing.assert_array_equal(x[one].numpy(), A[1])
    np.testing.assert_array_equal(x[one:, one].numpy(), A[1:, 1])
    np.testing.assert_array_equal(x[np.int64(2)].numpy(), A[2])


def test_traced_scalar_index_counts_from_both_ends():
    types = [array_type("float32", A.shape), array_type("int32", ())]
    traced = trace(lambda x, i: (x[i], x[:, i]), types)
    for i in (0, 2, -1):
        first, second = evaluate(traced.graph, [A, np.int32(i)]).outputs
        np.testing.assert_array_equal(first, A[i])
        np.testing.assert_array_equal(second, A[:, i])


@pytest.mark.parametrize("mask", [A[:, 0, 0] > 10, A[:, :, 0] > 20, A > 30], ids=["rank 1", "rank 2", "rank 3"])
def test_bool_masks(mask):
    x = convert_to_tensor(A)
    np.testing.assert_array_equal(x[mask].numpy(), A[mask])
    np.testing.assert_array_equal(x[convert_to_tensor(mask)].numpy(), A[mask])
    with GradientTape() as tape:
        tape.watch(x)
        y = x[mask]
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), np.where(np.broadcast_to(mask.T, A.T.shape).T, 1, 0))


@pytest.mark.parametrize("key", [5, -4, (0, 0, 0, 0), (0, 9), (..., ...)], ids=str)
def test_out_of_range(key):
    with pytest.raises(IndexRangeError) as caught:
        convert_to_tensor(A)[key]
    assert isinstance(caught.value, IndexError)


@pytest.mark.parametrize("key", [0.5, "a", (0, 1.0), slice(0.5, None)], ids=str)
def test_index_of_a_wrong_type(key):
    with pytest.raises(TypeError):
        convert_to_tensor(A)[key]


def test_symbolic_axis():
    n = Dim("n")
    traced = trace(
        lambda x: (x[0], x[-1], x[1:], x[:-1], x[::-1], x[:, 1], x[None], x[..., 0], x[: x.shape[0]]),
        [array_type("float32", (n, 4))],
    )
    assert [str(node.type) for node in traced.graph.outputs[:4]] == ["f32[4]", "f32[4]", "f32[n+-1,4]", "f32[n+-1,4]"]
    for rows in (1, 3):
        a = A[0, :rows, :4]
        got = evaluate(traced.graph, [a]).outputs
        want = (a[0], a[-1], a[1:], a[:-1], a[::-1], a[:, 1], a[None], a[..., 0], a)
        for g, w in zip(got, want, strict=True):
            np.testing.assert_array_equal(g, w)


def test_shape_that_would_depend_on_values():
    types = [array_type("float32", (4,)), array_type("bool", (4,)), array_type("int32", ())]
    with pytest.raises(OperatorNotAllowedInGraphError, match="where"):
        trace(lambda x, m, i: x[m], types)
    with pytest.raises(OperatorNotAllowedInGraphError, match="gather"):
        trace(lambda x, m, i: x[:i], types)


def test_a_list_with_slices_is_one_index_per_axis():
    np.testing.assert_array_equal(convert_to_tensor(A)[[slice(None), 1]].numpy(), A[:, 1])


def test_a_zero_step_is_an_error_of_both_kinds():
    for error in (ValueError, InvalidArgumentError):
        with pytest.raises(error, match="step"):
            convert_to_tensor(A)[::0]
