"""Vector loops. In: a loop and its `VectorPlan`; out: LLVM text: whole vectors first, then the rest under a mask.

Each accumulator of the loop becomes ``copies`` vectors, so that one addition need not wait for the last one. Afterwards they are
combined in a fixed tree. A float64 sum of float32 numbers is such vectors of float32 for `RUN` additions at a time: conversions
would take longer than all the rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from weft.graph.dtype import DType, float32, float64, int32
from weft.graph.record import field, record

from .interleave_lines import interleave
from .kernel import Apply, Let, Loop
from .llvm_code import Operand, vector_type
from .llvm_formulas import apply, cast, identity, reduce_lanes
from .plan_vectors import CHEAP, RUN, VectorPlan
from .stream_memory import all_strips, chunk_of, is_long, print_streaming, print_strips

if TYPE_CHECKING:
    from .emit_llvm import KernelPrinter

COSTLY = 50  # operations per element
PAIR = 2
"""Vectors of a costly loop at a time: with four, constants no longer fit the registers."""


@record(frozen=False)
class Lanes:
    """What of a vector loop is being printed: variable, lanes, the mask ("" for whole vectors), the copy of the accumulators.

    narrow: float64 accumulators whose copies are float32; totals: what the copies of those are added to after every run of a long
    loop. ahead: what is read is fetched ahead. past: arrays whose elements are stored past the caches. chunk: elements of each
    strip in turn, 0 in a loop from beginning to end.
    """

    variable: str
    count: int
    accumulators: dict[str, str]
    narrow: frozenset[str] = frozenset()
    mask: str = ""
    copy: int = 0
    slots: dict[tuple[str, int], tuple[str, Operand]] = field(default_factory=dict)
    totals: dict[str, tuple[str, Operand]] = field(default_factory=dict)
    ahead: bool = False
    past: frozenset[str] = frozenset()
    chunk: int = 0

    def current(self, printer: KernelPrinter, name: str) -> Operand:
        slot, kind = self.slots[name, self.copy]
        return Operand(printer.code.let(f"load {kind.type}, ptr {slot}"), kind.dtype, kind.lanes)

    def accumulate(self, printer: KernelPrinter, statement: Let) -> None:
        """The accumulator's new value, in the lanes that are there."""
        name, value, code = statement.name, statement.value, printer.code
        slot, kind = self.slots[name, self.copy]
        if name in self.narrow:
            assert isinstance(value, Apply) and isinstance(value.args[1], Apply)
            (term,) = value.args[1].args
            text = apply(code, value.function, [self.current(printer, name), printer.expr(term)], float32).text
        else:
            text = printer.expr(value).text
        if self.mask:
            old = self.current(printer, name)
            text = code.let(f"select {vector_type('i1', self.count)} {self.mask}, {kind.type} {text}, {kind.type} {old.text}")
        code.line(f"store {kind.type} {text}, ptr {slot}")


def print_vector_loop(printer: KernelPrinter, loop: Loop, plan: VectorPlan) -> None:
    lanes = Lanes(loop.variable, plan.lanes, plan.accumulators, plan.narrow)
    _start_accumulators(printer, lanes, plan)
    printer.lanes = lanes
    if plan.extent is not None:
        _static_loop(printer, loop, plan, plan.extent)
    else:
        _dynamic_loop(printer, loop, plan)
    printer.lanes = None
    _finish_accumulators(printer, lanes, plan.copies)


def _start_accumulators(printer: KernelPrinter, lanes: Lanes, plan: VectorPlan) -> None:
    for name, function in lanes.accumulators.items():
        narrow = name in lanes.narrow
        for copy in range(plan.copies):
            lanes.slots[name, copy] = _start(printer, lanes, function, float32 if narrow else printer.names[name].dtype)
        if narrow and not plan.short:
            lanes.totals[name] = _start(printer, lanes, function, float64)


def _start(printer: KernelPrinter, lanes: Lanes, function: str, dtype: DType) -> tuple[str, Operand]:
    """A slot that holds a vector of what the reduction starts with."""
    start = identity(function, dtype)
    assert start is not None
    wide = printer.code.widen(start, lanes.count)
    slot = printer.code.allocate(wide.type)
    printer.code.line(f"store {wide.type} {wide.text}, ptr {slot}")
    return slot, wide


def _combine_copies(printer: KernelPrinter, lanes: Lanes, name: str, copies: int) -> Operand:
    """The copies of an accumulator as one vector."""
    parts, function = [], lanes.accumulators[name]
    for copy in range(copies):
        lanes.copy = copy
        parts.append(lanes.current(printer, name))
    while len(parts) > 1:
        pairs = [apply(printer.code, function, parts[i : i + 2], parts[0].dtype) for i in range(0, len(parts) - 1, 2)]
        parts = pairs + parts[len(pairs) * 2 :]
    return parts[0]


