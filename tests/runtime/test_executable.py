"""Programs made callable, in both modes: results, checks, effects, threads, memory."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from weft.graph.errors import DTypeError, InvalidArgumentError, ShapeError
from weft.runtime import blas, direct_call, entry
from weft.runtime.config import config
from weft.runtime.executable import CompiledStep, build

pytestmark = pytest.mark.compiles
modes = pytest.mark.parametrize("mode", ["python", "compiled"])


@modes
def test_results_update_and_effect(dense: SimpleNamespace, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    w = dense.weights()
    address = w.ctypes.data
    step = build(dense.program(), [w], mode)
    expected = dense.weights()
    for rows in (5, 2, 5, 1):
        x = dense.data(rows)
        y, total = step([x])
        np.testing.assert_allclose(y, dense.reference(x, expected), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(total, y.sum(), rtol=1e-6)
        assert total.shape == () and y.shape == (rows, 4)
        assert capsys.readouterr().out.startswith("total ")
        expected = expected * np.float32(0.5)
        np.testing.assert_array_equal(w, expected)
    assert w.ctypes.data == address


@modes
def test_results_are_fresh_arrays(dense: SimpleNamespace, mode: str) -> None:
    step = build(dense.quiet(), [dense.weights()], mode)
    first = step([dense.data(4)])
    kept = [f.copy() for f in first]
    step([dense.data(4) * 2])
    for array, copy in zip(first, kept):
        np.testing.assert_array_equal(array, copy)


@modes
def test_a_failed_check_names_the_line_and_leaves_variables_alone(dense: SimpleNamespace, mode: str) -> None:
    w = dense.weights()
    step = build(dense.program(), [w], mode)
    with pytest.raises(InvalidArgumentError, match="The result holds NaN") as caught:
        step([np.full((2, 3), np.nan, np.float32)])
    assert caught.value.__notes__ == ["In train.py:7 dense_1."]
    np.testing.assert_array_equal(w, dense.weights())
    assert step([dense.data(2)])[0].shape == (2, 4)


@modes
def test_an_effect_that_raises_stops_the_step(dense: SimpleNamespace, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    w = dense.weights()
    step = build(dense.program(), [w], mode)

    class Broken:
        def write(self, text: str) -> None:
            raise OSError("nobody listens")

    monkeypatch.setattr("sys.stdout", Broken())
    with pytest.raises(OSError, match="nobody listens") as caught:
        step([dense.data(2)])
    assert caught.value.__notes__ == ["In print, train.py:9."]
    np.testing.assert_array_equal(w, dense.weights())


@modes
def test_inputs_in_another_memory_order_are_copied(dense: SimpleNamespace, mode: str) -> None:
    x = dense.data(6)
    expected = build(dense.quiet(), [dense.weights()], mode)([x])[0]
    step = build(dense.quiet(), [dense.weights()], mode)
    np.testing.assert_array_equal(step([np.asfortranarray(x)])[0], expected)
    apart = np.zeros((12, 3), np.float32)
    apart[::2] = x
    step = build(dense.quiet(), [dense.weights()], mode)
    np.testing.assert_array_equal(step([apart[::2]])[0], expected)


def test_inputs_of_equal_but_other_dtype_objects_are_taken(dense: SimpleNamespace) -> None:
    step = build(dense.quiet(), [dense.weights()])
    x = dense.data(6)
    step([x])
    expected = build(dense.quiet(), [dense.weights() * np.float32(0.5)])([x])[0]

    class Sub(np.ndarray):
        pass

    tagged = x.astype(np.dtype(np.float32, metadata={"tag": 1}))
    assert tagged.dtype is not np.dtype(np.float32)
    np.testing.assert_array_equal(step([tagged])[0], expected)
    expected = build(dense.quiet(), [dense.weights() * np.float32(0.25)])([x])[0]
    result = step([x.view(Sub)])[0]
    np.testing.assert_array_equal(result, expected)
    assert type(result) is np.ndarray


@modes
def test_inputs_that_do_not_fit_are_refused(dense: SimpleNamespace, mode: str) -> None:
    step = build(dense.quiet(), [dense.weights()], mode)
    step([dense.data(2)])
    with pytest.raises(DTypeError, match="float64"):
        step([dense.data(2).astype(np.float64)])
    with pytest.raises(ShapeError, match=r"\(2, 4\)"):
        step([np.zeros((2, 4), np.float32)])
    with pytest.raises(ShapeError, match="rank"):
        step([np.zeros(3, np.float32)])
    with pytest.raises(ShapeError, match="Received: 2"):
        step([dense.data(2), dense.data(2)])


def test_storages_that_do_not_fit_are_refused(dense: SimpleNamespace) -> None:
    with pytest.raises(ShapeError, match="The variable w"):
        build(dense.program(), [np.zeros((4, 3), np.float32)])
    with pytest.raises(ShapeError, match="1 variables"):
        build(dense.program(), [])
    with pytest.raises(ValueError, match="sideways"):
        build(dense.program(), [dense.weights()], "sideways")


def test_empty_batch(dense: SimpleNamespace) -> None:
    y, total = build(dense.quiet(), [dense.weights()])([np.zeros((0, 3), np.float32)])
    assert y.shape == (0, 4) and total == 0


def test_threads_do_not_disturb_each_other(dense: SimpleNamespace) -> None:
    source = dense.quiet_source.replace("    e = decay_0c(pointer(p, 1), pointer(p, 1), 12)\n    if e:\n        return e\n", "")
    step = build(dense.program(source), [dense.weights()])
    wrong: list[int] = []

    def work(rows: int) -> None:
        x = dense.data(rows)
        expected = dense.reference(x, dense.weights())
        good = all(np.allclose(step([x])[0], expected, atol=1e-5) for _ in range(200))
        if not good:
            wrong.append(rows)

    threads = [threading.Thread(target=work, args=(rows,)) for rows in (3, 50, 300)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_without_the_library_the_loops_are_compiled(dense: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "use_blas", False)
    step = build(dense.quiet(), [dense.weights()])
    assert isinstance(step, CompiledStep) and not step._step.uses_blas
    x = dense.data(7)
    np.testing.assert_allclose(step([x])[0], dense.reference(x, dense.weights()), rtol=1e-6, atol=1e-6)


def test_the_portable_way_in_gives_the_same(dense: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    x = dense.data(7)
    expected = build(dense.quiet(), [dense.weights()])([x])
    assert entry.layout_is_known()
    monkeypatch.setattr(entry, "layout_is_known", lambda: False)
    step = build(dense.quiet(), [dense.weights()])
    for result, wanted in zip(step([x]), expected):
        np.testing.assert_array_equal(result, wanted)
    assert step([dense.data(3)])[0].shape == (3, 4)


def test_the_module_is_a_real_file(dense: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from weft.runtime.interpreted import module_path

    monkeypatch.setattr(config, "cache_dir", tmp_path)
    path = module_path(dense.program())
    assert path.is_relative_to(tmp_path) and path.read_text() == dense.source
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(config, "cache_dir", tmp_path / "file")
    assert module_path(dense.program()).read_text() == dense.source


def test_a_library_is_used_where_there_is_one(dense: SimpleNamespace) -> None:
    step = build(dense.quiet(), [dense.weights()])
    assert isinstance(step, CompiledStep)
    assert step._step.uses_blas == (blas.find_blas() is not None)


@pytest.mark.parametrize("make", [entry._method, direct_call._method])
def test_two_threads_may_make_the_first_callable_at_once(make: Any) -> None:
    """Both keep the definition that they found, though only one is remembered."""
    first, second = (make.__wrapped__() for _ in range(2))
    definitions = [weakref.ref(d[0] if isinstance(d, tuple) else d) for d in (first, second)]
    assert first is not second
    del first, second
    gc.collect()
    assert all(d() is not None for d in definitions)
