"""Scalar functions and operators as LLVM instructions, of any dtype and lanes. In: operands; out: the result's operand.

Every result is what the Python text computes (see `prelude_names`): basic arithmetic is never contracted or reordered, integers
wrap around, division by zero gives NumPy's results, ``maximum`` and ``minimum`` propagate NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

from weft.graph.dtype import DType, bool_

from . import vector_math_special as own
from .kernel import Apply, Const, Expr
from .llvm_code import Code, Operand, literal, scalar_type, vector_type
from .llvm_integers import DIVISIONS, integer_power
from .vector_math import Maths

_LIBRARY = {
    "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "erf", "asinh",
    "acosh", "atanh", "power",
}  # fmt: skip
_ROUNDINGS = {"floor": "floor", "ceil": "ceil", "round": "roundeven", "sqrt": "sqrt"}
_FLOAT_COMPARE = {"==": "oeq", "!=": "une", "<": "olt", "<=": "ole", ">": "ogt", ">=": "oge"}
_INTEGER_COMPARE = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_ARITHMETIC = {"+": ("fadd", "add"), "-": ("fsub", "sub"), "*": ("fmul", "mul"), "/": ("fdiv", ""), "sum_add": ("fadd", "add")}
_LOGIC = {"&": "and", "|": "or", "^": "xor"}


def can_widen(function: str, dtype: DType) -> bool:
    """Whether the function of operands of this dtype has vector instructions; others run one element at a time."""
    if function in ("floor_divide", "remainder"):
        return False
    if function in _LIBRARY or function in ("inverse", "rsqrt"):
        return dtype.is_floating and own.has_own(function, dtype.short)
    return True


def name_function(value: Apply) -> Apply:
    """A formula as the function it is, which has smaller errors; anything else as it is."""
    return _name_gelu(value) if value.function == "*" else _name_sigmoid(value)


def _name_gelu(value: Apply) -> Apply:
    """``0.5 * x * (1 + erf(x * sqrt(0.5)))``."""
    half, total = value.args
    if not _applies(half, "*", 0.5) or not _applies(total, "+", 1):
        return value
    x, function = half.args[1], total.args[1]
    if not isinstance(function, Apply) or function.function != "erf" or not isinstance(function.args[0], Apply):
        return value
    scaled = function.args[0]
    same = scaled.function == "*" and scaled.args[0] == x and _is_number(scaled.args[1], scaled.dtype.np.type(math.sqrt(0.5)))
    return Apply("gelu", (x,), value.dtype) if same else value


def _name_sigmoid(value: Apply) -> Apply:
    """``1 / (1 + exp(-x))``."""
    if not _applies(value, "/", 1) or not _applies(value.args[1], "+", 1):
        return value
    power = value.args[1].args[1]
    if not isinstance(power, Apply) or power.function != "exp":
        return value
    (x,) = power.args
    return Apply("sigmoid", x.args, value.dtype) if isinstance(x, Apply) and x.function == "neg" else value


def _applies(value: Expr, function: str, number: float) -> TypeGuard[Apply]:
    """Whether it is this function of this number and something."""
    return isinstance(value, Apply) and value.function == function and _is_number(value.args[0], number)


def _is_number(value: Expr, number: float) -> bool:
    return isinstance(value, Const) and value.value == number


def constant(value: object, dtype: DType) -> Operand:
    return Operand(literal(value, dtype), dtype, 1, True)


def apply(code: Code, function: str, args: Sequence[Operand], dtype: DType) -> Operand:
    """The value of one `Apply`: all arguments get as many lanes as the widest has. KeyError for an unknown function."""
    lanes = max(a.lanes for a in args)
    wide = [code.widen(a, lanes) if a.lanes < lanes else a for a in args]
    printer = _Printer(code, wide, dtype, lanes, [a.constant and not a.text.startswith("0x7FF8") for a in args])
    return Operand(printer.value(function), dtype, lanes)


class _Printer:
    """One application; the operands have equal lanes. known: which of them are numbers and not NaN."""

    def __init__(self, code: Code, args: Sequence[Operand], dtype: DType, lanes: int, known: Sequence[bool]) -> None:
        self.code, self.args, self.dtype, self.lanes, self.known = code, args, dtype, lanes, known
        first = args[-1]
        self.operand, self.type = first.dtype, vector_type(first.scalar, lanes)
        self.texts = [a.text for a in args]
        self.result = vector_type(scalar_type(dtype.short), lanes)

    def value(self, function: str) -> str:
        code, texts, floating = self.code, self.texts, self.operand.is_floating
        if function == "cast":
            return cast(code, self.args[0], self.dtype, self.lanes)
        if function in _ARITHMETIC:
            return code.let(f"{_ARITHMETIC[function][not floating]} {self.type} {texts[0]}, {texts[1]}")
        if function in _FLOAT_COMPARE:
            return self.compare(function, *texts)
        if function in _LOGIC:
            return code.let(f"{_LOGIC[function]} {self.type} {texts[0]}, {texts[1]}")
        if function == "~":
            return self.invert()
        special = getattr(self, f"print_{function}", None)
        if special is not None:
            return str(special())
        if function in DIVISIONS and not floating:
            return DIVISIONS[function](code, self.type, texts, not self.operand.is_unsigned, self.lanes)
        if function == "power" and not floating:
            return integer_power(code, self.type, texts, not self.operand.is_unsigned)
        return self.float_function(function)

    def float_function(self, function: str) -> str:
        short = self.operand.short
        if not self.operand.is_floating and function in _ROUNDINGS:
            return self.texts[0]
        m = Maths(self.code, short, self.lanes)
        if function in _ROUNDINGS:
            return m.intrinsic(_ROUNDINGS[function], *self.texts)
        if own.has_own(function, short):
            return own.power(m, *self.texts) if function == "power" else own.UNARY[function](m, self.texts[0])
        if function in _LIBRARY and self.lanes == 1:
            name = {"power": "pow"}.get(function, function) + ("f" if short == "f32" else "")
            return self.code.call(name, m.real, *((m.real, t) for t in self.texts))
        raise KeyError(function)

    def compare(self, how: str, a: str, b: str) -> str:
        if self.operand.is_floating:
            return self.code.let(f"fcmp {_FLOAT_COMPARE[how]} {self.type} {a}, {b}")
        sign = "" if how in ("==", "!=") else "u" if self.operand.is_unsigned or self.operand.is_bool else "s"
        return self.code.let(f"icmp {sign}{_INTEGER_COMPARE[how]} {self.type} {a}, {b}")

    def select(self, mask: str, a: str, b: str) -> str:
        return self.code.let(f"select {vector_type('i1', self.lanes)} {mask}, {self.type} {a}, {self.type} {b}")

    def number(self, value: float) -> str:
        return self.code.widen(constant(value, self.operand), self.lanes).text

    def truth(self, value: bool) -> str:
        return self.code.widen(constant(value, bool_), self.lanes).text

    def print_neg(self) -> str:
        if self.operand.is_floating:
            return self.code.let(f"fneg {self.type} {self.texts[0]}")
        return self.code.let(f"sub {self.type} {self.number(0)}, {self.texts[0]}")

    def print_logical_not(self) -> str:
        return self.code.let(f"xor {self.type} {self.texts[0]}, {self.truth(True)}")

    def print_where(self) -> str:
        return self.select(self.texts[0], self.texts[1], self.texts[2])

    def print_maximum(self) -> str:
        return self.extreme("max", ">", "<=")

    def print_minimum(self) -> str:
        return self.extreme("min", "<", ">=")

    def extreme(self, name: str, first_wins: str, second_wins: str) -> str:
        """The second argument of equal ones, as NumPy; NaN if either is. Against a number one comparison is enough.

        AVX-512's instruction gives the second argument also if either is NaN; where the first is, it is masked out. LLVM makes
        four instructions of comparisons and choices, instead of these two.
        """
        a, b = self.texts
        if not self.operand.is_floating:
            return self.select(self.compare(first_wins, a, b), a, b)
        if self.known[1]:
            return self.select(self.compare(second_wins, a, b), b, a)
        if not self.known[0] and self.code.avx512 and self.lanes * self.operand.size == 64:
            function = f"llvm.x86.avx512.{name}.p{'s' if self.operand.short == 'f32' else 'd'}.512"
            chosen = self.code.call(function, self.type, (self.type, a), (self.type, b), ("i32", "4"))
            return self.select(self.code.let(f"fcmp ord {self.type} {a}, {a}"), chosen, a)
        chosen = self.select(self.compare(first_wins, a, b), a, b)
        if self.known[0]:
            return chosen
        return self.select(self.code.let(f"fcmp uno {self.type} {a}, {a}"), a, chosen)

    def print_abs(self) -> str:
        (x,) = self.texts
        if self.operand.is_floating:
            return Maths(self.code, self.operand.short, self.lanes).intrinsic("fabs", x)
        if self.operand.is_unsigned or self.operand.is_bool:
            return x
        return self.select(self.compare("<", x, self.number(0)), self.print_neg(), x)

    def print_sign(self) -> str:
        """-1, 1, or the argument itself where it is zero or NaN."""
        (x,) = self.texts
        zero, one = self.number(0), self.number(1)
        positive = self.select(self.compare(">", x, zero), one, x)
        if self.operand.is_unsigned:
            return positive
        return self.select(self.compare("<", x, zero), self.number(-1), positive)

    def print_isnan(self) -> str:
        (x,) = self.texts
        if not self.operand.is_floating:
            return self.truth(False)
        return self.code.let(f"fcmp uno {self.type} {x}, {x}")

    def print_isinf(self) -> str:
        if not self.operand.is_floating:
            return self.truth(False)
        return self.compare("==", self.print_abs(), self.number(math.inf))

    def print_isfinite(self) -> str:
        if not self.operand.is_floating:
            return self.truth(True)
        return self.compare("<", self.print_abs(), self.number(math.inf))

    def print_remainder(self) -> str:
        if not self.operand.is_floating:
            return DIVISIONS["remainder"](self.code, self.type, self.texts, not self.operand.is_unsigned, self.lanes)
        x, y = self.texts
        rest = self.code.let(f"frem {self.type} {x}, {y}")
        moved = self.select(self.signs_differ(rest, y), self.code.let(f"fadd {self.type} {rest}, {y}"), rest)
        return self.select(self.compare("==", rest, self.number(0.0)), self.zero_like(y), moved)

    def signs_differ(self, rest: str, y: str) -> str:
        zero = self.number(0.0)
        mask = vector_type("i1", self.lanes)
        return self.code.let(f"xor {mask} {self.compare('<', y, zero)}, {self.compare('<', rest, zero)}")

    def zero_like(self, y: str) -> str:
        return Maths(self.code, self.operand.short, self.lanes).intrinsic("copysign", self.number(0.0), y)

    def print_floor_divide(self) -> str:
        """NumPy's: (x - mod) / y, snapped to the nearest integer below; x / y for a zero divisor."""
        if not self.operand.is_floating:
            return DIVISIONS["floor_divide"](self.code, self.type, self.texts, not self.operand.is_unsigned, self.lanes)
        m = Maths(self.code, self.operand.short, self.lanes)
        x, y = self.texts
        rest = self.code.let(f"frem {self.type} {x}, {y}")
        quotient = m.div(m.sub(x, rest), y)
        differs = self.code.let(f"and {m.mask} {self.compare('!=', rest, self.number(0.0))}, {self.signs_differ(rest, y)}")
        quotient = self.select(differs, m.sub(quotient, m.number(1.0)), quotient)
        floor = m.intrinsic("floor", quotient)
        half_above = m.compare("ogt", m.sub(quotient, floor), m.number(0.5))
        snapped = self.select(half_above, m.add(floor, m.number(1.0)), floor)
        plain = m.div(x, y)
        result = self.select(m.compare("oeq", quotient, m.number(0.0)), self.zero_like(plain), snapped)
        return self.select(m.compare("oeq", y, m.number(0.0)), plain, result)

    def invert(self) -> str:
        return self.code.let(f"xor {self.type} {self.texts[0]}, {self.number(-1)}")


