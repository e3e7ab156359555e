"""Integer division and powers as LLVM instructions. In: LLVM type and operands; out: the result.

Division by zero gives 0 as in NumPy, never a trap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .llvm_code import Code, splat


def _divide(code: Code, kind: str, texts: Sequence[str], signed: bool, lanes: int) -> tuple[str, str]:
    """(floor(x / y), x - y * floor(x / y)), both 0 for a zero divisor; the least integer over -1 wraps around."""
    x, y = texts
    scalar = kind.split(" x ")[-1].rstrip(">")
    mask = kind.replace(scalar, "i1") if lanes > 1 else "i1"

    def number(value: int) -> str:
        return splat(scalar, str(value), lanes)

    def select(condition: str, a: str, b: str) -> str:
        return code.let(f"select {mask} {condition}, {kind} {a}, {kind} {b}")

    def op(opcode: str, a: str, b: str) -> str:
        return code.let(f"{opcode} {kind} {a}, {b}")

    zero, one = number(0), number(1)
    is_zero = op("icmp eq", y, zero)
    divisor = select(is_zero, one, y)
    if not signed:
        return select(is_zero, zero, op("udiv", x, divisor)), select(is_zero, zero, op("urem", x, divisor))
    by_minus = op("icmp eq", divisor, number(-1))
    safe = select(by_minus, one, divisor)
    quotient, rest = op("sdiv", x, safe), op("srem", x, safe)
    inexact = op("icmp ne", rest, zero)
    opposite = op("icmp slt", op("xor", rest, safe), zero)
    differs = code.let(f"and {mask} {inexact}, {opposite}")
    quotient = select(differs, op("sub", quotient, one), quotient)
    rest = select(differs, op("add", rest, safe), rest)
    quotient = select(by_minus, op("sub", zero, x), quotient)
    return select(is_zero, zero, quotient), select(is_zero, zero, rest)


Division = Callable[[Code, str, Sequence[str], bool, int], str]
DIVISIONS: dict[str, Division] = {
    "floor_divide": lambda *a: _divide(*a)[0],
    "remainder": lambda *a: _divide(*a)[1],
}


def integer_power(code: Code, kind: str, texts: Sequence[str], signed: bool) -> str:
    """Repeated squaring, wrapping around; a negative exponent leaves 1 for 1, ±1 for -1 and 0 else. Scalars only."""
    x, y = texts
    before, loop, done = code.block, code.fresh("power"), code.fresh("power")
    base, rest, total = (code.fresh("%p") for _ in range(3))
    next_base, next_rest, next_total = (f"{n}.next" for n in (base, rest, total))
    code.arrive(loop)
    for name, first in ((base, x), (rest, y), (total, "1")):
        code.line(f"{name} = phi {kind} [{first}, %{before}], [{name}.next, %{loop}]")
    odd = code.let(f"trunc {kind} {rest} to i1")
    product = code.let(f"mul {kind} {total}, {base}")
    code.line(f"{next_total} = select i1 {odd}, {kind} {product}, {kind} {total}")
    code.line(f"{next_rest} = lshr {kind} {rest}, 1")
    code.line(f"{next_base} = mul {kind} {base}, {base}")
    code.fork(code.let(f"icmp ne {kind} {next_rest}, 0"), loop, done)
    code.open(done)
    if not signed:
        return next_total
    negative = code.let(f"icmp slt {kind} {y}, 0")
    one, minus = code.let(f"icmp eq {kind} {x}, 1"), code.let(f"icmp eq {kind} {x}, -1")
    unit = code.let(f"or i1 {one}, {minus}")
    gone = code.let(f"and i1 {negative}, {code.let(f'xor i1 {unit}, true')}")
    return code.let(f"select i1 {gone}, {kind} 0, {kind} {next_total}")
