"""Vector loops. In: a loop and its `VectorPlan`; out: LLVM text: whole vectors first, then the rest under a mask.

Each accumulator of the loop becomes ``copies`` vectors, so that one addition need not wait for the last one. Afterwards they are
combined in a fixed tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.graph.dtype import int32
from weft.graph.record import field, record

from .kernel import Loop
from .llvm_code import Operand, vector_type
from .llvm_formulas import apply, identity, reduce_lanes
from .plan_vectors import VectorPlan
from .stream_memory import is_long, print_streaming

if TYPE_CHECKING:
    from .emit_llvm import KernelPrinter

COSTLY = 50  # operations per element


@record(frozen=False)
class Lanes:
    """What of a vector loop is being printed: variable, lanes, the mask ("" for whole vectors), the copy of the accumulators.

    ahead: what is read is fetched ahead. past: arrays whose elements are stored past the caches.
    """

    variable: str
    count: int
    accumulators: dict[str, str]
    mask: str = ""
    copy: int = 0
    slots: dict[tuple[str, int], tuple[str, Operand]] = field(default_factory=dict)
    ahead: bool = False
    past: frozenset[str] = frozenset()

    def current(self, printer: KernelPrinter, name: str) -> Operand:
        slot, kind = self.slots[name, self.copy]
        return Operand(printer.code.emit(f"load {kind.type}, ptr {slot}"), kind.dtype, kind.lanes)

    def keep(self, printer: KernelPrinter, name: str, value: Operand) -> None:
        """The accumulator's new value, in the lanes that are there."""
        slot, kind = self.slots[name, self.copy]
        code, text = printer.code, value.text
        if self.mask:
            old = self.current(printer, name)
            text = code.emit(f"select {vector_type('i1', self.count)} {self.mask}, {kind.type} {text}, {kind.type} {old.text}")
        code.do(f"store {kind.type} {text}, ptr {slot}")


def print_vector_loop(printer: KernelPrinter, loop: Loop, plan: VectorPlan) -> None:
    lanes = Lanes(loop.variable, plan.lanes, plan.accumulators)
    _start_accumulators(printer, lanes, plan.copies)
    printer.lanes = lanes
    if plan.extent is not None:
        _static_loop(printer, loop, plan, plan.extent)
    else:
        _dynamic_loop(printer, loop, plan)
    printer.lanes = None
    _finish_accumulators(printer, lanes, plan.copies)


def _start_accumulators(printer: KernelPrinter, lanes: Lanes, copies: int) -> None:
    code = printer.code
    for name, function in lanes.accumulators.items():
        start = identity(function, printer.names[name].dtype)
        assert start is not None
        wide = code.widen(start, lanes.count)
        for copy in range(copies):
            slot = code.allocate(wide.type)
            lanes.slots[name, copy] = (slot, wide)
            code.do(f"store {wide.type} {wide.text}, ptr {slot}")


def _finish_accumulators(printer: KernelPrinter, lanes: Lanes, copies: int) -> None:
    for name, function in lanes.accumulators.items():
        parts = []
        for copy in range(copies):
            lanes.copy = copy
            parts.append(lanes.current(printer, name))
        while len(parts) > 1:
            pairs = [apply(printer.code, function, parts[i : i + 2], parts[0].dtype) for i in range(0, len(parts) - 1, 2)]
            parts = pairs + parts[len(pairs) * 2 :]
        total = reduce_lanes(printer.code, function, parts[0])
        before = printer.expr_of(name)
        printer.assign(name, apply(printer.code, function, [before, total], total.dtype))


def _static_loop(printer: KernelPrinter, loop: Loop, plan: VectorPlan, extent: int) -> None:
    lanes, copies = printer.lanes, plan.copies
    assert lanes is not None
    done = 0
    if not plan.straight:
        done = extent // plan.lanes // copies * copies
        _whole_vectors(printer, loop, str(done * plan.lanes), copies)
    for i, (position, count) in enumerate(plan.places()):
        if i >= done:
            lanes.copy = i % copies
            lanes.mask = first_lanes(plan.lanes, count)
            _at(printer, loop, str(position))


def first_lanes(lanes: int, count: int) -> str:
    """The mask of the first ``count`` lanes, "" for all."""
    return "" if count == lanes else f"<{', '.join(f'i1 {i < count}'.lower() for i in range(lanes))}>"


def _at(printer: KernelPrinter, loop: Loop, position: str) -> None:
    """The loop's body, once."""
    outside = printer.counters.get(loop.variable, "")
    printer.counters[loop.variable] = position
    printer.body(loop.body)
    if outside:
        printer.counters[loop.variable] = outside
    else:
        del printer.counters[loop.variable]


def _whole_vectors(printer: KernelPrinter, loop: Loop, last: str, copies: int) -> None:
    lanes = printer.lanes
    assert lanes is not None

    def body() -> None:
        first = printer.counters[loop.variable]
        for copy in range(copies):
            lanes.copy = copy
            shifted = first if copy == 0 else printer.code.emit(f"add nsw i64 {first}, {copy * lanes.count}")
            _at(printer, loop, shifted)

    printer.loop(loop.variable, "0", last, lanes.count * copies, body)


def _dynamic_loop(printer: KernelPrinter, loop: Loop, plan: VectorPlan) -> None:
    """Costly bodies are printed once, always under a mask: it costs little there, and a second copy doubles compiling."""
    code, lanes = printer.code, printer.lanes
    assert lanes is not None
    extent = printer.extent(loop)
    whole = "0"
    long = printer.streamed is not None and is_long(loop, printer.kernel)
    if long or plan.cost < COSTLY or plan.copies > 1:
        whole = code.emit(f"and i64 {extent}, {-lanes.count * plan.copies}")
        if long:
            print_streaming(printer, loop, lambda: _whole_vectors(printer, loop, whole, plan.copies))
        else:
            _whole_vectors(printer, loop, whole, plan.copies)
    lanes.copy = 0

    def body() -> None:
        first = printer.counters[loop.variable]
        left = code.emit(f"trunc i64 {code.emit(f'sub i64 {extent}, {first}')} to i32")
        wide = code.widen(Operand(left, int32), lanes.count)
        steps = f"<{', '.join(f'i32 {i}' for i in range(lanes.count))}>"
        lanes.mask = code.emit(f"icmp ult {wide.type} {steps}, {wide.text}")
        printer.body(loop.body)

    printer.loop(loop.variable, whole, extent, lanes.count, body)
