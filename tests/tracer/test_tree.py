"""Nested structures."""

from __future__ import annotations

import pickle
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.tracer import TensorShape, tree

Point = namedtuple("Point", "x y")


@dataclass
class Pair:
    left: object
    right: object


class Bag(list):
    """A list by another name, as layers track."""


TREES = st.recursive(
    st.integers() | st.none() | st.text(max_size=2),
    lambda t: st.lists(t, max_size=3)
    | st.tuples(t, t)
    | st.dictionaries(st.text(max_size=2), t, max_size=3)
    | st.builds(Point, t, t)
    | st.builds(Pair, t, t),
    max_leaves=12,
)


@given(TREES)
def test_round_trip(value):
    leaves, structure = tree.flatten(value)
    assert structure.unflatten(leaves) == value
    assert structure.count == len(leaves) == len(structure.paths())
    again, same = tree.flatten(value)
    assert same == structure
    assert hash(same) == hash(structure)
    assert again == leaves
    assert pickle.loads(pickle.dumps(structure)) == structure


def test_kinds_differ():
    structures = [tree.flatten(t)[1] for t in ([1, 2], (1, 2), Point(1, 2), Pair(1, 2), {"a": 1, "b": 2}, [1, [2]], [1, 2, 3])]
    assert len(set(structures)) == len(structures)


def test_dicts_do_not_care_about_order():
    a, b = {"x": 1, "y": 2}, {"y": 2, "x": 1}
    assert tree.flatten(a) == tree.flatten(b)
    rebuilt = tree.flatten(b)[1].unflatten([1, 2])
    assert rebuilt == b
    assert list(rebuilt) == ["y", "x"]
    assert tree.leaves_of({1: "a", "b": "c"}) == ["a", "c"]


def test_mappings_keep_their_class():
    d = defaultdict(list, {"a": 1})
    rebuilt = tree.map_structure(lambda v: v + 1, d)
    assert isinstance(rebuilt, defaultdict)
    assert rebuilt["missing"] == []
    assert isinstance(tree.map_structure(lambda v: v, OrderedDict(a=1)), OrderedDict)
    assert tree.flatten(Bag([1, 2])) == tree.flatten([1, 2])


def test_what_is_no_container_is_a_leaf():
    shape = TensorShape([1, 2])
    assert tree.leaves_of([shape, "ab", None, range(3)]) == [shape, "ab", None, range(3)]
    assert tree.flatten(5)[1] is tree.LEAF


def test_paths_are_written_as_python_would():
    value = {"a": [1, Point(2, 3)], "b": Pair(4, (5,))}
    assert tree.flatten(value)[1].paths() == ["['a'][0]", "['a'][1].x", "['a'][1].y", "['b'].left", "['b'].right[0]"]


def test_map_over_several():
    assert tree.map_structure(lambda a, b: a * b, {"k": (2, 3)}, {"k": (5, 7)}) == {"k": (10, 21)}
    with pytest.raises(ValueError, match="differ"):
        tree.map_structure(lambda a, b: a, [1], (1,))
    with pytest.raises(ValueError, match="at least one"):
        tree.map_structure(print)


def test_packing_and_comparison():
    assert tree.pack_sequence_as([0, (0,)], [1, 2]) == [1, (2,)]
    with pytest.raises(ValueError, match="2 leaves"):
        tree.pack_sequence_as([0, (0,)], [1])
    tree.assert_same_structure([1, {"a": 2}], [3, {"a": 4}])
    with pytest.raises(ValueError, match="same nested structure"):
        tree.assert_same_structure([1], [1, 2])
    with pytest.raises(ValueError, match="fewer"):
        tree.flatten([1, 2])[1].unflatten([1])


def test_registered_class():
    class Box:
        def __init__(self, inner):
            self.inner = inner

    tree.register(Box, lambda b: (b.inner,), lambda c: Box(*c))
    leaves, structure = tree.flatten([Box((1, 2)), 3])
    assert leaves == [1, 2, 3]
    assert structure.unflatten([4, 5, 6])[0].inner == (4, 5)
