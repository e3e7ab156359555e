"""Jobs of the thread team, written by hand. In: LLVM text of the parts and how the calls hang together; out: what runs a job."""

from __future__ import annotations

import ast
import ctypes
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from weft.codegen.program import Split
from weft.runtime.engine import compile_text, engine
from weft.runtime.host import target_triple
from weft.runtime.plan_team import TeamPlan
from weft.runtime.team import team
from weft.runtime.team_layout import DESCRIPTOR, NOTE_BYTES, UNIT_BITS
from weft.runtime.team_retired import StepMemory
from weft.runtime.team_segments import Segment, TeamCall
from weft.runtime.team_step import print_entry
from weft.runtime.team_text import team_text

WHOLE = 1 << UNIT_BITS
ALONE = 9
"""What a job returns that did not run as one of the team."""
NODE = ast.Call(ast.Name("part"), [], [])
PART = "define internal i32 @part(i64 %k, ptr %p, ptr %d, ptr %effect, i64 %t, i64 %parts, ptr %work, ptr %again)"
"""The head of the function that runs part ``t`` of call ``k`` on the words at ``p``."""


class KnownStep(NamedTuple):
    """A step that the team got to know. memory: weak references to all that was allocated for it."""

    plan: TeamPlan
    descriptor: np.ndarray
    memory: list[weakref.ref[Any]]


AWAIT = """
define internal i1 @await(ptr %word, i64 %value) {
entry:
  br label %wait
wait:
  %i = phi i64 [ 0, %entry ], [ %i.next, %on ]
  %seen = load atomic i64, ptr %word seq_cst, align 8
  %there = icmp sge i64 %seen, %value
  br i1 %there, label %yes, label %on
on:
  %i.next = add i64 %i, 1
  %late = icmp sgt i64 %i.next, 2000000000
  br i1 %late, label %no, label %wait
yes:
  ret i1 true
no:
  ret i1 false
}
"""
"""LLVM text of what a part waits with until a word has a value: false if that takes longer than a few seconds."""


def cut(*, repeats: str = "", long: bool = False, granules: int | None = None) -> TeamCall:
    """A call with a part for each thread, or more if it is long and nothing repeats."""
    return TeamCall(NODE, None, Split(1, "n0", repeats=repeats), (), long=long, granules=granules)


def whole() -> TeamCall:
    """A call that one thread runs."""
    return TeamCall(NODE, None, None, ())


def load_job(part: str, segments: Sequence[Segment]) -> Callable[[np.ndarray], int]:
    """A step of these segments for the team that runs now. Where the team has no time for it, nothing runs."""
    alone = f"define internal i32 @alone(ptr %p, ptr %d, ptr %effect) {{\n  ret i32 {ALONE}\n}}\n"
    address, memory = team.load(f"{part}\n{alone}{print_entry('alone')}", TeamPlan(segments=list(segments)), 0, {})
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(address)

    def run(words: np.ndarray, memory: StepMemory = memory) -> int:
        return function(words.ctypes.data, None, None)

    return run


def load_team_function(symbol: str, text: str, numbers: int = 0) -> Callable[..., int]:
    """A function of a descriptor and so many numbers that calls the team's own functions."""
    code = compile_text(f"{team_text(target_triple(), time.CLOCK_MONOTONIC)}\n{text}", vectorize=False)
    kinds = [ctypes.c_void_p, *[ctypes.c_int64] * numbers]
    return ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(engine.keep(code, symbol, None))


class Threads:
    """A step's descriptor with what so many threads write down, and the edges between their shares, but without calls."""

    def __init__(self, count: int) -> None:
        self.edges = np.arange(count + 1, dtype=np.int64) * WHOLE // count
        self.notes = np.zeros((count, NOTE_BYTES // 8), np.int64)
        values = {"threads": count, "edges": self.edges.ctypes.data, "notes": self.notes.ctypes.data}
        self.descriptor = np.array([values.get(name, 0) for name in DESCRIPTOR], np.uint64)

    def note(self, times: Sequence[int], units: Sequence[int]) -> None:
        """The nanoseconds that parts took, and how much of their calls they were."""
        self.notes[:, 0], self.notes[:, 1] = times, units


def table_of(descriptor: np.ndarray, name: str, count: int) -> np.ndarray:
    """So many words of a table of the step, as the step sees them."""
    address = int(descriptor[DESCRIPTOR.index(name)])
    return np.ctypeslib.as_array((ctypes.c_int64 * count).from_address(address))
