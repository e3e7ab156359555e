"""erf and gelu by tables that lie in registers. In: an operand of float32 as in `vector_math`; out: the function's value.

AVX-512 looks sixteen numbers up in a register with one instruction, or thirty-two in two registers. So a polynomial per interval
costs one instruction more per coefficient than one for all, and is that much shorter: erf takes 17 instructions instead of 35,
gelu 18 instead of 39, and a test for arguments that its table does not reach.

There are as many intervals as entries, around multiples of 1 / ``per_unit``. In each, with u the distance from its centre in
widths of the interval, the function is ``value + u * polynomial(u)``. The number of intervals per unit was chosen so that the
function is nearly a float32 number at every centre, which keeps that error to a third of a unit: Gal, "Computing elementary
functions: a new approach for achieving high accuracy and good performance" (1986). The polynomials fit the relative error, each
coefficient rounded before the next was fitted.

erf: the slope at 0 is nearly a float32 number as well, and the last polynomial rises to 1. Near 0, where the rounding of u, of
the polynomial and of their product add up, the error is 1.96 units; beyond 0.4 it is below one.

gelu is ``max(x, 0) - abs(x) * q``, q the share of the normal distribution above abs(x). Nothing cancels: the error is below 2
units from `GELU_LAST` upwards, where ``0.5 * x * (1 + erf(x * sqrt(0.5)))`` has hundreds. Below, where q itself loses its digits,
the caller computes the function otherwise.
"""

from __future__ import annotations

from weft.graph.record import record

from .vector_math import Maths

_ENTRIES = 16
GELU_LAST = -3.5
"""The least argument for which `gelu_by_tables` is precise."""


@record
class _Table:
    """The intervals of a function of abs(x). last: larger arguments are taken for it. coefficients: of u, u squared ..."""

    per_unit: float
    last: float
    values: tuple[float, ...]
    coefficients: tuple[tuple[float, ...], ...]


