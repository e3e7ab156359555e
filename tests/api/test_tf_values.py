"""Every public function against stored results of real TensorFlow: eagerly, traced, and its gradients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft as tf
from weft.graph.evaluate import evaluate
from weft.graph.ir import ArrayType
from weft.tracer import TensorShape
from weft.tracer.trace import trace

STORED = json.loads((Path(__file__).parents[1] / "golden" / "tf_values.json").read_text())
CASES = STORED["cases"]
WATCHED = "ABPMVSTZ"


def as_array(leaf: dict[str, Any]) -> np.ndarray:
    return np.array(leaf["values"], leaf["dtype"]).reshape(leaf["shape"])


INPUTS = {name: as_array(leaf) for name, leaf in STORED["inputs"].items()}


def call(expression: str, tensors: dict[str, Any]) -> list[Any]:
    return tf.nest.flatten(eval(expression, {"tf": tf, "np": np, **tensors}))


def assert_same(found: Any, expected: Any, what: str) -> None:
    if expected is None or isinstance(found, TensorShape):
        assert (None if found is None else {"sizes": list(found)}) == expected, what
        return
    wanted = as_array(expected)
    value = np.asarray(found)
    assert str(value.dtype) == expected["dtype"], what
    assert list(value.shape) == expected["shape"], what
    if value.dtype.kind == "f":
        np.testing.assert_allclose(value, wanted, rtol=4e-6, atol=4e-6, err_msg=what)
    else:
        np.testing.assert_array_equal(value, wanted, err_msg=what)


@pytest.mark.parametrize("case", CASES, ids=[c["expression"] for c in CASES])
def test_eager_equals_tensorflow(case: dict[str, Any]) -> None:
    leaves = call(case["expression"], {n: tf.constant(a) for n, a in INPUTS.items()})
    assert len(leaves) == len(case["leaves"])
    for found, expected in zip(leaves, case["leaves"], strict=True):
        assert_same(found, expected, case["expression"])


def run_traced(expression: str) -> list[Any]:
    """The expression as a graph of all inputs, evaluated by the reference interpreter."""
    static: dict[int, Any] = {}

    def body(*tensors: Any) -> Sequence[Any]:
        leaves = call(expression, dict(zip(INPUTS, tensors, strict=True)))
        static.update({i: leaf for i, leaf in enumerate(leaves) if leaf is None or isinstance(leaf, TensorShape)})
        return [leaf for i, leaf in enumerate(leaves) if i not in static]

    types = [ArrayType(tf.as_dtype(a.dtype), a.shape) for a in INPUTS.values()]
    traced = trace(body, types, names=list(INPUTS))
    outputs = list(evaluate(traced.graph, list(INPUTS.values()), {}).outputs)
    for i, leaf in sorted(static.items()):
        outputs.insert(i, leaf)
    return outputs


@pytest.mark.parametrize("case", CASES, ids=[c["expression"] for c in CASES])
def test_traced_equals_tensorflow(case: dict[str, Any]) -> None:
    outputs = run_traced(case["expression"])
    assert len(outputs) == len(case["leaves"])
    for found, expected in zip(outputs, case["leaves"], strict=True):
        assert_same(found, expected, case["expression"])


def weigh(leaves: Sequence[Any]) -> Any:
    """The same weighted sum as in make_tf_golden.py."""
    total = tf.constant(0.0)
    for leaf in leaves:
        if hasattr(leaf, "dtype") and leaf.dtype == tf.float32:
            size = int(np.prod(leaf.shape))
            total = total + tf.reduce_sum(leaf * np.linspace(0.5, 1.5, size).astype(np.float32).reshape(leaf.shape))
    return total


@pytest.mark.parametrize("case", CASES, ids=[c["expression"] for c in CASES])
def test_gradients_equal_tensorflow(case: dict[str, Any]) -> None:
    tensors = {n: tf.constant(a) for n, a in INPUTS.items()}
    watched = {n: tensors[n] for n in WATCHED}
    with tf.GradientTape() as tape:
        for tensor in watched.values():
            tape.watch(tensor)
        total = weigh(call(case["expression"], tensors))
    gradients = {n: g for n, g in tape.gradient(total, watched).items() if g is not None}
    assert set(gradients) == set(case["gradients"]), case["expression"]
    for name, expected in case["gradients"].items():
        np.testing.assert_allclose(gradients[name], as_array(expected), rtol=2e-5, atol=2e-5, err_msg=case["expression"])
