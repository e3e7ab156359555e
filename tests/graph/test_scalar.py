"""The scalar language: what parses, what is refused, how literals are typed."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from weft.graph.dtype import float16, float32, float64, int32
from weft.graph.quiet import quietly
from weft.graph.scalar import ARITY, FUNCTIONS, kernel, names_in, parse


def test_trees_are_cached_and_plain() -> None:
    tree = parse("where(a > 0.0, a, alpha * a)")
    assert parse("where(a > 0.0, a, alpha * a)") is tree
    assert isinstance(tree, ast.Call)
    assert names_in(tree) == ["a", "alpha"]
    assert names_in(parse("exp(b - a) / b")) == ["a", "b"]


@pytest.mark.parametrize(
    "expr",
    ["a if b else c", "a.T", "a[0]", "lambda: a", "0 < a < 1", "a and b", "not a", "open(a)", "exp(a, b)", "exp(x=a)", "'a'",
     "True", "1j", "a << b", "[a]", "where(a, b)", "(a := 1)", "exp(*a)"],
)  # fmt: skip
def test_everything_else_is_refused(expr: str) -> None:
    with pytest.raises(ValueError, match="not part of the scalar language"):
        parse(expr)


@pytest.mark.parametrize("dtype", [float16, float32, float64, int32])
def test_literals_take_the_dtype(dtype: object) -> None:
    function, names = kernel("where(a > 2, 1, 0) * (a + 3)", dtype)  # type: ignore[arg-type]
    assert names == ("a",)
    for a in (np.arange(4, dtype=dtype.np), np.asarray(3, dtype.np)):  # type: ignore[attr-defined]
        assert np.asarray(function(a)).dtype == dtype.np  # type: ignore[attr-defined]


def test_functions_have_an_arity() -> None:
    assert set(ARITY) == set(FUNCTIONS)
    for name, function in FUNCTIONS.items():
        arguments = [np.array([True])] * (name == "where") + [np.array([0.5])] * (ARITY[name] - (name == "where"))
        assert quietly(function, *arguments).shape == (1,)


def test_quiet_is_quiet_even_when_nested() -> None:
    def nested() -> float:
        return float(quietly(np.log, np.float32(0)) + np.log(np.float32(-1)))

    assert np.isnan(quietly(nested))
    assert quietly(np.divide, np.float32(1), np.float32(0)) == np.inf
    with pytest.raises(RuntimeWarning):
        np.log(np.float32(-1))