def cast(code: Code, value: Operand, dtype: DType, lanes: int) -> str:
    """C's conversion; booleans become 0 or 1, a number becomes a boolean by comparing with zero."""
    source, text, before = value.dtype, value.text, vector_type(value.scalar, lanes)
    after = vector_type(scalar_type(dtype.short), lanes)
    if source is dtype:
        return text
    if dtype.is_bool:
        zero = code.widen(constant(0, source), lanes).text
        return code.let(f"{'fcmp une' if source.is_floating else 'icmp ne'} {before} {text}, {zero}")
    if source.is_floating:
        if dtype.is_floating:
            return code.let(f"{'fpext' if dtype.size > source.size else 'fptrunc'} {before} {text} to {after}")
        return _float_to_integer(code, text, before, dtype, lanes)
    unsigned = source.is_unsigned or source.is_bool
    if dtype.is_floating:
        return code.let(f"{'uitofp' if unsigned else 'sitofp'} {before} {text} to {after}")
    if dtype.size == source.size and not source.is_bool:
        return text
    if dtype.size < source.size:
        return code.let(f"trunc {before} {text} to {after}")
    return code.let(f"{'zext' if unsigned else 'sext'} {before} {text} to {after}")


def _float_to_integer(code: Code, text: str, before: str, dtype: DType, lanes: int) -> str:
    """Through a wider type first, like NumPy on this hardware, so that small integers wrap around."""
    after = vector_type(scalar_type(dtype.short), lanes)
    if dtype.size == 8:
        return code.let(f"{'fptoui' if dtype.is_unsigned else 'fptosi'} {before} {text} to {after}")
    wide = vector_type("i32" if not dtype.is_unsigned else "i64", lanes)
    value = code.let(f"fptosi {before} {text} to {wide}")
    return value if wide == after else code.let(f"trunc {wide} {value} to {after}")


