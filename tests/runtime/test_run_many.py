"""Many batches in one native call: the same bits as one call per batch, failures, effects, time, memory."""

from __future__ import annotations

import time
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

import weft
from weft.graph.errors import DTypeError, InvalidArgumentError, ShapeError
from weft.runtime import entry
from weft.runtime.batch_loop import BatchRun
from weft.runtime.executable import CompiledStep, build
from weft.runtime.frame import Binding

pytestmark = pytest.mark.compiles
modes = pytest.mark.parametrize("mode", ["python", "compiled"])


def one_by_one(step: object, run: BatchRun) -> list[list[np.ndarray]]:
    return [step([a[run.rows(b)] for a in run.sources]) for b in range(run.count)]  # type: ignore[operator]  # compiled or not


def runs(x: np.ndarray) -> list[BatchRun]:
    order = np.random.default_rng(1).permutation(len(x))
    return [BatchRun([x], 4, 5), BatchRun([x], 3, 2, first=7), BatchRun([x], 4, 5, order=order), BatchRun([x], 1, 6, 9, order)]


@modes
@pytest.mark.parametrize("which", range(4))
def test_the_same_bits_as_batch_by_batch(dense: SimpleNamespace, mode: str, which: int) -> None:
    run = runs(dense.data(21))[which]
    w, many = dense.weights(), dense.weights()
    single = build(dense.quiet(), [w], mode)
    expected = one_by_one(single, run)
    result = build(dense.quiet(), [many], mode).run_many(run)
    assert (result.done, result.error) == (run.count, None)
    for array, last in zip(result.outputs, expected[-1], strict=True):
        np.testing.assert_array_equal(array, last)
    np.testing.assert_array_equal(many, w)
    assert not np.array_equal(many, dense.weights())


@modes
def test_outputs_of_all_batches_in_one_array(dense: SimpleNamespace, mode: str) -> None:
    for run in runs(dense.data(21)):
        expected = one_by_one(build(dense.quiet(), [dense.weights()], mode), run)
        rows, totals = np.zeros((run.count * run.size, 4), np.float32), np.zeros(run.count, np.float32)
        result = build(dense.quiet(), [dense.weights()], mode).run_many(run, [rows, totals])
        assert result.done == run.count and result.outputs[0] is rows
        np.testing.assert_array_equal(rows, np.concatenate([y for y, _ in expected]))
        np.testing.assert_array_equal(totals, [t for _, t in expected])


@modes
def test_a_failed_check_stops_after_the_last_good_batch(dense: SimpleNamespace, mode: str) -> None:
    x = dense.data(20)
    x[13] = np.nan  # in the fourth batch
    w, expected = dense.weights(), dense.weights()
    one_by_one(build(dense.quiet(), [expected], mode), BatchRun([x], 4, 3))
    step = build(dense.quiet(), [w], mode)
    result = step.run_many(BatchRun([x], 4, 5))
    assert result.done == 3
    assert isinstance(result.error, InvalidArgumentError) and "The result holds NaN" in str(result.error)
    np.testing.assert_array_equal(w, expected)
    assert step.run_many(BatchRun([x], 4, 1, first=16)).done == 1  # and the step can go on


