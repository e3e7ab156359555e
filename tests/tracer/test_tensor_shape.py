"""`TensorShape` and `TensorSpec`."""

from __future__ import annotations

import pickle

import pytest

from weft.graph.dims import Dim
from weft.tracer import TensorShape, TensorSpec, convert_to_tensor


def test_is_a_tuple_of_sizes():
    s = TensorShape([2, None, 3])
    assert isinstance(s, tuple)
    assert s == (2, None, 3) == s
    assert s == [2, None, 3]
    assert s != (2, 3)
    assert s[0] == 2
    assert s[1:] == TensorShape([None, 3])
    assert isinstance(s[1:], TensorShape)
    head, tail = [7], (4,)
    assert s + tail == (2, None, 3, 4)
    assert isinstance(s + tail, TensorShape)
    assert head + TensorShape([1]) == (7, 1)
    assert hash(TensorShape([2])) == hash((2,))


def test_text_shows_unknown_sizes_as_none():
    assert str(TensorShape([2])) == "(2,)"
    assert str(TensorShape([None, 2])) == "(None, 2)"
    assert str(TensorShape([])) == "()"
    assert str(TensorShape(None)) == "<unknown>"
    assert repr(TensorShape([None, 2])) == "TensorShape([None, 2])"
    assert repr(TensorShape(None)) == "TensorShape(None)"
    assert str(TensorShape([Dim("batch"), 2])) == "(None, 2)"
    assert repr(TensorShape([Dim("batch"), 2])) == "TensorShape([batch, 2])"


def test_what_is_unknown_of_a_shape_is_none():
    assert TensorShape([2, 3]).num_elements() == 6
    assert TensorShape([2, None]).num_elements() is None
    assert TensorShape([2, 3]).is_fully_defined()
    assert not TensorShape([Dim("n")]).is_fully_defined()
    assert TensorShape([Dim("n"), 3]).as_list() == [None, 3]
    assert TensorShape([2, 3]).rank == TensorShape([2, 3]).ndims == 2
    assert TensorShape(None).rank is None
    with pytest.raises(ValueError, match="unknown rank"):
        len(TensorShape(None))
    with pytest.raises(ValueError, match="unknown rank"):
        TensorShape(None).as_list()
    with pytest.raises(ValueError, match=">= 0"):
        TensorShape([-1])


def test_compatibility_and_merging():
    a = TensorShape([None, 3])
    assert a.is_compatible_with([5, 3])
    assert not a.is_compatible_with([5, 4])
    assert not a.is_compatible_with([3])
    assert a.is_compatible_with(None)
    assert a.merge_with([5, None]) == (5, 3)
    assert TensorShape(None).merge_with([1]) == (1,)
    with pytest.raises(ValueError, match="incompatible"):
        a.merge_with([5, 4])
    assert a.with_rank(2) == a
    with pytest.raises(ValueError, match="rank 3"):
        a.with_rank(3)


@pytest.mark.parametrize("shape", [TensorShape([2, None]), TensorShape(None), TensorShape([Dim("b")])], ids=repr)
def test_shapes_survive_pickling(shape):
    assert pickle.loads(pickle.dumps(shape)) == shape


def test_specs_are_compared_by_shape_and_dtype():
    spec = TensorSpec([None, 2])
    assert repr(spec) == "TensorSpec(shape=(None, 2), dtype=tf.float32, name=None)"
    assert spec == TensorSpec((None, 2), "float32")
    assert spec != TensorSpec((None, 2), "float64")
    assert len({spec, TensorSpec([None, 2])}) == 1
    x = convert_to_tensor([[1.0, 2.0]])
    assert spec.is_compatible_with(x)
    assert not spec.is_compatible_with(x[0])
    assert TensorSpec.from_tensor(x) == TensorSpec([1, 2])
    assert pickle.loads(pickle.dumps(spec)) == spec