_ERF = _Table(
    3.7919855, 4.0875683,
    (
        0.0, 0.29081288, 0.5442698, 0.73679334, 0.86424637, 0.93778217, 0.9747586, 0.9909626, 0.9971511, 0.9992107,
        0.99980813, 0.9999591, 0.9999924, 0.99999875, 0.9999998, 1.0,
    ),
    (
        (
            0.29756948, 0.27757823, 0.22530778, 0.15913321, 0.09780013, 0.05230122, 0.024337623, 0.009854585,
            0.0034721014, 0.001064487, 0.00028397646, 6.592018e-05, 1.3315229e-05, 2.340309e-06, 3.579253e-07,
            6.4632836e-08,
        ),
        (
            -8.392768e-09, -0.019303776, -0.03133757, -0.033200387, -0.027206317, -0.018186644, -0.010155813,
            -0.004797739, -0.0019319206, -0.00066592277, -0.00019759449, -5.0336526e-05, -1.1081081e-05,
            -2.0090024e-06, -3.3037347e-07, -2.6822207e-07,
        ),
        (
            -0.006898257, -0.005540468, -0.0023174884, 0.0009289126, 0.0027781846, 0.0030035349, 0.002260854,
            0.0013285305, 0.0006360164, 0.00025333773, 8.497762e-05, 2.4187908e-05, 5.8725245e-06, 1.2206167e-06,
            2.1779049e-07, 3.342739e-08,
        ),
        (
            8.979903e-07, 0.00063506805, 0.0008815952, 0.0006694811, 0.00024586526, -9.80968e-05, -0.00023344885,
            -0.00021051712, -0.00013171174, -6.5219414e-05, -2.483615e-05, -8.471153e-06, -2.326504e-06,
            -8.547452e-07, -1.5836227e-07, 6.825272e-07,
        ),
        (
            0.00014194375, 9.971579e-05, 2.5691355e-07, -7.50083e-05, -8.4505635e-05, -4.875214e-05, -7.916627e-06,
            1.3409521e-05, 1.6063628e-05, 1.0699957e-05, 5.19989e-06, 1.9883398e-06, 6.186766e-07, 1.5954414e-07,
            3.44896e-08, 6.2970966e-09,
        ),
    ),
)  # fmt: skip
_UPPER_TAIL = _Table(
    5.421274, 5.7643275,
    (
        0.5, 0.4268269, 0.3560948, 0.29000318, 0.23030768, 0.17818804, 0.13420083, 0.098315544, 0.07001654, 0.04844452,
        0.03254898, 0.02122694, 0.013431536, 0.008243327, 0.0049055233, 0.0028298034, 0.0015820141, 0.0008569472,
        0.00044968008, 0.00022855148, 0.000112493595, 5.36135e-05, 2.4738214e-05, 1.1049958e-05, 4.7775584e-06,
        1.9992335e-06, 8.096475e-07, 3.172994e-07, 1.2032397e-07, 4.414853e-08, 1.5672388e-08, 2.9902676e-09,
    ),
    (
        (
            -0.07358829, -0.072346956, -0.0687472, -0.06314121, -0.056052368, -0.04809481, -0.039886467,
            -0.031972464, -0.024771359, -0.018550118, -0.01342662, -0.00939312, -0.0063514994, -0.004151124,
            -0.0026222758, -0.0016010844, -0.00094487244, -0.00053895847, -0.00029713966, -0.00015833942,
            -8.155313e-05, -4.0599003e-05, -1.9534995e-05, -9.085197e-06, -4.0839323e-06, -1.7743766e-06,
            -7.4513724e-07, -3.0244743e-07, -1.1865515e-07, -4.4993154e-08, -1.6490329e-08, -1.2813726e-08,
        ),
        (
            3.7467522e-08, 0.0012308563, 0.00233916, 0.003222482, 0.0038144297, 0.0040910016, 0.0040713702,
            0.0038075098, 0.0033713807, 0.002840253, 0.0022842071, 0.0017578033, 0.0012966517, 0.0009180735,
            0.0006245606, 0.00040857572, 0.0002571943, 0.00015587315, 9.0991096e-05, 5.118096e-05, 2.7748254e-05,
            1.4504388e-05, 7.3113624e-06, 3.5548687e-06, 1.6674368e-06, 7.54649e-07, 3.29584e-07, 1.3892068e-07,
            5.6519156e-08, 2.2196907e-08, 8.415809e-09, 2.5266804e-09,
        ),
        (
            0.0004171082, 0.00039627508, 0.0003367933, 0.0002484198, 0.00014479634, 4.0759638e-05, -5.0871207e-05,
            -0.00012098084, -0.00016541351, -0.00018471995, -0.00018293335, -0.00016603418, -0.000140449,
            -0.00011182359, -8.4300256e-05, -6.0429054e-05, -4.1314288e-05, -2.6997905e-05, -1.689101e-05,
            -1.0131488e-05, -5.832022e-06, -3.2245684e-06, -1.7136483e-06, -8.758721e-07, -4.3076636e-07,
            -2.0394346e-07, -9.2980265e-08, -4.083434e-08, -1.7280067e-08, -7.047674e-09, -2.7709484e-09,
            4.2976525e-09,
        ),
        (
            4.2654025e-07, -1.05153385e-05, -1.909992e-05, -2.4321713e-05, -2.67626e-05, -2.47321e-05,
            -2.0372832e-05, -1.4373892e-05, -7.8856965e-06, -1.98919e-06, 2.5667932e-06, 5.5479913e-06,
            6.986488e-06, 7.144181e-06, 6.489252e-06, 5.3929407e-06, 4.16335e-06, 3.0220353e-06, 2.0732189e-06,
            1.3495751e-06, 8.3674274e-07, 4.95101e-07, 2.802267e-07, 1.51821e-07, 7.885851e-08, 3.929289e-08,
            1.8805823e-08, 8.648529e-09, 3.8232235e-09, 1.6257447e-09, 6.651873e-10, -3.4656504e-09,
        ),
        (
            -2.4516453e-06, -1.8508287e-06, -1.4501454e-06, -7.895073e-07, 6.051589e-08, 5.754225e-07,
            1.0939789e-06, 1.3198708e-06, 1.2493632e-06, 1.0529955e-06, 7.791096e-07, 4.3332068e-07, 1.2426518e-07,
            -5.5477827e-08, -1.8431913e-07, -2.4280658e-07, -2.406365e-07, -2.0954215e-07, -1.6681356e-07,
            -1.2151722e-07, -8.3129166e-08, -5.3510767e-08, -3.276989e-08, -1.901695e-08, -1.0505578e-08,
            -5.533532e-09, -2.7935032e-09, -1.3511431e-09, -6.2524946e-10, -2.7769553e-10, -1.182797e-10,
            1.6725789e-09,
        ),
    ),
)  # fmt: skip
"""The share of the normal distribution above an argument."""