@modes
def test_effects_see_each_batch(dense: SimpleNamespace, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    x = dense.data(12)
    one_by_one(build(dense.program(), [dense.weights()], mode), BatchRun([x], 4, 3))
    expected = capsys.readouterr().out
    build(dense.program(), [dense.weights()], mode).run_many(BatchRun([x], 4, 3))
    assert capsys.readouterr().out == expected
    assert expected.count("total ") == 3


@modes
def test_time_ends_a_run_at_a_multiple(dense: SimpleNamespace, mode: str) -> None:
    step = build(dense.quiet(), [dense.weights()], mode)
    x = dense.data(40)
    assert step.run_many(BatchRun([x], 4, 10), seconds=0).done == 1
    assert step.run_many(BatchRun([x], 4, 10), seconds=0, every=3).done == 3
    assert step.run_many(BatchRun([x], 4, 10), seconds=0, every=30).done == 10
    assert step.run_many(BatchRun([x], 4, 10), seconds=60).done == 10


def test_time_is_kept(dense: SimpleNamespace) -> None:
    step = build(dense.quiet(), [dense.weights()])
    run = BatchRun([dense.data(1)], 1, 5_000_000, order=np.zeros(5_000_000, np.int64))
    step.run_many(run, seconds=0)
    started = time.monotonic()
    result = step.run_many(run, seconds=0.05)
    assert 1 < result.done < run.count
    assert 0.045 < time.monotonic() - started < 1


@modes
def test_runs_that_do_not_fit(dense: SimpleNamespace, mode: str) -> None:
    step = build(dense.quiet(), [dense.weights()], mode)
    x = dense.data(8)
    for run in (
        BatchRun([x], 4, 3),
        BatchRun([x], 9, 1),
        BatchRun([x], 4, 1, first=5),
        BatchRun([x], 4, 0),
        BatchRun([x], 4, 1, order=np.array([0, 1, 2, 8])),
        BatchRun([x], 4, 1, order=np.array([0, 1, 2, -1])),
        BatchRun([x], 4, 2, order=np.arange(7)),
    ):
        with pytest.raises(ShapeError, match="Received"):
            step.run_many(run)
    with pytest.raises(DTypeError, match="int64"):
        step.run_many(BatchRun([x], 4, 2, order=np.arange(8, dtype=np.int32)))
    with pytest.raises(DTypeError):
        step.run_many(BatchRun([x.astype(np.float64)], 4, 2))


def test_outputs_that_do_not_fit(dense: SimpleNamespace) -> None:
    step = build(dense.quiet(), [dense.weights()])
    run = BatchRun([dense.data(8)], 4, 2)
    good = [np.zeros((8, 4), np.float32), np.zeros(2, np.float32)]
    rows = good[0]
    for first in (rows[:7], rows.astype(np.float64), np.zeros((4, 8), np.float32).T):
        with pytest.raises(ShapeError, match="Received"):
            step.run_many(run, [first, good[1]])
    with pytest.raises(ShapeError, match="2 outputs"):
        step.run_many(run, good[:1])
    assert step.run_many(run, good).done == 2


def test_sources_in_other_orders_and_byte_offsets(dense: SimpleNamespace) -> None:
    x = dense.data(8)
    skewed = np.frombuffer(bytearray(1) + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(8, 3)
    expected = one_by_one(build(dense.quiet(), [dense.weights()]), BatchRun([x], 4, 2))[-1]
    for source in (np.asfortranarray(x), skewed, np.repeat(x, 2, 0)[::2]):
        outputs = build(dense.quiet(), [dense.weights()]).run_many(BatchRun([source], 4, 2)).outputs
        np.testing.assert_array_equal(outputs[0], expected[0])


def test_rows_of_every_width_and_dtype() -> None:
    order = np.random.default_rng(0).permutation(50)
    for width in (1, 2, 3, 5, 8, 129):
        for dtype in (np.uint8, np.int16, np.float32, np.float64, np.bool_):
            data = np.random.default_rng(width).integers(0, 2 if dtype is np.bool_ else 100, (50, width)).astype(dtype)
            spec = weft.TensorSpec([None, width], weft.as_dtype(dtype))
            concrete = weft.function(lambda a: weft.cast(a, weft.float64) * 2.0).get_concrete_function(spec)
            out = np.zeros((48, width))
            concrete.compiled.run_many(BatchRun([data], 16, 3, order=order), [out])
            np.testing.assert_array_equal(out, data[order[:48]].astype(np.float64) * 2)


def test_without_the_known_layout_of_objects(dense: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "layout_is_known", lambda: False)
    run = runs(dense.data(21))[2]
    expected = one_by_one(build(dense.quiet(), [dense.weights()]), run)[-1]
    for array, last in zip(build(dense.quiet(), [dense.weights()]).run_many(run).outputs, expected, strict=True):
        np.testing.assert_array_equal(array, last)


def test_variables_are_read_anew() -> None:
    total = weft.Variable(np.zeros(3, np.float32))

    @weft.function(input_signature=[weft.TensorSpec([None, 3])])
    def add(x):
        total.assign_add(weft.reduce_sum(x, 0))
        return total.read_value()

    x = np.ones((12, 3), np.float32)
    np.testing.assert_array_equal(total, [0, 0, 0])
    result = add.get_concrete_function().compiled.run_many(BatchRun([x], 4, 3))
    np.testing.assert_array_equal(total, [12, 12, 12])
    np.testing.assert_array_equal(result.outputs[0], [12, 12, 12])  # a copy of the variable, as it is at the end


def test_batches_allocate_nothing(dense: SimpleNamespace) -> None:
    step = build(dense.quiet(), [dense.weights()])
    assert isinstance(step, CompiledStep)
    x = dense.data(6)
    order = np.tile(np.random.default_rng(0).permutation(6), 2000)

    def peak(batches: int) -> int:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        assert step.run_many(BatchRun([x], 3, batches, order=order)).done == batches
        return tracemalloc.get_traced_memory()[1] - before

    peak(10)
    tracemalloc.start()
    try:
        peak(10)
        few, many = peak(10), peak(4000)
        assert many - few < 3990  # less than a byte for each further batch; its outputs alone are 52 bytes
    finally:
        tracemalloc.stop()


def test_tables_are_bound_once_per_size(dense: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    step = build(dense.quiet(), [dense.weights()])
    made = []
    original = Binding.__init__
    monkeypatch.setattr(Binding, "__init__", lambda self, *a: (made.append(1), original(self, *a))[1])
    x, order = dense.data(11), np.arange(11)
    for _ in range(3):
        step.run_many(BatchRun([x], 4, 2, order=order))
        step.run_many(BatchRun([x], 3, 1, 8, order))
    assert len(made) == 2
