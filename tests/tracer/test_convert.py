"""`convert_to_tensor` by TensorFlow's rules; each expectation was looked up in TensorFlow 2.21."""

from __future__ import annotations

import numpy as np
import pytest

from weft.tracer import Variable, convert, convert_to_tensor


@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    [
        (1, "int32", ()),
        (2**40, "int64", ()),
        (1.0, "float32", ()),
        (True, "bool", ()),
        ([1, 2], "int32", (2,)),
        ([2**40, 1], "int64", (2,)),
        ([1, 2.5], "float32", (2,)),
        ([], "float32", (0,)),
        ([[1.0], [2.0]], "float32", (2, 1)),
        ([np.float64(1), 2.0], "float64", (2,)),
        ([np.ones(2), np.zeros(2)], "float64", (2, 2)),
        (np.float64(1.5), "float64", ()),
        (np.arange(3), "int64", (3,)),
        (np.array([1, 2], np.uint8), "uint8", (2,)),
        (np.arange(3, dtype=">f4"), "float32", (3,)),
        (range(4), "int32", (4,)),
        ((1.0, (2.0)), "float32", (2,)),
    ],
)
def test_dtype_and_shape(value, dtype, shape):
    x = convert_to_tensor(value)
    assert x.dtype == dtype
    assert x.shape == shape


def test_signed_zero_and_type_keep_their_identity():
    assert np.signbit(convert_to_tensor(-0.0).numpy())
    assert not np.signbit(convert_to_tensor(0.0).numpy())
    assert convert_to_tensor(1).dtype == "int32"
    assert convert_to_tensor(1.0).dtype == "float32"
    assert convert_to_tensor(True).dtype == "bool"


def test_asked_dtype():
    assert convert_to_tensor(1, "float64").dtype == "float64"
    assert convert_to_tensor([1, 2], "float32").dtype == "float32"
    assert convert_to_tensor(True, "float32").numpy() == 1.0
    np.testing.assert_array_equal(convert_to_tensor(np.array([1.7]), "int32").numpy(), [1])


@pytest.mark.parametrize(("value", "dtype"), [(1.5, "int32"), (2.0, "int32"), (1, "bool"), ([1.5], "int32"), ("a", "float32")])
def test_value_that_does_not_fit(value, dtype):
    with pytest.raises(TypeError):
        convert_to_tensor(value, dtype)


def test_tensor_of_another_dtype():
    x = convert_to_tensor([1.0])
    assert convert_to_tensor(x) is x
    with pytest.raises(ValueError, match="requested dtype int32 for Tensor with dtype float32"):
        convert_to_tensor(x, "int32")


def test_hint_yields():
    assert convert_to_tensor(1, dtype_hint="float32").dtype == "float32"
    assert convert_to_tensor(1.5, dtype_hint="int32").dtype == "float32"


@pytest.mark.parametrize("value", [None, object(), {1}, [[1], [1, 2]], [True, 2], ["a", 1.0], "text", b"bytes"])
def test_values_that_are_no_tensors(value):
    with pytest.raises((ValueError, TypeError)):
        convert_to_tensor(value)


def test_lists_of_tensors_are_stacked():
    x = convert_to_tensor([1.0, 2.0])
    np.testing.assert_array_equal(convert_to_tensor([x, [3, 4]]).numpy(), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(convert_to_tensor([[x[0], 5], [x[1], 6]]).numpy(), [[1, 5], [2, 6]])
    v = Variable(7.0)
    np.testing.assert_array_equal(convert_to_tensor([v, x[0]]).numpy(), [7, 1])


def test_variable_is_read():
    v = Variable([1.0])
    x = convert_to_tensor(v)
    v.assign([2.0])
    np.testing.assert_array_equal(x.numpy(), [1])


def test_large_arrays_are_copied_to_where_a_cache_line_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "LARGE_BYTES", 1024)
    block = np.arange(4096, dtype=np.float32)
    for source in (block[3:1000], block[3:2003:2], block[:4000].reshape(40, 100).T, block[5:1000].astype(">f4")):
        x = convert_to_tensor(source)
        assert np.array_equal(x.numpy(), source) and not np.shares_memory(np.asarray(x), source)
        assert source.dtype.byteorder == ">" or np.asarray(x).ctypes.data % 64 == 0


@pytest.mark.parametrize("values", [[True, 1], [np.bool_(True), 1.5], [2**63], [1, "a"], [1, [2]]])
def test_lists_without_a_common_dtype_are_refused(values):
    with pytest.raises(ValueError):
        convert_to_tensor(values)


@pytest.mark.parametrize("values", [[np.float32(1.5)], [np.array([1.5])], [1, np.float64(2)]])
def test_floats_in_a_list_never_become_integers(values):
    with pytest.raises(TypeError):
        convert_to_tensor(values, "int32")


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_an_integer_beyond_64_bits_is_a_value_error(value):
    with pytest.raises(ValueError, match="out of range"):
        convert_to_tensor(value)