def identity(function: str, dtype: DType) -> Operand | None:
    """The value that a reduction by the function starts with; None if the function may not be reordered."""
    if function == "sum_add":
        return constant(-0.0 if dtype.is_floating else 0, dtype)
    if function in ("maximum", "minimum"):
        low = function == "maximum"
        if dtype.is_floating:
            return constant(-math.inf if low else math.inf, dtype)
        return constant(int(dtype.min if low else dtype.max), dtype)
    if dtype.is_floating:
        return None
    known: dict[str, object] = {"+": 0, "|": 0, "^": 0, "*": 1, "&": -1 if not dtype.is_bool else True}
    return constant(known[function], dtype) if function in known else None


def reduce_lanes(code: Code, function: str, value: Operand) -> Operand:
    """The lanes combined in a fixed tree: halves, quarters, ..."""
    lanes = value.lanes
    while lanes > 1:
        lanes //= 2
        parts = []
        for start in (0, lanes):
            picks = ", ".join(f"i32 {start + i}" for i in range(lanes))
            if lanes == 1:
                text = code.let(f"extractelement {value.type} {value.text}, i64 {start}")
            else:
                text = code.let(f"shufflevector {value.type} {value.text}, {value.type} poison, <{lanes} x i32> <{picks}>")
            parts.append(Operand(text, value.dtype, lanes))
        value = apply(code, function, parts, value.dtype)
    return value
