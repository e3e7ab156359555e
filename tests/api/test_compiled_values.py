"""The stored TensorFlow values once more, through the code generator: every case un-jitted, a sample compiled, symbolic sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft as tf
from weft.graph.dims import Dim
from weft.graph.evaluate import evaluate
from weft.graph.ir import ArrayType, Graph
from weft.graph.op import DimConflict
from weft.runtime.compiler import compile_graph
from weft.tracer import TensorShape
from weft.tracer.trace import trace

STORED = json.loads((Path(__file__).parents[1] / "golden" / "tf_values.json").read_text())
CASES = [c for c in STORED["cases"] if c["leaves"] and "sizes" not in c["leaves"][0]]
NEEDS_FIXED_SIZE = (
    "unstack", "roll(A, [1", "repeat(A, [1", "gather(T, [[0", "reshape(A, [3", "scatter_nd([[1], [0]]", "tensor_scatter_nd_sub",
    "strided_slice(A", "squeeze(tf.reshape", "in_top_k", "unsorted_segment", "sparse_softmax",
)  # fmt: skip


def as_array(leaf: dict[str, Any]) -> np.ndarray:
    return np.array(leaf["values"], leaf["dtype"]).reshape(leaf["shape"])


INPUTS = {name: as_array(leaf) for name, leaf in STORED["inputs"].items()}


def trace_case(expression: str, batch: Any = None) -> Graph:
    """The expression as a graph of all inputs; with ``batch`` the first axis of the two-row ones is that size."""

    def body(*tensors: Any) -> list[Any]:
        leaves = tf.nest.flatten(eval(expression, {"tf": tf, "np": np, **dict(zip(INPUTS, tensors, strict=True))}))
        return [leaf for leaf in leaves if leaf is not None and not isinstance(leaf, TensorShape)]

    types = []
    for array in INPUTS.values():
        symbolic = batch is not None and array.ndim > 1 and array.shape[0] == 2
        types.append(ArrayType(tf.as_dtype(array.dtype), (batch, *array.shape[1:]) if symbolic else array.shape))
    return trace(body, types, names=list(INPUTS)).graph


def assert_outputs(outputs: Any, case: dict[str, Any]) -> None:
    expected = [leaf for leaf in case["leaves"] if leaf is not None]
    assert len(outputs) == len(expected)
    for found, leaf in zip(outputs, expected, strict=True):
        assert str(found.dtype) == leaf["dtype"] and list(found.shape) == leaf["shape"]
        exact = found.dtype.kind != "f"
        np.testing.assert_allclose(found, as_array(leaf), rtol=0 if exact else 4e-6, atol=0 if exact else 4e-6)


@pytest.mark.parametrize("case", CASES, ids=[c["expression"] for c in CASES])
def test_generated_code_equals_tensorflow(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.runtime.config.config, "cache_dir", None)
    assert_outputs(compile_graph(trace_case(case["expression"]), python=True).run(list(INPUTS.values())), case)


@pytest.mark.compiles
@pytest.mark.heavy
@pytest.mark.parametrize("case", CASES[::9], ids=[c["expression"] for c in CASES[::9]])
def test_compiled_code_equals_tensorflow(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.runtime.config.config, "cache_dir", None)
    assert_outputs(compile_graph(trace_case(case["expression"])).run(list(INPUTS.values())), case)


@pytest.mark.parametrize("case", CASES, ids=[c["expression"] for c in CASES])
def test_symbolic_batch_equals_tensorflow(case: dict[str, Any]) -> None:
    """A symbolic first axis changes nothing, or raises the conflict upon which a function is traced again for this size."""
    expression = case["expression"]
    if any(part in expression for part in NEEDS_FIXED_SIZE):
        try:
            graph = trace_case(expression, Dim("batch"))
        except DimConflict as conflict:
            assert any(isinstance(size, Dim) for size in conflict.sizes)
            return
    else:
        graph = trace_case(expression, Dim("batch"))
    assert_outputs(evaluate(graph, list(INPUTS.values())).outputs, case)
