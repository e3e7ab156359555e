"""Records behave like frozen dataclasses. In: small record classes; out: failures where constructor, equality or repr differ."""

from __future__ import annotations

import copy
import pickle
from typing import ClassVar

import pytest

from weft.graph.record import field, record, replace


@record
class Point:
    """Two numbers and a note that does not count."""

    kind: ClassVar[str] = "point"
    x: int
    y: int = 2
    note: str = field(default="", compare=False)


@record
class Named(Point):
    """Adds a field behind those of its base."""

    name: str = "origin"


@record(frozen=False)
class Bag:
    """May change, and has a list of its own."""

    items: list[int] = field(default_factory=list)


@record(eq=False)
class Thing:
    """Equals itself only."""

    value: int


def test_fields_are_given_by_place_or_name_and_shown() -> None:
    assert Point(1) == Point(1, 2) == Point(y=2, x=1)
    assert repr(Point(1, note="n")) == "Point(x=1, y=2, note='n')"
    assert Named(1, 2, "", "a").name == "a" and repr(Named(3)).endswith("name='origin')")


@pytest.mark.parametrize("call", [lambda: Point(), lambda: Point(1, 2, "", 4), lambda: Point(1, z=3), lambda: Point(1, x=3)])  # type: ignore[call-arg]
def test_wrong_fields_are_refused(call: object) -> None:
    with pytest.raises(TypeError, match="Point"):
        call()  # type: ignore[operator]


def test_equality_and_hash_count_compared_fields_of_one_class() -> None:
    assert Point(1, 2, "a") == Point(1, 2, "b") and hash(Point(1, 2, "a")) == hash(Point(1, 2, "b"))
    assert Point(1) != Point(2) and Point(1) != Named(1) and Point(1) != (1, 2, "")
    assert Thing(1) != Thing(1) and len({Thing(1), Thing(1)}) == 2


def test_records_made_many_times_stay_the_same() -> None:
    @record
    class Pair:
        """Gets methods of its own on the way."""

        first: int
        rest: list[int] = field(default_factory=list, compare=False)
        label: str = "x"

    early = [Pair(i) for i in range(3)]
    shared, hashes = Pair.__init__, [hash(p) for p in early]
    late = [Pair(i) for i in range(1000)][:3]
    assert Pair.__init__ is not shared
    assert early == late and [hash(p) for p in late] == hashes == [hash(p) for p in early]
    assert late[0].rest == [] and late[0].rest is not late[1].rest and repr(Pair(1, label="y")) == repr(Pair(1, [], "y"))
    with pytest.raises(TypeError, match="Pair"):
        Pair()  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        late[0].first = 2  # type: ignore[misc]
    single = [_Single(5) for _ in range(500)]
    assert len({hash(s) for s in single}) == 1 and len(set(single)) == 1


@record
class _Single:
    """One field."""

    value: int


def test_frozen_records_do_not_change_and_others_do() -> None:
    with pytest.raises(AttributeError, match="x = 3"):
        Point(1).x = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del Point(1).x
    first, second = Bag(), Bag()
    first.items.append(1)
    assert second.items == [] and first != second
    first.items = []
    assert first == second
    with pytest.raises(TypeError, match="unhashable"):
        hash(first)


def test_replaced_and_copied_records_are_equal_where_nothing_was_changed() -> None:
    value = Named(1, 5, "n", "a")
    assert replace(value, y=6) == Named(1, 6, "n", "a") and replace(value).note == "n"
    assert copy.deepcopy(value) == value and pickle.loads(pickle.dumps(value)) == value


def test_a_required_field_after_an_optional_one_is_refused() -> None:
    with pytest.raises(TypeError, match="without a default"):

        @record
        class Wrong:
            """Cannot be called by place."""

            a: int = 1
            b: int
