"""Programs written by hand, so that the run time's tests need no code generator; and the thread team as tests set it."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from weft.codegen.program import Buffer, CheckDecl, ContractDecl, EffectDecl, KernelDecl, Port, Program, VariableDecl
from weft.runtime import frame
from weft.runtime.config import config
from weft.runtime.plan_team import TeamPlan
from weft.runtime.team import Team, team

sys.path.insert(0, str(Path(__file__).parent))
from team_jobs import KnownStep
from team_models import all_calls

SOURCE = '''
"""A dense layer with relu, a loss, and an update in place."""
LIMIT = float32(0.0)  # relu's corner
HALF = float32(0.5)


def matmul_f32_nn(a, b, c, batch, m, n, k, stride_a, stride_b):
    for g in range(batch):
        for i in range(m):
            for j in range(n):
                acc = float64(0.0)
                for q in range(k):
                    acc += float64(a[g * stride_a + i * k + q]) * float64(b[g * stride_b + q * n + j])
                c[(g * m + i) * n + j] = float32(acc)
    return 0


def relu_bias_0a(x, bias, out, n0, n1):
    x = view(x, n0 * n1)
    bias = view(bias, n1)
    out = view(out, n0 * n1)
    for i0 in range(n0):
        for i1 in range(n1):
            out[i0 * n1 + i1] = maximum(x[i0 * n1 + i1] + bias[i1], LIMIT)
    return 0


def total_0b(x, out, n):
    x = view(x, n)
    out = view(out, 1)
    acc = float64(0.0)
    for i in range(n):
        if isnan(x[i]):
            return 1
        acc = sum_add(acc, float64(x[i]))
    out[0] = float32(acc)
    return 0


def decay_0c(w, out, n):
    w = view(w, n)
    out = view(out, n)
    for i in range(n):
        out[i] = w[i] * HALF
    return 0


def step(p, d):
    batch = size(d, 0)
    e = matmul_f32_nn(pointer(p, 0), pointer(p, 1), pointer(p, 3), 1, batch, 4, 3, 0, 0)
    if e:
        return e
    # dense_1, train.py:7
    e = relu_bias_0a(pointer(p, 3), pointer(p, 2), pointer(p, 4), batch, 4)
    if e:
        return e
    e = total_0b(pointer(p, 4), pointer(p, 5), batch * 4)
    if e:
        return 1
    e = effect(0)
    if e:
        return -1
    e = decay_0c(pointer(p, 1), pointer(p, 1), 12)
    if e:
        return e
    return 0
'''


PRINT = {"parts": ["total ", None], "end": "\n", "summarize": 3, "stream": "stdout"}
QUIET = SOURCE.replace("    e = effect(0)\n    if e:\n        return -1\n", "")


def dense_program(source: str = SOURCE) -> Program:
    """relu(x @ w + b) of f32[batch,3], its sum, which is printed, then w *= 0.5. A NaN in the result is an error."""
    return Program(
        source=source,
        kernels=(
            KernelDecl("matmul_f32_nn", ("f32",) * 3, 6, (2,), False, ContractDecl("f32", False, False)),
            KernelDecl("relu_bias_0a", ("f32",) * 3, 2, (2,)),
            KernelDecl("total_0b", ("f32", "f32"), 1, (1,), True),
            KernelDecl("decay_0c", ("f32", "f32"), 1, (1,)),
        ),
        buffers=(
            Buffer("input", 0, "f32", ("batch", "3")),
            Buffer("variable", 0, "f32", ("3", "4")),
            Buffer("constant", 0, "f32", ("4",)),
            Buffer("scratch", 0, "f32", ("batch", "4")),
            Buffer("output", 0, "f32", ("batch", "4")),
            Buffer("output", 1, "f32", ()),
        ),
        sizes=("batch",),
        inputs=(Port(0, "f32", ("batch", "3")),),
        outputs=(Port(4, "f32", ("batch", "4")), Port(5, "f32", ())),
        variables=(VariableDecl("w", "f32", ("3", "4"), True),),
        constants=(np.array([0.5, -0.5, 1.0, 0.0], np.float32),),
        slots=(("16*batch",),),
        checks=(CheckDecl("InvalidArgumentError", "The result holds NaN.", "train.py:7 dense_1"),),
        effects=(EffectDecl("print", (5,), ((),), PRINT, "train.py:9"),),
        name="dense",
    )


def dense_reference(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """What the program computes."""
    return np.maximum(x @ w + np.array([0.5, -0.5, 1.0, 0.0], np.float32), 0)


def weights() -> np.ndarray:
    return (np.arange(12, dtype=np.float32).reshape(3, 4) - 5) / 10


def data(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)


@pytest.fixture
def dense() -> SimpleNamespace:
    """The dense program (``quiet``: without its effect), its reference, and arrays to call it with."""
    return SimpleNamespace(
        source=SOURCE, quiet_source=QUIET, program=dense_program, quiet=lambda: dense_program(QUIET), reference=dense_reference,
        weights=weights, data=data,
    )  # fmt: skip


@pytest.fixture
def thread_team(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Steps run on one thread until a test sets another number; then their code for the team is there at once."""
    monkeypatch.setattr(config, "team_delay", 0)
    monkeypatch.setattr(config, "intra_op_threads", 1)
    yield
    team.stop()


@pytest.fixture
def every_step_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small; the number of threads is what the test sets."""
    monkeypatch.setattr(frame, "choose_calls", all_calls)


@pytest.fixture
def every_call_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short; and each counts as long."""
    monkeypatch.setattr(frame, "choose_calls", lambda program, dims: frozenset(range(100) if config.intra_op_threads > 1 else ()))
    monkeypatch.setattr(frame, "choose_long", lambda program, dims, calls: calls)


@pytest.fixture
def team_steps(monkeypatch: pytest.MonkeyPatch) -> list[KnownStep]:
    """The steps that the team gets to know from now on."""
    known: list[KnownStep] = []
    describe = Team.describe

    def describe_and_note(self: Team, plan: TeamPlan, alone: int) -> tuple[np.ndarray, list[Any]]:
        descriptor, memory = describe(self, plan, alone)
        known.append(KnownStep(plan, descriptor, [weakref.ref(m) for m in memory]))
        return descriptor, memory

    monkeypatch.setattr(Team, "describe", describe_and_note)
    return known
