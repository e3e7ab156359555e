"""The scalar functions of compiled kernels, as LLVM text that the vectoriser can widen. In: a name and a type; out: definitions.

LLVM has no vector versions of exp and its kin and calls the C library for each element, ten times slower. The float32 functions
here compute in float64: with relative errors below 1e-9 before the one rounding at the end, the result is the float32 nearest
to the true value but for about one argument in a thousand. They have no branches, so a loop that calls them becomes SIMD code.
float64 versions call the C library (correct to about 1 ulp).

Methods: reduction by multiples of log 2 and a Taylor polynomial (exp, expm1); atanh series of the reduced mantissa (log, log1p);
tanh from expm1; see Muller, "Elementary Functions", chapters 5 and 11.
"""

from __future__ import annotations

import functools
import math
import re
import struct
from collections.abc import Callable

_LLVM_TYPE = {"f32": "float", "f64": "double"}
_INTRINSICS = {
    "exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "sqrt": "sqrt", "floor": "floor", "ceil": "ceil",
    "round": "roundeven", "abs": "fabs", "maximum": "maximum", "minimum": "minimum",
}  # fmt: skip
_LIBRARY = (
    "expm1", "log1p", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "erf", "asinh", "acosh", "atanh",
)  # fmt: skip
_BINARY = ("maximum", "minimum", "atan2", "power")


def symbol_of(name: str, short: str) -> str:
    """The LLVM function for a scalar function on float32 (``f32``) or float64 (``f64``)."""
    return f"weft_{name}_{short}"


def number(value: float) -> str:
    """A double as LLVM text, exact."""
    return f"0x{struct.unpack('>Q', struct.pack('>d', value))[0]:016X}"


