"""Sixteen short rows at once. In: a loop over rows and its `RowBlock`; out: LLVM text for one block of rows.

The lanes are rows, and the loops along a row run column by column over blocks that have been turned round on the stack. A row's
sums and extremes are combined in the order in which `emit_vectors` combines lanes: a row has the same bits in a block as alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from weft.graph.dtype import DType, float32

from .emit_vectors import Lanes
from .find_row_blocks import RowBlock
from .kernel import Apply, Expr, Let, Load, Loop, Statement, Store, variable
from .llvm_code import Operand
from .llvm_formulas import apply, cast, reduce_lanes
from .plan_vectors import VectorPlan
from .turn_rows import ROWS, Function, turning_back, turning_in

if TYPE_CHECKING:
    from .emit_llvm import KernelPrinter

ROW = "row"
"""The variable of a loop over the rows of a block."""


def print_row_block(printer: KernelPrinter, rows: Loop, block: RowBlock) -> None:
    """The loop's body for the rows from where the loop stands."""
    names, slots = dict(printer.names), dict(printer.slots)
    printer.lanes = Lanes(rows.variable, ROWS, {})
    printer.rows = BlockPrinter(printer, rows, block)
    printer.rows.print()
    printer.rows = printer.lanes = None
    printer.names, printer.slots = names, slots


