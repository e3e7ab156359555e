"""Bad arguments: the exception's class, and that its message says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weft as tf
from weft.graph.ir import ArrayType
from weft.tracer.trace import trace

A = np.ones((2, 3), np.float32)

WRONG: list[tuple[Callable[[], Any], Any, str]] = [
    (lambda: tf.constant(1.0) + tf.constant(1), TypeError, "one dtype"),
    (lambda: tf.add(A, np.ones((2, 2), np.float32)), ValueError, "broadcast"),
    (lambda: tf.add(A, np.ones((2, 2), np.float32)), tf.errors.InvalidArgumentError, "broadcast"),
    (lambda: tf.matmul(A, A), ValueError, "matmul"),
    (lambda: tf.zeros([-1]), tf.errors.InvalidArgumentError, "negative"),
    (lambda: tf.zeros([2, None]), ValueError, "must be an integer"),
    (lambda: tf.concat([], 0), tf.errors.InvalidArgumentError, "at least one"),
    (lambda: tf.range(3, 0), tf.errors.InvalidArgumentError, "start <= limit"),
    (lambda: tf.range(0, 3, 0), tf.errors.InvalidArgumentError, "delta"),
    (lambda: tf.where([1, 0], A[0, :2], A[0, :2]), tf.errors.InvalidArgumentError, "bool condition"),
    (lambda: tf.reshape(A, [2.0, 3.0]), tf.errors.InvalidArgumentError, "size must be an integer"),
    (lambda: tf.matmul(A, A[0]), ValueError, "at least two axes"),
    (lambda: tf.reshape(A, [4, -1]), ValueError, "6 elements"),
    (lambda: tf.reshape(A, [4]), ValueError, "number of elements"),
    (lambda: tf.reshape(A, [-1, -1]), ValueError, "Only one size"),
    (lambda: tf.reshape(A, [-2, 3]), ValueError, "negative"),
    (lambda: tf.transpose(A, [0, 0]), ValueError, "every axis"),
    (lambda: tf.squeeze(A, axis=0), ValueError, "size 1"),
    (lambda: tf.expand_dims(A, 5), ValueError, "axis must lie between"),
    (lambda: tf.reduce_sum(A, axis=2), ValueError, "axis must lie between -2 and 1"),
    (lambda: tf.reduce_sum(A, axis=[0, 0]), ValueError, "twice"),
    (lambda: tf.argmax(3), ValueError, "needs an axis"),
    (lambda: tf.math.reduce_std([1, 2]), TypeError, "floating"),
    (lambda: tf.concat([A, [1, 2]], 0), ValueError, "concat"),
    (lambda: tf.concat([], 0), ValueError, "at least one"),
    (lambda: tf.stack([A, A[0]]), ValueError, "one shape"),
    (lambda: tf.split(A, 2, axis=1), ValueError, "equal parts"),
    (lambda: tf.split(A, [1, 3], axis=1), ValueError, "add up"),
    (lambda: tf.unstack(A, num=5), ValueError, "5 slices"),
    (lambda: tf.tile(A, [2]), ValueError, "one entry per axis"),
    (lambda: tf.pad(A, [[1, 1]]), ValueError, "pair per axis"),
    (lambda: tf.pad(A, [[2, 2], [0, 0]], mode="REFLECT"), ValueError, "At most 1"),
    (lambda: tf.pad(A, [[2, 2], [0, 0]], mode="WRAP"), ValueError, "mode must be"),
    (lambda: tf.gather([1, 2, 3], [0, 5]), tf.errors.InvalidArgumentError, "5"),
    (lambda: tf.gather([1, 2, 3], [0, 5]), IndexError, "5"),
    (lambda: tf.gather(A, [0.5]), TypeError, "integers"),
    (lambda: tf.gather_nd(A, [[0, 3]]), IndexError, "-1|3"),
    (lambda: tf.scatter_nd([[7]], [1.0], [3]), IndexError, "-1|7"),
    (lambda: tf.slice(A, [0, 1], [2, 3]), ValueError, "outside"),
    (lambda: tf.one_hot([0.5], 3), TypeError, "integers"),
    (lambda: tf.boolean_mask(A, [True, False, True]), ValueError, "mask must fit"),
    (lambda: tf.where([True], A), ValueError, "both x and y"),
    (lambda: tf.constant([1, 2, 3], shape=(2, 2)), TypeError, "3 values"),
    (lambda: tf.fill([2], [1, 2]), ValueError, "scalar"),
    (lambda: tf.range(0, 5, 0), ValueError, "delta"),
    (lambda: tf.linspace(0.0, 1.0, 0), ValueError, "at least one"),
    (lambda: tf.add_n([]), ValueError, "at least one"),
    (lambda: tf.add_n([A, A[0]]), ValueError, "one shape"),
    (lambda: tf.scalar_mul(A, A), ValueError, "scalar"),
    (lambda: tf.norm([1, 2]), TypeError, "floating"),
    (lambda: tf.norm(A, ord="nuc"), ValueError, "ord"),
    (lambda: tf.einsum("ij,jk->ik", A, A), ValueError, "'j'"),
    (lambda: tf.einsum("ij,jk->ik", A, A[:1]), ValueError, "'j'"),
    (lambda: tf.constant([[1]])[:0] // tf.constant([[0]]), ZeroDivisionError, "without elements"),
    (lambda: tf.einsum("ij,jk->ik", A), ValueError, "2 operands"),
    (lambda: tf.einsum("ijk->k", A), ValueError, "rank 2"),
    (lambda: tf.einsum("ij->ix", A), ValueError, "labels"),
    (lambda: tf.tensordot(A, A, 1), ValueError, "equal size"),
    (lambda: tf.tensordot(A, A, 3), ValueError, "axes"),
    (lambda: tf.ensure_shape(A, [3, None]), ValueError, "expected"),
    (lambda: tf.nn.softmax(1.0), ValueError, "at least one axis"),
    (lambda: tf.nn.softmax([1, 2]), TypeError, "floating"),
    (lambda: tf.sqrt(4), TypeError, "floating"),
    (lambda: tf.reduce_any([1, 0]), TypeError, "bool"),
    (lambda: tf.logical_and(A, True), TypeError, "bool"),
    (lambda: tf.nn.gelu([1]), TypeError, "floating"),
    (lambda: tf.nn.bias_add(A, [1.0, 2.0]), ValueError, "as many elements"),
    (lambda: tf.nn.sigmoid_cross_entropy_with_logits(labels=[1.0], logits=A), ValueError, "same shape"),
    (lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0], logits=A), ValueError, "labels.shape"),
    (lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 3], logits=A), IndexError, "3"),
    (lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0.0, 1.0], logits=A), TypeError, "integers"),
    (lambda: tf.pow([2], -1), tf.errors.InvalidArgumentError, "negative integer powers"),
    (lambda: tf.math.floordiv([1], [0]), ZeroDivisionError, "division by zero"),
    (lambda: tf.clip_by_value([1], 0.5, 2), TypeError, "0.5"),
    (lambda: tf.exp(A, 1, 2, 3), TypeError, "argument"),
    (lambda: tf.exp(), TypeError, "'x'"),
    (lambda: tf.zeros([2], dtype="floating"), TypeError, "floating"),
    (lambda: tf.cast("a", tf.int32), TypeError, "'a'"),
    (lambda: tf.random.shuffle(3), ValueError, "axis"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=range(len(WRONG)))
def test_the_error_names_what_was_wrong(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


DATA_DEPENDENT: dict[str, Callable[[Any], Any]] = {
    "where": lambda x: tf.where(x > 0),
    "boolean_mask": lambda x: tf.boolean_mask(x, x > 0),
    "sequence_mask": lambda x: tf.sequence_mask(tf.cast(x, tf.int32)),
    "bincount": lambda x: tf.math.bincount(tf.cast(x, tf.int32)),
    "confusion_matrix": lambda x: tf.math.confusion_matrix(x, x),
    "reshape": lambda x: tf.reshape(x, tf.cast(x[0], tf.int32)),
    "zeros": lambda x: tf.zeros(tf.cast(x[0, 0], tf.int32)),
}


@pytest.mark.parametrize("name", DATA_DEPENDENT)
def test_shapes_that_depend_on_data_name_the_way_out(name: str) -> None:
    """TypeError that says what to do instead, and names the user's line."""
    with pytest.raises(TypeError, match=r"Use |numbers, x\.shape") as caught:
        trace(DATA_DEPENDENT[name], [ArrayType(tf.float32, (2, 3))])
    assert "test_errors.py" in str(caught.value)


