"""What generated modules use without defining it, for Numba. In: nothing; out: `PRELUDE`, names to what Numba compiles.

Importing this module imports Numba; only `frontend` does, when something has to be compiled. Scalar functions become calls of
``weft_<name>_<type>``, which `vector_math` defines, or single LLVM instructions. None of them goes through Numba's own
mathematics: that promotes types and calls scalar library functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba.core import types
from numba.core.errors import TypingError
from numba.core.imputils import Registry as LoweringRegistry
from numba.core.typing import templates

from . import emit_arithmetic as emit
from .pointer_type import KernelPointer, register

typing_registry = templates.Registry()
lowering_registry = LoweringRegistry("weft")
register(typing_registry, lowering_registry)


def _same_types(name: str, args: Sequence[Any]) -> Any:
    kinds = {types.unliteral(a) for a in args}
    if len(kinds) != 1:
        raise TypingError(f"{name} needs operands of one type. Received: {', '.join(map(str, args))}.")
    return kinds.pop()


def _emitter(rule: emit.Emit) -> Callable[..., Any]:
    def generate(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return rule(builder, args, signature.args)

    return generate


def _unary(name: str, floats: emit.Emit | None, integers: emit.Emit | None = None, result: Any = None) -> Any:
    """An intrinsic of one number; a missing emitter means that kind of number is not accepted."""

    def resolve(x: Any) -> Any:
        kind = types.unliteral(x)
        rule = floats if isinstance(kind, types.Float) else integers
        if rule is None:
            raise TypingError(f"{name} does not accept {kind}.")
        return (result or kind)(kind), _emitter(rule)

    return _intrinsic(name, resolve)


def _binary(name: str, floats: emit.Emit | None, integers: emit.Emit | None = None) -> Any:
    def resolve(x: Any, y: Any) -> Any:
        kind = _same_types(name, (x, y))
        rule = floats if isinstance(kind, types.Float) else integers
        if rule is None:
            raise TypingError(f"{name} does not accept {kind}.")
        return kind(kind, kind), _emitter(rule)

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
            return emit.convert(builder, args[0], source, kind)

        return kind(source), generate

    return _intrinsic(name, resolve)


def _view(pointer: Any, n: Any) -> Any:
    """The pointer itself: Numba indexes pointers without bounds, strides or wrap-around."""

    def generate(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        return args[0]

    return pointer(pointer, n), generate


def _philox(seed: Any, draw: Any, block: Any) -> Any:
    word = types.uint64
    result = types.UniTuple(types.uint32, 4)

    def generate(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        words = [emit.convert(builder, a, k, word) for a, k in zip(args, signature.args, strict=True)]
        return context.make_tuple(builder, result, emit.philox_rounds(builder, *words))

    return result(*(types.unliteral(a) for a in (seed, draw, block))), generate


_FLOAT_FUNCTIONS = (
    "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "inverse", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
    "tanh", "erf", "asinh", "acosh", "atanh",
)  # fmt: skip
_NUMBERS = {
    "float32": types.float32, "float64": types.float64, "int8": types.int8, "int16": types.int16, "int32": types.int32,
    "int64": types.int64, "uint8": types.uint8, "uint16": types.uint16, "uint32": types.uint32, "uint64": types.uint64,
    "bool_": types.boolean,
}  # fmt: skip

PRELUDE: dict[str, Any] = {
    "view": _intrinsic("view", _view),
    "inf": np.inf,
    "nan": np.nan,
    "where": _intrinsic("where", _where),
    "sum_add": _intrinsic("sum_add", _sum_add),
    "logical_not": _intrinsic("logical_not", _logical_not),
    "philox": _intrinsic("philox", _philox),
    "floor": _unary("floor", emit.call_function("floor"), emit.identity),
    "ceil": _unary("ceil", emit.call_function("ceil"), emit.identity),
    "round": _unary("round", emit.call_function("round"), emit.identity),
    "sign": _unary("sign", emit.float_sign, emit.integer_sign),
    "abs": _unary("abs", emit.call_function("abs"), emit.integer_abs),
    "atan2": _binary("atan2", emit.call_function("atan2")),
    "isnan": _unary("isnan", emit.isnan, emit.always_false, types.boolean),
    "isinf": _unary("isinf", emit.isinf, emit.always_false, types.boolean),
    "isfinite": _unary("isfinite", emit.isfinite, emit.always_true, types.boolean),
    "maximum": _binary("maximum", emit.call_function("maximum"), emit.integer_extreme(">")),
    "minimum": _binary("minimum", emit.call_function("minimum"), emit.integer_extreme("<")),
    "power": _binary("power", emit.call_function("power"), emit.integer_power),
    "floor_divide": _binary("floor_divide", emit.float_floor_divide, emit.integer_floor_divide),
    "remainder": _binary("remainder", emit.float_remainder, emit.integer_remainder),
}
PRELUDE.update({name: _unary(name, emit.call_function(name)) for name in _FLOAT_FUNCTIONS})
PRELUDE.update({name: _cast(name, kind) for name, kind in _NUMBERS.items()})


def pointer_type(short: str) -> Any:
    """Numba's pointer to the elements of a dtype given by its short name."""
    by_short = {"f32": "float32", "f64": "float64", "b1": "bool_"}
    name = by_short.get(short) or f"{'uint' if short[0] == 'u' else 'int'}{short[1:]}"
    return KernelPointer(_NUMBERS[name])
