"""Random numbers as LLVM text, 16 Philox blocks at a time. In: distribution, dtype, limits; out: a module (see `emit_llvm`).

The counterpart of `emit_python_random`: the same numbers by the same operations, in the same places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from weft.graph.dtype import DType, float64, uint32, uint64
from weft.graph.special import ERFINV_CENTRAL

from .llvm_code import Code, Operand, scalar_type, suffix, vector_type
from .llvm_formulas import apply, constant

LANES = 16
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def random_llvm(distribution: str, dtype: DType, attrs: dict[str, Any]) -> str:
    """The text of a kernel (a: key, out, n0: count) named KERNEL."""
    return _Writer(distribution, dtype, attrs).module()


class _Writer:
    def __init__(self, distribution: str, dtype: DType, attrs: dict[str, Any]) -> None:
        self.distribution, self.dtype, self.attrs = distribution, dtype, attrs
        self.code = Code()
        self.width = 2 if dtype.size == 8 else 4  # numbers per block

    def module(self) -> str:
        code, count = self.code, LANES * self.width
        seed = code.let("load i64, ptr %a, align 8")
        draw = code.let(f"load i64, ptr {code.let('getelementptr inbounds i64, ptr %a, i64 1')}, align 8")
        code.fork(code.let("icmp sgt i64 %n0, 0"), "loop", "done")
        code.open("loop")
        code.line("%i = phi i64 [0, %entry], [%next, %latch]")
        numbers = self.numbers(self.words(seed, draw))
        self.store(numbers)
        code.arrive("latch")
        code.line(f"%next = add nsw i64 %i, {count}")
        code.fork(code.let("icmp slt i64 %next, %n0"), "loop", "done")
        code.open("done")
        code.line("ret i32 0")
        text = code.function("i32 @KERNEL(ptr noalias %a, ptr noalias %out, i64 %n0) nounwind")
        return text + "".join(f"{d}\n" for d in code.declarations.values())

    # Bits -------------------------------------------------------------------------------------------------------------------

    def op(self, function: str, *args: Operand) -> Operand:
        return apply(self.code, function, args, args[-1].dtype)

    def cast(self, value: Operand, dtype: DType) -> Operand:
        return apply(self.code, "cast", [value], dtype)

    def shifted(self, opcode: str, value: Operand, by: int) -> Operand:
        amount = self.code.widen(constant(by, value.dtype), value.lanes).text
        return Operand(self.code.let(f"{opcode} {value.type} {value.text}, {amount}"), value.dtype, value.lanes)

    def halves(self, value: Operand) -> tuple[Operand, Operand]:
        return self.cast(value, uint32), self.cast(self.shifted("lshr", value, 32), uint32)

    def words(self, seed: str, draw: str) -> list[Operand]:
        """Philox 4x32-10 of 16 blocks in a row: four vectors of 32-bit words. `prelude_python.philox` is the readable version."""
        code, wide = self.code, vector_type("i64", LANES)
        first = code.widen(Operand(code.let(f"udiv i64 %i, {self.width}"), uint64), LANES)
        steps = f"<{', '.join(f'i64 {i}' for i in range(LANES))}>"
        block = Operand(code.let(f"add {wide} {first.text}, {steps}"), uint64, LANES)
        (c0, c1), (c2, c3) = self.halves(block), self.halves(code.widen(Operand(draw, uint64), LANES))
        k0, k1 = self.halves(Operand(seed, uint64))
        for _ in range(10):
            low0, high0 = self.product(c0, _MULTIPLIERS[0])
            low1, high1 = self.product(c2, _MULTIPLIERS[1])
            c0, c1 = self.op("^", self.op("^", high1, c1), k0), low1
            c2, c3 = self.op("^", self.op("^", high0, c3), k1), low0
            k0, k1 = (self.op("+", k, constant(w, uint32)) for k, w in zip((k0, k1), _WEYL))
        return [c0, c1, c2, c3]

    def product(self, x: Operand, factor: int) -> tuple[Operand, Operand]:
        return self.halves(self.op("*", self.cast(x, uint64), constant(factor, uint64)))

    # Numbers ----------------------------------------------------------------------------------------------------------------

    def numbers(self, words: Sequence[Operand]) -> list[Operand]:
        """One vector per number of a block."""
        if self.width == 2:
            pairs = [(self.cast(words[i], uint64), self.cast(words[i + 1], uint64)) for i in (0, 2)]
            words = [self.op("|", low, self.shifted("shl", high, 32)) for low, high in pairs]
        return list(getattr(self, f"print_{self.distribution}")(words))

    def print_uniform(self, words: Sequence[Operand]) -> list[Operand]:
        digits = 53 if self.width == 2 else 24
        whole = [self.cast(self.shifted("lshr", w, 8 * w.dtype.size - digits), float64) for w in words]
        return [self.cast(self.scaled(w, 2.0**-digits), self.dtype) for w in whole]

    def scaled(self, x: Operand, by: float) -> Operand:
        return self.op("*", x, constant(by, float64))

    def open_interval(self, words: Sequence[Operand]) -> list[Operand]:
        digits = 53 if self.width == 2 else 32
        bits = [self.shifted("lshr", w, 11) for w in words] if self.width == 2 else words
        return [self.scaled(self.op("+", self.cast(b, float64), constant(0.5, float64)), 2.0**-digits) for b in bits]

    def print_normal(self, words: Sequence[Operand]) -> list[Operand]:
        u, out = self.open_interval(words), []
        for i in range(0, len(u), 2):
            radius = self.op("sqrt", self.op("*", constant(-2.0, float64), self.op("log", u[i])))
            angle = self.op("*", constant(2.0 * math.pi, float64), u[i + 1])
            out += [self.cast(self.op("*", radius, self.op(f, angle)), self.dtype) for f in ("cos", "sin")]
        return out

    def print_truncated_normal(self, words: Sequence[Operand]) -> list[Operand]:
        return [self.cast(self.within_two(u), self.dtype) for u in self.open_interval(words)]

    def within_two(self, u: Operand) -> Operand:
        """The normal deviate of a uniform one between the limits."""
        centred = self.op("-", self.scaled(u, 2.0), constant(1.0, float64))
        z = self.scaled(centred, math.erf(math.sqrt(2.0)))
        s = self.op("neg", self.op("log1p", self.op("*", self.op("neg", z), z)))
        g = constant(ERFINV_CENTRAL[-1], float64)
        for c in ERFINV_CENTRAL[-2::-1]:
            g = self.op("+", self.op("*", g, s), constant(c, float64))
        return self.scaled(self.op("*", z, g), math.sqrt(2.0))

    def print_int(self, words: Sequence[Operand]) -> list[Operand]:
        span, low = self.attrs["high"] - self.attrs["low"], constant(self.attrs["low"], self.dtype)
        rests = [self.op("remainder", w, constant(span, w.dtype)) for w in words]
        return [self.op("+", self.cast(r, self.dtype), low) for r in rests]

    # Memory -----------------------------------------------------------------------------------------------------------------

    def store(self, numbers: Sequence[Operand]) -> None:
        """Puts the blocks' numbers side by side; what lies behind the end is masked."""
        code, kind, total = self.code, scalar_type(self.dtype.short), LANES * self.width
        parts, lanes = [n.text for n in numbers], LANES
        while len(parts) > 1:
            before, lanes = vector_type(kind, lanes), 2 * lanes
            every = ", ".join(f"i32 {i}" for i in range(lanes))
            mask = f"<{lanes} x i32> <{every}>"
            parts = [
                code.let(f"shufflevector {before} {parts[i]}, {before} {parts[i + 1]}, {mask}") for i in range(0, len(parts), 2)
            ]
        row, whole = vector_type(kind, total), parts[0]
        order = ", ".join(f"i32 {j * LANES + b}" for b in range(LANES) for j in range(self.width))
        mixed = code.let(f"shufflevector {row} {whole}, {row} poison, <{total} x i32> <{order}>")
        left = code.let(f"call i64 @llvm.smin.i64(i64 {code.let('sub i64 %n0, %i')}, i64 {total})")
        code.declare("llvm.smin.i64", "i64", "i64", "i64")
        limit = code.widen(Operand(code.let(f"trunc i64 {left} to i32"), uint32), total)
        steps = f"<{', '.join(f'i32 {i}' for i in range(total))}>"
        mask = code.let(f"icmp ult {limit.type} {steps}, {limit.text}")
        address = code.let(f"getelementptr inbounds {kind}, ptr %out, i64 %i")
        function = f"llvm.masked.store.{suffix(kind, total)}.p0"
        code.run(function, (row, mixed), ("ptr", address), ("i32", str(self.dtype.size)), (vector_type("i1", total), mask))