@pytest.mark.parametrize(
    "call", [tf.reduce_mean, tf.zeros_like, tf.shape, lambda x: tf.nn.dropout(x, 0.5)], ids=["mean", "zeros", "shape", "dropout"]
)
def test_sizes_of_symbolic_keras_tensors(call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="`call` of a layer"):
        call(tf.keras.Input((4,)))


def test_data_dependent_functions_work_eagerly() -> None:
    x = tf.constant([3.0, 0.0, 2.0])
    assert tf.where(x > 0).numpy().tolist() == [[0], [2]]
    assert tf.boolean_mask(x, x > 0).numpy().tolist() == [3.0, 2.0]
    assert tf.boolean_mask(A, [[True, False, True], [False, False, True]]).shape == (3,)
    assert tf.sequence_mask([1, 3]).numpy().tolist() == [[True, False, False], [True, True, True]]
    assert tf.math.bincount([1, 1, 3]).numpy().tolist() == [0, 2, 0, 1]
    assert tf.math.bincount([1, 1, 3], maxlength=2).numpy().tolist() == [0, 2]
    assert tf.math.confusion_matrix([0, 1], [1, 1]).numpy().tolist() == [[0, 1], [0, 1]]


def test_boolean_mask_has_a_gradient() -> None:
    x = tf.constant([3.0, 0.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(tf.boolean_mask(x, [True, False, True]) ** 2)
    assert tape.gradient(y, x).numpy().tolist() == [6.0, 0.0, 4.0]
