"""Long loops: the same bits as short ones, wherever the arrays begin, and past the caches only what nobody reads."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import weft
from weft.codegen import stream_memory
from weft.codegen.kernel import Apply, Check, Load, Loop, Store, variable
from weft.graph.dtype import bool_, float32
from weft.runtime.config import config
from weft.runtime.executable import CompiledStep
from weft.tracer.blocks import allocate_block

pytestmark = pytest.mark.compiles
ROWS = 40_000
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def short_is_long(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(stream_memory, "LARGE_BYTES", 100_000)
    monkeypatch.setattr(config, "cache_dir", None)
    monkeypatch.setattr(config, "team_delay", 0)
    yield


def compiled(function: Callable[..., object], *args: np.ndarray) -> CompiledStep:
    executable = weft.function(function).get_concrete_function(*args).compiled.executable
    assert isinstance(executable, CompiledStep)
    return executable


def text(step: CompiledStep) -> str:
    return "\n".join(step.program.llvm.values())


def misaligned(shape: tuple[int, ...], dtype: type, offset: int) -> np.ndarray:
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return allocate_block(count + 64)[offset : offset + count].view(dtype).reshape(shape)


@pytest.mark.parametrize("size", [ROWS, ROWS + 1, ROWS + 15, ROWS + 17])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_the_same_bits(monkeypatch: pytest.MonkeyPatch, size: int, dtype: type) -> None:
    x = np.random.default_rng(size).normal(0, 100, size).astype(dtype)

    def f(x):
        return (x * 3 + 2) * x, x > 5, weft.constant(next(_numbers))  # so that no two graphs are equal

    long = compiled(f, x)
    assert "!nontemporal" in text(long) and "prefetch" in text(long) and "fence" in text(long)
    monkeypatch.setattr(stream_memory, "LARGE_BYTES", 1 << 40)
    short = compiled(f, x)
    assert not re.search("nontemporal|prefetch|fence", text(short))
    expected = short([x])
    for found in (long([x]), long([x])):
        assert all(np.array_equal(a, b) for a, b in zip(found[:2], expected[:2], strict=True))
    frame = long._take_frame()
    binding = frame.bind([x])
    for offset in (0, 8, 32, 48):
        for start in (0, 16):
            outputs = [misaligned((size,), dtype, offset), misaligned((size,), np.bool_, start)]
            source = misaligned((size,), dtype, start)
            source[...] = x
            assert binding.call((source, *outputs, *binding.make_outputs()[2:])) == 0
            assert all(np.array_equal(a, b) for a, b in zip(outputs, expected[:2], strict=True))


@pytest.mark.parametrize("size", [7, 129, 1000, 2047, 2048, 3071, 3072, 5000])
def test_strips_of_few_elements_or_none(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(stream_memory, "LARGE_BYTES", 1)
    salt = float(next(_numbers))
    x = np.random.default_rng(size).normal(0, 100, size)
    for kind in (np.float32, np.float64, np.int8):
        step = compiled(lambda x: (x + x, x > 5, weft.cast(x, weft.float64) + salt), x.astype(kind))
        assert "prefetch" in text(step)
        found = step([x.astype(kind)])
        expected = x.astype(kind) + x.astype(kind), x.astype(kind) > 5, x.astype(kind).astype(np.float64) + salt
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def strips(step: CompiledStep) -> bool:
    """Whether any of the step's loops begins at several places of its arrays."""
    return bool(re.search(rf"udiv i64 %\w+, {stream_memory.STRIPS}\b", text(step)))


def test_what_has_an_order_runs_from_the_beginning_to_the_end() -> None:
    x = np.random.default_rng(3).normal(0, 2, ROWS).astype(np.float32)
    salt = float(next(_numbers))
    assert strips(compiled(lambda x: x * 2.0 + salt, x))
    total = compiled(lambda x: weft.reduce_sum(x * 2.0 + salt), x)
    assert "prefetch" in text(total) and not strips(total)
    element = Load("x", variable("i"), float32)
    store, check = Store("y", variable("i"), element), Check(Apply("<", (element, element), bool_), 1)
    assert stream_memory.chunk_of(Loop("i", ROWS, [store]), 16) == 32
    assert stream_memory.chunk_of(Loop("i", ROWS, [check, store]), 16) == 0


@pytest.mark.parametrize("size", [ROWS, ROWS + 16, ROWS + 33])
def test_costly_loops_take_two_vectors_in_turn(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    x = np.random.default_rng(size).normal(0, 2, size).astype(np.float32)
    salt = float(next(_numbers))

    def f(x):
        return weft.exp(x) * salt

    long = compiled(f, x)
    assert text(long).split("  store", 1)[0].count(" = load <16 x float>") == 2
    monkeypatch.setattr(stream_memory, "LARGE_BYTES", 1 << 40)
    assert np.array_equal(long([x])[0], compiled(f, x)([x])[0])


def test_threads_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=ROWS * 8).astype(np.float32)
    salt = float(next(_numbers))
    found = []
    try:
        for threads in (1, 2, 3):
            monkeypatch.setattr(config, "intra_op_threads", threads)
            step = compiled(lambda x: weft.exp(weft.sin(x) + salt) * weft.tanh(x), x)
            found.append([step([x])[0] for _ in range(3)])
    finally:
        weft.config.threading.set_intra_op_parallelism_threads(1)
    assert all(np.array_equal(a, found[0][0]) for runs in found for a in runs)


def test_what_is_read_again_stays_in_the_caches() -> None:
    x = np.random.default_rng(1).normal(size=(ROWS // 40, 40)).astype(np.float32)
    w = np.random.default_rng(2).normal(size=(40, 3)).astype(np.float32)
    salt = float(next(_numbers))

    def f(x):
        y = x * 2.0 + salt
        return y, weft.matmul(y, w)

    step = compiled(f, x)
    assert "prefetch" in text(step) and "!nontemporal" not in text(step)
    v = weft.Variable(x)

    def update(x):
        v.assign(v * 0.5 + x * salt)

    assert "!nontemporal" not in text(compiled(update, x))


def test_short_and_symbolic_loops_are_printed_once() -> None:
    salt = float(next(_numbers))
    f = weft.function(lambda x: x * 2.0 + salt)
    for spec in (weft.TensorSpec([1000], weft.float32), weft.TensorSpec([None], weft.float32)):
        (kernel,) = f.get_concrete_function(spec).compiled.program.llvm.values()
        assert "prefetch" not in kernel and "!nontemporal" not in kernel