class Body:
    """Collects instructions; every method returns the name of the new value."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def emit(self, text: str) -> str:
        name = f"%v{len(self.lines)}"
        self.lines.append(f"  {name} = {text}")
        return name

    def op(self, opcode: str, a: str, b: str, kind: str = "double") -> str:
        return self.emit(f"{opcode} {kind} {a}, {b}")

    def add(self, a: str, b: str) -> str:
        return self.op("fadd", a, b)

    def sub(self, a: str, b: str) -> str:
        return self.op("fsub", a, b)

    def mul(self, a: str, b: str) -> str:
        return self.op("fmul", a, b)

    def div(self, a: str, b: str) -> str:
        return self.op("fdiv", a, b)

    def compare(self, how: str, a: str, b: str, kind: str = "double") -> str:
        return self.emit(f"{'fcmp' if kind in ('double', 'float') else 'icmp'} {how} {kind} {a}, {b}")

    def select(self, mask: str, a: str, b: str, kind: str = "double") -> str:
        return self.emit(f"select i1 {mask}, {kind} {a}, {kind} {b}")

    def cast(self, how: str, a: str, before: str, after: str) -> str:
        return self.emit(f"{how} {before} {a} to {after}")

    def call(self, function: str, *args: str, kind: str = "double") -> str:
        return self.emit(f"call {kind} @{function}({', '.join(f'{kind} {a}' for a in args)})")

    def polynomial(self, x: str, coefficients: list[float]) -> str:
        """Horner's scheme; the constant term comes first."""
        total = number(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            total = self.multiply_add(total, x, number(c))
        return total

    def multiply_add(self, a: str, b: str, c: str) -> str:
        """a * b + c, with one rounding where the processor has an instruction for it."""
        return self.call("llvm.fmuladd.f64", a, b, c)

    def clamp(self, x: str, low: float, high: float) -> str:
        """x within the limits; NaN stays NaN."""
        x = self.select(self.compare("ogt", x, number(high)), number(high), x)
        return self.select(self.compare("olt", x, number(low)), number(low), x)


_LOG2_HIGH = 6.93147180369123816490e-01  # its 33 leading bits: n times it is exact
_LOG2_LOW = 1.90821492927058770002e-10


def _exp_parts(body: Body, x: str) -> tuple[str, str]:
    """(2**n, e**r - 1) with x = n log 2 + r; x must lie within ±1000."""
    n = body.call("llvm.rint.f64", body.mul(x, number(1 / math.log(2))))
    r = body.multiply_add(n, number(-_LOG2_LOW), body.multiply_add(n, number(-_LOG2_HIGH), x))
    tail = body.polynomial(r, [1 / math.factorial(k) for k in range(1, 9)])
    # n + 1023 lands in the exponent bits: adding 2**52 puts the integer into the low mantissa bits, without a conversion.
    bits = body.cast("bitcast", body.add(n, number(1023 + 2.0**52)), "double", "i64")
    scale = body.cast("bitcast", body.op("shl", bits, "52", "i64"), "i64", "double")
    return scale, body.mul(tail, r)


def _expm1(body: Body, x: str) -> str:
    scale, tail = _exp_parts(body, x)
    return body.multiply_add(scale, tail, body.sub(scale, number(1.0)))


def _log(body: Body, x: str) -> str:
    """log of a positive normal double: x = 2**n m with m within sqrt(1/2) .. sqrt(2), log m = 2 atanh((m - 1) / (m + 1))."""
    bits = body.cast("bitcast", x, "double", "i64")
    shifted = body.op("sub", bits, str(0x3FE6A09E667F3BCD), "i64")  # bits of sqrt(1/2)
    n = body.op("ashr", shifted, "52", "i64")
    mantissa = body.op("sub", bits, body.op("shl", n, "52", "i64"), "i64")
    m = body.cast("bitcast", mantissa, "i64", "double")
    s = body.div(body.sub(m, number(1.0)), body.add(m, number(1.0)))
    series = body.polynomial(body.mul(s, s), [2 / (2 * k + 1) for k in range(7)])
    whole = body.cast("sitofp", body.cast("trunc", n, "i64", "i32"), "i32", "double")
    return body.multiply_add(whole, number(math.log(2)), body.mul(s, series))


def _log_special(body: Body, argument: str, result: str, pole: float) -> str:
    """NaN below the pole, -infinity at it, infinity at infinity, NaN for NaN."""
    result = body.select(body.compare("oeq", argument, number(math.inf)), number(math.inf), result)
    result = body.select(body.compare("oeq", argument, number(pole)), number(-math.inf), result)
    return body.select(body.compare("uge", argument, number(pole)), result, number(math.nan))


def _f32_exp(body: Body, x: str) -> str:
    scale, tail = _exp_parts(body, body.clamp(x, -160.0, 160.0))
    return body.multiply_add(scale, tail, scale)


def _f32_expm1(body: Body, x: str) -> str:
    result = _expm1(body, body.clamp(x, -160.0, 160.0))
    return body.select(body.compare("oeq", x, number(0.0)), x, result)  # keeps -0


def _f32_log(body: Body, x: str) -> str:
    result = _log_special(body, x, _log(body, x), 0.0)
    return body.select(body.compare("uno", x, x), x, result)


def _f32_log1p(body: Body, x: str) -> str:
    result = _log_special(body, x, _log(body, body.add(x, number(1.0))), -1.0)
    small = body.compare("olt", body.call("llvm.fabs.f64", x), number(2.0**-26))  # 1 + x has lost x's bits
    return body.select(body.emit(f"or i1 {small}, {body.compare('uno', x, x)}"), x, result)


def _f32_tanh(body: Body, x: str) -> str:
    e = _expm1(body, body.clamp(body.mul(x, number(2.0)), -40.0, 40.0))
    result = body.div(e, body.add(e, number(2.0)))
    return body.select(body.compare("oeq", x, number(0.0)), x, result)


# Interpolants at Chebyshev nodes: erf(x) / x in powers of x**2 on [0, 1], and exp(x**2) * erfc(x) in powers of x on [1, 4].
_ERF_SMALL = [
    1.128379167062361, -0.3761263847599127, 0.11283782622059518, -0.026865438310306394, 0.005221053411879707,
    -0.0008484396540362962, 0.00011268253815740737, -9.673590575449889e-06,
]  # fmt: skip
_ERFC_SCALED = [
    0.997919093759134, -1.113737510752476, 0.9525252100840597, -0.6576763086781197, 0.3695435259901997, -0.16738122923056697,
    0.06010291654829092, -0.016753336125536512, 0.003528548061714333, -0.0005404476299670967, 5.662830638701623e-05,
    -3.6221889840917287e-06, 1.0650850914844031e-07,
]  # fmt: skip


def _f32_erf(body: Body, x: str) -> str:
    """1 - erfc beyond 1; from 4 on that is the float32 1."""
    x = body.clamp(x, -4.0, 4.0)
    square = body.mul(x, x)
    size = body.call("llvm.fabs.f64", x)
    scale, tail = _exp_parts(body, body.sub(number(0.0), square))
    far = body.mul(body.multiply_add(scale, tail, scale), body.polynomial(size, _ERFC_SCALED))
    outside = body.call("llvm.copysign.f64", body.sub(number(1.0), far), x)
    inside = body.mul(x, body.polynomial(square, _ERF_SMALL))
    return body.select(body.compare("ogt", size, number(1.0)), outside, inside)


_OWN: dict[str, Callable[[Body, str], str]] = {
    "exp": _f32_exp, "expm1": _f32_expm1, "log": _f32_log, "log1p": _f32_log1p, "tanh": _f32_tanh,
    "erf": _f32_erf,
}  # fmt: skip


@functools.cache
def define(name: str, short: str) -> str:
    """The definition of one function; KeyError for an unknown name."""
    kind = _LLVM_TYPE[short]
    params = ", ".join(f"{kind} %{p}" for p in ("xy" if name in _BINARY else "x"))
    body = Body()
    if short == "f32" and name in _OWN:
        wide = body.cast("fpext", "%x", "float", "double")
        result = body.cast("fptrunc", _OWN[name](body, wide), "double", "float")
    elif name == "rsqrt":
        result = body.op("fdiv", "1.0", body.call(f"llvm.sqrt.{short}", "%x", kind=kind), kind)
    else:
        args = ("%x", "%y") if name in _BINARY else ("%x",)
        result = body.call(_callee(name, short), *args, kind=kind)
    lines = "\n".join(body.lines)
    head = f"define internal {kind} @{symbol_of(name, short)}({params}) alwaysinline nounwind"
    return f"{head} {{\n{lines}\n  ret {kind} {result}\n}}\n"


def _callee(name: str, short: str) -> str:
    if name in _INTRINSICS:
        return f"llvm.{_INTRINSICS[name]}.{short}"
    if name in (*_LIBRARY, "power"):
        return {"power": "pow"}.get(name, name) + ("f" if short == "f32" else "")
    raise KeyError(name)


def link_functions(text: str) -> str:
    """The module with its declarations of our functions replaced by definitions, and everything those need declared."""
    wanted = sorted(set(re.findall(r'@"?(weft_([a-z0-9_]+)_(f32|f64))"?\(', text)))
    text = re.sub(r'^declare [^@]*@"?weft_[a-z0-9_]+_f(32|64)"?\(.*\n', "", text, flags=re.M)
    definitions = "".join(define(name, short) for _, name, short in wanted)
    declared = set(re.findall(r'^declare [^@]*@"?([\w.]+)"?\(', text, flags=re.M))
    needed = {}
    for kind, name, arguments in re.findall(r"call (double|float) @([\w.]+)\(([^)]*)\)", definitions):
        if name not in declared:
            needed[name] = f"declare {kind} @{name}({', '.join([kind] * len(arguments.split(',')))})\n"
    return text + "".join(needed.values()) + definitions
