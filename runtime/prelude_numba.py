"""What generated modules use without defining it, for Numba. In: nothing; out: `prelude()`, names to Numba's implementations.

Importing this module imports Numba; only `frontend` does, when something has to be compiled. Scalar functions become calls of
``weft_<name>_<type>``, which `vector_math` defines, or single LLVM instructions. None of them goes through Numba's own
mathematics: that promotes types and calls scalar library functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.core.imputils import Registry as LoweringRegistry
from numba.core.typing import templates

from .pointer_type import KernelPointer, register
from .vector_math import symbol_of

typing_registry = templates.Registry()
lowering_registry = LoweringRegistry("weft")
register(typing_registry, lowering_registry)

Emit = Callable[[Any, Sequence[Any], Sequence[Any]], Any]  # (LLVM builder, argument values, argument types) -> value


def _short(kind: Any) -> str:
    return f"{'f' if isinstance(kind, types.Float) else 'i' if kind.signed else 'u'}{kind.bitwidth}"


def _same_types(name: str, args: Sequence[Any]) -> Any:
    kinds = {types.unliteral(a) for a in args}
    if len(kinds) != 1:
        raise TypingError(f"{name} needs operands of one type. Received: {', '.join(map(str, args))}.")
    return kinds.pop()


def _emitter(emit: Emit) -> Callable[..., Any]:
    def generate(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return emit(builder, args, signature.args)

    return generate


def _unary(name: str, floats: Emit | None, integers: Emit | None = None, result: Any = None) -> Any:
    """An intrinsic of one number; a missing emitter means that kind of number is not accepted."""

    def resolve(x: Any) -> Any:
        kind = types.unliteral(x)
        emit = floats if isinstance(kind, types.Float) else integers
        if emit is None:
            raise TypingError(f"{name} does not accept {kind}.")
        return (result or kind)(kind), _emitter(emit)

    return _intrinsic(name, resolve)


def _binary(name: str, floats: Emit | None, integers: Emit | None = None) -> Any:
    def resolve(x: Any, y: Any) -> Any:
        kind = _same_types(name, (x, y))
        emit = floats if isinstance(kind, types.Float) else integers
        if emit is None:
            raise TypingError(f"{name} does not accept {kind}.")
        return kind(kind, kind), _emitter(emit)

    return _intrinsic(name, resolve)


def _intrinsic(name: str, resolve: Callable[..., Any]) -> Any:
    """A function that Numba types and lowers by ``resolve(*types) -> (signature, generate)``.

    Numba's own ``@intrinsic`` reloads all its registries at each use, which costs a millisecond a call.
    """

    def stub(*args: Any) -> Any:
        raise NotImplementedError(f"{name} is for compiled kernels; prelude_python has the plain version.")

    stub.__name__ = stub.__qualname__ = name

    class Resolution(templates.AbstractTemplate):
        key = stub

        def generic(self, args: Any, kws: Any) -> Any:
            return resolve(*args)[0]

    def lower(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return resolve(*signature.args)[1](context, builder, signature, args)

    typing_registry.globals.append((stub, types.Function(Resolution)))
    lowering_registry.lower(stub, types.VarArg(types.Any))(lower)
    return stub


def _call(name: str) -> Emit:
    """Calls the function of `vector_math`."""

    def emit(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
        value = args[0].type
        function = ir.FunctionType(value, [value] * len(args))
        return builder.call(cgutils.get_or_insert_function(builder.module, function, symbol_of(name, _short(kinds[0]))), args)

    return emit


def _integer_extreme(how: str) -> Emit:
    def emit(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
        compare = builder.icmp_signed if getattr(kinds[0], "signed", False) else builder.icmp_unsigned
        return builder.select(compare(how, *args), *args)

    return emit


def _integer_sign(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    (x,) = args
    zero = ir.Constant(x.type, 0)
    positive = builder.zext(builder.icmp_unsigned("!=", x, zero), x.type)
    if not kinds[0].signed:
        return positive
    return builder.select(builder.icmp_signed("<", x, zero), ir.Constant(x.type, -1), positive)


def _integer_abs(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    (x,) = args
    zero = ir.Constant(x.type, 0)
    return builder.select(builder.icmp_signed("<", x, zero), builder.sub(zero, x), x) if kinds[0].signed else x


def _float_sign(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    """-1, 1, or the argument itself where it is zero or NaN."""
    (x,) = args
    zero, one, minus = (ir.Constant(x.type, v) for v in (0.0, 1.0, -1.0))
    below = builder.select(builder.fcmp_ordered("<", x, zero), minus, x)
    return builder.select(builder.fcmp_ordered(">", x, zero), one, below)


def _identity(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return args[0]


def _false(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return ir.Constant(ir.IntType(1), 0)


def _true(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return ir.Constant(ir.IntType(1), 1)


def _isnan(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return builder.fcmp_unordered("uno", args[0], args[0])


def _isinf(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return builder.fcmp_ordered("==", _call("abs")(builder, args, kinds), ir.Constant(args[0].type, float("inf")))


def _isfinite(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return builder.fcmp_ordered("<", _call("abs")(builder, args, kinds), ir.Constant(args[0].type, float("inf")))


def _float_remainder(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    """NumPy's: fmod, moved by the divisor where the signs differ; a zero result has the divisor's sign."""
    x, y = args
    zero = ir.Constant(x.type, 0.0)
    rest = builder.frem(x, y)
    differs = builder.xor(builder.fcmp_ordered("<", y, zero), builder.fcmp_ordered("<", rest, zero))
    moved = builder.select(differs, builder.fadd(rest, y), rest)
    signed_zero = builder.call(_copysign(builder, x.type), (zero, y))
    # NumPy leaves fmod's NaN alone, and so does the comparison.
    return builder.select(builder.fcmp_ordered("==", rest, zero), signed_zero, moved)


def _copysign(builder: Any, kind: Any) -> Any:
    name = f"llvm.copysign.f{32 if isinstance(kind, ir.FloatType) else 64}"
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind, kind]), name)


def _float_floor_divide(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
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
    floor = _call("floor")(builder, (quotient,), kinds)
    snapped = builder.select(builder.fcmp_ordered(">", builder.fsub(quotient, floor), half), builder.fadd(floor, one), floor)
    plain = builder.fdiv(x, y)
    signed_zero = builder.call(_copysign(builder, x.type), (zero, plain))
    result = builder.select(builder.fcmp_ordered("==", quotient, zero), signed_zero, snapped)
    return builder.select(builder.fcmp_ordered("==", y, zero), plain, result)


def _integer_divisor(builder: Any, y: Any) -> tuple[Any, Any]:
    """Whether the divisor is zero, and a divisor that is not: NumPy's result for zero is zero, the processor's is a signal."""
    is_zero = builder.icmp_unsigned("==", y, ir.Constant(y.type, 0))
    return is_zero, builder.select(is_zero, ir.Constant(y.type, 1), y)


def _integer_floor_divide(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return _integer_division(builder, args, kinds)[0]


def _integer_remainder(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
    return _integer_division(builder, args, kinds)[1]


def _integer_division(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> tuple[Any, Any]:
    x, y = args
    zero, one = ir.Constant(x.type, 0), ir.Constant(x.type, 1)
    is_zero, divisor = _integer_divisor(builder, y)
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


def _integer_power(builder: Any, args: Sequence[Any], kinds: Sequence[Any]) -> Any:
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


def _where(mask: Any, x: Any, y: Any) -> Any:
    kind = _same_types("where", (x, y))
    mask = types.unliteral(mask)
    if not isinstance(mask, types.Boolean):
        raise TypingError(f"where needs a bool mask. Received: {mask}.")

    def generate(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return builder.select(*args)

    return kind(mask, kind, kind), generate


def _sum_add(acc: Any, x: Any) -> Any:
    kind = _same_types("sum_add", (acc, x))

    def generate(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        if isinstance(kind, types.Float):
            return builder.fadd(*args, flags=("reassoc",))
        return builder.add(*args)

    return kind(kind, kind), generate


def _logical_not(x: Any) -> Any:
    kind = types.unliteral(x)
    if not isinstance(kind, types.Boolean):
        raise TypingError(f"logical_not needs a bool. Received: {kind}.")

    def generate(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return builder.not_(args[0])

    return types.boolean(kind), generate


def _cast(name: str, kind: Any) -> Any:
    """C's conversion; booleans become 0 or 1, and a number becomes a boolean by comparing with zero."""

    def resolve(x: Any) -> Any:
        source = types.unliteral(x)
        if not isinstance(source, (types.Number, types.Boolean)):
            raise TypingError(f"{name} does not accept {source}.")

        def generate(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
            return convert(builder, args[0], source, kind)

        return kind(source), generate

    return _intrinsic(name, resolve)


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
        return _float_to_integer(builder, value, target, out)
    if isinstance(target, types.Float):
        return builder.sitofp(value, out) if signed else builder.uitofp(value, out)
    width = value.type.width
    if out.width == width:
        return value
    if out.width < width:
        return builder.trunc(value, out)
    return builder.sext(value, out) if signed else builder.zext(value, out)


def _float_to_integer(builder: Any, value: Any, target: Any, out: Any) -> Any:
    """Through a wider type first, like NumPy on this hardware, so that small integers wrap around."""
    if target.bitwidth == 64:
        return builder.fptosi(value, out) if target.signed else builder.fptoui(value, out)
    wide = ir.IntType(32 if target.signed and target.bitwidth <= 32 else 64)
    return builder.fptosi(value, out) if out.width == wide.width else builder.trunc(builder.fptosi(value, wide), out)


_LLVM_FLOAT = {32: ir.FloatType(), 64: ir.DoubleType()}


def _view(pointer: Any, n: Any) -> Any:
    """The pointer itself: Numba indexes pointers without bounds, strides or wrap-around."""

    def generate(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return args[0]

    return pointer(pointer, n), generate


def _philox(seed: Any, draw: Any, block: Any) -> Any:
    word = types.uint64
    result = types.UniTuple(types.uint32, 4)

    def generate(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        words = [convert(builder, a, k, word) for a, k in zip(args, signature.args, strict=True)]
        return context.make_tuple(builder, result, _philox_rounds(builder, *words))

    return result(*(types.unliteral(a) for a in (seed, draw, block))), generate


def _philox_rounds(builder: Any, seed: Any, draw: Any, block: Any) -> list[Any]:
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


_FLOAT_FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "erf",
    "asinh", "acosh", "atanh",
)  # fmt: skip
_NUMBERS = {
    "float32": types.float32, "float64": types.float64, "int8": types.int8, "int16": types.int16, "int32": types.int32,
    "int64": types.int64, "uint8": types.uint8, "uint16": types.uint16, "uint32": types.uint32, "uint64": types.uint64,
    "bool_": types.boolean,
}  # fmt: skip

PRELUDE: dict[str, Any] = {
    "view": _intrinsic("view", _view), "inf": np.inf, "nan": np.nan,
    "where": _intrinsic("where", _where), "sum_add": _intrinsic("sum_add", _sum_add),
    "logical_not": _intrinsic("logical_not", _logical_not), "philox": _intrinsic("philox", _philox),
    "floor": _unary("floor", _call("floor"), _identity), "ceil": _unary("ceil", _call("ceil"), _identity),
    "round": _unary("round", _call("round"), _identity), "sign": _unary("sign", _float_sign, _integer_sign),
    "abs": _unary("abs", _call("abs"), _integer_abs), "atan2": _binary("atan2", _call("atan2")),
    "isnan": _unary("isnan", _isnan, _false, types.boolean), "isinf": _unary("isinf", _isinf, _false, types.boolean),
    "isfinite": _unary("isfinite", _isfinite, _true, types.boolean),
    "maximum": _binary("maximum", _call("maximum"), _integer_extreme(">")),
    "minimum": _binary("minimum", _call("minimum"), _integer_extreme("<")),
    "power": _binary("power", _call("power"), _integer_power),
    "floor_divide": _binary("floor_divide", _float_floor_divide, _integer_floor_divide),
    "remainder": _binary("remainder", _float_remainder, _integer_remainder),
}  # fmt: skip
PRELUDE.update({name: _unary(name, _call(name)) for name in _FLOAT_FUNCTIONS})
PRELUDE.update({name: _cast(name, kind) for name, kind in _NUMBERS.items()})


def pointer_type(short: str) -> Any:
    """Numba's pointer to the elements of a dtype given by its short name."""
    by_short = {"f32": "float32", "f64": "float64", "b1": "bool_"}
    name = by_short.get(short) or f"{'uint' if short[0] == 'u' else 'int'}{short[1:]}"
    return KernelPointer(_NUMBERS[name])
