"""Every sample of every op: the generated module, run un-jitted, against the op's NumPy kernel."""

from __future__ import annotations

import numpy as np
import pytest

from weft.codegen import Program, generate
from weft.graph import REGISTRY, ArrayType, Graph, as_dtype, make, parameter
from weft.graph.errors import UnimplementedError
from weft.runtime.executable import build

FAMILIES = ("source", "elementwise", "reduce", "layout", "contract", "gather", "row", "scan", "random")
CASES = [
    pytest.param(op, sample, id=f"{op.name}-{i}")
    for op in REGISTRY.values()
    if op.family in FAMILIES
    for i, sample in enumerate(op.samples())
]


def run(graph: Graph, inputs: list[np.ndarray], variables: list[np.ndarray] | None = None) -> list[np.ndarray]:
    program = generate(graph)
    again = Program.from_tables(program.to_tables(), program.constants)
    assert again.to_tables() == program.to_tables()
    return build(again, variables or [], "python")(inputs)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_generated_python_equals_the_kernel(op, sample):
    arrays = [np.array(a, order="C") for a in sample.args]
    inputs = [parameter(ArrayType(as_dtype(a.dtype), a.shape), f"x{i}") for i, a in enumerate(arrays)]
    node = make(op, inputs, sample.attrs)
    graph = Graph(tuple(inputs), (node,))
    if "float16" in (node.dtype.name, *(i.dtype.name for i in inputs)):
        with pytest.raises(UnimplementedError, match="float16"):
            generate(graph)
        return
    expected = op.evaluate(arrays, op.canonical(sample.attrs))
    before = [a.copy() for a in arrays]
    (result,) = run(graph, arrays)
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)
    if result.dtype.kind == "f":
        accuracy = 1e-6 if result.dtype == np.float32 else 1e-14
        np.testing.assert_allclose(result, expected, rtol=4 * accuracy, atol=accuracy)
    else:
        np.testing.assert_array_equal(result, expected)
