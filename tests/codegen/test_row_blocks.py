"""Sixteen short rows at once: a row has the same bits in a block as alone, whatever it holds; nothing else is touched."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np
import pytest

import weft
from weft.codegen.turn_rows import ROWS, turning_back, turning_in
from weft.runtime.engine import compile_text, engine

Rows = tuple[np.ndarray, ...]


def special_rows(count: int, columns: int) -> np.ndarray:
    """Rows of which some hold NaN, infinities, zeros of both signs, subnormal or large numbers."""
    x = (np.random.default_rng(columns).normal(size=(count, columns)) * 3).astype(np.float32)
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-42, 3e38, -3e38], np.float32)
    for i, value in enumerate(odd[: len(x)]):
        x[i, (i * 3) % columns] = value
    x[7:8] = -np.inf
    x[8:9] = -0.0
    x[9:10] = np.inf
    return x


@weft.function
def softmax(x: weft.Tensor, labels: weft.Tensor) -> weft.Tensor:
    return weft.nn.softmax(x)


@weft.function
def several(x: weft.Tensor, labels: weft.Tensor) -> Rows:
    best = weft.cast(weft.argmax(x, axis=1), "float32")
    return weft.reduce_logsumexp(x, -1), weft.reduce_max(x, -1), weft.reduce_sum(x, -1), weft.reduce_min(x, -1), best


@weft.function
def normalised(x: weft.Tensor, labels: weft.Tensor) -> Rows:
    mean, variance = weft.nn.moments(x, [-1], keepdims=True)
    return (x - mean) * weft.math.rsqrt(variance + 1e-3), mean, variance


@weft.function
def losses(x: weft.Tensor, labels: weft.Tensor) -> Rows:
    with weft.GradientTape() as tape:
        tape.watch(x)
        loss = weft.nn.sparse_softmax_cross_entropy_with_logits(labels, x)
    return loss, tape.gradient(loss, x)


@pytest.mark.parametrize("columns", [2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 15, 16, 17])
@pytest.mark.parametrize("compute", [softmax, several, normalised, losses])
def test_rows_have_the_same_bits_in_a_block_and_alone(compute: Callable[..., weft.Tensor | Rows], columns: int) -> None:
    x = special_rows(37, columns)  # two blocks and five rows
    labels = (np.arange(len(x)) % columns).astype(np.int32)

    def results(start: int, stop: int) -> list[np.ndarray]:
        found = compute(x[start:stop], labels[start:stop])
        return [t.numpy() for t in (found if isinstance(found, tuple) else (found,))]

    whole = results(0, 37)
    parts = [results(i, min(i + 6, 37)) for i in range(0, 37, 6)]
    for i, array in enumerate(whole):
        np.testing.assert_array_equal(array, np.concatenate([p[i] for p in parts]))


@pytest.mark.parametrize("rows", [0, 1, 15, 16, 17, 32, 40])
@pytest.mark.parametrize("columns", [2, 4, 7, 10, 16])
def test_sums_down_columns_are_numpys(rows: int, columns: int) -> None:
    x = np.random.default_rng(rows).normal(size=(rows, columns)).astype(np.float32)

    @weft.function
    def centred_sums(x: weft.Tensor) -> Rows:
        centred = x - weft.reduce_max(x, -1, keepdims=True)
        return centred, weft.reduce_sum(centred, 0), weft.reduce_sum(weft.reduce_max(x, -1))

    centred, down, total = (t.numpy() for t in centred_sums(x))
    expected = x - x.max(1, keepdims=True)
    np.testing.assert_array_equal(centred, expected)
    np.testing.assert_array_equal(down, np.add.reduce(expected, 0))
    np.testing.assert_allclose(total, x.max(1).astype(np.float64).sum(), rtol=1e-6)


def test_a_wrong_label_in_a_block_is_found() -> None:
    x, labels = special_rows(40, 10), np.zeros(40, np.int32)
    for row in (3, 31, 35):
        labels[row] = 10
        with pytest.raises(weft.errors.InvalidArgumentError):
            losses(x, labels)
        labels[row] = 0


@pytest.mark.parametrize("columns", range(2, 17))
def test_turning_rows(columns: int) -> None:
    """There, and back to another place. What stands before and behind stays."""
    there, back = turning_in(columns), turning_back(columns)
    text = f"""
        define i32 @turn(ptr %a, ptr %out) {{
          %block = alloca [{columns} x <16 x float>], align 64
          call fastcc void @{there.name}(ptr %a, ptr %block)
          call fastcc void @{back.name}(ptr %block, ptr %out)
          ret i32 0
        }}"""
    declarations = {**there.declarations, **back.declarations}
    whole = "\n".join([text, there.text, back.text, *declarations.values()]) + "\n"
    address, handle = engine.load(compile_text(whole, vectorize=False), "turn")
    a = np.random.default_rng(columns).normal(size=(ROWS, columns)).astype(np.float32)
    out = np.full(a.size + 8, -1, np.float32)
    assert handle is not None
    assert ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)(address)(a.ctypes.data, out[4:].ctypes.data) == 0
    np.testing.assert_array_equal(out[4:-4].reshape(ROWS, columns), a)
    np.testing.assert_array_equal(np.r_[out[:4], out[-4:]], -1)
