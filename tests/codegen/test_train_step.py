"""A whole train step: few calls, few kernels, results of the interpreter, variables safe from failures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from weft.codegen import Program, generate, order_variables
from weft.graph.errors import IndexRangeError
from weft.graph.evaluate import evaluate
from weft.graph.passes import optimize
from weft.runtime.executable import build

sys.path.insert(0, str(Path(__file__).parent))
from train_step import Step


@pytest.fixture(scope="module")
def step() -> Step:
    return Step((12, 8, 8, 5))


@pytest.fixture(scope="module")
def program(step: Step) -> Program:
    return generate(optimize(step.graph))


def storages(step: Step, graph) -> list[np.ndarray]:
    rate = {"rate": np.float32(0.01)}
    return [np.array(rate.get(ref.name, step.values[ref])) for ref in order_variables(graph)]


def batch(size: int, seed: int = 1) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(size, 12)).astype(np.float32), random.integers(0, 5, size)]


def test_few_kernels_serve_the_whole_step(program):
    """Eight products, three kernels per layer at most, and equal texts compiled once."""
    assert program.notes["calls"] <= 20
    compiled = [k for k in program.kernels if k.contract is None]
    assert len(compiled) <= 5
    assert program.notes["late_copies"] == 0


def test_optimizer_is_one_flat_kernel_in_place(program):
    updates = [k for k in program.kernels if k.pointers == ("f32",) * 4 and k.integers == 1]
    assert len(updates) == 1
    assert len(updates[0].writes) == 2
    assert program.source.count(f"    {updates[0].name}(") == 6


def test_bias_and_activation_work_over_the_product(program):
    (kernel,) = [k for k in program.kernels if k.name.startswith("add_relu")]
    assert kernel.writes == (0,)
    assert kernel.pointers == ("f32", "f32")


def test_same_results_as_the_interpreter(step, program):
    graph = optimize(step.graph)
    arrays = storages(step, graph)
    run = build(program, arrays, "python")
    values = dict(zip(order_variables(graph), [a.copy() for a in arrays], strict=True))
    for size in (6, 6, 3, 1):
        inputs = batch(size)
        expected = evaluate(step.graph, inputs, values)
        np.testing.assert_allclose(run(inputs)[0], expected.outputs[0], rtol=1e-5)
        values.update((ref, np.array(new)) for ref, new in expected.writes)
        for ref, a in zip(order_variables(graph), arrays, strict=True):
            np.testing.assert_allclose(a, values[ref], rtol=2e-4, atol=1e-5, err_msg=ref.name)


def test_failed_check_leaves_all_variables(step, program):
    arrays = storages(step, optimize(step.graph))
    run = build(program, arrays, "python")
    x, y = batch(6)
    run([x, y])
    before = [a.copy() for a in arrays]
    y[3] = 5
    with pytest.raises(IndexRangeError, match="A label must name a column"):
        run([x, y])
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_text_is_deterministic(step, program):
    again = generate(optimize(Step((12, 8, 8, 5)).graph))
    assert again.source == program.source


@pytest.mark.compiles
def test_the_compiled_step_equals_pythons(step, program):
    graph = optimize(step.graph)
    plain, machine = storages(step, graph), storages(step, graph)
    run, fast = build(program, plain, "python"), build(program, machine, "compiled")
    for size in (6, 3):
        np.testing.assert_allclose(fast(batch(size))[0], run(batch(size))[0], rtol=1e-5)
    for a, b in zip(machine, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)
