"""The op record itself: its fields, its canonical attributes, and the rules that families share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.graph.dims import Dim
from weft.graph.dtype import float32, int32
from weft.graph.errors import DTypeError, ShapeError
from weft.graph.families import Elementwise
from weft.graph.ir import ArrayType
from weft.graph.op import REGISTRY, DimConflict, broadcast_shapes, define, require_kind, require_same_dtype

shapes = st.lists(st.sampled_from([0, 1, 2, 3]), max_size=4).map(tuple)


@given(st.lists(shapes, min_size=1, max_size=3))
def test_broadcasting_is_numpys(given_shapes: list[tuple[int, ...]]) -> None:
    try:
        expected = np.broadcast_shapes(*given_shapes)
    except ValueError:
        with pytest.raises(ShapeError, match="cannot be broadcast"):
            broadcast_shapes(given_shapes, lambda: "")
    else:
        assert broadcast_shapes(given_shapes, lambda: "") == expected


def test_broadcasting_of_symbolic_sizes() -> None:
    n, m = Dim("n"), Dim("m")
    assert broadcast_shapes([(n, 1), (3,)], lambda: "") == (n, 3)
    assert broadcast_shapes([(1,), (n,), (n,)], lambda: "") == (n,)
    for other in (m, 2, n + 1):
        with pytest.raises(DimConflict, match="Received: these") as conflict:
            broadcast_shapes([(n,), (other,)], lambda: "these")
        assert conflict.value.sizes == (n, other)


def test_records_have_fixed_fields() -> None:
    with pytest.raises(TypeError, match="Missing or unknown: expr"):
        Elementwise(name="nothing")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Missing or unknown: colour"):
        Elementwise(name="nothing", expr="a", colour="red")  # type: ignore[call-arg]
    op = Elementwise(name="nothing", expr="a")
    assert (op.kinds, op.masks, op.attributes, op.samples()) == ("fiu", 0, {}, ())
    with pytest.raises(AttributeError, match="do not change"):
        op.expr = "b"  # type: ignore[misc]
    assert repr(op) == "<Op nothing>"
    assert "nothing" not in REGISTRY


def test_names_are_taken_once() -> None:
    with pytest.raises(ValueError, match="defined twice"):
        define(Elementwise(name="add", expr="a"))


def test_canonical_attributes_are_complete_and_in_order() -> None:
    pad = REGISTRY["pad"]
    given_attrs = {"interior": (0,), "high": (1,), "low": (2,)}
    assert list(pad.canonical(given_attrs).items()) == [("low", (2,)), ("high", (1,)), ("interior", (0,)), ("value", 0.0)]
    with pytest.raises(TypeError, match="pad needs the attribute low, high"):
        pad.canonical({"interior": (0,)})
    with pytest.raises(TypeError, match=r"add has no attribute axis\. It has: none"):
        REGISTRY["add"].canonical({"axis": 1})


def test_dtype_rules_name_the_arguments() -> None:
    add = REGISTRY["add"]
    types = (ArrayType(float32, (2,)), ArrayType(int32, ()))
    with pytest.raises(DTypeError, match=r"x: float32 \(2,\), y: int32 \(\)"):
        require_same_dtype(add, types)
    with pytest.raises(DTypeError, match="add takes floating tensors"):
        require_kind(add, types, "f")
