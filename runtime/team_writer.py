"""The writer of the team's functions. In: instructions; out: LLVM text that reads the team's and a step's tables by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from weft.codegen.function_writer import FunctionWriter, Integer

from .team_layout import COUNTER_NAMES, COUNTERS, DESCRIPTOR, NOTE_BYTES, SLOT_BYTES

LOOKS = 16
"""So often a spinning thread looks at what it waits for before it looks at the clock."""


class TeamWriter(FunctionWriter):
    """A function of the team. In it ``%ctl`` is the control block and ``%desc`` the step's descriptor."""

    def descriptor(self, name: str, kind: str = "ptr") -> str:
        """A field of the step's descriptor."""
        return self.field("%desc", DESCRIPTOR, name, kind)

    def control(self, offset: int) -> str:
        """The address of a part of the control block."""
        return self.at("%ctl", offset, "i8")

    def slot(self, call: Integer, part: Integer) -> str:
        """The address of a part's word, behind which is its code."""
        slots, parts = self.descriptor("slots"), self.descriptor("parts", "i64")
        return self.at(slots, self.mul(self.add(self.mul(call, parts), part), SLOT_BYTES), "i8")

    def note(self, notes: str, thread: Integer) -> str:
        """The address of what a thread writes down."""
        return self.at(notes, self.mul(thread, NOTE_BYTES), "i8")

    def count(self, name: str, control: str = "%ctl") -> None:
        """One more of what this counter counts."""
        place = self.at(control, COUNTERS + 8 * COUNTER_NAMES.index(name), "i8")
        self.let(f"atomicrmw add ptr {place}, i64 1 monotonic")

    def now(self) -> str:
        return self.let("call i64 @now()")

    @contextmanager
    def every(self, count: int, rounds: str) -> Iterator[None]:
        """What is printed inside runs in every so-many-th round."""
        with self.when(self.equal(self.rest(self.add(rounds, 1), count), 0)):
            yield

    def wake_others(self) -> None:
        """Who sleeps looks again at what this thread has written."""
        self.line("fence seq_cst")
        self.line("call void @wake(ptr %ctl)")

    def claim_line(self, pointer: str) -> None:
        """Asks for a line that this thread is about to write and that others have looked at: it comes while this one goes on."""
        self.line(f"call void @llvm.prefetch.p0(ptr {pointer}, i32 1, i32 3, i32 1)")

    # What other threads see -------------------------------------------------------------------------------------------------

    def see(self, pointer: str, order: str = "acquire", kind: str = "i64") -> str:
        return self.let(f"load atomic {kind}, ptr {pointer} {order}, align 8")

    def show(self, value: Integer, pointer: str, order: str = "release", kind: str = "i64") -> None:
        self.line(f"store atomic {kind} {value}, ptr {pointer} {order}, align 8")

    def exchange(self, pointer: str, value: Integer) -> None:
        """Writes in the one order of all threads."""
        self.let(f"atomicrmw xchg ptr {pointer}, i64 {value} seq_cst")

    def swap_if(self, pointer: str, before: Integer, after: Integer) -> str:
        """Writes unless another value is there by now; whether it did."""
        pair = self.let(f"cmpxchg ptr {pointer}, i64 {before}, i64 {after} acq_rel acquire")
        return self.let(f"extractvalue {{ i64, i1 }} {pair}, 1")
