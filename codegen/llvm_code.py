"""LLVM text under construction. In: types, operands and instructions; out: the lines of one function and what it declares.

A value is a scalar (``lanes`` 1) or a vector. Booleans are ``i1`` in registers and bytes in memory.
"""

from __future__ import annotations

import math
import struct

from weft.graph.dtype import DType
from weft.graph.record import record

from .function_writer import FunctionWriter
from .kernel import Affine

_REAL = {"f32": "float", "f64": "double"}


def scalar_type(short: str) -> str:
    """The LLVM type of a dtype in a register, by its short name."""
    return _REAL.get(short) or f"i{short[1:]}"


def memory_type(short: str) -> str:
    """The LLVM type of a dtype in memory."""
    return "i8" if short == "b1" else scalar_type(short)


def vector_type(scalar: str, lanes: int) -> str:
    return scalar if lanes == 1 else f"<{lanes} x {scalar}>"


def suffix(scalar: str, lanes: int) -> str:
    """How the type is written in an intrinsic's name: ``f32``, ``v16f32``, ``v16i8``."""
    letters = {"float": "f32", "double": "f64"}.get(scalar, scalar)
    return letters if lanes == 1 else f"v{lanes}{letters}"


def real_text(value: float) -> str:
    """A float as LLVM text, exact; float32 is written as the double of the same value."""
    return f"0x{struct.unpack('>Q', struct.pack('>d', value))[0]:016X}"


def splat(scalar: str, text: str, lanes: int) -> str:
    """A constant in all lanes."""
    return text if lanes == 1 else f"splat ({scalar} {text})"


def literal(value: object, dtype: DType) -> str:
    """A number as an LLVM operand of the dtype."""
    if dtype.is_floating:
        number = float(value)  # type: ignore[arg-type]  # whatever the dtype's rule has let in
        return real_text(number if math.isinf(number) or math.isnan(number) else float(dtype.np.type(number)))
    if dtype.is_bool:
        return "true" if value else "false"
    return str(int(value))  # type: ignore[call-overload]  # as above


_CHANGING = ("load", "phi", "tail call")


def _is_pure(function: str) -> bool:
    """Whether calls of the function may be merged: LLVM's intrinsics, but for those that read memory."""
    return function.startswith("llvm.") and "masked" not in function


@record
class Operand:
    """A value: its LLVM text, its dtype and number of lanes. constant: the text is a scalar literal."""

    text: str
    dtype: DType
    lanes: int = 1
    constant: bool = False

    @property
    def scalar(self) -> str:
        return scalar_type(self.dtype.short)

    @property
    def type(self) -> str:
        return vector_type(self.scalar, self.lanes)


MemoryPlace = tuple[str, Affine, tuple[str, ...]]
"""An element: the array, its index, and where the loops of the index stand."""


class Code(FunctionWriter):
    """A function that computes nothing twice within a block.

    avx512: the CPU has it; `vector_inverses` and `vector_tables` use instructions that others lack.
    """

    def __init__(self, avx512: bool = False) -> None:
        super().__init__()
        self.avx512 = avx512
        self.declarations: dict[str, str] = {}
        self.known: dict[str, str] = {}  # instructions of this block whose result cannot change, and their results
        self.memory: dict[MemoryPlace, tuple[Operand, str]] = {}  # what this block has read or stored, and under which mask

    def let(self, text: str) -> str:
        """A value, new if the block does not have it already."""
        known = self.known.get(text)
        if known is not None:
            return known
        name = super().let(text)
        if not text.startswith(_CHANGING):
            self.known[text] = name
        return name

    def open(self, label: str) -> None:
        super().open(label)
        self.known.clear()
        self.memory.clear()

    def call(self, function: str, result: str, *args: tuple[str, str]) -> str:
        """Calls and declares a function; args are (type, operand)."""
        self.declare(function, result, *(t for t, _ in args))
        opcode = "call" if _is_pure(function) else "tail call"
        return self.let(f"{opcode} {result} @{function}({', '.join(f'{t} {a}' for t, a in args)})")

    def run(self, function: str, *args: tuple[str, str]) -> None:
        """Calls and declares a function without a result."""
        self.declare(function, "void", *(t for t, _ in args))
        self.line(f"call void @{function}({', '.join(f'{t} {a}' for t, a in args)})")

    def declare(self, function: str, result: str, *types: str) -> None:
        self.declarations[function] = f"declare {result} @{function}({', '.join(types)})"

    def widen(self, value: Operand, lanes: int) -> Operand:
        """The value in all lanes."""
        if value.lanes == lanes:
            return value
        if value.constant:
            return Operand(splat(value.scalar, value.text, lanes), value.dtype, lanes)
        kind = vector_type(value.scalar, lanes)
        first = self.let(f"insertelement {kind} poison, {value.scalar} {value.text}, i64 0")
        text = self.let(f"shufflevector {kind} {first}, {kind} poison, <{lanes} x i32> zeroinitializer")
        return Operand(text, value.dtype, lanes)
