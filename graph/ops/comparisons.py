"""Elementwise comparisons and tests; the result is bool and no gradient flows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..families import Elementwise
from ..op import Sample, define
from ..samples import binary, spread, unary


def _samples() -> list[Sample]:
    same = spread((4,))
    return [*binary(dtypes=(np.int32, np.int64, np.uint8))(), Sample((same, same.copy()))]


def _equality_samples() -> list[Sample]:
    return [*_samples(), Sample((np.array([True, False]), np.array([[True], [False]])))]


def _compare(name: str, symbol: str, numpy: Any, doc: str) -> None:
    whole = symbol in ("==", "!=")
    define(
        Elementwise(
            name=name,
            params=("x", "y"),
            public=(name, f"math.{name}"),
            expr=f"a {symbol} b",
            kinds="fiub" if whole else "fiu",
            result="bool",
            numpy=numpy,
            samples=_equality_samples if whole else _samples,
            doc=doc,
        )
    )


_compare("equal", "==", np.equal, "Where ``x == y``.")
_compare("not_equal", "!=", np.not_equal, "Where ``x != y``.")
_compare("less", "<", np.less, "Where ``x < y``.")
_compare("less_equal", "<=", np.less_equal, "Where ``x <= y``.")
_compare("greater", ">", np.greater, "Where ``x > y``.")
_compare("greater_equal", ">=", np.greater_equal, "Where ``x >= y``.")


def _test(name: str, public: str, numpy: Any, doc: str) -> None:
    define(
        Elementwise(
            name=name,
            params=("x",),
            public=(public,),
            expr=f"{name}(a)",
            kinds="f",
            result="bool",
            numpy=numpy,
            samples=unary(),
            doc=doc,
        )
    )


_test("isnan", "math.is_nan", np.isnan, "Where ``x`` is NaN.")
_test("isinf", "math.is_inf", np.isinf, "Where ``x`` is infinite.")
_test("isfinite", "math.is_finite", np.isfinite, "Where ``x`` is neither infinite nor NaN.")
