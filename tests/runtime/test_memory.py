"""The report of what a step needs, against what it then allocates; and that steps allocate nothing that stays."""

from __future__ import annotations

import ctypes
import gc
import tracemalloc

import numpy as np
import pytest

import weft
from weft.runtime.arena import Arena
from weft.runtime.batch_loop import BatchRun
from weft.runtime.config import config
from weft.runtime.result_pool import block_size, results

pytestmark = pytest.mark.compiles


def make_step():
    w = weft.Variable(np.ones((8, 4), np.float32))
    count = weft.Variable(np.int64(0), trainable=False)

    @weft.function(input_signature=[weft.TensorSpec([None, 8])])
    def step(x):
        count.assign_add(1)
        h = weft.nn.relu(weft.matmul(x, w))
        w.assign_sub(0.001 * weft.matmul(x, h, transpose_a=True))
        return weft.reduce_sum(h, 1)

    return step, w, count


def test_report_before_the_first_step():
    step, _, _ = make_step()
    report = step.memory(weft.TensorSpec([16, 8]))
    assert report.variables == {"parameters": 128, "other variables": 8}
    assert (report.inputs, report.outputs) == (16 * 8 * 4, 16 * 4)
    assert report.arena >= 16 * 4 * 4 and report.arena % 64 == 0
    assert report.total == 136 + report.constants + report.arena + report.inputs + report.outputs
    concrete = step.get_concrete_function()
    assert concrete.memory(batch=16) == report
    assert concrete._compiled is None  # and nothing was compiled for it
    bigger = concrete.memory(batch=1600)
    assert (bigger.variables, bigger.inputs) == (report.variables, 100 * report.inputs)
    step(np.ones((16, 8), np.float32))
    (frame,) = concrete.compiled.executable.free
    assert frame._arena.size == report.arena


def test_report_as_text():
    results.trim(0)
    step, _, _ = make_step()
    lines = str(step.memory(weft.TensorSpec([16, 8]))).splitlines()
    assert lines[0] == "memory of step with batch = 16"
    assert [line.split("  ")[1] for line in lines[1:3]] == ["parameters", "other variables"]
    assert lines[-1].split() == ["total", f"{step.memory(weft.TensorSpec([16, 8])).total:,}", "bytes"]


def test_sizes_that_are_not_known():
    step, _, _ = make_step()
    with pytest.raises(ValueError, match="give batch="):
        step.memory(weft.TensorSpec([None, 8]))


def test_kinds_of_variables():
    step, w, count = make_step()
    names = {id(w): "weights", id(count): "counters"}
    report = step.get_concrete_function().memory(kind=lambda v: names[id(v)], batch=1)
    assert report.variables == {"weights": 128, "counters": 8}


class HeapInfo(ctypes.Structure):
    """glibc's ``struct mallinfo2``; field 4 counts bytes in mapped blocks, 7 those in the heap."""

    _fields_ = tuple((f"f{i}", ctypes.c_size_t) for i in range(10))


mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", HeapInfo)
mallinfo2.restype = HeapInfo


def heap_in_use() -> int:
    """Bytes that C's allocator has handed out; 0 where the library cannot tell."""
    gc.collect()
    info = mallinfo2()
    return info.f4 + info.f7


def test_calls_allocate_nothing_that_stays():
    step, _, _ = make_step()
    concrete = step.get_concrete_function()
    x = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    order = np.random.default_rng(0).permutation(64)
    run = BatchRun([x], 16, 4, order=order)

    def work(times):
        for _ in range(times):
            concrete.run([x[:16]])
            concrete.compiled.run_many(run)

    def grown(measure):
        """The least growth of three rounds: what a call keeps, every round keeps; what an interpreter's cache takes, only one."""
        found = []
        for _ in range(3):
            before = measure()
            work(300)
            found.append(abs(measure() - before))
        return min(found)

    work(300)
    heap_in_use()
    assert grown(heap_in_use) < 1024  # less than a byte a batch
    tracemalloc.start()
    try:
        work(600)  # fills the interpreter's lists of objects kept for reuse
        assert grown(lambda: tracemalloc.get_traced_memory()[0]) < 1024
    finally:
        tracemalloc.stop()


def test_team_and_large_results(thread_team, team_steps):
    """The report of a step that threads share, against what binding it allocates."""
    config.intra_op_threads = 3
    w = weft.constant(np.random.default_rng(0).normal(size=(300, 700)).astype(np.float32))
    step = weft.function(lambda x: weft.nn.relu(weft.matmul(weft.tanh(x), w)))
    x = weft.constant(np.ones((1000, 300), np.float32))
    results.trim(0)
    report = step.memory(x)
    assert report.team > 3 * 64 and report.total == report.constants + report.arena + report.team + report.inputs + report.outputs
    assert report.outputs == block_size(4 * 700 * 1000)
    y = step(x)
    made = [reference() for reference in team_steps[-1].memory]
    assert sum(k.size if isinstance(k, Arena) else k.nbytes for k in made) == report.team
    assert results.spare_bytes == 0
    del y
    later = step.memory(x)
    assert later.spare == report.outputs and later == report and later.total == report.total
    assert str(later).splitlines()[-1].split() == ["kept", "for", "later", "results", f"{later.spare:,}", "bytes"]
    config.intra_op_threads = 1
    assert step.memory(x).team == 0
