"""Own mathematics as LLVM instructions over scalars or vectors. In: an operand of float32 or float64; out: the function's value.

Everything is computed in the type itself, without branches and with fused multiply-adds, so scalar and vector code give the same
bits on every CPU. Errors are below 2 units in the last place (tested over all exponents); NaN, infinities, -0.0 and subnormal
numbers come out as IEEE 754 wants them.

Methods: exp and expm1 reduce by multiples of log 2 (Cody and Waite) and use a polynomial; log and log1p reduce to a mantissa
within sqrt(1/2) .. sqrt(2); tanh is a polynomial near 0 and 1 - 2 / (exp(2x) + 1) elsewhere. See Muller, "Elementary Functions",
chapters 5 and 11. The polynomials are near-minimax fits computed for this file with 40-digit arithmetic.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence

from weft.graph.record import record

from .llvm_code import Code, real_text, splat, suffix, vector_type


@record
class Format:
    """A float type and the numbers that its functions need. exp_tail: (e**r - 1 - r) / r**2.
    tanh_tail: (tanh(x) / x - 1) / x**2.
    """

    scalar: str
    integer: str
    mantissa: int
    bias: int
    exp_low: float
    exp_high: float
    log2_high: float  # few enough bits that its multiples are exact
    log2_low: float
    exp_tail: tuple[float, ...]
    tiny: float  # below it expm1(x), log1p(x) and tanh(x) are x
    root_half: int  # the bits of sqrt(1/2)
    tanh_one: float  # from here on tanh is 1
    tanh_tail: tuple[float, ...]


F32 = Format(
    "float", "i32", 23, 127, -104.0, 89.0, 0.693359375, -0.00021219444,
    (0.49999997, 0.16666543, 0.0416672, 0.008366581, 0.0013882504), 2.0**-25, 0x3F3504F3, 10.0,
    (-0.3333333, 0.1333321, -0.053947203, 0.021702968, -0.008182674, 0.002147537),
)  # fmt: skip
F64 = Format(
    "double", "i64", 52, 1023, -746.0, 710.0, 6.93147180369123816490e-01, 1.90821492927058770002e-10,
    (
        0.5, 0.1666666666666667, 0.041666666666666685, 0.008333333333326082, 0.0013888888888874294, 0.0001984126987500567,
        2.4801587347587177e-05, 2.7557255166245233e-06, 2.7557252673292366e-07, 2.5105314116534945e-08, 2.092167017912071e-09,
    ), 2.0**-54, 0x3FE6A09E667F3BCD, 20.0,
    (
        -0.3333333333333333, 0.13333333333333042, -0.05396825396789699, 0.021869488519008305, -0.008863235103240876,
        0.00359212175115494, -0.0014557754120476563, 0.0005896606577750512, -0.0002375906496036916, 9.257116129222444e-05,
        -3.1201101422379936e-05, 6.4851634812740255e-06,
    ),
)  # fmt: skip
FORMATS = {"f32": F32, "f64": F64}

_LOG_TAIL = (0.33333313, -0.2500001, 0.20002119, -0.16667996, 0.14219551, -0.12405592, 0.11888178, -0.11675639, 0.06746592)
"""(log(1 + f) - f + f**2 / 2) / f**3 for float32."""
_ATANH_TAIL = (
    0.6666666666666665, 0.40000000000026004, 0.28571428563863466, 0.22222223537162736, 0.1818169666996644, 0.15390611273230811,
    0.13175530217933035, 0.13840016963112362,
)  # fmt: skip
"""(2 atanh(s) / s - 2) / s**2 for float64."""


class Maths:
    """Instructions over one float type with a fixed number of lanes. Operands and results are LLVM texts."""

    def __init__(self, code: Code, short: str, lanes: int = 1) -> None:
        self.code, self.short, self.lanes = code, short, lanes
        self.format = FORMATS[short]
        self.real = vector_type(self.format.scalar, lanes)
        self.whole = vector_type(self.format.integer, lanes)
        self.mask = vector_type("i1", lanes)

    def constant(self, value: float) -> str:
        """The nearest number of the type."""
        return real_text(_rounded(value, self.short))

    def number(self, value: float) -> str:
        return splat(self.format.scalar, self.constant(value), self.lanes)

    def integer(self, value: int) -> str:
        return splat(self.format.integer, str(value), self.lanes)

    def intrinsic(self, name: str, *args: str) -> str:
        function = f"llvm.{name}.{suffix(self.format.scalar, self.lanes)}"
        return self.code.call(function, self.real, *((self.real, a) for a in args))

    def op(self, opcode: str, a: str, b: str) -> str:
        kind = self.real if opcode[0] == "f" else self.whole
        return self.code.let(f"{opcode} {kind} {a}, {b}")

    def add(self, a: str, b: str) -> str:
        return self.op("fadd", a, b)

    def sub(self, a: str, b: str) -> str:
        return self.op("fsub", a, b)

    def mul(self, a: str, b: str) -> str:
        return self.op("fmul", a, b)

    def div(self, a: str, b: str) -> str:
        return self.op("fdiv", a, b)

    def fma(self, a: str, b: str, c: str) -> str:
        return self.intrinsic("fma", a, b, c)

    def negate(self, a: str) -> str:
        return self.code.let(f"fneg {self.real} {a}")

    def compare(self, how: str, a: str, b: str) -> str:
        return self.code.let(f"fcmp {how} {self.real} {a}, {b}")

    def either(self, a: str, b: str) -> str:
        return self.code.let(f"or {self.mask} {a}, {b}")

    def select(self, mask: str, a: str, b: str) -> str:
        return self.code.let(f"select {self.mask} {mask}, {self.real} {a}, {self.real} {b}")

    def bits(self, a: str) -> str:
        return self.code.let(f"bitcast {self.real} {a} to {self.whole}")

    def real_of_bits(self, a: str) -> str:
        return self.code.let(f"bitcast {self.whole} {a} to {self.real}")

    def to_real(self, a: str) -> str:
        return self.code.let(f"sitofp {self.whole} {a} to {self.real}")

    def polynomial(self, x: str, coefficients: Sequence[float]) -> str:
        """Horner's scheme; the constant term comes first."""
        total = self.number(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            total = self.fma(total, x, self.number(c))
        return total

    def clamp(self, x: str, low: float, high: float) -> str:
        """x within the limits; NaN stays NaN."""
        x = self.select(self.compare("ogt", x, self.number(high)), self.number(high), x)
        return self.select(self.compare("olt", x, self.number(low)), self.number(low), x)

    def power_of_two(self, n: str) -> str:
        """2**n as a normal number."""
        biased = self.op("add", n, self.integer(self.format.bias))
        return self.real_of_bits(self.op("shl", biased, self.integer(self.format.mantissa)))

    def nearest(self, x: str, factor: float) -> tuple[str, str]:
        """The integer nearest to x * factor, as a real number and as an integer, where that is less than 2**(mantissa - 1); any
        integer for NaN.

        Adding 1.5 * 2**mantissa rounds and leaves the integer in the low bits: no conversion, which NaN would make undefined.
        """
        magic = 1.5 * 2.0**self.format.mantissa
        shifted = self.fma(x, self.number(factor), self.number(magic))
        start = (self.format.bias + self.format.mantissa << self.format.mantissa) + (1 << self.format.mantissa - 1)
        return self.sub(shifted, self.number(magic)), self.op("sub", self.bits(shifted), self.integer(start))

    def scale(self, x: str, real: str, n: str) -> str:
        """x * 2**n with one rounding, also where the result is subnormal or infinite. n is given as a real and as an integer."""
        if self.code.avx512 and self.lanes == {"f32": 16, "f64": 8}[self.short]:  # one instruction for eight, the same result
            args = [(self.real, x), (self.real, real), (self.real, "zeroinitializer"), (f"i{self.lanes}", "-1"), ("i32", "4")]
            return self.code.call(f"llvm.x86.avx512.mask.scalef.p{'sd'[self.short == 'f64']}.512", self.real, *args)
        half = self.op("ashr", n, self.integer(1))
        return self.mul(self.mul(x, self.power_of_two(half)), self.power_of_two(self.op("sub", n, half)))


def _rounded(value: float, short: str) -> float:
    if short == "f64" or not math.isfinite(value):
        return value
    return float(struct.unpack("f", struct.pack("f", value))[0])


def exp_parts(m: Maths, x: str) -> tuple[str, str, str, str]:
    """(n as a real, as an integer, r, r's rounding error) with x = n log 2 + r and abs(r) <= log(2) / 2."""
    f = m.format
    n, whole = m.nearest(x, 1 / math.log(2))
    high = m.fma(n, m.number(-f.log2_high), x)
    r = m.fma(n, m.number(-f.log2_low), high)
    error = m.fma(n, m.number(-f.log2_low), m.sub(high, r))
    return n, whole, r, error


def exp(m: Maths, x: str, careful: bool = False) -> str:
    """careful: with the rounding error of the reduction, for functions that add their own."""
    x = m.clamp(x, m.format.exp_low, m.format.exp_high)
    real, n, r, error = exp_parts(m, x)
    one = m.number(1.0)
    if careful:
        total = m.add(m.add(r, m.fma(m.mul(r, r), m.polynomial(r, m.format.exp_tail), error)), one)
    else:
        total = m.polynomial(r, (1.0, 1.0, *m.format.exp_tail))
    return m.scale(total, real, n)


def sigmoid(m: Maths, x: str) -> str:
    """exp(min(x, 0)) / (1 + exp(-abs(x))): neither overflows, and small results keep their digits.

    The quotient takes up what rounding took from the sum and from itself; 1.46 - total / 2 is close enough to 1 / total for that.
    """
    size = m.intrinsic("fabs", x)
    e = exp(m, m.negate(size), careful=True)
    one = m.number(1.0)
    total = m.add(one, e)
    lost = m.sub(e, m.sub(total, one))
    top = m.select(m.compare("olt", x, m.number(0.0)), e, one)
    quotient = m.div(top, total)
    minus = m.negate(quotient)
    rest = m.fma(minus, lost, m.fma(minus, total, top))
    return m.fma(rest, m.fma(total, m.number(-0.5), m.number(1.46)), quotient)


def expm1(m: Maths, x: str) -> str:
    """2**n expm1(r) + (2**n - 1), computed at half size, so that 2**n does not overflow before the result does."""
    inside = m.clamp(x, m.format.exp_low, m.format.exp_high)
    _, n, r, error = exp_parts(m, inside)
    tail = m.add(r, m.fma(m.mul(r, r), m.polynomial(r, m.format.exp_tail), m.fma(error, r, error)))
    half = m.power_of_two(m.op("sub", n, m.integer(1)))
    bounded = m.select(m.compare("olt", inside, m.number(-60.0)), m.number(0.0), half)  # there 2**n may be subnormal
    result = m.mul(m.fma(bounded, tail, m.sub(bounded, m.number(0.5))), m.number(2.0))
    return m.select(m.compare("olt", m.intrinsic("fabs", x), m.number(m.format.tiny)), x, result)


def _log_core(m: Maths, x: str, lost: str = "") -> str:
    """log of a positive number, subnormal ones included; lost: what rounding took from x, over x."""
    f = m.format
    subnormal = m.compare("olt", x, m.number(2.0 ** (1 - f.bias)))
    x = m.select(subnormal, m.mul(x, m.number(2.0**f.mantissa)), x)
    bits = m.bits(x)
    n = m.op("ashr", m.op("sub", bits, m.integer(f.root_half)), m.integer(f.mantissa))
    mantissa = m.real_of_bits(m.op("sub", bits, m.op("shl", n, m.integer(f.mantissa))))
    exponent = m.to_real(n)
    exponent = m.select(subnormal, m.sub(exponent, m.number(float(f.mantissa))), exponent)
    r = m.sub(mantissa, m.number(1.0))
    small = m.mul(exponent, m.number(f.log2_low))
    if lost:
        small = m.add(small, lost)
    if m.short == "f32":
        square = m.mul(r, r)
        tail = m.fma(m.mul(r, square), m.polynomial(r, _LOG_TAIL), small)
        low = m.fma(square, m.number(-0.5), tail)
    else:
        half_square = m.mul(m.mul(r, r), m.number(0.5))
        s = m.div(r, m.add(r, m.number(2.0)))
        z = m.mul(s, s)
        series = m.mul(z, m.polynomial(z, _ATANH_TAIL))
        low = m.sub(m.fma(s, m.add(half_square, series), small), half_square)
    return m.fma(exponent, m.number(f.log2_high), m.add(r, low))


def _log_special(m: Maths, x: str, result: str, pole: float) -> str:
    """NaN below the pole, -infinity at it, infinity at infinity, NaN for NaN."""
    outside = m.select(m.compare("oeq", x, m.number(pole)), m.number(-math.inf), m.number(math.nan))
    result = m.select(m.compare("ogt", x, m.number(pole)), result, outside)
    return m.select(m.compare("oeq", x, m.number(math.inf)), x, result)


def log(m: Maths, x: str) -> str:
    return _log_special(m, x, _log_core(m, x), 0.0)


def log1p(m: Maths, x: str) -> str:
    """log(1 + x), with what the addition lost added to the logarithm."""
    one = m.number(1.0)
    total = m.add(one, x)
    larger = m.compare("ogt", x, one)
    lost_one = m.sub(one, m.sub(total, x))  # exact if x is the larger summand
    lost_x = m.sub(x, m.sub(total, one))
    lost = m.select(larger, lost_one, lost_x)

    result = _log_special(m, x, _log_core(m, total, m.div(lost, total)), -1.0)
    return m.select(m.compare("olt", m.intrinsic("fabs", x), m.number(m.format.tiny)), x, result)


def tanh(m: Maths, x: str) -> str:
    size = m.clamp(m.intrinsic("fabs", x), 0.0, m.format.tanh_one)
    _, n, r, _ = exp_parts(m, m.add(size, size))
    power = m.power_of_two(n)
    tail = m.fma(m.mul(r, r), m.polynomial(r, m.format.exp_tail), r)
    above_one = m.add(m.fma(power, tail, power), m.number(1.0))
    large = m.sub(m.number(1.0), m.div(m.number(2.0), above_one))
    z = m.mul(size, size)
    small = m.fma(m.mul(size, z), m.polynomial(z, m.format.tanh_tail), size)
    result = m.select(m.compare("olt", size, m.number(0.625)), small, large)
    return m.intrinsic("copysign", result, x)


FUNCTIONS: dict[str, Callable[[Maths, str], str]] = {
    "exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "sigmoid": sigmoid, "tanh": tanh,
}  # fmt: skip
