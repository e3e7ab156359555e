"""LLVM instructions for the prelude's arithmetic. In: an LLVM builder, values and their Numba types; out: the result's value.

Results are NumPy's, also where the processor's differ: division by zero, negative divisors, infinities, exponents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from .vector_math import symbol_of

Emit = Callable[[Any, Sequence[Any], Sequence[Any]], Any]  # (LLVM builder, argument values, argument types) -> value


def short_name(kind: Any) -> str:
    return f"{'f' if isinstance(kind, types.Float) else 'i' if kind.signed else 'u'}{kind.bitwidth}"


def call_function(name: str) -> Emit:
    """Calls the function of `vector_math`."""

    def emit(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
        value = args[0].type
        function = ir.FunctionType(value, [value] * len(args))
        return builder.call(cgutils.get_or_insert_function(builder.module, function, symbol_of(name, short_name(kinds[0]))), args)

    return emit


def integer_extreme(how: str) -> Emit:
    def emit(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
        compare = builder.icmp_signed if getattr(kinds[0], "signed", False) else builder.icmp_unsigned
        return builder.select(compare(how, *args), *args)

    return emit


def integer_sign(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    (x,) = args
    zero = ir.Constant(x.type, 0)
    positive = builder.zext(builder.icmp_unsigned("!=", x, zero), x.type)
    if not kinds[0].signed:
        return positive
    return builder.select(builder.icmp_signed("<", x, zero), ir.Constant(x.type, -1), positive)


def integer_abs(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    (x,) = args
    zero = ir.Constant(x.type, 0)
    return builder.select(builder.icmp_signed("<", x, zero), builder.sub(zero, x), x) if kinds[0].signed else x


def float_sign(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    """-1, 1, or the argument itself where it is zero or NaN."""
    (x,) = args
    zero, one, minus = (ir.Constant(x.type, v) for v in (0.0, 1.0, -1.0))
    below = builder.select(builder.fcmp_ordered("<", x, zero), minus, x)
    return builder.select(builder.fcmp_ordered(">", x, zero), one, below)


def identity(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return args[0]


def always_false(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return ir.Constant(ir.IntType(1), 0)


def always_true(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return ir.Constant(ir.IntType(1), 1)


def isnan(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return builder.fcmp_unordered("uno", args[0], args[0])


def isinf(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return builder.fcmp_ordered("==", call_function("abs")(builder, args, kinds), ir.Constant(args[0].type, float("inf")))


def isfinite(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return builder.fcmp_ordered("<", call_function("abs")(builder, args, kinds), ir.Constant(args[0].type, float("inf")))


def float_remainder(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    """NumPy's: fmod, moved by the divisor where the signs differ; a zero result has the divisor's sign."""
    x, y = args
    zero = ir.Constant(x.type, 0.0)
    rest = builder.frem(x, y)
    differs = builder.xor(builder.fcmp_ordered("<", y, zero), builder.fcmp_ordered("<", rest, zero))
    moved = builder.select(differs, builder.fadd(rest, y), rest)
    signed_zero = builder.call(copysign(builder, x.type), (zero, y))
    # NumPy leaves fmod's NaN alone, and so does the comparison.
    return builder.select(builder.fcmp_ordered("==", rest, zero), signed_zero, moved)


def copysign(builder: Any, kind: Any) -> Any:
    name = f"llvm.copysign.f{32 if isinstance(kind, ir.FloatType) else 64}"
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind, kind]), name)


def float_floor_divide(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    """NumPy's npy_divmod: (x - mod) / y, snapped to the nearest integer below; x / y for a zero divisor."""
    x, y = args
    zero, half, one = (ir.Constant(x.type, v) for v in (0.0, 0.5, 1.0))
    rest = builder.frem(x, y)
    quotient = builder.fdiv(builder.fsub(x, rest), y)
    differs = builder.and_(
        builder.fcmp_unordered("!=", rest, zero),
        builder.xor(builder.fcmp_ordered("<", y, zero), builder.fcmp_ordered("<", rest, zero)),
    )
    quotient = builder.select(differs, builder.fsub(quotient, one), quotient)
    floor = call_function("floor")(builder, (quotient,), kinds)
    snapped = builder.select(builder.fcmp_ordered(">", builder.fsub(quotient, floor), half), builder.fadd(floor, one), floor)
    plain = builder.fdiv(x, y)
    signed_zero = builder.call(copysign(builder, x.type), (zero, plain))
    result = builder.select(builder.fcmp_ordered("==", quotient, zero), signed_zero, snapped)
    return builder.select(builder.fcmp_ordered("==", y, zero), plain, result)


def integer_divisor(builder: Any, y: Any) -> tuple[Any, Any]:
    """Whether the divisor is zero, and a divisor that is not: NumPy's result for zero is zero, the processor's is a signal."""
    is_zero = builder.icmp_unsigned("==", y, ir.Constant(y.type, 0))
    return is_zero, builder.select(is_zero, ir.Constant(y.type, 1), y)