class BlockPrinter:
    """One block. ``blocks`` are the stack's blocks, one vector per column, by array or accumulator."""

    def __init__(self, printer: KernelPrinter, rows: Loop, block: RowBlock) -> None:
        self.printer, self.rows, self.block = printer, rows, block
        self.blocks: dict[str, tuple[str, Operand]] = {}
        self.plan: VectorPlan | None = None
        self.column = ""

    def print(self) -> None:
        block, arrays = self.block, self.block.lengths
        for array, length in arrays.items():
            self.blocks[array] = self.allocate(float32, length)
            if array in block.read:
                self.call(turning_in(length), self.place(array), self.blocks[array][0])
        self.body(self.rows.body)
        for array, length in arrays.items():
            if array in block.written:
                self.call(turning_back(length), self.blocks[array][0], self.place(array))
        for array in block.sums:
            self.add_rows(array)

    def body(self, body: Sequence[Statement]) -> None:
        for statement in body:
            if isinstance(statement, Loop):
                self.loop(statement)
            elif isinstance(statement, Let):
                self.let(statement)
            elif isinstance(statement, Store):
                self.store(statement)
            else:
                self.printer.check(statement)

    def loop(self, loop: Loop) -> None:
        printer, extent = self.printer, loop.extent
        assert isinstance(extent, int)
        plan = self.plan = printer.plan(loop, str(extent))
        for name in plan.accumulators if plan else ():
            narrow = plan is not None and name in plan.narrow
            self.blocks[name] = self.allocate(float32 if narrow else printer.names[name].dtype, extent)

        def columns() -> None:
            self.column = printer.counters[loop.variable]
            self.body(loop.body)

        printer.loop(loop.variable, "0", str(extent), 1, columns)
        for name, function in plan.accumulators.items() if plan else ():
            assert plan is not None
            parts = [self.get(name, str(column)) for column in range(extent)]
            self.change(name, function, self.combine(function, parts, plan.lanes))
        self.plan = None

    def let(self, statement: Let) -> None:
        printer, name, value = self.printer, statement.name, statement.value
        if name in self.block.olds:
            return
        if self.plan is not None and name in self.plan.accumulators:
            assert isinstance(value, Apply)
            term = value.args[1]
            if name in self.plan.narrow:
                assert isinstance(term, Apply)
                (term,) = term.args
            self.put(name, self.wide(term))
        elif name in self.block.carried:
            assert isinstance(value, Apply)
            self.change(name, value.function, self.wide(value.args[1]))
        elif name in printer.mutable:
            printer.assign(name, self.wide(value))
        else:
            printer.names[name] = printer.expr(value)

    def wide(self, value: Expr) -> Operand:
        return self.printer.code.widen(self.printer.expr(value), ROWS)

    def combine(self, function: str, parts: list[Operand], lanes: int) -> Operand:
        """The columns combined as `reduce_lanes` combines lanes; lanes that are not there change nothing."""
        while lanes > 1:
            lanes //= 2
            pairs = [apply(self.printer.code, function, [a, b], a.dtype) for a, b in zip(parts, parts[lanes:])]
            parts = pairs + parts[len(pairs) : lanes]
        return parts[0]

    def change(self, name: str, function: str, total: Operand) -> None:
        """Takes the rows' totals into an accumulator of each row, or into one over all rows."""
        code, dtype = self.printer.code, self.printer.names[name].dtype
        total = Operand(cast(code, total, dtype, ROWS), dtype, ROWS)
        if name in self.block.carried:
            total = reduce_lanes(code, function, total)
        self.printer.assign(name, apply(code, function, [self.printer.expr_of(name), total], dtype))

    # Arrays -----------------------------------------------------------------------------------------------------------------

    def load(self, value: Load) -> Operand | None:
        """The element of an array that lies row after row, for all rows; None for other arrays."""
        return self.get(value.array, self.column) if value.array in self.block.lengths else None

    def store(self, statement: Store) -> None:
        array, value = statement.array, statement.value
        if array in self.block.sums:
            assert isinstance(value, Apply)
            length = self.block.sums[array].loop.extent
            assert isinstance(length, int)
            self.blocks.setdefault(array, self.allocate(float32, length))
            self.put(array, self.wide(value.args[1]))
        elif array in self.block.lengths:
            self.put(array, self.wide(value))
        else:
            self.printer.store(statement)

    def allocate(self, dtype: DType, columns: int) -> tuple[str, Operand]:
        """A block on the stack, and what it consists of."""
        kind = Operand("", dtype, ROWS)
        return self.printer.code.allocate(f"[{columns} x {kind.type}], align 64"), kind

    def at(self, name: str, column: str) -> str:
        slot, kind = self.blocks[name]
        return self.printer.code.let(f"getelementptr inbounds {kind.type}, ptr {slot}, i64 {column}")

    def get(self, name: str, column: str) -> Operand:
        kind = self.blocks[name][1]
        return Operand(self.printer.code.let(f"load {kind.type}, ptr {self.at(name, column)}"), kind.dtype, ROWS)

    def put(self, name: str, value: Operand) -> None:
        self.printer.code.line(f"store {value.type} {value.text}, ptr {self.at(name, self.column)}")

    def place(self, array: str) -> str:
        """Where the block's first row begins."""
        return self.printer.address(array, variable(self.rows.variable).scale(self.block.lengths[array]), float32)

    def call(self, function: Function, source: str, to: str) -> None:
        self.printer.functions[function.name] = function.text
        self.printer.code.declarations.update(function.declarations)
        self.printer.code.line(f"call fastcc void @{function.name}(ptr {source}, ptr {to})")

    def add_rows(self, array: str) -> None:
        """Adds the rows to the sums down columns, one after the other."""
        printer, code, length = self.printer, self.printer.code, self.block.sums[array].loop.extent
        slot, kind = printer.columns[array, "0"]
        assert isinstance(length, int)
        rows = code.allocate(f"[{ROWS * length + kind.lanes} x float], align 64")
        self.call(turning_back(length), self.blocks[array][0], rows)

        def add() -> None:
            place = code.let(f"mul nsw i64 {printer.counters[ROW]}, {length}")
            at = code.let(f"getelementptr inbounds float, ptr {rows}, i64 {place}")
            row = Operand(code.let(f"load {kind.type}, ptr {at}, align 4"), kind.dtype, kind.lanes)
            before = Operand(code.let(f"load {kind.type}, ptr {slot}"), kind.dtype, kind.lanes)
            code.line(f"store {kind.type} {apply(code, '+', [before, row], kind.dtype).text}, ptr {slot}")

        printer.loop(ROW, "0", str(ROWS), 1, add)
