"""Printing and assertions: eagerly, and in program order in a traced function."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weft as tf
from weft.graph.evaluate import evaluate
from weft.graph.ir import ArrayType
from weft.tracer.trace import trace

X = np.arange(6, dtype=np.float32).reshape(2, 3)

# What tf.print of TensorFlow 2.21 writes.
PRINTED: list[tuple[Callable[[], Any], str]] = [
    (lambda: tf.print("x", tf.constant(1.5)), "x 1.5\n"),
    (lambda: tf.print(tf.constant(X)), "[[0 1 2]\n [3 4 5]]\n"),
    (lambda: tf.print(tf.constant([True, False]), tf.constant(3)), "[1 0] 3\n"),
    (lambda: tf.print(1, "a", 2.5, None, sep="-", end="!"), "1-a-2.5-None!"),
    (lambda: tf.print([tf.constant(1), "a"]), "[1, 'a']\n"),
    (lambda: tf.print((tf.constant(1.0), 2)), "(1, 2)\n"),
    (lambda: tf.print({"k": tf.constant([1, 2])}), "{'k': [1 2]}\n"),
    (lambda: tf.print(tf.range(10)), "[0 1 2 ... 7 8 9]\n"),
    (lambda: tf.print(tf.range(10), summarize=-1), "[0 1 2 3 4 5 6 7 8 9]\n"),
    (lambda: tf.print(tf.range(4), summarize=1), "[0 ... 3]\n"),
    (lambda: tf.print(), "\n"),
    (
        lambda: tf.print(tf.constant([1e10, 1e-7, 0.1, 123456.789, 1e5, 1e6, 1e7, 1 / 3]), summarize=-1),
        "[1e+10 1e-07 0.1 123456.789 100000 1e+06 1e+07 0.333333343]\n",
    ),
    (
        lambda: tf.print(tf.constant([1e10, 1e-5, 1e-4, 1 / 3, 1e15, 1e16, 123456789.123], tf.float64), summarize=-1),
        "[10000000000 1e-05 0.0001 0.33333333333333331 1e+15 1e+16 123456789.123]\n",
    ),
    (lambda: tf.print(tf.constant([float("nan"), float("inf"), -float("inf")])), "[nan inf -inf]\n"),
    (lambda: tf.print(tf.zeros((2, 2, 1))), "[[[0]\n  [0]]\n\n [[0]\n  [0]]]\n"),
]


@pytest.mark.parametrize(("call", "text"), PRINTED, ids=range(len(PRINTED)))
def test_print_writes_to_stderr(call: Callable[[], Any], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    call()
    out = capsys.readouterr()
    assert (out.out, out.err) == ("", text)


def test_print_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    tf.print("x", output_stream=sys.stdout)
    assert capsys.readouterr().out == "x\n"
    with pytest.raises(tf.errors.UnimplementedError, match="output_stream"):
        tf.print("x", output_stream="file://x")


def test_traced_effects_happen_in_program_order(capsys: pytest.CaptureFixture[str]) -> None:
    def step(x: Any) -> Any:
        tf.print("first", x[0])
        tf.debugging.assert_greater(x, 0.0, message="positive, please")
        tf.print("second", tf.reduce_sum(x))
        return x * 2

    graph = trace(step, [ArrayType(tf.float32, (2,))]).graph
    assert capsys.readouterr().err == ""
    evaluate(graph, [np.float32([1, 2])], {})
    assert capsys.readouterr().err == "first 1\nsecond 3\n"
    with pytest.raises(tf.errors.InvalidArgumentError, match="positive, please"):
        evaluate(graph, [np.float32([1, -2])], {})
    assert capsys.readouterr().err == "first 1\n"


FAILING: list[tuple[Callable[[], Any], str]] = [
    (lambda: tf.debugging.assert_equal([1], [2], message="boo"), "boo\nCondition x == y did not hold"),
    (lambda: tf.debugging.assert_none_equal([1], [1]), "x != y"),
    (lambda: tf.debugging.assert_less(2.0, [1.0]), "x < y"),
    (lambda: tf.debugging.assert_less_equal(2, [1]), "x <= y"),
    (lambda: tf.debugging.assert_greater([1], [1]), "x > y"),
    (lambda: tf.debugging.assert_greater_equal([0], [1]), "x >= y"),
    (lambda: tf.debugging.assert_positive([0.0]), "x > y"),
    (lambda: tf.debugging.assert_negative([0]), "x < y"),
    (lambda: tf.debugging.assert_non_negative([-1]), "x >= y"),
    (lambda: tf.debugging.assert_non_positive([1]), "x <= y"),
    (lambda: tf.debugging.assert_near(1.0, 1.1), "not equal to the tolerance"),
    (lambda: tf.debugging.check_numerics([1.0, np.nan], "loss"), "loss : Tensor had NaN or Inf"),
    (lambda: tf.debugging.assert_all_finite([np.inf], "loss"), "loss"),
    (lambda: tf.Assert(False, ["why", tf.constant([1, 2])]), "why\n\\[1 2\\]"),
    (lambda: tf.debugging.assert_rank([1], 2), "must have rank 2"),
    (lambda: tf.debugging.assert_rank_at_least(1.0, 1), "at least rank 1"),
    (lambda: tf.debugging.assert_rank_in([1], [0, 2]), r"rank \[0, 2\]"),
    (lambda: tf.debugging.assert_scalar([1]), "rank 0"),
    (lambda: tf.debugging.assert_type([1], tf.float32), "dtype float32"),
    (lambda: tf.debugging.assert_integer([1.0]), "integer"),
    (lambda: tf.debugging.assert_shapes([(X, ("n", 3)), (X, (3, "n"))]), "must have the shape"),
]


@pytest.mark.parametrize(("call", "message"), FAILING, ids=range(len(FAILING)))
def test_failing_assertion(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        call()


def test_holding_assertions() -> None:
    tf.debugging.assert_equal([1, 2], [1, 2])
    tf.debugging.assert_near(1.0, 1.0 + 1e-7)
    tf.debugging.assert_near(1.0, 1.1, atol=0.2)
    tf.debugging.assert_shapes([(X, ("n", 3)), (X.T, (3, "n")), (X, (None, 3))])
    tf.debugging.assert_rank_in(X, [2, 3])
    tf.Assert(True, [])
    assert tf.debugging.check_numerics([1.0], "x").numpy().tolist() == [1.0]
    assert tf.debugging.is_numeric_tensor(tf.constant(1)) and not tf.debugging.is_numeric_tensor(3)


def test_assertion_error_is_a_python_assertion_too() -> None:
    with pytest.raises(AssertionError):
        tf.debugging.assert_equal(1, 2)
