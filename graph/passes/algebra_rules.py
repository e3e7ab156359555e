"""Algebraic identities of elementwise ops, as data. In the notation of ``pattern``; each with an executed example.

There are no rules such as ``x * 0 -> 0`` or ``x - x -> 0``: they are wrong for NaN and infinities; ``x + 0 -> x`` is for -0.
The canonical form they work towards: no negation below an op that can take it in, constants computed, the cheaper op.
"""

from __future__ import annotations

import numpy as np

from ..dtype import float32, float64, int32, int64, uint8
from ..rewrite import Exactness, Rule

NAN = Exactness.EXACT_EXCEPT_NAN
X = {"x": "f32[2,3]"}
XY = {"x": "f32[2,3]", "y": "f32[3]"}
INTS = {"x": "i32[2,3]", "y": "i32[3]"}
BOOLS = {"x": "b1[2,3]", "y": "b1[3]"}
CHOICE = {"c": "b1[3]", **XY}

NEUTRAL_ELEMENTS = (
    Rule("mul(x, 1)", "x", example=X),
    Rule("div(x, 1)", "x", example=X),
    Rule("floordiv(x, 1)", "x", where="x.dtype.is_integer", example=INTS),
    Rule("add(x, -0.0)", "x", example=X, why="-0, not 0: -0 + 0 is 0; for integers both are 0"),
    Rule("add(x, 0)", "x", where="never_minus_zero(x)", example={"x": "i32[2,3]"}),
    Rule("sub(x, 0)", "x", example=X, why="0, not -0: -0 - -0 is 0"),
    Rule("pow(x, 1)", "x", example=X, exactness=NAN),
    Rule("pow(x, 0)", "full(1)", example=X, why="also for NaN, as IEEE 754 has it"),
    Rule("logical_and(x, True)", "x", example=BOOLS),
    Rule("logical_or(x, False)", "x", example=BOOLS),
    Rule("logical_xor(x, False)", "x", example=BOOLS),
    Rule("logical_and(x, False)", "full(False)", example=BOOLS),
    Rule("logical_or(x, True)", "full(True)", example=BOOLS),
    Rule("logical_xor(x, True)", "logical_not(x)", example=BOOLS),
    Rule("logical_and(x, x)", "x", example=BOOLS),
    Rule("logical_or(x, x)", "x", example=BOOLS),
    Rule("maximum(x, x)", "x", example=X),
    Rule("minimum(x, x)", "x", example=X),
)

SIGNS = (
    Rule("neg(neg(x))", "x", example=X),
    Rule("mul(x, -1)", "neg(x)", example=X, exactness=NAN, where="not x.dtype.is_unsigned"),
    Rule("div(x, -1)", "neg(x)", example=X, exactness=NAN),
    Rule("add(x, neg(y))", "sub(x, y)", example=XY, exactness=NAN),
    Rule("sub(x, neg(y))", "add(x, y)", example=XY, exactness=NAN),
    Rule("mul(neg(x), neg(y))", "mul(x, y)", example=XY, exactness=NAN),
    Rule("div(neg(x), neg(y))", "div(x, y)", example=XY, exactness=NAN),
    Rule("mul(neg(x), k)", "mul(x, neg(k))", example={**X, "k": np.float32(0.3)}, exactness=NAN),
    Rule("div(neg(x), k)", "div(x, neg(k))", example={**X, "k": np.float32(0.3)}, exactness=NAN),
    Rule("neg(mul(x, k))", "mul(x, neg(k))", example={**X, "k": np.float32(0.3)}, exactness=NAN),
    Rule("neg(div(x, k))", "div(x, neg(k))", example={**X, "k": np.float32(0.3)}, exactness=NAN),
    Rule("neg(div(k, x))", "div(neg(k), x)", example={**X, "k": np.float32(0.3)}, exactness=NAN),
    Rule("abs(neg(x))", "abs(x)", example=X),
    Rule("abs(abs(x))", "abs(x)", example=X),
    Rule("square(neg(x))", "square(x)", example=X, exactness=NAN),
    Rule("square(abs(x))", "square(x)", example=X, exactness=NAN),
)

