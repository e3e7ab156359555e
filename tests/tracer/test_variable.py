"""`Variable`: reads, assignments, slices, printing, copies."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

from weft.tracer import Variable, convert_to_tensor


def test_prints_as_tensorflow_does():
    v = Variable([1.0, 2.0])
    assert repr(v) == "<tf.Variable 'Variable:0' shape=(2,) dtype=float32, numpy=array([1., 2.], dtype=float32)>"
    assert repr(Variable(1, name="n")) == "<tf.Variable 'n:0' shape=() dtype=int32, numpy=1>"
    assert f"{v}" == repr(v)


def test_variables_refuse_what_makes_no_value():
    assert Variable(lambda: [1.0]).numpy() == 1.0
    assert Variable(3, dtype="float64").dtype == "float64"
    assert Variable(1.0).trainable
    assert not Variable(1.0, trainable=False).trainable
    with pytest.raises(ValueError, match="initial_value"):
        Variable()
    with pytest.raises(ValueError, match="not compatible"):
        Variable([1.0], shape=[2])
    with pytest.raises(TypeError, match="color"):
        Variable(1.0, color="red")


def test_assignments_return_the_variable_unless_told_otherwise():
    v = Variable([1.0, 2.0])
    assert v.assign([3.0, 4.0]) is v
    v.assign_add([1.0, 1.0])
    v.assign_sub(np.array([0.5, 0.5]))
    np.testing.assert_array_equal(v.numpy(), [3.5, 4.5])
    assert v.assign([0, 1], read_value=False) is None
    np.testing.assert_array_equal(v.numpy(), [0, 1])


def test_storage_stays_where_it_is():
    v = Variable(np.zeros((3, 3), np.float32))
    address = v.storage.ctypes.data
    assert address % 64 == 0
    v.assign(np.ones((3, 3)))
    v[0, 0].assign(5.0)
    v.assign_add(v)
    assert v.storage.ctypes.data == address
    assert v.storage.flags.c_contiguous
    np.testing.assert_array_equal(v.storage, v.numpy())


def test_reads_are_snapshots():
    v = Variable([1.0])
    before = v.value()
    assert v.read_value() is before
    v.assign([2.0])
    np.testing.assert_array_equal(before.numpy(), [1])
    v.storage[:] = 7
    v.mark_written()
    np.testing.assert_array_equal(v.value().numpy(), [7])
    np.testing.assert_array_equal(before.numpy(), [1])


def test_assigned_array_is_not_shared():
    a = np.ones(2, np.float32)
    v = Variable(a)
    v.assign(a)
    a[:] = 9
    np.testing.assert_array_equal(v.numpy(), [1, 1])
    w = Variable([0.0, 0.0])
    w.assign(v)
    v.assign([5.0, 5.0])
    np.testing.assert_array_equal(w.numpy(), [1, 1])


@pytest.mark.parametrize("assign", ["assign", "assign_add", "assign_sub"])
def test_wrong_shape(assign):
    v = Variable([1.0, 2.0], name="w")
    with pytest.raises(ValueError, match=r"'w:0': Shape mismatch.*\(2,\).*\(3,\)"):
        getattr(v, assign)([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="Shape mismatch"):
        getattr(v, assign)(1.0)
    np.testing.assert_array_equal(v.numpy(), [1, 2])


def test_wrong_dtype():
    v = Variable([1.0])
    with pytest.raises(ValueError, match="requested dtype float32 for Tensor with dtype int32"):
        v.assign(convert_to_tensor([1]))
    with pytest.raises(TypeError):
        Variable([1]).assign([1.5])


def test_slices_assign():
    v = Variable(np.zeros((3, 4), np.float32))
    assert v[0, 0].assign(3.0) is v
    v[1].assign([1.0, 2.0, 3.0, 4.0])
    v[:, 1:3].assign_add(10.0)
    v[2, ::-1].assign_sub([1.0, 2.0, 3.0, 4.0])
    want = np.zeros((3, 4), np.float32)
    want[0, 0] = 3
    want[1] = [1, 2, 3, 4]
    want[:, 1:3] += 10
    want[2, ::-1] -= [1, 2, 3, 4]
    np.testing.assert_array_equal(v.numpy(), want)
    assert v[0, 0].numpy() == 3
    assert float(v[1, 0] + 1) == 2


def test_operators_and_protocols():
    v = Variable([1.0, 2.0])
    np.testing.assert_array_equal((v * 2 + v).numpy(), [3, 6])
    np.testing.assert_array_equal((1 - v).numpy(), [0, -1])
    np.testing.assert_array_equal((v == [1.0, 5.0]).numpy(), [True, False])
    assert len(v) == 2
    assert [float(x) for x in v] == [1, 2]
    assert float(Variable(2.5)) == 2.5
    assert f"{Variable(2.5):.2f}" == "2.50"
    np.testing.assert_array_equal(np.asarray(v), [1, 2])
    with pytest.raises(TypeError, match=r"variable\.ref"):
        hash(v)
    assert {v.ref(): 1}[v.ref] == 1
    assert v.ref().deref() is v


def test_copies_have_storage_of_their_own():
    v = Variable([1.0, 2.0], name="w", trainable=False)
    for w in (copy.copy(v), copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
        assert (w.name, w.trainable, w.dtype) == ("w:0", False, v.dtype)
        w.assign([5.0, 5.0])
        assert w.ref is not v.ref
    np.testing.assert_array_equal(v.numpy(), [1, 2])
    shared = [v, v]
    a, b = copy.deepcopy(shared)
    assert a is b


def test_is_freed_with_its_last_reference():
    v = Variable([1.0])
    v.value()
    gone, ref = weakref.ref(v), v.ref
    del v
    gc.collect()
    assert gone() is None
    assert ref.deref() is None


def test_empty_and_scalar_variables():
    v = Variable(np.zeros((0, 3), np.float32))
    v.assign(np.zeros((0, 3)))
    assert v.shape == (0, 3)
    s = Variable(True)
    s.assign(False)
    assert not s
