"""More own mathematics: erf, gelu, sin, cos, powers. In: operands as in `vector_math`; out: the functions' values.

erf without tables is a polynomial near 0 and 1 - 2**-q(x) elsewhere, q a polynomial; float64 uses the Chebyshev fits of
`graph.special`. sin and cos subtract multiples of pi/2 in three parts, and leave arguments beyond 2**16 to the C library, lane by
lane. gelu is computed by `vector_normal`, or by tables, which leave arguments below theirs to it, behind a branch too. A float32
power is computed as exp(y log x) in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from weft.graph.special import ERF_SMALL, ERFC_SCALED

from . import vector_inverses, vector_math
from .vector_math import Maths
from .vector_normal import far_tail, upper_tail
from .vector_tables import GELU_LAST, erf_by_tables, gelu_by_tables, has_tables

_ERF_TAIL = (0.12837917, -0.37612632, 0.112836875, -0.02685894, 0.0051999064, -0.0008130012, 8.3167724e-05)
"""erf(x) / x - 1 in x**2, up to x = 0.93."""
_ERFC_EXPONENT = (
    -0.00025201676, 1.6295456, 0.91372645, 0.15621515, -0.036239676, 0.006017573, -0.0006267974, 3.0433752e-05,
)  # fmt: skip
"""-log2(1 - erf(x)) in x, from 0.92 to 4."""
_EXP2_TAIL = (0.6931472, 0.24022648, 0.055503324, 0.009618437, 0.0013398875, 0.0001535336)
"""(2**f - 1) / f within half a unit."""
_HALF_PI = {
    "f32": (1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
    "f64": (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33),
}
"""In three parts of the type."""
_SIN_TAIL = {
    "f32": (-0.16666667, 0.008333329, -0.0001983929, 2.7178746e-06),
    "f64": tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(1, 9)),
}
"""(sin(r) / r - 1) / r**2."""
_COS_TAIL = {
    "f32": (0.041666668, -0.0013888883, 2.4799472e-05, -2.7206184e-07),
    "f64": tuple((-1) ** k / math.factorial(2 * k) for k in range(2, 10)),
}
"""(cos(r) - 1 + r**2 / 2) / r**4."""
_SMALL_ANGLE = 2.0**16


def erf(m: Maths, x: str) -> str:
    if m.short == "f64":
        return _erf_wide(m, x)
    if has_tables(m):
        return erf_by_tables(m, x)
    size = m.clamp(m.intrinsic("fabs", x), 0.0, 4.0)
    z = m.mul(size, size)
    small = m.fma(size, m.polynomial(z, _ERF_TAIL), size)
    exponent = m.negate(m.polynomial(size, _ERFC_EXPONENT))
    n, whole = m.nearest(exponent, 1.0)
    f = m.sub(exponent, n)
    power = m.power_of_two(whole)
    large = m.sub(m.number(1.0), m.fma(m.mul(power, f), m.polynomial(f, _EXP2_TAIL), power))
    return m.intrinsic("copysign", m.select(m.compare("olt", size, m.number(0.925)), small, large), x)


def gelu(m: Maths, x: str) -> str:
    """x times the share of the normal distribution below x: max(x, 0) minus abs(x) times the share above abs(x).

    NaN for -infinity, as the formula ``0.5 * x * (1 + erf(x * sqrt(0.5)))`` that eager mode computes.
    """
    size, zero = m.intrinsic("fabs", x), m.number(0.0)
    if has_tables(m):
        low = m.compare("olt", x, m.number(GELU_LAST))
        return _where_rare(m, low, gelu_by_tables(m, x), lambda: m.fma(x, zero, m.negate(far_tail(m, size))))
    positive = m.select(m.compare("olt", x, zero), m.mul(x, zero), x)  # keeps -0; NaN for -infinity
    return m.sub(positive, upper_tail(m, size))


def _erf_wide(m: Maths, x: str) -> str:
    one, three = m.number(1.0), m.number(3.0)
    size = m.clamp(m.intrinsic("fabs", x), 0.0, 6.0)
    small = m.fma(size, m.polynomial(m.mul(size, size), ERF_SMALL), size)
    scaled = m.polynomial(m.div(m.sub(size, three), m.add(size, three)), ERFC_SCALED)
    large = m.sub(one, m.mul(vector_math.exp(m, m.negate(m.mul(size, size))), scaled))
    return m.intrinsic("copysign", m.select(m.compare("olt", size, one), small, large), x)


def sin(m: Maths, x: str) -> str:
    return _circular(m, x, "sin", 0)


def cos(m: Maths, x: str) -> str:
    return _circular(m, x, "cos", 1)


def _circular(m: Maths, x: str, name: str, quarter: int) -> str:
    """sin(x + quarter * pi/2)."""
    n, whole = m.nearest(x, 2 / math.pi)
    r = x
    for part in _HALF_PI[m.short]:
        r = m.fma(n, m.number(-part), r)
    z = m.mul(r, r)
    sine = m.fma(m.mul(r, z), m.polynomial(z, _SIN_TAIL[m.short]), r)
    cosine = m.fma(m.mul(z, z), m.polynomial(z, _COS_TAIL[m.short]), m.fma(z, m.number(-0.5), m.number(1.0)))
    turns = m.op("add", whole, m.integer(quarter)) if quarter else whole
    swapped = m.code.let(f"trunc {m.whole} {turns} to {m.mask}")
    sign = m.op("shl", m.op("and", turns, m.integer(2)), m.integer(30 if m.short == "f32" else 62))
    value = m.select(swapped, cosine, sine)
    result = m.real_of_bits(m.op("xor", m.bits(value), sign))
    if not quarter:
        result = m.select(m.compare("oeq", x, m.number(0.0)), x, result)  # keeps -0
    return _beyond(m, x, result, name)


def _beyond(m: Maths, x: str, result: str, name: str) -> str:
    """The library's result in the lanes whose argument is large."""
    large = m.compare("oge", m.intrinsic("fabs", x), m.number(_SMALL_ANGLE))
    return _where_rare(m, large, result, lambda: _by_lane(m, x, name + ("f" if m.short == "f32" else "")))


