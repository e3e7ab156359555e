"""Memory of large results: the user's own while anything refers to it, the next result's afterwards."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

import weft
from weft.runtime.config import config
from weft.runtime.result_pool import LEAST_BYTES, ResultPool, block_size, results
from weft.tracer.blocks import ALIGNMENT, HUGE_PAGE, allocate_block

COUNT = LEAST_BYTES // 4
F32 = np.dtype(np.float32)


@pytest.fixture
def pool() -> Iterator[ResultPool]:
    """The process's pool, empty before and after."""
    gc.collect()
    results.trim(0)
    yield results
    results.trim(0)


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.bool_, np.int8, np.uint16, np.int64, np.float16])
def test_arrays_are_ordinary(pool: ResultPool, dtype: type) -> None:
    array = pool.empty((4, LEAST_BYTES), np.dtype(dtype))
    assert type(array) is np.ndarray and array.dtype is np.dtype(dtype) and array.shape == (4, LEAST_BYTES)
    assert array.flags.c_contiguous and array.flags.aligned and array.flags.writeable
    assert address(array) % ALIGNMENT == 0
    array[...] = 1
    assert array.sum(dtype=np.int64) == array.size


def test_memory_returns_when_nobody_can_see_it(pool: ResultPool) -> None:
    first = pool.empty((COUNT,), F32)
    at, row = address(first), first[7:9].reshape(1, 2).T
    del first
    assert pool.spare_bytes == 0  # the view still holds it
    second = pool.empty((COUNT,), F32)
    assert address(second) != at
    seen = memoryview(row)
    del row
    assert pool.spare_bytes == 0
    del seen
    assert pool.spare_bytes == block_size(LEAST_BYTES)
    assert address(pool.empty((2, COUNT // 2), F32)) == at
    del second


def test_results_stay_as_they_were(pool: ResultPool) -> None:
    double = weft.function(lambda x: x * 2.0)
    kept = []
    for i in range(6):
        result = double(np.full(COUNT, i, np.float32)).numpy()
        if i % 2:
            kept.append(result)
    assert [float(k[0]) for k in kept] == [2, 6, 10] and all((k == k[0]).all() for k in kept)
    kept[0][...] = -1  # the user's own
    assert float(kept[1][0]) == 6
    del result
    assert pool.spare_bytes > 0


@pytest.mark.compiles
def test_a_repeated_call_allocates_nothing(pool: ResultPool) -> None:
    double = weft.function(lambda x: x * 2.0)
    x = weft.constant(np.ones(COUNT, np.float32))
    seen = set()
    for _ in range(10):
        y = double(x)
        seen.add(address(y._array))
    assert len(seen) == 2  # one is read while the next is written
    del y
    assert pool.spare_bytes == 2 * block_size(LEAST_BYTES)


def test_spare_memory_is_bounded(pool: ResultPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "result_pool_bytes", 3 * LEAST_BYTES)
    arrays = [pool.empty((COUNT,), F32) for _ in range(5)]
    last = {address(a) for a in arrays[2:]}
    arrays[:2] = []
    for _ in range(3):
        del arrays[0]
    assert pool.spare_bytes == 3 * LEAST_BYTES
    again = [pool.empty((COUNT,), F32) for _ in range(3)]
    assert {address(a) for a in again} == last  # the longest unused were given up
    del again
    large = pool.empty((4, COUNT), F32)
    del large
    assert pool.spare_bytes == 3 * LEAST_BYTES  # too large to be kept, and nothing is given up for it
    monkeypatch.setattr(config, "result_pool_bytes", 0)
    array = pool.empty((COUNT,), F32)
    del array
    assert pool.spare_bytes == 2 * LEAST_BYTES


def test_small_results_are_numpys(pool: ResultPool) -> None:
    y = weft.function(lambda x: x + 1.0)(np.ones(10, np.float32))
    assert y._array.base is None


def test_a_block_that_returns_while_the_pool_is_busy_is_freed(pool: ResultPool) -> None:
    array = pool.empty((COUNT,), F32)
    with pool._lock:
        del array
    assert pool.spare_bytes == 0
    assert pool.empty((COUNT,), F32).shape == (COUNT,)


def test_no_two_results_share_memory_in_several_threads(pool: ResultPool) -> None:
    """No two results share memory, however the threads interleave."""
    wrong: list[float] = []

    def work(number: int) -> None:
        for i in range(60):
            array = pool.empty((COUNT,), F32)
            mark = number * 1000 + i
            array[::4096] = mark
            other = pool.empty((COUNT + number,), F32)
            other[::4096] = -1
            if not (array[::4096] == mark).all():
                wrong.append(mark)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    assert 0 < pool.spare_bytes <= config.result_pool_bytes


def test_fork_while_a_thread_is_in_the_pool(pool: ResultPool) -> None:
    kept = pool.empty((COUNT,), F32)
    kept[...] = 5
    spare = pool.empty((COUNT,), F32)
    del spare
    with pool._lock:  # as another thread would hold it
        child = os.fork()
        if child == 0:
            mine = pool.empty((COUNT,), F32)
            mine[...] = 7
            os._exit(0 if (kept == 5).all() and pool.spare_bytes == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (kept == 5).all()


def test_exit_with_living_results() -> None:
    text = (
        "import numpy as np, weft, atexit\n"
        "kept = weft.function(lambda x: x * 2.0)(np.ones(1 << 20, np.float32))\n"
        "class Late:\n"
        "    def __del__(self): print(float(self.array[5]))\n"
        "late = Late(); late.array = kept.numpy()\n"
        "module = type(weft)('holder'); module.late = late; import sys; sys.modules['holder'] = module\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "2.0", "")


@pytest.mark.parametrize("size", [0, 1, 63, 4096, HUGE_PAGE - 1, HUGE_PAGE, HUGE_PAGE + 1, 5 * HUGE_PAGE + 12345])
def test_blocks_begin_at_lines_and_large_ones_at_pages(size: int) -> None:
    block = allocate_block(size)
    assert block.shape == (size,) and block.dtype == np.uint8 and block.flags.writeable
    assert address(block) % (HUGE_PAGE if size >= HUGE_PAGE and sys.platform == "linux" else ALIGNMENT) == 0 or size == 0
    block[...] = 3
    assert int(block.sum(dtype=np.int64)) == 3 * size


def test_blocks_of_nearly_one_size_are_shared() -> None:
    assert block_size(40_000_000) == block_size(40_000_000 - 4000)
    assert all(n <= block_size(n) <= n * 9 // 8 for n in range(LEAST_BYTES, 1 << 26, 99_991))
