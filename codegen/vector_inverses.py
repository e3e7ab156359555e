"""Inverses without the processor's divider. In: operands as in `vector_math`; out: 1 / x and 1 / sqrt(x), within 1.1 units.

A division or a root keeps the divider busy for 8 to 12 cycles per vector of 16, one after the other; an optimizer's update would
do nothing but wait for it. AVX-512 has estimates to 14 bits, and one Newton step with fused multiply-adds makes 24 of them. For 0
and infinities the step gives NaN; the estimate is exact. The estimates' tables belong to the processor, so a last bit may differ
between models of CPUs; on one CPU it does not depend on the number of lanes.
"""

from __future__ import annotations

from collections.abc import Sequence

from .llvm_code import splat
from .vector_math import Maths

_LEAST, _WIDEST = 4, 16  # lanes of the instructions
_LIMITS_OF_ROOT = 8 << 20 | 6 << 8
"""Four bits per class of numbers: +infinity (class 5) has the inverse root 0 (8), a zero (class 2) infinity of its sign (6)."""


def _run(m: Maths, name: str, numbers: Sequence[str], *others: tuple[str, str]) -> str:
    """An instruction's result; numbers of fewer lanes are computed in the first lane of the narrowest vector."""
    lanes = max(m.lanes, _LEAST)
    wide = f"<{lanes} x float>"
    if m.lanes == 1:
        numbers = [m.code.let(f"insertelement {wide} zeroinitializer, float {x}, i64 0") for x in numbers]
    y = m.code.call(f"llvm.x86.avx512.{name}.ps.{32 * lanes}", wide, *((wide, x) for x in numbers), *others)
    return m.code.let(f"extractelement {wide} {y}, i64 0") if m.lanes == 1 else y


def _all_lanes(m: Maths) -> tuple[str, str]:
    return f"i{max(m.lanes, 8)}", "-1"


def _estimate(m: Maths, name: str, x: str) -> str:
    wide = f"<{max(m.lanes, _LEAST)} x float>"
    return _run(m, name, [x], (wide, "zeroinitializer"), _all_lanes(m))


def _correct(m: Maths, y: str, x: str, limits: int) -> str:
    """y, but for x of the classes that the limits name: one instruction instead of a comparison and a choice."""
    lanes = max(m.lanes, _LEAST)
    table = f"<{lanes} x i32>", splat("i32", str(limits), lanes)
    rounding = [("i32", "4")] if lanes == _WIDEST else []  # as it is set
    return _run(m, "mask.fixupimm", [y, x], table, ("i32", "0"), _all_lanes(m), *rounding)


def _has_estimate(m: Maths) -> bool:
    return m.code.avx512 and m.short == "f32" and m.lanes in (1, _LEAST, 8, _WIDEST)


def inverse(m: Maths, x: str) -> str:
    """1 / x."""
    one = m.number(1.0)
    if not _has_estimate(m):
        return m.div(one, x)
    y = _estimate(m, "rcp14", x)
    better = m.fma(y, m.fma(m.negate(x), y, one), y)
    return m.select(m.compare("ord", better, better), better, y)  # y is infinite for some subnormal numbers, too


def rsqrt(m: Maths, x: str) -> str:
    """1 / sqrt(x)."""
    if not _has_estimate(m):
        return m.div(m.number(1.0), m.intrinsic("sqrt", x))
    y = _estimate(m, "rsqrt14", x)
    half = m.mul(y, m.number(-0.5))
    return _correct(m, m.fma(y, m.fma(m.mul(x, y), half, m.number(0.5)), y), x, _LIMITS_OF_ROOT)
