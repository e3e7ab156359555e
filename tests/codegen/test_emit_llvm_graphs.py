"""Whole programs: their kernels from LLVM text, from Python text through Numba, and un-jitted, on random graphs and all ops."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from weft.codegen import generate, order_variables
from weft.graph import REGISTRY, ArrayType, Graph, Node, as_dtype, make, parameter
from weft.graph.op import Op
from weft.runtime.config import config
from weft.runtime.executable import build

sys.path.insert(0, str(Path(__file__).parent))
from random_graphs import RandomGraph


def compare(seed: int, first: tuple[str, str], second: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a random program twice, each as (mode, kernels) says, for three batch sizes: equal results and variables."""
    case = RandomGraph(seed, 10 + seed % 20)
    order = order_variables(case.graph)
    program = generate(case.graph)
    assert all(name in program.llvm for name in (k.name for k in program.kernels if k.contract is None))
    runs = []
    for mode, kernels in (first, second):
        monkeypatch.setattr(config, "kernels", kernels)
        storages = [case.values[ref].copy() for ref in order]
        runs.append((build(program, storages, mode), storages))
    (run, variables), (other, others) = runs
    for batch in (1, 2, 37):
        arrays = case.inputs(batch)
        with np.errstate(all="ignore"):
            results, wanted = run(arrays), other(arrays)
        for a, b in zip([*results, *variables], [*wanted, *others], strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("seed", range(0, 60, 5))
def test_llvm_and_plain_python_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(seed, ("compiled", "llvm"), ("python", "llvm"), monkeypatch)


@pytest.mark.compiles
@pytest.mark.parametrize("seed", [3, 17])
def test_llvm_and_numba_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(seed, ("compiled", "llvm"), ("compiled", "numba"), monkeypatch)


FAMILIES = ("elementwise", "layout", "gather", "scan", "reduce", "row")
OPS = [op for op in REGISTRY.values() if op.family in FAMILIES and op.samples()]


@pytest.mark.compiles
@pytest.mark.heavy
@pytest.mark.parametrize("op", OPS[::6], ids=lambda op: op.name)
def test_numba_computes_the_same_samples(op: Op, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sixth op both ways; `test_every_op_compiled` has all of them as LLVM text against NumPy."""
    inputs: list[Node] = []
    outputs, arrays = [], []
    for sample in op.samples():
        values = [np.array(a, order="C") for a in sample.args]
        nodes = [parameter(ArrayType(as_dtype(v.dtype), v.shape)) for v in values]
        node = make(op, nodes, sample.attrs)
        if "float16" not in (node.dtype.name, *(n.dtype.name for n in nodes)):
            inputs, arrays = inputs + nodes, arrays + values
            outputs.append(node)
    program = generate(Graph(tuple(inputs), tuple(outputs)))
    results = []
    for kernels in ("llvm", "numba"):
        monkeypatch.setattr(config, "kernels", kernels)
        results.append(build(program, [])(arrays))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_an_ordinary_step_needs_no_numba() -> None:
    code = (
        "import sys, numpy as np, weft\n"
        "w = weft.Variable(np.ones((3, 2), np.float32))\n"
        "@weft.function\n"
        "def step(x):\n"
        "    with weft.GradientTape() as tape:\n"
        "        loss = weft.reduce_mean(weft.square(weft.nn.gelu(weft.reshape(x, (-1, 3, 1)) * w)))\n"
        "    w.assign_sub(0.1 * tape.gradient(loss, w))\n"
        "    return loss\n"
        "step(np.ones((4, 3), np.float32))\n"
        "assert 'numba' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"WEFT_CACHE_DIR": "off", "PATH": ""})