CHEAPER_OPS = (
    Rule("pow(x, 2)", "square(x)", example=X, exactness=NAN, why="one correctly rounded product"),
    Rule("pow(x, -1)", "reciprocal(x)", where="x.dtype.is_floating", example=X, exactness=NAN,
         why="one correctly rounded quotient"),
    Rule("mul(x, x)", "square(x)", example=X),
    Rule(
        "div(x, k)",
        "mul(x, reciprocal(k))",
        where="power_of_two(k)",
        example={**X, "k": np.array([8.0, -0.25, 1024.0], np.float32)},
        why="scaling by a power of two and by its reciprocal round the same real number",
    ),
)

INTEGERS = (
    Rule("add(add(x, k), k2)", "add(x, add(k, k2))", where="x.dtype.is_integer",
         example={"x": "i32[2,3]", "k": np.int32(2**31 - 1), "k2": np.int32(7)}, why="integers wrap"),
    Rule("mul(mul(x, k), k2)", "mul(x, mul(k, k2))", where="x.dtype.is_integer",
         example={"x": "i32[2,3]", "k": np.int32(2**20), "k2": np.int32(-7)}, why="integers wrap"),
)

LOGIC = (
    Rule("logical_not(logical_not(x))", "x", example=BOOLS),
    Rule("logical_not(equal(x, y))", "not_equal(x, y)", example=XY),
    Rule("logical_not(not_equal(x, y))", "equal(x, y)", example=XY),
    Rule("logical_not(less(x, y))", "greater_equal(x, y)", where="not x.dtype.is_floating", example=INTS, why="false for NaN"),
    Rule("logical_not(less_equal(x, y))", "greater(x, y)", where="not x.dtype.is_floating", example=INTS),
    Rule("logical_not(greater(x, y))", "less_equal(x, y)", where="not x.dtype.is_floating", example=INTS),
    Rule("logical_not(greater_equal(x, y))", "less(x, y)", where="not x.dtype.is_floating", example=INTS),
    Rule("where(True, x, y)", "x", example=XY),
    Rule("where(False, x, y)", "y", example=XY),
    Rule("where(c, x, x)", "x", example=CHOICE),
    Rule("where(logical_not(c), x, y)", "where(c, y, x)", example=CHOICE),
    Rule("where(c, k, k2)", "cast(c, dtype=root.dtype)", where="is_number(k, 1) and is_number(k2, 0)",
         example={"c": "b1[3]", "k": np.float32(1), "k2": np.float32(0)}),
    Rule("where(c, True, False)", "c", example={"c": "b1[3]"}),
    Rule("where(c, False, True)", "logical_not(c)", example={"c": "b1[3]"}),
)

CASTS = (
    Rule("cast(x, dtype=d)", "x", where="x.dtype is d", example={"x": "f32[3]", "d": float32}),
    Rule("cast(cast(x, dtype=d), dtype=e)", "cast(x, dtype=e)", where="same_after(x.dtype, d, e)",
         example={"x": "u8[3]", "d": float32, "e": int32}, why="nothing is lost on the way"),
    Rule("cast(where(c, k, k2), dtype=d)", "where(c, cast(k, dtype=d), cast(k2, dtype=d))",
         example={"c": "b1[3]", "k": np.int64(5), "k2": np.int64(-1), "d": float64}),
    Rule("not_equal(cast(x, dtype=d), 0)", "x", where="x.dtype.is_bool", example={"x": "b1[3]", "d": uint8}),
    Rule("equal(cast(x, dtype=d), 0)", "logical_not(x)", where="x.dtype.is_bool", example={"x": "b1[3]", "d": float32}),
    Rule("cast(dim_value(size=n, dtype=d), dtype=e)", "dim_value(size=n, dtype=e)", where="d in (i32, i64)",
         example={"n": 7, "d": int64, "e": float32}, why="a size fits every integer type it was asked for in"),
)

PASSED_ON = (
    Rule("identity(x)", "x", example=X),
    Rule("stop_gradient(x)", "x", example=X, why="gradients have been taken by now"),
)

ALGEBRA = (*PASSED_ON, *NEUTRAL_ELEMENTS, *SIGNS, *CHEAPER_OPS, *INTEGERS, *LOGIC, *CASTS)