def _end_run(printer: KernelPrinter, lanes: Lanes, copies: int) -> None:
    """Adds the float32 sums of a run to their float64 totals."""
    code = printer.code
    for name, (slot, kind) in lanes.totals.items():
        run = _combine_copies(printer, lanes, name, copies)
        wide = Operand(cast(code, run, float64, lanes.count), float64, lanes.count)
        before = Operand(code.let(f"load {kind.type}, ptr {slot}"), float64, lanes.count)
        total = apply(code, lanes.accumulators[name], [before, wide], float64)
        code.line(f"store {kind.type} {total.text}, ptr {slot}")
        for copy in range(copies):
            part, start = lanes.slots[name, copy]
            code.line(f"store {start.type} {start.text}, ptr {part}")


def _finish_accumulators(printer: KernelPrinter, lanes: Lanes, copies: int) -> None:
    code = printer.code
    _end_run(printer, lanes, copies)
    for name, function in lanes.accumulators.items():
        if name in lanes.totals:
            slot, kind = lanes.totals[name]
            value = Operand(code.let(f"load {kind.type}, ptr {slot}"), float64, lanes.count)
        else:
            value = _combine_copies(printer, lanes, name, copies)
        total = reduce_lanes(code, function, value)
        before = printer.expr_of(name)
        if name in lanes.narrow:
            total = Operand(cast(code, total, float64, 1), float64)
        printer.assign(name, apply(code, function, [before, total], total.dtype))


def _vectors(printer: KernelPrinter, places: tuple[str, str], copies: int, turns: int, body: Callable[[], None]) -> None:
    """The body for every vector, or every few, from one place to another; the sums of a long loop in runs."""
    lanes = printer.lanes
    assert lanes is not None
    first, last = places
    step = lanes.count * copies
    if lanes.chunk:
        print_strips(printer, lanes.variable, last, step * turns, body)
        return
    if not lanes.totals:
        printer.loop(lanes.variable, first, last, step * turns, body)
        return
    outer = f"{lanes.variable}.run"

    def run() -> None:
        start = printer.counters[outer]
        end = printer.code.let(f"add nsw i64 {start}, {RUN * step}")
        end = printer.code.call("llvm.smin.i64", "i64", ("i64", end), ("i64", last))
        printer.loop(lanes.variable, start, end, step * turns, body)
        _end_run(printer, lanes, copies)

    printer.loop(outer, first, last, RUN * step, run)


def _static_loop(printer: KernelPrinter, loop: Loop, plan: VectorPlan, extent: int) -> None:
    lanes, copies = printer.lanes, plan.copies
    assert lanes is not None
    done = 0
    if not plan.straight:
        turns = PAIR if copies == 1 and plan.cost > CHEAP else 1
        done = extent // plan.lanes // (copies * turns) * copies * turns
        _whole_vectors(printer, loop, str(done * plan.lanes), copies, turns)
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


def _whole_vectors(printer: KernelPrinter, loop: Loop, last: str, copies: int, turns: int) -> None:
    """``turns`` vectors for each of the accumulators' copies at a time, printed in turn."""
    lanes = printer.lanes
    assert lanes is not None

    def body() -> None:
        first, lines = printer.counters[loop.variable], printer.code.lines
        starts = []
        for i in range(copies * turns):
            starts.append(len(lines))
            lanes.copy = i % copies
            shifted = first if i == 0 else printer.code.let(f"add nsw i64 {first}, {i * lanes.count}")
            _at(printer, loop, shifted)
        lines[starts[0] :] = interleave([lines[a:b] for a, b in itertools.pairwise([*starts, len(lines)])])

    _vectors(printer, ("0", last), copies, turns, body)


def _dynamic_loop(printer: KernelPrinter, loop: Loop, plan: VectorPlan) -> None:
    """Costly bodies are printed once, always under a mask: it costs little there, and a second copy doubles compiling."""
    code, lanes = printer.code, printer.lanes
    assert lanes is not None
    extent = printer.extent(loop)
    whole = "0"
    long = printer.streamed is not None and is_long(loop, printer.kernel)
    copies, turns = plan.copies, PAIR if long and plan.cost > CHEAP else 1
    if long or plan.cost < COSTLY or copies > 1:
        lanes.chunk = chunk_of(loop, lanes.count * turns) if long and not lanes.accumulators else 0
        even = f"and i64 {extent}, {-lanes.count * copies * turns}"
        whole = all_strips(printer, loop, extent) if lanes.chunk else code.let(even)
        if long:
            print_streaming(printer, loop, lambda: _whole_vectors(printer, loop, whole, copies, turns))
        else:
            _whole_vectors(printer, loop, whole, copies, turns)
    lanes.copy = lanes.chunk = 0

    def body() -> None:
        first = printer.counters[loop.variable]
        left = code.let(f"trunc i64 {code.let(f'sub i64 {extent}, {first}')} to i32")
        wide = code.widen(Operand(left, int32), lanes.count)
        steps = f"<{', '.join(f'i32 {i}' for i in range(lanes.count))}>"
        lanes.mask = code.let(f"icmp ult {wide.type} {steps}, {wide.text}")
        printer.body(loop.body)

    if whole == "0":
        _vectors(printer, (whole, extent), 1, 1, body)
    else:
        printer.loop(loop.variable, whole, extent, lanes.count, body)
