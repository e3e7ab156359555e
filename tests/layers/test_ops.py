"""keras.ops: every expression gives the values and the dtype that real Keras gives. Numbers by make_ops_golden.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import weft
from weft import keras
from weft.keras import ops

GOLDEN = Path(__file__).parent.parent / "golden"
LINES = (GOLDEN / "ops_expressions.txt").read_text().splitlines()
ARRAYS = np.load(GOLDEN / "ops.npz")


def values():
    """The tensors that the golden script used."""
    generator = np.random.RandomState(0)
    floats = {name: generator.standard_normal((3, 4)).astype("float32") for name in ("x", "y")}
    integers = {"i": generator.randint(-3, 6, (3, 4)).astype("int32"), "u": generator.randint(0, 6, (3, 4)).astype("uint8")}
    return {**floats, **integers, "t": generator.standard_normal((2, 3, 4)).astype("float32")}


@pytest.mark.parametrize("line", LINES)
def test_expression_equals_keras(line):
    names = {k: weft.constant(v) for k, v in values().items()}
    result = eval(line, {"ops": ops, **names})
    wanted = ARRAYS[line]
    assert result.dtype == wanted.dtype
    np.testing.assert_allclose(np.asarray(result), wanted, rtol=2e-5, atol=1e-6)


def test_every_function_is_compared():
    used = {name for name in ops.__all__ if any(f"ops.{name}(" in line for line in LINES)}
    assert set(ops.__all__) - used == {"convert_to_numpy", "is_tensor", "shape", "swish"}


def test_shapes_arrays_and_kinds():
    x = weft.ones((2, 3))
    assert ops.shape(x) == (2, 3)
    assert isinstance(ops.convert_to_numpy(x), np.ndarray)
    assert ops.is_tensor(x)
    assert not ops.is_tensor(np.ones(3))
    assert ops.swish is ops.silu


def test_on_symbolic_tensors():
    a = keras.Input((3,))
    model = keras.Model(a, ops.concatenate([ops.relu(a), ops.square(a) * 2], axis=-1))
    value = values()["x"][:, :3]
    np.testing.assert_allclose(model(value).numpy(), np.concatenate([np.maximum(value, 0), value**2 * 2], axis=-1), rtol=1e-6)
