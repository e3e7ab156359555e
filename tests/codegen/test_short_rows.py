"""Rows of a few vectors: values stay in registers between phases, sums down columns over all rows. Results are NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

import weft
from weft.codegen.emit_llvm import print_llvm
from weft.codegen.hold_columns import find_columns
from weft.codegen.kernel import Apply, Kernel, Let, Load, Loop, Name, Param, Store, affine, flatten_index, variable
from weft.codegen.plan_vectors import plan_vectors
from weft.codegen.target import Target
from weft.graph.dtype import float32

ROW, COLUMN = variable("i0"), variable("i1")


def sum_rows(columns: int) -> Loop:
    """``a[i0, i1] *= 2; out[i1] += a[i0, i1]``."""
    at = flatten_index((ROW, COLUMN), (5, columns))
    doubled = Apply("+", (Load("a", at, float32), Load("a", at, float32)), float32)
    total = Apply("+", (Load("out", COLUMN, float32), Load("a", at, float32)), float32)
    inner = Loop("i1", columns, [Let("t", doubled), Store("a", at, Name("t", float32)), Store("out", COLUMN, total)])
    return Loop("i0", 5, [inner])


@pytest.mark.parametrize(("columns", "held"), [(2, False), (10, True), (64, True), (65, False)])
def test_short_columns_are_held(columns: int, held: bool) -> None:
    found = find_columns(sum_rows(columns), (), lambda inner: plan_vectors(inner, columns, ()))
    assert [(c.array, c.index) for c in found] == ([("out", COLUMN)] if held else [])


def test_columns_that_another_statement_reads_are_not_held() -> None:
    rows = sum_rows(10)
    rows.body.append(Let("first", Load("out", affine(0), float32)))
    assert not find_columns(rows, (), lambda inner: plan_vectors(inner, 10, ()))


def test_a_stored_value_is_not_loaded_again() -> None:
    params = [Param("a", float32, 50, written=True), Param("out", float32, 10, written=True)]
    text = print_llvm(Kernel("test", params, [sum_rows(10)]), [5], Target())
    before, loop = text.split("phi i64", 1)
    assert before.count("@llvm.masked.load") == 1  # out
    assert loop.count(" @llvm.masked.load") - loop.count("declare") == 1  # a, once
    assert "masked.store" not in text  # exact parts: the next row need not wait


def test_rows_that_are_not_reduced_are_taken_one_by_one() -> None:
    params = [Param("a", float32, 50, written=True), Param("out", float32, 10, written=True)]
    assert " = and i64" not in print_llvm(Kernel("test", params, [sum_rows(10)]), [5], Target())


def rows_and_labels(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(columns)
    return rng.normal(size=(rows, columns)).astype(np.float32) * 3, rng.integers(0, columns, rows)


@weft.function
def loss_and_gradients(x: weft.Tensor, bias: weft.Tensor, labels: weft.Tensor) -> tuple[weft.Tensor, ...]:
    with weft.GradientTape() as tape:
        tape.watch([x, bias])
        losses = weft.nn.sparse_softmax_cross_entropy_with_logits(labels, x + bias)
        loss = weft.reduce_mean(losses)
    hits = weft.equal(weft.argmax(x + bias, axis=1), weft.cast(labels, "int64"))
    return loss, *tape.gradient(loss, [x, bias]), weft.reduce_sum(weft.cast(hits, "float32"))


@pytest.mark.parametrize("columns", [2, 3, 7, 10, 16, 17, 33, 64, 65, 100, 1000])
@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_a_classifiers_loss_and_gradients_are_true(columns: int, kind: type) -> None:
    for rows in (1, 5, 64):
        x, labels = rows_and_labels(rows, columns)
        bias = np.linspace(-1, 1, columns, dtype=np.float32)
        loss, to_x, to_bias, hits = loss_and_gradients(x, bias, labels.astype(kind))
        logits = x.astype(np.float64) + bias
        power = np.exp(logits - logits.max(1, keepdims=True))
        chosen = np.eye(columns)[labels]
        p = power / power.sum(1, keepdims=True)
        np.testing.assert_allclose(loss.numpy(), -np.log((p * chosen).sum(1)).mean(), rtol=2e-6)
        np.testing.assert_allclose(to_x.numpy(), (p - chosen) / rows, rtol=2e-5, atol=2e-7 / rows)
        np.testing.assert_allclose(to_bias.numpy(), ((p - chosen) / rows).sum(0), rtol=2e-5, atol=1e-6)
        assert hits.numpy() == (logits.argmax(1) == labels).sum()


@pytest.mark.parametrize("label", [-1, 10, 2**32 + 3])
def test_a_label_outside_raises_before_it_is_narrowed(label: int) -> None:
    x, labels = rows_and_labels(5, 10)
    labels[3] = label
    with pytest.raises(weft.errors.InvalidArgumentError):
        loss_and_gradients(x, np.zeros(10, np.float32), labels)


@pytest.mark.parametrize("columns", [2, 3, 10, 17, 100])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32, np.int64, np.uint8])
def test_positions_of_extremes_are_numpys(columns: int, kind: type) -> None:
    """Ties, NaN, infinities and the least integers, in every row length's whole vectors and rest."""
    x = np.random.default_rng(columns).integers(0, 4, (64, columns)).astype(kind)
    if np.issubdtype(kind, np.floating):
        x[:8] = -np.inf
        x[3:12:2, columns // 2] = np.nan
        x[20:30, -1] = np.inf
    else:
        x[:8] = np.iinfo(kind).min
    found = weft.function(lambda x: (weft.argmax(x, axis=1), weft.argmin(x, axis=1), weft.argmax(x, axis=0)))(x)
    for position, expected in zip(found, (x.argmax(1), x.argmin(1), x.argmax(0)), strict=True):
        np.testing.assert_array_equal(position.numpy(), expected)
