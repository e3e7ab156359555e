"""Eager tensors: printing, operators, NumPy beside them, Python's protocols."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from weft.graph.errors import DivisionByZeroError, DTypeError, InvalidArgumentError, ShapeError
from weft.tracer import EagerTensor, Tensor, Variable, apply, convert_to_tensor


def t(value, dtype=None):
    return convert_to_tensor(value, dtype)


def test_prints_as_tensorflow_does():
    x = t([[1.0, 2.0], [3.0, 4.0]])
    assert str(x) == "tf.Tensor(\n[[1. 2.]\n [3. 4.]], shape=(2, 2), dtype=float32)"
    assert repr(x) == "<tf.Tensor: shape=(2, 2), dtype=float32, numpy=\narray([[1., 2.],\n       [3., 4.]], dtype=float32)>"
    assert str(t(1.5)) == "tf.Tensor(1.5, shape=(), dtype=float32)"
    assert repr(t(True)) == "<tf.Tensor: shape=(), dtype=bool, numpy=True>"
    assert str(t([1, 2])) == "tf.Tensor([1 2], shape=(2,), dtype=int32)"


def test_format_uses_the_value():
    assert f"{t(1.0 / 3):.3f}" == "0.333"
    assert f"{t([1.0, 2.0])}" == "[1. 2.]"


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("add", lambda x, y: x + y),
        ("sub", lambda x, y: x - y),
        ("mul", lambda x, y: x * y),
        ("div", lambda x, y: x / y),
        ("floordiv", lambda x, y: x // y),
        ("mod", lambda x, y: x % y),
        ("pow", lambda x, y: x**y),
        ("less", lambda x, y: x < y),
        ("less_equal", lambda x, y: x <= y),
        ("greater", lambda x, y: x > y),
        ("greater_equal", lambda x, y: x >= y),
        ("equal", lambda x, y: x == y),
        ("not_equal", lambda x, y: x != y),
    ],
)
def test_operator_equals_numpy_on_both_sides(name, function):
    a = np.array([[0.5, 2.0, -3.0], [4.0, 1.5, 7.0]], np.float32)
    b = np.array([2.0, 3.0, 2.0], np.float32)
    want = function(a, b)
    for result in (function(t(a), t(b)), function(t(a), b), function(a, t(b)), function(Variable(a), b)):
        assert isinstance(result, Tensor), name
        np.testing.assert_array_equal(result.numpy(), want)
        assert result.numpy().dtype == want.dtype
    scalar = function(a, np.float32(2))
    np.testing.assert_array_equal(function(t(a), 2).numpy(), scalar)
    np.testing.assert_array_equal(function(t(a), 2.0).numpy(), scalar)
    np.testing.assert_array_equal(function(2.0, t(a)).numpy(), function(np.float32(2), a))


def test_unary_operators():
    x = t([-1.5, 2.0])
    np.testing.assert_array_equal((-x).numpy(), [1.5, -2.0])
    np.testing.assert_array_equal(abs(x).numpy(), [1.5, 2.0])
    assert (+x) is x
    np.testing.assert_array_equal((~t([True, False])).numpy(), [False, True])


def test_logical_operators_take_bools():
    a, b = t([True, True, False]), t([True, False, False])
    np.testing.assert_array_equal((a & b).numpy(), [True, False, False])
    np.testing.assert_array_equal((a | b).numpy(), [True, True, False])
    np.testing.assert_array_equal((a ^ b).numpy(), [False, True, False])
    with pytest.raises(DTypeError):
        t([1.0]) & t([2.0])


def test_matmul_takes_arrays_on_either_side():
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal((t(a) @ t(b)).numpy(), a @ b)
    np.testing.assert_array_equal((a @ t(b)).numpy(), a @ b)
    with pytest.raises(ShapeError, match="matmul"):
        t(a) @ t(a)


def test_scalars_and_arrays_take_the_tensors_dtype():
    x = t([1.0, 2.0])
    assert (x + np.array([1.0, 2.0])).dtype == "float32"
    assert (x + np.int64(3)).dtype == "float32"
    assert (x + True).dtype == "float32"
    i = t([1, 2])
    assert (i + 2).dtype == "int32"
    np.testing.assert_array_equal((i + np.array([1.5, 2.5])).numpy(), [2, 4])


def test_no_promotion_between_tensors():
    with pytest.raises(DTypeError, match="float32") as caught:
        t([1.0]) + t([1])
    assert isinstance(caught.value, InvalidArgumentError)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(DTypeError):
        t([1]) + 2.5


def test_integer_division():
    i = t([7, -7])
    assert (i / 2).dtype == "float64"
    assert (t([7], "int8") / 2).dtype == "float32"
    np.testing.assert_array_equal((i / 2).numpy(), [3.5, -3.5])
    np.testing.assert_array_equal((i // 2).numpy(), [3, -4])
    np.testing.assert_array_equal((i % 3).numpy(), [1, 2])
    with pytest.raises(DivisionByZeroError):
        i // 0


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match="2 against 3") as caught:
        t([1.0, 2.0]) + t([1.0, 2.0, 3.0])
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, InvalidArgumentError)


def test_equality_with_nothing_to_compare():
    x = t([1.0, 2.0])
    assert (x == None) is False  # noqa: E711
    assert (x != None) is True  # noqa: E711
    assert (x == "a") is False
    assert (x == object()) is False
    different = x == t([1.0, 2.0, 3.0])
    assert not different
    assert x != t([1.0, 2.0, 3.0])


def test_tensors_cannot_be_changed():
    x = t([1.0, 2.0])
    with pytest.raises(TypeError, match="where"):
        x[0] = 3.0
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(x)[0] = 3.0
    mine = x.numpy()
    mine[0] = 9.0
    assert float(x[0]) == 1.0


def test_source_array_may_change_later():
    a = np.ones(3, np.float32)
    x = t(a)
    a[:] = 7
    np.testing.assert_array_equal(x.numpy(), np.ones(3))


def test_unhashable_but_referable():
    x = t(1.0)
    with pytest.raises(TypeError, match=r"tensor\.ref"):
        hash(x)
    d = {x.ref(): 1}
    assert d[x.ref()] == 1
    assert x.ref().deref() is x
    assert x.ref() != t(1.0).ref()


def test_python_conversions():
    assert float(t(1.5)) == 1.5
    assert int(t(3)) == 3
    assert complex(t(2.0)) == 2
    assert [10, 20, 30][t(1)] == 20
    assert list(range(t(3))) == [0, 1, 2]
    assert bool(t(0.0)) is False
    with pytest.raises(ValueError, match="ambiguous"):
        bool(t([1.0, 2.0]))
    with pytest.raises(TypeError):
        [1, 2][t(1.0)]
    with pytest.raises(TypeError):
        float(t([1.0, 2.0]))


def test_sequence_protocol():
    x = t([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert len(x) == 3
    rows = list(x)
    assert [r.shape.as_list() for r in rows] == [[2]] * 3
    np.testing.assert_array_equal(rows[2].numpy(), [5, 6])
    assert 4.0 in x
    assert 9.0 not in x
    assert sum(list(t([1, 2, 3]))).numpy() == 6
    for bad in (len, list):
        with pytest.raises(TypeError):
            bad(t(1.0))


def test_numpy_understands_tensors():
    x = t([1.0, 4.0])
    assert isinstance(np.sqrt(x), np.ndarray)
    np.testing.assert_array_equal(np.sqrt(x), [1, 2])
    assert np.asarray(x, np.float64).dtype == np.float64
    assert isinstance(t(1.0).numpy(), np.float32)
    assert np.sum(x) == 5


def test_tensors_have_tensorflows_attributes():
    x = t(np.zeros((2, 3), np.int64))
    assert x.shape == (2, 3)
    assert x.ndim == 2
    assert x.dtype == "int64"
    assert "CPU" in x.device
    assert not hasattr(x, "name")
    x.set_shape([2, None])
    with pytest.raises(ValueError, match="not compatible"):
        x.set_shape([3, 3])


def test_habits_of_other_libraries_get_a_hint():
    with pytest.raises(AttributeError, match=r"cast\(x, dtype\)"):
        t(1.0).astype("int32")
    with pytest.raises(AttributeError, match="enabled"):
        t(1.0).name  # noqa: B018
    assert not hasattr(t(1.0), "assign")


def test_copies_and_pickles():
    x = t([1.0, 2.0])
    for y in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert isinstance(y, EagerTensor)
        np.testing.assert_array_equal(y.numpy(), x.numpy())
        with pytest.raises(ValueError, match="read-only"):
            np.asarray(y)[0] = 5


def test_infinities_come_without_warnings():
    assert np.isinf((t(1.0) / 0.0).numpy())
    assert np.isnan(apply("log", (t(-1.0),)).numpy())


def test_unknown_attribute_of_an_op():
    with pytest.raises(TypeError, match="no attribute speed"):
        apply("add", (1.0, 2.0), speed=3)


class Asked:
    """Stands for a symbolic Keras input: decides itself what an op on it means."""

    dtype = "float32"

    def __weft_apply__(self, op, args, attrs):
        return op.name, args, attrs


def test_argument_that_decides_itself():
    a = Asked()
    assert apply("reduce_sum", (a,), axes=(0,)) == ("reduce_sum", (a,), {"axes": (0,)})
    name, args, _ = t(1.0) + a
    assert name == "add"
    assert args[1] is a
    assert convert_to_tensor(a) is a


def test_bit_operators_of_integers():
    x = t([5, 6])
    assert (x & 4).numpy().tolist() == [4, 4]
    assert (1 | x).numpy().tolist() == [5, 7]
    assert (x ^ x).numpy().tolist() == [0, 0]
    assert (~x).numpy().tolist() == [-6, -7]


def test_a_second_python_value_takes_the_dtype_of_the_first():
    assert apply("add", ([1.0, 2.0], 3)).numpy().tolist() == [4.0, 5.0]
    with pytest.raises(DTypeError, match="2.5"):
        apply("add", (1, 2.5))