def integer_floor_divide(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return integer_division(builder, args, kinds)[0]


def integer_remainder(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return integer_division(builder, args, kinds)[1]


def integer_division(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> tuple[Any, Any]:
    x, y = args
    zero, one = ir.Constant(x.type, 0), ir.Constant(x.type, 1)
    is_zero, divisor = integer_divisor(builder, y)
    if not kinds[0].signed:
        quotient, rest = builder.udiv(x, divisor), builder.urem(x, divisor)
        return builder.select(is_zero, zero, quotient), builder.select(is_zero, zero, rest)
    minus = ir.Constant(x.type, -1)
    by_minus = builder.icmp_signed("==", divisor, minus)  # the least integer divided by -1 is a signal too: negate instead
    safe = builder.select(by_minus, one, divisor)
    quotient, rest = builder.sdiv(x, safe), builder.srem(x, safe)
    inexact = builder.icmp_signed("!=", rest, zero)
    differs = builder.and_(inexact, builder.icmp_signed("<", builder.xor(rest, safe), zero))
    quotient = builder.select(differs, builder.sub(quotient, one), quotient)
    rest = builder.select(differs, builder.add(rest, safe), rest)
    quotient = builder.select(by_minus, builder.sub(zero, x), quotient)
    return builder.select(is_zero, zero, quotient), builder.select(is_zero, zero, rest)


def integer_power(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    """Repeated squaring, wrapping around; a negative exponent leaves 1 for 1, ±1 for -1 and 0 else."""
    x, y = args
    kind, start = x.type, builder.block
    zero, one, minus = (ir.Constant(kind, v) for v in (0, 1, -1))
    loop, done = builder.append_basic_block("power"), builder.append_basic_block("power.end")
    negative = builder.icmp_signed("<", y, zero) if kinds[0].signed else ir.Constant(ir.IntType(1), 0)
    builder.branch(loop)
    builder.position_at_end(loop)
    base, rest, total = builder.phi(kind), builder.phi(kind), builder.phi(kind)
    odd = builder.trunc(rest, ir.IntType(1))
    next_total = builder.select(odd, builder.mul(total, base), total)
    next_rest = builder.lshr(rest, one)
    next_base = builder.mul(base, base)
    for phi, first, again in ((base, x, next_base), (rest, y, next_rest), (total, one, next_total)):
        phi.add_incoming(first, start)
        phi.add_incoming(again, loop)
    builder.cbranch(builder.icmp_unsigned("!=", next_rest, zero), loop, done)
    builder.position_at_end(done)
    unit = builder.or_(builder.icmp_signed("==", x, one), builder.icmp_signed("==", x, minus))
    return builder.select(builder.and_(negative, builder.not_(unit)), zero, next_total)


def convert(builder: Any, value: Any, source: Any, target: Any) -> Any:
    """The LLVM instruction for one conversion between number types."""
    if source == target:
        return value
    if isinstance(target, types.Boolean):
        zero = ir.Constant(value.type, 0)
        floating = isinstance(source, types.Float)
        return builder.fcmp_unordered("!=", value, zero) if floating else builder.icmp_unsigned("!=", value, zero)
    out = _LLVM_FLOAT[target.bitwidth] if isinstance(target, types.Float) else ir.IntType(target.bitwidth)
    signed = getattr(source, "signed", False)
    if isinstance(source, types.Float):
        if isinstance(target, types.Float):
            return builder.fpext(value, out) if target.bitwidth > source.bitwidth else builder.fptrunc(value, out)
        return float_to_integer(builder, value, target, out)
    if isinstance(target, types.Float):
        return builder.sitofp(value, out) if signed else builder.uitofp(value, out)
    width = value.type.width
    if out.width == width:
        return value
    if out.width < width:
        return builder.trunc(value, out)
    return builder.sext(value, out) if signed else builder.zext(value, out)


def float_to_integer(builder: Any, value: Any, target: Any, out: Any) -> Any:
    """Through a wider type first, like NumPy on this hardware, so that small integers wrap around."""
    if target.bitwidth == 64:
        return builder.fptosi(value, out) if target.signed else builder.fptoui(value, out)
    wide = ir.IntType(32 if target.signed and target.bitwidth <= 32 else 64)
    return builder.fptosi(value, out) if out.width == wide.width else builder.trunc(builder.fptosi(value, wide), out)


_LLVM_FLOAT = {32: ir.FloatType(), 64: ir.DoubleType()}


def philox_rounds(builder: Any, seed: Any, draw: Any, block: Any) -> list[Any]:
    """Ten rounds of Philox 4x32, unrolled; `prelude_python.philox` is the readable version."""
    small, wide = ir.IntType(32), ir.IntType(64)

    def halves(x: Any) -> tuple[Any, Any]:
        return builder.trunc(x, small), builder.trunc(builder.lshr(x, ir.Constant(wide, 32)), small)

    def product(x: Any, factor: int) -> tuple[Any, Any]:
        return halves(builder.mul(builder.zext(x, wide), ir.Constant(wide, factor)))

    (c0, c1), (c2, c3), (k0, k1) = halves(block), halves(draw), halves(seed)
    for _ in range(10):
        low0, high0 = product(c0, 0xD2511F53)
        low1, high1 = product(c2, 0xCD9E8D57)
        c0, c1 = builder.xor(builder.xor(high1, c1), k0), low1
        c2, c3 = builder.xor(builder.xor(high0, c3), k1), low0
        k0, k1 = builder.add(k0, ir.Constant(small, 0x9E3779B9)), builder.add(k1, ir.Constant(small, 0xBB67AE85))
    return [c0, c1, c2, c3]
