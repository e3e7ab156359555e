"""The example of docs/adding-an-op.md is executed, so that it stays true."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from weft.graph.build import o, parameter
from weft.graph.dtype import float32
from weft.graph.evaluate import evaluate
from weft.graph.families import Elementwise
from weft.graph.gradient import gradients
from weft.graph.ir import ArrayType, Graph
from weft.graph.op import REGISTRY, define
from weft.graph.samples import unary

PAGE = Path(__file__).parents[2] / "docs" / "adding-an-op.md"


def test_the_example_defines_a_working_op() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    before = set(REGISTRY)
    try:
        exec(code, {"define": define, "Elementwise": Elementwise, "unary": unary})
        (name,) = set(REGISTRY) - before
        x = parameter(ArrayType(float32, (3,)))
        y = getattr(o, name)(x, cap=2.0)
        (g,) = gradients([y], [x])
        assert g is not None
        value = np.array([-3.0, 0.0, 1.0], np.float32)
        out, slope = evaluate(Graph((x,), (y, g)), [value]).outputs
        np.testing.assert_allclose(out, 2 * np.tanh(value / 2), rtol=1e-6)
        np.testing.assert_allclose(slope, 1 - np.tanh(value / 2) ** 2, rtol=1e-6)
        assert len(REGISTRY[name].samples()) > 1
    finally:
        for added in set(REGISTRY) - before:
            del REGISTRY[added]
            vars(o).pop(added, None)