def _where_rare(m: Maths, rare: str, usual: str, other: Callable[[], str]) -> str:
    """``other`` in the lanes of this mask, ``usual`` elsewhere; a branch around what is computed next to never."""
    code = m.code
    some = rare if m.lanes == 1 else code.call(f"llvm.vector.reduce.or.v{m.lanes}i1", "i1", (m.mask, rare))
    before, slow, after = code.block, code.fresh("rare"), code.fresh("usual")
    code.fork(some, slow, after)
    code.open(slow)
    chosen = m.select(rare, other(), usual)
    code.arrive(after)
    return code.let(f"phi {m.real} [{usual}, %{before}], [{chosen}, %{slow}]")


def _by_lane(m: Maths, x: str, function: str) -> str:
    code, scalar = m.code, m.format.scalar
    if m.lanes == 1:
        return code.call(function, scalar, (scalar, x))
    total = "poison"
    for lane in range(m.lanes):
        one = code.let(f"extractelement {m.real} {x}, i64 {lane}")
        value = code.call(function, scalar, (scalar, one))
        total = code.let(f"insertelement {m.real} {total}, {scalar} {value}, i64 {lane}")
    return total


def power(m: Maths, x: str, y: str) -> str:
    """x**y of float32: exp(y log abs(x)) in float64, with the special cases of IEEE 754."""
    wide = Maths(m.code, "f64", m.lanes)

    def extend(a: str) -> str:
        return m.code.let(f"fpext {m.real} {a} to {wide.real}")

    base, exponent = extend(m.intrinsic("fabs", x)), extend(y)
    product = wide.mul(exponent, vector_math.log(wide, base))
    large = vector_math.exp(wide, wide.clamp(product, -200.0, 200.0))
    result = m.code.let(f"fptrunc {wide.real} {large} to {m.real}")
    zero, one, half = m.number(0.0), m.number(1.0), m.number(0.5)
    integral = m.compare("oeq", m.intrinsic("floor", y), y)
    halved = m.mul(y, half)
    odd = m.code.let(f"and {m.mask} {integral}, {m.compare('one', m.intrinsic('floor', halved), halved)}")
    negative = m.intrinsic("copysign", result, m.select(odd, x, one))
    finite_base = m.compare("one", m.intrinsic("fabs", x), m.number(math.inf))
    below = m.code.let(f"and {m.mask} {m.compare('olt', x, zero)}, {finite_base}")
    invalid = m.code.let(f"and {m.mask} {below}, {m.compare('one', m.intrinsic('floor', y), y)}")
    result = m.select(invalid, m.number(math.nan), negative)
    minus_one = m.compare("oeq", x, m.number(-1.0))
    infinite = m.compare("oeq", m.intrinsic("fabs", y), m.number(math.inf))
    unit = m.either(m.compare("oeq", x, one), m.code.let(f"and {m.mask} {minus_one}, {infinite}"))
    return m.select(m.either(unit, m.compare("oeq", y, zero)), one, result)


UNARY: dict[str, Callable[[Maths, str], str]] = {
    **vector_math.FUNCTIONS,
    "erf": erf,
    "gelu": gelu,
    "sin": sin,
    "cos": cos,
    "inverse": vector_inverses.inverse,
    "rsqrt": vector_inverses.rsqrt,
}


def has_own(name: str, short: str) -> bool:
    """Whether the function is computed here in that float type; else the C library computes it, one element at a time."""
    return name in UNARY or (name == "power" and short == "f32")
