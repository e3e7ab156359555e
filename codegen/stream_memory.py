"""Loops over arrays that no cache holds. In: a long vector loop; out: the same with what it reads fetched ahead, and with results
stored past the caches.

Processors fetch ahead by themselves, but stop at every page of 4 KiB and start anew. A result that is nobody's input before the
step ends only displaces other data in the caches, and an ordinary store first reads the line that it is about to overwrite. Past
the caches go whole vectors only, to addresses that are multiples of them, so the loop is printed twice, for arrays that begin at
a cache line and for others. Both compute the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .kernel import Kernel, Let, Load, Loop, Store, expressions, statements, variable
from .llvm_code import Operand, memory_type

if TYPE_CHECKING:
    from .emit_llvm import KernelPrinter

LARGE_BYTES = 16 * 1024 * 1024
"""Of an array, from which on a loop over it is printed in this way; its length must be known."""
AHEAD_BYTES = 2048
LINE = 64
_HINT = "!0 = !{i32 1}"


def is_long(loop: Loop, kernel: Kernel) -> bool:
    """Whether a loop over flat arrays runs over more than caches hold."""
    width = max((p.dtype.size for p in kernel.params), default=0)
    return isinstance(loop.extent, int) and loop.extent * width >= LARGE_BYTES


def has_long_loop(kernel: Kernel) -> bool:
    return any(isinstance(s, Loop) and is_long(s, kernel) for s in kernel.body)


def print_streaming(printer: KernelPrinter, loop: Loop, print_loop: Callable[[], None]) -> None:
    """Prints the whole vectors of a long loop; ``print_loop`` prints them once."""
    lanes, code = printer.lanes, printer.code
    assert lanes is not None
    lanes.ahead = True
    past = _past_caches(printer, loop)
    if past:
        aligned, other, after = (code.fresh(name) for name in ("aligned", "other", "after"))
        places = [code.emit(f"ptrtoint ptr %{name} to i64") for name in past]
        total = places[0]
        for place in places[1:]:
            total = code.emit(f"or i64 {total}, {place}")
        rest = code.emit(f"and i64 {total}, {LINE - 1}")
        code.branch(code.emit(f"icmp eq i64 {rest}, 0"), aligned, other)
        code.label(aligned)
        lanes.past = frozenset(past)
        print_loop()
        code.do("fence seq_cst")  # such stores are not ordered by the release of a flag
        code.jump(after)
        lanes.past = frozenset()
        code.label(other)
        print_loop()
        code.jump(after)
        code.label(after)
    else:
        print_loop()
    lanes.ahead = False


def _past_caches(printer: KernelPrinter, loop: Loop) -> list[str]:
    """The arrays that the loop only writes, element by element, and that the step does not read again."""
    values = [s.value for s in statements(printer.kernel.body) if isinstance(s, (Let, Store))]
    read = {e.array for value in values for e in expressions(value) if isinstance(e, Load)}
    stores = [s for s in loop.body if isinstance(s, Store)]
    flat = [s.array for s in stores if s.index == variable(loop.variable)]
    free = set(printer.streamed or ()) - read
    return [name for name in dict.fromkeys(flat) if name in free and flat.count(name) == 1]


def fetch_ahead(printer: KernelPrinter, load: Load) -> None:
    """Asks for what the loop will read some iterations later; an address behind the array's end does no harm."""
    at = printer.code.emit(f"add nsw i64 {printer.index(load.index)}, {AHEAD_BYTES // load.dtype.size}")
    address = printer.code.emit(f"getelementptr {memory_type(load.dtype.short)}, ptr %{load.array}, i64 {at}")
    printer.code.run("llvm.prefetch.p0", ("ptr", address), ("i32", "0"), ("i32", "3"), ("i32", "1"))


def store_past(printer: KernelPrinter, value: Operand) -> str:
    """The end of the instruction that stores the vector past the caches."""
    printer.code.declarations[_HINT] = _HINT
    return f"align {min(value.lanes * value.dtype.size, LINE)}, !nontemporal !0"
