"""Inverses without the processor's divider. In: operands as in `vector_math`; out: 1 / x and 1 / sqrt(x), within 1.1 units.

A division or a root keeps the divider busy for 8 to 12 cycles per vector of 16, one after the other; an optimizer's update would
do nothing but wait for it. AVX-512 has estimates to 14 bits, and one Newton step with fused multiply-adds makes 24 of them. 0,
infinities and NaN, for which the step gives NaN, keep their estimate, which is exact. The estimates' tables belong to the
processor, so a last bit may differ between models of CPUs; on one CPU it does not depend on the number of lanes.
"""

from __future__ import annotations

from .vector_math import Maths

_LEAST = 4  # lanes of the narrowest estimate


def _estimate(m: Maths, name: str, x: str) -> str:
    """The instruction's result; numbers of fewer lanes are computed in the first lane of the narrowest vector."""
    lanes = max(m.lanes, _LEAST)
    wide = f"<{lanes} x float>"
    if m.lanes == 1:
        x = m.code.emit(f"insertelement {wide} zeroinitializer, float {x}, i64 0")
    args = ((wide, x), (wide, "zeroinitializer"), (f"i{max(lanes, 8)}", "-1"))
    y = m.code.call(f"llvm.x86.avx512.{name}.ps.{32 * lanes}", wide, *args)
    return m.code.emit(f"extractelement {wide} {y}, i64 0") if m.lanes == 1 else y


def _has_estimate(m: Maths) -> bool:
    return m.code.avx512 and m.short == "f32" and m.lanes in (1, _LEAST, 8, 16)


def _step(m: Maths, y: str, error: str) -> str:
    """y + y * error, or y where that is not a number."""
    better = m.fma(y, error, y)
    return m.select(m.compare("ord", better, better), better, y)


def inverse(m: Maths, x: str) -> str:
    """1 / x."""
    one = m.number(1.0)
    if not _has_estimate(m):
        return m.div(one, x)
    y = _estimate(m, "rcp14", x)
    return _step(m, y, m.fma(m.negate(x), y, one))


def rsqrt(m: Maths, x: str) -> str:
    """1 / sqrt(x)."""
    if not _has_estimate(m):
        return m.div(m.number(1.0), m.intrinsic("sqrt", x))
    y = _estimate(m, "rsqrt14", x)
    half = m.mul(y, m.number(-0.5))
    return _step(m, y, m.fma(m.mul(x, y), half, m.number(0.5)))