def has_tables(m: Maths) -> bool:
    return m.code.avx512 and m.short == "f32" and m.lanes <= _ENTRIES


def erf_by_tables(m: Maths, x: str) -> str:
    return m.intrinsic("copysign", _evaluate(m, _ERF, _bounded(m, _ERF, x)), x)


def gelu_by_tables(m: Maths, x: str) -> str:
    size = _bounded(m, _UPPER_TAIL, x)
    zero = m.number(0.0)
    positive = m.select(m.compare("olt", x, zero), zero, x)  # keeps -0
    return m.fma(m.negate(size), _evaluate(m, _UPPER_TAIL, size), positive)


def _bounded(m: Maths, table: _Table, x: str) -> str:
    size = m.intrinsic("fabs", x)
    return m.select(m.compare("ogt", size, m.number(table.last)), m.number(table.last), size)


def _evaluate(m: Maths, table: _Table, size: str) -> str:
    """NaN stays NaN: whatever it finds in the tables, u is NaN."""
    places = m.number(table.per_unit)
    magic = 1.5 * 2.0**m.format.mantissa  # rounds to an integer, which the low bits then hold
    shifted = m.fma(size, places, m.number(magic))
    u = m.fma(size, places, m.negate(m.sub(shifted, m.number(magic))))
    index = _in_first_lanes(m, m.bits(shifted), m.format.integer)
    total = _look_up(m, table.coefficients[-1], index)
    for numbers in (*table.coefficients[-2::-1], table.values):
        total = m.fma(total, u, _look_up(m, numbers, index))
    return total


def _in_first_lanes(m: Maths, value: str, scalar: str) -> str:
    """The lanes of a vector or number as the first of sixteen."""
    if m.lanes == 1:
        return m.code.let(f"insertelement <{_ENTRIES} x {scalar}> zeroinitializer, {scalar} {value}, i64 0")
    if m.lanes == _ENTRIES:
        return value
    kind = f"<{m.lanes} x {scalar}>"
    order = ", ".join(f"i32 {i % m.lanes}" for i in range(_ENTRIES))
    return m.code.let(f"shufflevector {kind} {value}, {kind} poison, <{_ENTRIES} x i32> <{order}>")


def _look_up(m: Maths, table: tuple[float, ...], index: str) -> str:
    """The numbers at the places that the low bits of the lanes of ``index`` say: four bits for one register, five for two."""
    wide, places = f"<{_ENTRIES} x {m.format.scalar}>", (f"<{_ENTRIES} x {m.format.integer}>", index)
    numbers = [f"{m.format.scalar} {m.constant(value)}" for value in table]
    first, *second = ((wide, f"<{', '.join(numbers[i : i + _ENTRIES])}>") for i in range(0, len(numbers), _ENTRIES))
    if second:
        found = m.code.call("llvm.x86.avx512.vpermi2var.ps.512", wide, first, places, *second)
    else:
        found = m.code.call("llvm.x86.avx512.permvar.sf.512", wide, first, places)
    if m.lanes == 1:
        return m.code.let(f"extractelement {wide} {found}, i64 0")
    if m.lanes == _ENTRIES:
        return found
    order = ", ".join(f"i32 {i}" for i in range(m.lanes))
    return m.code.let(f"shufflevector {wide} {found}, {wide} poison, <{m.lanes} x i32> <{order}>")
