"""Symbolic sizes: exact, canonical arithmetic."""

from __future__ import annotations

import pickle
from itertools import product as pairs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.graph.dims import Dim, Size, parse_size, product, size_value

N, M = Dim("n"), Dim("m")

sizes = st.recursive(
    st.one_of(st.integers(0, 9), st.sampled_from([N, M])),
    lambda inner: st.tuples(inner, inner, st.sampled_from("+*")).map(lambda t: t[0] + t[1] if t[2] == "+" else t[0] * t[1]),
    max_leaves=6,
)


@given(sizes, sizes, st.integers(0, 5), st.integers(0, 5))
def test_arithmetic_is_that_of_integers(a: Size, b: Size, n: int, m: int) -> None:
    known = {"n": n, "m": m}
    x, y = size_value(a, known), size_value(b, known)
    assert size_value(a + b, known) == x + y
    assert size_value(a * b, known) == x * y
    assert size_value(a - b, known) == x - y
    assert a + b == b + a
    assert a * b == b * a
    assert hash(a * b) == hash(b * a)
    assert a - a == 0
    assert parse_size(str(a - b)) == a - b


@given(sizes)
def test_text_round_trip(a: Size) -> None:
    assert parse_size(str(a)) == a
    assert pickle.loads(pickle.dumps(a)) == a


def test_constants_become_integers() -> None:
    assert isinstance(N - N + 3, int)
    assert N * 0 == 0
    assert N + 1 - 1 is not N
    assert N + 1 - 1 == 1 * N == N
    assert N != "n"


def test_division_is_exact_or_refused() -> None:
    assert (N * M * 6).divide(N * 2) == M * 3
    assert (N * 4 + M * 2) // 2 == N * 2 + M
    assert (N + 1).divide(N + 1) == 1
    assert N.divide(M) is None
    for divisor in (2, 0):
        with pytest.raises(ValueError, match="not a multiple"):
            N // divisor


def test_names_are_replaced_by_sizes_and_by_other_names() -> None:
    assert (N * 2 + M).substitute({"n": M}) == M * 3
    assert (N * 2 + M).substitute({"n": 3, "m": 1}) == 7
    assert (N * N).substitute({"n": N + 1}) == N * N + N * 2 + 1


def test_products_and_names() -> None:
    assert product([]) == 1
    assert product([N, 2, M]) == N * M * 2
    assert (N * M + 1).names == {"n", "m"}
    for a, b in pairs((N, M, 3), repeat=2):
        assert (a == b) == (str(a) == str(b))
    with pytest.raises(ValueError, match="identifier"):
        Dim("a b")
