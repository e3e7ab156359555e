"""erf by tables that lie in registers. In: an operand of float32 as in `vector_math`; out: erf(x) within 2 units.

AVX-512 looks sixteen numbers up in a register of sixteen with one instruction. So a polynomial per interval costs one instruction
more per coefficient than one for all, and is that much shorter: erf takes 17 instructions instead of 35.

Up to `_LAST` there are sixteen intervals around the multiples of 1 / `_PER_UNIT`. In each, with u the distance from its centre in
widths of the interval, erf is ``value + u * polynomial(u)``. The number of intervals per unit was chosen so that erf is nearly a
float32 number at every centre, and its slope at 0, which keeps their errors below a third of a unit: Gal, "Computing elementary
functions: a new approach for achieving high accuracy and good performance" (1986). The polynomials fit the relative error, each
coefficient rounded before the next was fitted; the last one rises to 1. Near 0, where the rounding of u, of the polynomial and of
their product add up, the error is 1.93 units; beyond 0.4 it is below one.
"""

from __future__ import annotations

from .vector_math import Maths

_ENTRIES = 16
_PER_UNIT = 3.7919855
_LAST = 4.0875683
_VALUES = (
    0.0, 0.29081288, 0.5442698, 0.73679334, 0.86424637, 0.93778217, 0.9747586, 0.9909626, 0.9971511, 0.9992107, 0.99980813,
    0.9999591, 0.9999924, 0.99999875, 0.9999998, 1.0,
)  # fmt: skip
_COEFFICIENTS = (
    (
        0.29756948, 0.27757823, 0.22530778, 0.15913321, 0.09780013, 0.05230122, 0.024337623, 0.009854585, 0.0034721014,
        0.001064487, 0.00028397646, 6.592018e-05, 1.3315229e-05, 2.340309e-06, 3.579253e-07, 6.4632836e-08,
    ),
    (
        -8.392768e-09, -0.019303776, -0.03133757, -0.033200387, -0.027206317, -0.018186644, -0.010155813, -0.004797739,
        -0.0019319206, -0.00066592277, -0.00019759449, -5.0336526e-05, -1.1081081e-05, -2.0090024e-06, -3.3037347e-07,
        -2.6822207e-07,
    ),
    (
        -0.006898257, -0.005540468, -0.0023174884, 0.0009289126, 0.0027781846, 0.0030035349, 0.002260854, 0.0013285305,
        0.0006360164, 0.00025333773, 8.497762e-05, 2.4187908e-05, 5.8725245e-06, 1.2206167e-06, 2.1779049e-07,
        3.342739e-08,
    ),
    (
        8.979903e-07, 0.00063506805, 0.0008815952, 0.0006694811, 0.00024586526, -9.80968e-05, -0.00023344885,
        -0.00021051712, -0.00013171174, -6.5219414e-05, -2.483615e-05, -8.471153e-06, -2.326504e-06, -8.547452e-07,
        -1.5836227e-07, 6.825272e-07,
    ),
    (
        0.00014194375, 9.971579e-05, 2.5691355e-07, -7.50083e-05, -8.4505635e-05, -4.875214e-05, -7.916627e-06,
        1.3409521e-05, 1.6063628e-05, 1.0699957e-05, 5.19989e-06, 1.9883398e-06, 6.186766e-07, 1.5954414e-07,
        3.44896e-08, 6.2970966e-09,
    ),
)  # fmt: skip


def has_tables(m: Maths) -> bool:
    return m.code.avx512 and m.short == "f32" and m.lanes <= _ENTRIES


def erf_by_tables(m: Maths, x: str) -> str:
    """NaN stays NaN: whatever it finds in the tables, u is NaN."""
    size = m.intrinsic("fabs", x)
    size = m.select(m.compare("ogt", size, m.number(_LAST)), m.number(_LAST), size)
    places = m.number(_PER_UNIT)
    magic = 1.5 * 2.0**m.format.mantissa  # rounds to an integer, which the low bits then hold
    shifted = m.fma(size, places, m.number(magic))
    u = m.fma(size, places, m.negate(m.sub(shifted, m.number(magic))))
    index = _in_first_lanes(m, m.bits(shifted), "i32")
    total = _look_up(m, _COEFFICIENTS[-1], index)
    for table in (*_COEFFICIENTS[-2::-1], _VALUES):
        total = m.fma(total, u, _look_up(m, table, index))
    return m.intrinsic("copysign", total, x)


def _in_first_lanes(m: Maths, value: str, scalar: str) -> str:
    """The lanes of a vector or number as the first of sixteen."""
    if m.lanes == 1:
        return m.code.emit(f"insertelement <{_ENTRIES} x {scalar}> zeroinitializer, {scalar} {value}, i64 0")
    if m.lanes == _ENTRIES:
        return value
    kind = f"<{m.lanes} x {scalar}>"
    order = ", ".join(f"i32 {i % m.lanes}" for i in range(_ENTRIES))
    return m.code.emit(f"shufflevector {kind} {value}, {kind} poison, <{_ENTRIES} x i32> <{order}>")


def _look_up(m: Maths, table: tuple[float, ...], index: str) -> str:
    """The table's numbers at the places that the low four bits of the lanes of ``index`` say."""
    wide = f"<{_ENTRIES} x {m.format.scalar}>"
    numbers = ", ".join(f"{m.format.scalar} {m.constant(value)}" for value in table)
    found = m.code.call("llvm.x86.avx512.permvar.sf.512", wide, (wide, f"<{numbers}>"), (f"<{_ENTRIES} x i32>", index))
    if m.lanes == 1:
        return m.code.emit(f"extractelement {wide} {found}, i64 0")
    if m.lanes == _ENTRIES:
        return found
    order = ", ".join(f"i32 {i}" for i in range(m.lanes))
    return m.code.emit(f"shufflevector {wide} {found}, {wide} poison, <{m.lanes} x i32> <{order}>")
