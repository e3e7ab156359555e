"""Element types: one object per type, TensorFlow's comparisons and texts."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from weft.graph.dtype import ALL, BY_SHORT, as_dtype, bool_, float16, float32, int32, int64, uint8


def test_names_lead_to_the_one_object() -> None:
    for d in ALL:
        assert as_dtype(d) is as_dtype(d.name) is as_dtype(d.np) is as_dtype(d.as_numpy_dtype) is BY_SHORT[d.short]
        assert pickle.loads(pickle.dumps(d)) is copy.deepcopy(d) is d
    assert as_dtype(float) is float32
    assert as_dtype(int) is int32
    assert as_dtype(bool) is bool_
    assert as_dtype("half") is float16
    assert as_dtype(np.dtype(">f4").newbyteorder("=")) is float32


def test_comparison_with_names_and_numpy() -> None:
    assert float32 == "float32"
    assert float32 == np.float32
    assert float32 != "float64"
    assert float32 != 3
    assert {float32: 1}[as_dtype("float32")] == 1


def test_a_dtype_knows_its_kind_size_and_range() -> None:
    assert (float32.is_floating, float32.is_integer, float32.is_bool) == (True, False, False)
    assert (uint8.is_unsigned, uint8.is_integer, uint8.min, uint8.max) == (True, True, 0, 255)
    assert (int64.size, int64.kind) == (8, "i")
    assert (bool_.min, bool_.max) == (False, True)
    assert float16.max == 65504
    assert (repr(float32), str(float32)) == ("tf.float32", "<dtype: 'float32'>")


@pytest.mark.parametrize("value", ["complex64", "nothing", object(), np.complex128, [1]])
def test_unknown_types_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"Cannot convert .* to an element type. Supported: float16"):
        as_dtype(value)
