"""The LLVM printer of kernels. In: a `Kernel` with collapsed loops and the sizes it is passed; out: the text of one module.

The module defines ``i32 @KERNEL(ptr..., i64...)`` and needs no runtime but the C library. The printer decides what becomes a
vector (see `plan_vectors`); LLVM's own vectoriser is not needed. The text depends on the CPU only in `vector_inverses`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from weft.graph.dims import Size
from weft.graph.dtype import DType, int64

from .emit_row_blocks import BlockPrinter, print_row_block
from .emit_vectors import Lanes, first_lanes, print_vector_loop
from .find_row_blocks import find_row_block
from .hold_columns import Column, find_columns
from .kernel import (
    Affine,
    Apply,
    Check,
    Const,
    Expr,
    Kernel,
    Let,
    Load,
    Loop,
    Name,
    Position,
    SizeOf,
    Statement,
    Store,
    divide,
    statements,
)
from .llvm_code import Code, MemoryPlace, Operand, memory_type, suffix, vector_type
from .llvm_formulas import apply, cast, constant, name_function
from .plan_vectors import VectorPlan, plan_vectors
from .program import PLACEHOLDER
from .stream_memory import fetch_ahead, store_past
from .target import Target
from .turn_rows import ROWS


def print_llvm(
    kernel: Kernel, sizes: Sequence[Size], target: Target, streamed: Sequence[str] | None = None, outer: Size | None = None
) -> str:
    """The module's text. sizes: what the kernel gets after the pointers, as the Python printer found it. streamed: the arrays
    that may be stored past the caches; None: nothing here is so large, see `stream_memory`. outer: the size of which parts of the
    kernel get another number, so that nothing else may be told by it.
    """
    return KernelPrinter(kernel, sizes, target, streamed, outer).module()


class KernelPrinter:
    """One kernel.

    ``names`` are the values known so far; ``slots`` are accumulators, which live in stack slots until LLVM's first pass;
    ``counters`` are the open loops' variables; ``lanes`` says what part of a vector loop is being printed, and
    ``rows`` which block of short rows.
    """

    def __init__(
        self,
        kernel: Kernel,
        sizes: Sequence[Size],
        target: Target,
        streamed: Sequence[str] | None = None,
        outer: Size | None = None,
    ) -> None:
        self.kernel, self.sizes, self.static_extent, self.streamed = kernel, sizes, target.static_extent, streamed
        self.outer = outer
        self.code = Code(target.avx512)
        self.names: dict[str, Operand] = {}
        self.slots: dict[str, str] = {}
        self.counters: dict[str, str] = {}
        self.columns: dict[tuple[str, str], tuple[str, Operand]] = {}  # (array, position) -> stack slot and what it holds
        self.lanes: Lanes | None = None
        self.rows: BlockPrinter | None = None
        self.functions: dict[str, str] = {}  # what the kernel calls, by name
        counts = Counter(s.name for s in statements(kernel.body) if isinstance(s, Let))
        self.mutable = {name for name, count in counts.items() if count > 1}

    def module(self) -> str:
        code = self.code
        self.body(self.kernel.body)
        code.line("ret i32 0")
        params = [f"ptr noalias %{p.name}" for p in self.kernel.params] + [f"i64 %n{i}" for i in range(len(self.sizes))]
        head = f"i32 @{PLACEHOLDER}({', '.join(params)}) nounwind"
        return "".join([code.function(head), *self.functions.values(), *(f"{d}\n" for d in code.declarations.values())])

    # Statements -------------------------------------------------------------------------------------------------------------

    def body(self, body: Sequence[Statement]) -> None:
        for statement in body:
            self.statement(statement)

    def statement(self, statement: Statement) -> None:
        if isinstance(statement, Loop):
            plan = self.plan(statement, self.extent(statement))
            if plan is None:
                self.scalar_loop(statement)
            else:
                print_vector_loop(self, statement, plan)
        elif isinstance(statement, Let):
            self.let(statement)
        elif isinstance(statement, Store):
            self.store(statement)
        else:
            assert isinstance(statement, Check)
            self.check(statement)

    def plan(self, loop: Loop, extent: str) -> VectorPlan | None:
        return plan_vectors(loop, int(extent) if extent.isdigit() else None, self.mutable)

    def scalar_loop(self, loop: Loop) -> None:
        def plan_of(inner: Loop) -> VectorPlan | None:
            return self.plan(inner, self.size(inner.extent))

        columns = find_columns(loop, self.counters, plan_of)
        extent, first = self.extent(loop), "0"
        for column in columns:
            self.move_column(column, into=True)
        block = find_row_block(loop, columns, self.counters, self.mutable, plan_of)
        if block is not None:
            first = self.code.let(f"and i64 {extent}, {-ROWS}")
            self.loop(loop.variable, "0", first, ROWS, lambda: print_row_block(self, loop, block))
        self.loop(loop.variable, first, extent, 1, lambda: self.body(loop.body))
        for column in columns:
            self.move_column(column, into=False)

    def move_column(self, column: Column, into: bool) -> None:
        """Loads the array's elements into stack slots, which become registers, or stores them again."""
        variable, plan = column.loop.variable, column.plan
        for position, count in plan.places():
            self.counters[variable] = str(position)
            self.lanes = Lanes(variable, plan.lanes, {}, mask=first_lanes(plan.lanes, count))
            key = (column.array, str(position))
            if into:
                value = self.load(Load(column.array, column.index, column.dtype))
                slot = self.code.allocate(value.type)
                self.code.line(f"store {value.type} {value.text}, ptr {slot}")
                self.columns[key] = (slot, value)
            else:
                slot, kind = self.columns.pop(key)
                value = Operand(self.code.let(f"load {kind.type}, ptr {slot}"), kind.dtype, kind.lanes)
                self.write(column.array, column.index, value)
        self.lanes = None
        del self.counters[variable]

    def column(self, array: str, lanes: int) -> tuple[str, Operand] | None:
        """The stack slot of the array's elements where the vector loop stands, if it has one."""
        if self.lanes is None or lanes == 1:
            return None
        return self.columns.get((array, self.counters.get(self.lanes.variable, "")))

    def loop(self, variable: str, first: str, last: str, step: int | str, body: Callable[[], None]) -> None:
        """``for variable in range(first, last, step)``, tested at its end."""
        code = self.code
        before, head, after = (code.fresh(name) for name in ("before", "loop", "after"))
        code.arrive(before)
        enter = code.fresh("enter")
        code.fork(code.let(f"icmp slt i64 {first}, {last}"), enter, after)
        code.open(enter)
        code.arrive(head)
        counter, following = code.fresh("%i"), code.fresh("%next")
        latch = code.fresh("latch")
        code.line(f"{counter} = phi i64 [{first}, %{enter}], [{following}, %{latch}]")
        self.counters[variable] = counter
        body()
        code.arrive(latch)
        code.line(f"{following} = add nsw i64 {counter}, {step}")
        code.fork(code.let(f"icmp slt i64 {following}, {last}"), head, after)
        code.open(after)
        del self.counters[variable]

    def let(self, statement: Let) -> None:
        if self.lanes is not None and statement.name in self.lanes.accumulators:
            self.lanes.accumulate(self, statement)
        elif statement.name in self.mutable:
            self.assign(statement.name, self.expr(statement.value))
        else:
            self.names[statement.name] = self.expr(statement.value)

    def assign(self, name: str, value: Operand) -> None:
        """A new value for an accumulator."""
        if name not in self.slots:
            self.slots[name] = self.code.allocate(value.type)
            self.names[name] = Operand("", value.dtype, value.lanes)
        self.code.line(f"store {value.type} {value.text}, ptr {self.slots[name]}")

    def check(self, statement: Check) -> None:
        code = self.code
        condition = self.expr(statement.condition)
        text = condition.text
        if condition.lanes > 1:
            assert self.lanes is not None
            mask = condition.type
            if self.lanes.mask:
                text = code.let(f"and {mask} {text}, {self.lanes.mask}")
            text = code.call(f"llvm.vector.reduce.or.{suffix('i1', condition.lanes)}", "i1", (mask, text))
        failed, passed = code.fresh("failed"), code.fresh("passed")
        code.fork(text, failed, passed)
        code.open(failed)
        code.line(f"ret i32 {statement.code}")
        code.open(passed)

    def store(self, statement: Store) -> None:
        value = self.expr(statement.value)
        if self.lanes is None:
            self.write(statement.array, statement.index, value)
            return
        value = self.code.widen(value, self.lanes.count)
        column = self.column(statement.array, value.lanes)
        if column is None:
            self.write(statement.array, statement.index, value)
        else:
            self.code.line(f"store {value.type} {value.text}, ptr {column[0]}")

    def write(self, array: str, index: Affine, value: Operand) -> None:
        """Stores the value in memory, in the lanes that count."""
        code, lanes = self.code, self.lanes
        memory = vector_type(memory_type(value.dtype.short), value.lanes)
        text = value.text
        if value.dtype.is_bool:
            text = code.let(f"zext {value.type} {text} to {memory}")
        address = self.address(array, index, value.dtype)
        self.note(array, index, value)
        if lanes is None or not lanes.mask:
            past = lanes is not None and array in lanes.past
            code.line(f"store {memory} {text}, ptr {address}, {store_past(self, value) if past else f'align {value.dtype.size}'}")
            return
        count = lanes.mask.count("true")
        if count:
            self.write_parts(memory, text, address, value, count)
            return
        function = f"llvm.masked.store.{suffix(memory_type(value.dtype.short), value.lanes)}.p0"
        mask = vector_type("i1", value.lanes)
        code.run(function, (memory, text), ("ptr", address), ("i32", str(value.dtype.size)), (mask, lanes.mask))

    def write_parts(self, memory: str, text: str, address: str, value: Operand, count: int) -> None:
        """The first ``count`` lanes in parts of 8, 4, 2 and 1. After a store under a mask the CPU lets loads wait that touch the
        lanes left out: the next row of the same array."""
        code, scalar, first = self.code, memory_type(value.dtype.short), 0
        for lanes in (8, 4, 2, 1):
            if not count & lanes:
                continue
            picks = ", ".join(f"i32 {first + i}" for i in range(lanes))
            part = code.let(f"shufflevector {memory} {text}, {memory} poison, <{lanes} x i32> <{picks}>")
            at = code.let(f"getelementptr inbounds {scalar}, ptr {address}, i64 {first}")
            code.line(f"store <{lanes} x {scalar}> {part}, ptr {at}, align {value.dtype.size}")
            first += lanes

    # Sizes and addresses ----------------------------------------------------------------------------------------------------

    def extent(self, loop: Loop) -> str:
        """The outermost loops get their length as an argument; short inner ones carry it as a number."""
        if not self.counters and loop.extent in self.sizes:
            return f"%n{self.sizes.index(loop.extent)}"
        return self.size(loop.extent)

    def size(self, size: Size) -> str:
        """The size as an int64 operand: an argument where there is one, else a number or a multiple of an argument."""
        if isinstance(size, int) and abs(size) <= self.static_extent:
            return str(size)
        if size in self.sizes:
            return f"%n{self.sizes.index(size)}"
        for i, known in enumerate(self.sizes):
            factor = None if known == self.outer else divide(size, known)
            if isinstance(factor, int):
                return self.code.let(f"mul nsw i64 %n{i}, {factor}")
        if isinstance(size, int):  # a tile's kernel is only told of the tile
            return str(size)
        raise KeyError(f"The size {size} is no argument of the kernel.")

    def index(self, index: Affine) -> str:
        """The index as an int64 operand; in a vector loop the first lane's."""
        total = ""
        for name, factor in index.terms:
            counter = self.counters.get(name) or self.expr(Name(name, int64)).text
            term = counter if factor == 1 else self.code.let(f"mul nsw i64 {counter}, {self.size(factor)}")
            total = self.code.let(f"add nsw i64 {total}, {term}") if total else term
        if not total:
            return self.size(index.offset)
        return total if index.offset == 0 else self.code.let(f"add nsw i64 {total}, {self.size(index.offset)}")

    def address(self, array: str, index: Affine, dtype: DType) -> str:
        return self.code.let(f"getelementptr inbounds {memory_type(dtype.short)}, ptr %{array}, i64 {self.index(index)}")

    # Expressions ------------------------------------------------------------------------------------------------------------

    def expr(self, value: Expr) -> Operand:
        if isinstance(value, Const):
            return constant(value.value, value.dtype)
        if isinstance(value, Name):
            return self.name(value)
        if isinstance(value, Load):
            return self.load(value)
        if isinstance(value, SizeOf):
            return self.number(self.size(value.size), value.dtype)
        if isinstance(value, Position):
            return self.position(value)
        assert isinstance(value, Apply)
        value = name_function(value)
        return apply(self.code, value.function, [self.expr(a) for a in value.args], value.dtype)

    def name(self, value: Name) -> Operand:
        known = self.names[value.name]
        if self.lanes is not None and value.name in self.lanes.accumulators:
            return self.lanes.current(self, value.name)
        if value.name not in self.slots:
            return known
        return Operand(self.code.let(f"load {known.type}, ptr {self.slots[value.name]}"), known.dtype, known.lanes)

    def expr_of(self, name: str) -> Operand:
        """The accumulator's present value."""
        return self.name(Name(name, self.names[name].dtype))

    def number(self, text: str, dtype: DType) -> Operand:
        """An int64 as a number of the dtype."""
        return Operand(cast(self.code, Operand(text, int64), dtype, 1), dtype)

    def position(self, value: Position) -> Operand:
        first = self.number(self.index(value.index), int64)
        lanes = self.lanes
        factor = value.index.factor(lanes.variable) if lanes is not None else 0
        if lanes is None or factor == 0:
            return self.number(first.text, value.dtype)
        kind = vector_type("i64", lanes.count)
        steps = f"<{', '.join(f'i64 {i}' for i in range(lanes.count))}>"
        if factor != 1:
            stride = self.code.widen(Operand(self.size(factor), int64), lanes.count)
            steps = self.code.let(f"mul {kind} {steps}, {stride.text}")
        base = self.code.widen(first, lanes.count)
        text = self.code.let(f"add {kind} {base.text}, {steps}")
        return Operand(cast(self.code, Operand(text, int64, lanes.count), value.dtype, lanes.count), value.dtype, lanes.count)

    def load(self, value: Load) -> Operand:
        code, lanes = self.code, self.lanes
        count = lanes.count if lanes is not None and value.index.factor(lanes.variable) != 0 else 1
        turned = self.rows.load(value) if self.rows is not None else None
        if turned is not None:
            return turned
        column = self.column(value.array, count)
        if column is not None:
            slot, held = column
            return Operand(code.let(f"load {held.type}, ptr {slot}"), held.dtype, held.lanes)
        known = code.memory.get(self.memory_place(value.array, value.index))
        if known is not None and known[0].lanes == count and known[1] == self.mask(count):
            return known[0]
        address = self.address(value.array, value.index, value.dtype)
        kind = vector_type(memory_type(value.dtype.short), count)
        if lanes is None or count == 1 or not lanes.mask:
            if lanes is not None and lanes.ahead and count > 1:
                fetch_ahead(self, value)
            text = code.let(f"load {kind}, ptr {address}, align {value.dtype.size}")
        else:
            function = f"llvm.masked.load.{suffix(memory_type(value.dtype.short), count)}.p0"
            mask = vector_type("i1", count)
            args = [("ptr", address), ("i32", str(value.dtype.size)), (mask, lanes.mask), (kind, "zeroinitializer")]
            text = code.call(function, kind, *args)
        if value.dtype.is_bool:
            zero = "zeroinitializer" if count > 1 else "0"
            text = code.let(f"icmp ne {kind} {text}, {zero}")
        loaded = Operand(text, value.dtype, count)
        code.memory[self.memory_place(value.array, value.index)] = loaded, self.mask(count)
        return loaded

    def mask(self, count: int) -> str:
        """The mask of what is being printed, if it has so many lanes."""
        return self.lanes.mask if self.lanes is not None and count > 1 else ""

    def memory_place(self, array: str, index: Affine) -> MemoryPlace:
        return array, index, tuple(self.counters.get(name, name) for name, _ in index.terms)

    def note(self, array: str, index: Affine, value: Operand) -> None:
        """Remembers what the place now holds, for this block; places with another index might be the same one."""
        memory = self.code.memory
        for place in [p for p in memory if p[0] == array and p[1] != index]:
            del memory[place]
        memory[self.memory_place(array, index)] = value, self.mask(value.lanes)


def print_formula(code: Code, value: Expr, registers: dict[str, Operand]) -> Operand:
    """Vector instructions for a formula over values that are already in registers.

    For kernels that compute their elements themselves (the epilogue of a matrix product): ``registers`` maps the formula's names
    to operands of any number of lanes (1: the same for all lanes); the result has as many as the widest. `Load` and sizes are not
    allowed. Declarations gather in ``code.declarations``.
    """
    if isinstance(value, Name):
        return registers[value.name]
    if isinstance(value, Const):
        return constant(value.value, value.dtype)
    if not isinstance(value, Apply):
        raise ValueError(f"A formula over registers has names, numbers and functions only. Received: {value}.")
    value = name_function(value)
    return apply(code, value.function, [print_formula(code, a, registers) for a in value.args], value.dtype)
