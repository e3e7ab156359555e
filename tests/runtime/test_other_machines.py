"""Texts for other CPUs than this one: LLVM makes code of them, with no instruction that such a CPU lacks."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import llvmlite.binding as binding
import pytest

from weft.codegen import generate
from weft.codegen.program import Program
from weft.codegen.target import Target
from weft.runtime import denormals, machine_limits
from weft.runtime.driver import print_step
from weft.runtime.team_text import team_text

sys.path.insert(0, str(Path(__file__).parents[1] / "codegen"))
from random_graphs import RandomGraph
from train_step import Step

pytestmark = pytest.mark.compiles
ARM, X86 = "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"
PRODUCTS = ("f32", "f64")
MACHINES = {
    "arm": (ARM, "neoverse-n1", Target(16, 32, own_contracts=PRODUCTS)),
    "avx2": (X86, "haswell", Target(32, 16, own_contracts=PRODUCTS)),
    "sse2": (X86, "x86-64", Target(16, 16, own_contracts=PRODUCTS)),
}
LACKING = {"arm": "llvm.x86", "avx2": r"zmm|%[xy]mm(1[6-9]|2\d|3[01])|%k[0-7]\b", "sse2": r"[yz]mm|\bv[a-z]+[ps][sd]\b"}
"""What would not run there: names of intrinsics, and registers and instructions in LLVM's assembly."""


def assembly(name: str, text: str) -> str:
    """What LLVM makes of a text for this machine."""
    triple, cpu, _ = MACHINES[name]
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, reloc="default", codemodel="jitdefault", jit=True)
    module = binding.parse_assembly(text, context=binding.create_context())
    module.triple, module.data_layout = triple, str(machine.target_data)
    module.verify()
    return str(machine.emit_assembly(module))


def programs(target: Target) -> list[Program]:
    """Of a train step, and of random graphs of all families."""
    graphs = [Step((784, 96, 10)).graph, *(RandomGraph(seed, 12 + seed % 20).graph for seed in range(0, 60, 20))]
    return [generate(graph, target) for graph in graphs]


@pytest.mark.parametrize("name", MACHINES)
def test_kernels(name: str) -> None:
    texts = {text for program in programs(MACHINES[name][2]) for text in program.llvm.values()}
    assert len(texts) > 15
    for text in texts:
        assert not re.search(LACKING[name], text + assembly(name, text))


@pytest.mark.parametrize("name", MACHINES)
def test_what_runs_kernels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that flushes denormal numbers, and the team of threads."""
    triple, _, target = MACHINES[name]
    monkeypatch.setattr(denormals, "target_triple", lambda: triple)
    functions = ast.parse(programs(target)[0].source).body
    (step,) = (f for f in functions if isinstance(f, ast.FunctionDef) and f.name == "step")
    text, _ = print_step(step, lambda kernel, pointers: (kernel, tuple(range(len(pointers)))), flush=True)
    setting = assembly(name, text)
    assert "fpcr" in setting.lower() if name == "arm" else "ldmxcsr" in setting
    assert "clock_gettime" in assembly(name, team_text(triple, 1))


@pytest.mark.parametrize("name", MACHINES)
def test_the_peak_is_measured_without_a_library(name: str) -> None:
    """A fused multiply-add that the CPU lacks is a call of the C library, a hundred times as slow as a product and a sum."""
    _, text = machine_limits._peak_text("f32", MACHINES[name][2].vector_bytes // 4)
    assert not re.search(r"\bcall|\bbl\b|fma[fl]?$", assembly(name, text), re.MULTILINE)
