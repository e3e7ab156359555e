"""Kernels cut into parts give the bits of the whole, whatever the order of the parts; kernels that carry sums are not cut."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weft.codegen import generate, order_variables
from weft.codegen.program import KernelDecl, Program
from weft.graph import REGISTRY, ArrayType, Graph, as_dtype, make, o, parameter
from weft.graph.passes import optimize
from weft.runtime.interpreted import InterpretedStep

sys.path.insert(0, str(Path(__file__).parent))
from random_graphs import RandomGraph
from train_step import Step

FAMILIES = ("elementwise", "reduce", "layout", "gather", "row", "scan")


def in_parts(kernel: Callable[..., int], decl: KernelDecl, cut: list[str]) -> Callable[..., int]:
    """The kernel, run as three parts from last to first, each on moved arrays."""
    split = decl.split
    assert split is not None

    def run(*args: Any) -> int:
        arrays, sizes = args[: len(decl.pointers)], list(args[len(decl.pointers) :])
        names = {f"n{i}": s for i, s in enumerate(sizes)}
        extent, strides = eval(split.extent, names), [eval(s, names) for s in split.strides]
        if any(s < 0 for s in strides):
            return kernel(*args)
        cut.append(decl.name)
        for part in reversed(range(3)):
            first, last = extent * part // 3, extent * (part + 1) // 3
            if first < last:
                moved = [a[first * s :] for a, s in zip(arrays, strides, strict=True)]
                assert kernel(*moved, *(last - first if i == split.argument else s for i, s in enumerate(sizes))) == 0
        return 0

    return run


def compare(program: Program, storages: list[np.ndarray], inputs: list[np.ndarray]) -> list[str]:
    """Runs the program whole and in parts and compares outputs and variables; returns the kernels that were cut."""
    twins = [s.copy() for s in storages]
    whole, parts = InterpretedStep(program, storages), InterpretedStep(program, twins)
    cut: list[str] = []
    for decl in program.kernels:
        if decl.split is not None and decl.split.argument >= 0:
            parts._names[decl.name] = in_parts(parts._names[decl.name], decl, cut)
    results = [step(inputs) for step in (whole, parts)]
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(storages, twins, strict=True):
        np.testing.assert_array_equal(a, b)
    return cut


@pytest.mark.parametrize("op", [op for op in REGISTRY.values() if op.family in FAMILIES], ids=lambda op: op.name)
def test_samples_of_ops(op):
    for sample in op.samples():
        arrays = [np.array(a, order="C") for a in sample.args]
        inputs = [parameter(ArrayType(as_dtype(a.dtype), a.shape), f"x{i}") for i, a in enumerate(arrays)]
        node = make(op, inputs, sample.attrs)
        if "float16" not in (node.dtype.name, *(i.dtype.name for i in inputs)):
            compare(generate(Graph(tuple(inputs), (node,))), [], arrays)


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs(seed):
    case = RandomGraph(seed, 10 + seed % 20)
    storages = [case.values[ref].copy() for ref in order_variables(case.graph)]
    compare(generate(case.graph), storages, case.inputs((1, 4, 7)[seed % 3]))


def test_a_train_step():
    step = Step((12, 8, 8, 5))
    graph = optimize(step.graph)
    program = generate(graph)
    storages = [np.array(step.values[ref]) for ref in order_variables(graph)]
    random = np.random.default_rng(0)
    cut = compare(program, storages, [random.normal(size=(9, 12)).astype(np.float32), random.integers(0, 5, 9)])
    assert sum(name.startswith("add_relu") for name in cut) == 2
    assert len(cut) >= 8  # and six updates


def splits(*outputs: Any) -> list[bool]:
    inputs = tuple(dict.fromkeys(n for n in Graph((), outputs).nodes() if n.op.name == "parameter"))
    return [k.split is not None for k in generate(Graph(inputs, outputs)).kernels]


def test_sums_over_the_outer_loop_are_not_cut():
    x = parameter(ArrayType(as_dtype("float32"), (6, 5)), "x")
    assert splits(o.reduce_sum(x, axes=(0,), keepdims=False)) == [False]
    assert splits(o.reduce_sum(x, axes=(0, 1), keepdims=False)) == [False]
    assert splits(o.reduce_sum(x, axes=(1,), keepdims=False)) == [True]
    assert splits(o.cumsum(x, axis=1, exclusive=False, reverse=False)) == [True]
    assert splits(o.cumsum(x, axis=0, exclusive=False, reverse=False)) == [False]  # columns interleave in memory


def test_splits_survive_storage():
    x = parameter(ArrayType(as_dtype("float32"), (6, 5)), "x")
    program = generate(Graph((x,), (o.softmax(x),)))
    again = Program.from_tables(program.to_tables(), program.constants)
    assert again.kernels == program.kernels
    assert program.kernels[0].split is not None
