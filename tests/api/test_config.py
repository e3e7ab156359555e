"""`weft.config`: what each setting does, when, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.graph.record import replace
from weft.runtime.config import Config, config
from weft.runtime.jit import counters
from weft.runtime.result_pool import LEAST_BYTES, results

TINY = np.float32(2e-38)  # normal; a quarter of it is denormal


@pytest.fixture(autouse=True)
def settings_of_a_new_process() -> Iterator[None]:
    before = replace(config)
    for name, value in vars(Config(cache_dir=before.cache_dir)).items():
        setattr(config, name, value)
    yield
    for name in type(config).__record__:
        setattr(config, name, getattr(before, name))


def product() -> weft.function:
    w = weft.constant(np.eye(24, dtype=np.float32))
    return weft.function(lambda x: weft.matmul(x, w))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("kernels", ["llvm", "numba"]), ("own_contractions", [False, True]), ("use_blas", [False, True]),
        ("flush_denormals", [True, False, None]), ("result_pool_bytes", [0, 5]), ("cache_bytes", [1 << 20]),
        ("cache_dir", [None]),
    ],
)  # fmt: skip
def test_what_is_set_can_be_read(name: str, values: list[object]) -> None:
    for value in values:
        getattr(weft.config, f"set_{name}")(value)
        assert getattr(weft.config, name)() == value
    assert weft.config.kernels() in ("llvm", "numba")


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("kernels", "cuda", ValueError, "one of 'llvm', 'numba'. Received: 'cuda'"),
        ("kernels", None, ValueError, "Received: None"),
        ("own_contractions", 1, TypeError, "True or False. Received: 1 of type int"),
        ("use_blas", "no", TypeError, "True or False. Received: 'no'"),
        ("flush_denormals", 0, TypeError, "True or False. Received: 0"),
        ("result_pool_bytes", -1, ValueError, "at least 0. Received: -1"),
        ("result_pool_bytes", 1e6, TypeError, "whole number. Received: 1000000.0 of type float"),
        ("cache_bytes", True, TypeError, "whole number. Received: True"),
        ("cache_dir", 3, TypeError, "int"),
    ],
)  # fmt: skip
def test_refusals_change_nothing(name: str, value: object, error: type[Exception], text: str) -> None:
    before = replace(config)
    with pytest.raises(error, match=text.replace(".", r"\.")):
        getattr(weft.config, f"set_{name}")(value)
    assert config == before


def test_threads_take_whole_numbers() -> None:
    threads = weft.config.threading
    for kind in ("intra", "inter"):
        setter, getter = (getattr(threads, f"{verb}_{kind}_op_parallelism_threads") for verb in ("set", "get"))
        assert getter() == 0
        setter(np.int64(1))
        assert getter() == 1 and type(getter()) is int
        for value, error in ((-2, ValueError), (1.0, TypeError), (True, TypeError), ("2", TypeError)):
            with pytest.raises(error, match=f"num_threads must be .*Received: {value!r}"):
                setter(value)
        assert getter() == 1


def test_the_cache_needs_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(NotADirectoryError, match="Received: .*file"):
        weft.config.set_cache_dir(file)
    weft.config.set_cache_dir(str(tmp_path / "new"))
    assert weft.config.cache_dir() == tmp_path / "new"


@pytest.mark.compiles
def test_the_cache_folder_is_used(tmp_path: Path) -> None:
    weft.config.set_cache_dir(tmp_path / "steps")
    weft.function(lambda x: x * 3.25 + 0.5)(np.ones(3, np.float32))
    assert any((tmp_path / "steps").rglob("*"))


@pytest.mark.compiles
def test_kernels_by_numba(tmp_path: Path) -> None:
    x, found = np.linspace(-2, 2, 50, dtype=np.float32), []
    for kernels in ("llvm", "numba"):
        weft.config.set_cache_dir(tmp_path / kernels)
        weft.config.set_kernels(kernels)
        before = counters.kernels_compiled
        f = weft.function(lambda x: weft.tanh(x) * x + 1.5)
        found.append((f(x).numpy(), counters.kernels_compiled - before, kernels))
    assert [n for _, n, _ in found] == [1, 1]  # neither took the other's
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6)


@pytest.mark.compiles
def test_matrix_products() -> None:
    x = np.random.default_rng(0).normal(size=(16, 24)).astype(np.float32)
    texts = []
    for own in (True, False):
        weft.config.set_own_contractions(own)
        weft.config.set_use_blas(False)
        f = product()
        np.testing.assert_allclose(f(x).numpy(), x, rtol=1e-6)
        (program,) = [t.compiled.program for t in f.traces]
        texts.append([name for name in program.llvm if name.startswith("matmul")])
    assert len(texts[0]) == 1 and texts[0] != texts[1]


@pytest.mark.compiles
def test_denormals_are_flushed_where_the_setting_says_so() -> None:
    x = np.full(5, TINY)

    def quarter() -> float:
        return float(weft.function(lambda x: x * 0.25)(x).numpy()[0])

    def decayed() -> float:
        v = weft.Variable(x)
        weft.function(lambda: v.assign(v * 0.25))()
        return float(v.numpy()[0])

    assert quarter() > 0 and decayed() == 0
    weft.config.set_flush_denormals(True)
    assert quarter() == 0 and decayed() == 0
    weft.config.set_flush_denormals(False)
    assert quarter() > 0 and decayed() > 0
    assert TINY * np.float32(0.25) > 0  # the caller's own arithmetic is as before


def test_the_result_pool_shrinks_at_once() -> None:
    array = results.empty((LEAST_BYTES,), np.dtype(np.int8))
    del array
    assert results.spare_bytes > 0
    weft.config.set_result_pool_bytes(0)
    assert results.spare_bytes == 0
    array = results.empty((LEAST_BYTES,), np.dtype(np.int8))
    del array
    assert results.spare_bytes == 0


def test_functions_run_eagerly() -> None:
    seen: list[bool] = []
    f = weft.function(lambda x: seen.append(weft.executing_eagerly()) or x)
    weft.config.run_functions_eagerly(True)
    f(1.0), f(1.0)
    assert seen == [True, True] and weft.config.functions_run_eagerly()
    weft.config.run_functions_eagerly(False)
    f(1.0), f(1.0)
    assert seen == [True, True, False]
