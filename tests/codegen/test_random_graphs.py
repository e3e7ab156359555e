"""Random graphs: the generated module, un-jitted, against the reference interpreter, outputs and variables alike."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from weft.codegen import generate, order_variables
from weft.graph.evaluate import evaluate
from weft.runtime.executable import build

sys.path.insert(0, str(Path(__file__).parent))
from random_graphs import RandomGraph


def check(seed: int, length: int, batch: int) -> None:
    case = RandomGraph(seed, length)
    order = order_variables(case.graph)
    storages = [case.values[ref].copy() for ref in order]
    step = build(generate(case.graph), storages, "python")
    values = dict(case.values)
    for _ in range(2):
        arrays = case.inputs(batch)
        with np.errstate(all="ignore"):
            expected = evaluate(case.graph, arrays, values)
        outputs = step(arrays)
        for out, want in zip(outputs, expected.outputs, strict=True):
            np.testing.assert_allclose(out, want, rtol=1e-4, atol=1e-4)
        for ref, want in expected.writes:
            values[ref] = np.array(want)
            np.testing.assert_allclose(storages[order.index(ref)], want, rtol=1e-4, atol=1e-4, err_msg=ref.name)


@pytest.mark.parametrize("seed", range(60))
def test_random_graph(seed):
    check(seed, 10 + seed % 20, batch=(1, 2, 5)[seed % 3])


def test_no_elements():
    for seed in range(5):
        check(seed, 14, batch=0)
