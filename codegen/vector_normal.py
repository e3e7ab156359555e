"""The upper tail of the normal distribution. In: an operand as in `vector_math`, at least 0; out: it times the share above it.

With t the argument and y = t / (t + ``shift``), that is exp(-t**2 / 2) times y times a function of y that varies little; a
polynomial around ``centre`` approximates it from 0 to where the result vanishes. What rounding took from the square, the
quotient, the sums and the product is computed with fused multiply-adds (Dekker, "A floating-point technique for extending the
available precision", 1971) and added at the end, so gelu is within 1.7 units where it comes from here.

The fits are minimax fits (Remez) of the relative error, computed for this file with 50-digit arithmetic; ``centre`` was chosen
among its neighbours so that the first three coefficients nearly are numbers of the type. Two polynomials, of even and odd powers,
wait for each other half as long as one.
"""

from __future__ import annotations

from weft.graph.record import record

from .vector_math import Maths, exp_parts


@record
class _Fit:
    """end: from here on the result is 0. value and tail: the polynomial; slope: roughly the derivative of y times it by t."""

    end: float
    shift: float
    centre: float
    value: float
    tail: tuple[float, ...]
    slope: tuple[float, ...]


_FITS = {
    "f32": _Fit(
        14.6, 2.5, 0.45710519, 0.74482763,
        (
            -0.91218686, 0.5155937, 0.11768481, -0.24699144, -0.0890925, 0.13162905, 0.10958345, -0.04851922, -0.08056554,
        ),
        (0.0835, -0.489, 0.73),
    ),
    "f64": _Fit(
        38.7, 3.5, 0.4533693280885731, 0.79999999999502,
        (
            -1.2549554994420693, 1.3949861454459815, -0.9754494767161292, 0.22379120360588176, 0.26107426875297435,
            -0.17844489116607098, -0.09892129939030442, 0.10078762908337402, 0.06492182611612161, -0.0522991729938855,
            -0.05659492098614723, 0.01739620581725233, 0.048598267252556025, 0.010199777344920958, -0.032907426182102024,
            -0.02843267582058905, 0.009504771107238926, 0.032424341407354076, 0.013433505871296568, -0.02206395151081719,
            -0.0225016242322444, 0.007205470171052824, 0.012609659857006244,
        ),
        (0.0361, -0.316, 0.973, -0.998),
    ),
}  # fmt: skip
_PEAK = 0.3989422917366028
"""1 / sqrt(2 pi)."""
_FAR_TAIL = (-0.39893723, 1.194998, -5.8061795, 33.73824, -163.37297, 409.7214)
"""(t exp(t**2 / 2) times the share above t - the peak) t**2 in 1 / t**2, from t = 3.5 to 14.6."""


def upper_tail(m: Maths, t: str) -> str:
    """t times the share above it, for t of at least 0; NaN for NaN."""
    fit = _FITS[m.short]
    shift, value = m.number(fit.shift), m.number(fit.value)
    t = m.select(m.compare("ogt", t, m.number(fit.end)), m.number(fit.end), t)
    real, n, r, growth = _exp_of_half_square(m, t)
    width = m.add(t, shift)
    y = m.div(t, width)
    minus = m.negate(y)
    lost = m.fma(minus, m.sub(t, m.sub(width, shift)), m.fma(minus, width, t))  # by the sum and the quotient, times the sum
    s = m.sub(y, m.number(fit.centre))
    square = m.mul(s, s)
    first, second, *others = fit.tail
    tail = m.fma(s, m.polynomial(square, others[1::2]), m.polynomial(square, others[::2]))
    tail = m.fma(s, m.fma(s, tail, m.number(second)), m.number(first))
    factor = m.fma(s, tail, value)
    product = m.mul(y, factor)
    rest = m.fma(y, m.fma(s, tail, m.sub(value, factor)), m.fma(y, factor, m.negate(product)))
    rest = m.fma(lost, m.polynomial(s, fit.slope), rest)
    rest = m.fma(product, r, m.fma(product, growth, m.fma(rest, r, rest)))
    return m.scale(m.add(product, rest), real, n)


def far_tail(m: Maths, t: str) -> str:
    """`upper_tail` of float32 from 3.5 on, in fewer instructions: little is missing at 1 / sqrt(2 pi) there."""
    end, peak = m.number(_FITS["f32"].end), m.number(_PEAK)
    t = m.select(m.compare("ogt", t, end), end, t)
    real, n, r, growth = _exp_of_half_square(m, t)
    inverse = m.div(m.number(1.0), m.mul(t, t))
    missing = m.mul(inverse, m.polynomial(inverse, _FAR_TAIL))
    return m.scale(m.add(peak, m.fma(m.add(peak, missing), m.add(r, growth), missing)), real, n)


def _exp_of_half_square(m: Maths, t: str) -> tuple[str, str, str, str]:
    """(n as a real, as an integer, r, g) with exp(-t**2 / 2) = 2**n (1 + r + g)."""
    square, half = m.mul(t, t), m.number(-0.5)
    lost = m.fma(t, t, m.negate(square))
    real, n, r, error = exp_parts(m, m.mul(square, half))
    error = m.fma(lost, half, error)
    second, tail = m.mul(r, r), m.polynomial(r, m.format.exp_tail)
    error = m.fma(error, m.fma(second, tail, r), error)
    return real, n, r, m.fma(second, tail, error)
