"""Calls cut alike that follow one another in the same memory, but whose parts do not lie at the same places there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.runtime.config import config
from weft.runtime.team_segments import Segment

sys.path.insert(0, str(Path(__file__).parent))
from team_jobs import KnownStep

pytestmark = [pytest.mark.compiles, pytest.mark.usefixtures("thread_team", "every_call_is_shared")]
ROWS, WIDTH = 4097, 64
RANDOM = np.random.default_rng(8)
W = weft.constant(RANDOM.normal(size=(WIDTH, WIDTH)).astype(np.float32))
X = weft.constant(RANDOM.normal(size=(ROWS, WIDTH)).astype(np.float32))
Pair = tuple[weft.Tensor, weft.Tensor]


def wider_numbers(x: weft.Tensor) -> Pair:
    """Rows of float64 come where rows of float32 were."""
    first = weft.nn.softmax(weft.matmul(x, W))
    return first, weft.matmul(weft.nn.softmax(weft.cast(x, weft.float64) * 2.0), weft.cast(W, weft.float64))


def other_rows(x: weft.Tensor) -> Pair:
    """Row i comes where row i was, of which part i - 1 is the reader."""
    first = weft.nn.softmax(weft.matmul(x, W)[1:])
    return first, weft.matmul(weft.nn.softmax(x[:-1] * 2.0), W)


@pytest.mark.parametrize("compute", [wider_numbers, other_rows])
def test_all_parts_have_read_before_one_writes(compute: Callable[[weft.Tensor], Pair], team_steps: list[KnownStep]) -> None:
    expected = [t.numpy() for t in weft.function(compute)(X)]
    config.intra_op_threads = 2
    step = weft.function(compute)
    for _ in range(30):
        for found, one_thread in zip(step(X), expected, strict=True):
            np.testing.assert_array_equal(found.numpy(), one_thread)
    segments = team_steps[-1].plan.segments
    reader, writer = (i for i, s in enumerate(segments) if loops(s))
    assert set(memory(segments[reader], written=False)) & set(memory(segments[writer], written=True))
    assert (reader, False) in segments[writer].needs


def loops(segment: Segment) -> bool:
    return any("softmax" in getattr(c.node.func, "id", "") for c in segment.calls)


def memory(segment: Segment, *, written: bool) -> list[object]:
    """The places that the segment reads or writes."""
    return [a.buffer for c in segment.calls for a in c.accesses if a.written == written]
