"""Groups that are recognised as equal: programs are the same as if every group had been printed, and few have been."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

from weft.codegen import Target, emit_module, fuse_epilogues, generate
from weft.codegen.group_key import GroupKey, group_key
from weft.graph import ArrayType, Dim, Graph, Node, VariableRef, o, parameter, read

sys.path.insert(0, str(Path(__file__).parent))
from random_graphs import F32, RandomGraph

LAYERS, WIDTH = 6, 8
VECTORS = Target(vector_bytes=32, own_contracts=("f32",))


def chain(slopes: list[float]) -> Graph:
    """As many products, each with a bias, an activation and a sum that is an output."""
    start = x = parameter(ArrayType(F32, (Dim("batch"), WIDTH)), "x")
    out: list[Node] = []
    for i, slope in enumerate(slopes):
        kernel, bias = (read(VariableRef(f"v{i}", ArrayType(F32, s))) for s in ((WIDTH, WIDTH), (WIDTH,)))
        x = o.add(o.leaky_relu(o.add(o.matmul(x, kernel), bias), alpha=slope), o.exp(x))
        out.append(o.reduce_sum(x, axes=(0,)))
    return Graph((start,), (x, *out))


def forget_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No two groups are equal any more."""
    count = itertools.count()

    def unlike(*args: object, **named: object) -> GroupKey:
        key = group_key(*args, **named)  # type: ignore[arg-type]  # whatever it was called with
        return GroupKey((*key.facts, next(count)), key.terms)

    monkeypatch.setattr(fuse_epilogues, "group_key", unlike)
    monkeypatch.setattr("weft.codegen.known_kernels.group_key", unlike)


def facts(graph: Graph, target: Target) -> tuple[object, ...]:
    p = generate(graph, target)
    return p.source, p.llvm, p.kernels, p.buffers, p.calls, p.checks, p.slots


@pytest.mark.parametrize("seed", range(30))
def test_a_program_does_not_depend_on_what_is_recognised(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = RandomGraph(seed, 30).graph
    for target in (Target(), VECTORS):
        known = facts(graph, target)
        with monkeypatch.context() as patch:
            forget_keys(patch)
            assert facts(graph, target) == known


def test_equal_layers_are_printed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = []
    original = emit_module.print_kernel
    monkeypatch.setattr(emit_module, "print_kernel", lambda *args: printed.append(1) or original(*args))
    counts = []
    for layers in (LAYERS, 2 * LAYERS):
        printed.clear()
        assert len(generate(chain([0.5] * layers), Target()).calls) > layers
        counts.append(len(printed))
    assert counts[0] == counts[1] < LAYERS


@pytest.mark.parametrize("slopes", [(0.5, 0.25), (0.0, -0.0)])
def test_numbers_are_told_apart(slopes: tuple[float, float]) -> None:
    equal = generate(chain([slopes[0]] * LAYERS), Target())
    unlike = generate(chain([*[slopes[0]] * 3, slopes[1], *[slopes[0]] * 2]), Target())
    assert len(unlike.kernels) > len(equal.kernels)
