"""A short formula over the registers of a tile. In: a loop body over a vector of elements; out: instructions to be repeated.

The text holds the instructions for one vector: ``%value`` stands for its register, ``%mask`` for the lanes that exist, and
``%at.x`` for where array ``x`` has the vector (or, for an array by rows, the row's element). Where ``x`` takes up sums over rows,
``%sum.x`` stands for the sum so far and ``%next.x`` is the sum with this element. `repeat_element` puts in the names of a place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from weft.graph.dtype import DType

from .emit_llvm import KernelPrinter
from .emit_vectors import Lanes
from .kernel import Affine, Kernel, Load, Loop, Statement
from .llvm_code import Operand
from .target import Target

LONGEST = 24
"""Instructions per vector up to which repeating them beats a call: a tile has up to 28 vectors."""


class _ElementPrinter(KernelPrinter):
    """Prints a loop body for one vector."""

    def __init__(self, kernel: Kernel, values: str, sums: Sequence[str], target: Target, masked: bool) -> None:
        super().__init__(kernel, (), target)
        self.values, self.sums = values, sums
        self.lanes = Lanes("i1", target.vector_bytes // kernel.params[0].dtype.size, {}, mask="%mask" if masked else "")

    def address(self, array: str, index: Affine, dtype: DType) -> str:
        if index.offset != 0:
            raise ValueError("an array that begins elsewhere")
        return f"%at.{array}"

    def load(self, value: Load) -> Operand:
        assert self.lanes is not None
        if value.array in self.sums:
            return Operand(f"%sum.{value.array}", value.dtype, self.lanes.count)
        return Operand("%value", value.dtype, self.lanes.count) if value.array == self.values else super().load(value)

    def write(self, array: str, index: Affine, value: Operand) -> None:
        if array in self.sums:
            self.code.line(f"%next.{array} = bitcast {value.type} {value.text} to {value.type}")
        else:
            super().write(array, index, value)


def print_element(
    kernel: Kernel, values: str, sums: Sequence[str], target: Target, masked: bool, declared: set[str]
) -> str:
    """The instructions for one vector of the innermost loop, with all that stands around it; "" if they are too many."""
    printer = _ElementPrinter(kernel, values, sums, target, masked)
    try:
        printer.body(_flat(kernel.body))
    except ValueError:
        return ""
    lines = printer.code.lines
    if len(lines) > LONGEST or printer.code.entry or any(line.endswith(":") for line in lines):
        return ""
    declared.update(printer.code.declarations.values())
    return "\n".join(lines)


def _flat(body: Sequence[Statement]) -> list[Statement]:
    return [s for statement in body for s in (_flat(statement.body) if isinstance(statement, Loop) else [statement])]


def repeat_element(text: str, names: Mapping[str, str], prefix: str) -> list[str]:
    """The instructions at one place. names: what stands there for ``value``, ``mask``, ``at.x``; prefix: of other names."""
    return re.sub(r"%([A-Za-z][\w.]*)", lambda m: names.get(m[1]) or f"%{prefix}.{m[1]}", text).splitlines()
