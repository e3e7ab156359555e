"""Every sample of every op as machine code, against the op's NumPy kernel: nothing that weft offers fails to compile."""

from __future__ import annotations

import numpy as np
import pytest

from weft.codegen import generate
from weft.graph import REGISTRY, ArrayType, Graph, Node, as_dtype, make, parameter
from weft.graph.op import Op
from weft.runtime.executable import build
from weft.runtime.machine import detect_target

FAMILIES = ("source", "elementwise", "reduce", "layout", "contract", "gather", "row", "scan", "random")
OPS = [op for op in REGISTRY.values() if op.family in FAMILIES and op.samples()]


@pytest.mark.compiles
@pytest.mark.heavy
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_all_samples_of(op: Op) -> None:
    inputs: list[Node] = []
    outputs, arrays, expected = [], [], []
    for sample in op.samples():
        values = [np.array(a, order="C") for a in sample.args]
        nodes = [parameter(ArrayType(as_dtype(v.dtype), v.shape)) for v in values]
        node = make(op, nodes, sample.attrs)
        if "float16" in (node.dtype.name, *(n.dtype.name for n in nodes)):
            continue  # refused by the code generator, which tests that
        inputs += nodes
        arrays += values
        outputs.append(node)
        expected.append(op.evaluate(values, op.canonical(sample.attrs)))
    results = build(generate(Graph(tuple(inputs), tuple(outputs)), detect_target()), [])(arrays)
    for result, wanted in zip(results, expected, strict=True):
        assert (result.dtype, result.shape) == (wanted.dtype, wanted.shape)
        if result.dtype.kind == "f":
            accuracy = 1e-6 if result.dtype == np.float32 else 1e-14
            np.testing.assert_allclose(result, wanted, rtol=4 * accuracy, atol=accuracy)
        else:
            np.testing.assert_array_equal(result, wanted)
