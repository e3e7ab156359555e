"""Loops over arrays that no cache holds. In: a long vector loop; out: the same with what it reads fetched ahead, and with results
stored past the caches.

Memory has many banks that answer at once, so a loop whose elements do not depend on each other runs over several strips of its
arrays in turn. Processors fetch ahead by themselves, but stop at every page of 4 KiB and start anew. A result that is nobody's
input before the step ends only displaces other data in the caches, and an ordinary store first reads the line that it is about to
overwrite. Past the caches go whole vectors only, to addresses that are multiples of them. So such a loop is printed twice, for
arrays that begin at a cache line and for others. Both compute the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .collapse_loops import values
from .kernel import Check, Kernel, Let, Load, Loop, Store, expressions, statements, variable
from .llvm_code import Operand, memory_type

if TYPE_CHECKING:
    from .emit_llvm import KernelPrinter

LARGE_BYTES = 2 * 1024 * 1024
"""Of an array, from which on a loop over it is printed in this way; its length must be known."""
AHEAD_BYTES, STRIP_AHEAD_BYTES = 2048, 512
"""How far ahead is fetched: in a loop from beginning to end, and in each of several strips."""
STRIPS = 8
"""In so many places at once a long loop works; see docs/memory.md."""
LINE, PAGE = 64, 4096
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
        places = [code.let(f"ptrtoint ptr %{name} to i64") for name in past]
        total = places[0]
        for place in places[1:]:
            total = code.let(f"or i64 {total}, {place}")
        rest = code.let(f"and i64 {total}, {LINE - 1}")
        code.fork(code.let(f"icmp eq i64 {rest}, 0"), aligned, other)
        code.open(aligned)
        lanes.past = frozenset(past)
        print_loop()
        code.line("fence seq_cst")  # such stores are not ordered by the release of a flag
        code.go(after)
        lanes.past = frozenset()
        code.open(other)
        print_loop()
        code.arrive(after)
    else:
        print_loop()
    lanes.ahead = False


def chunk_of(loop: Loop, least: int) -> int:
    """Elements of a strip before the next one's turn: whole lines of every array, two of the widest, and at least so many. 0 for
    a loop that has to run from its beginning to its end, because it checks something."""
    if any(isinstance(s, Check) for s in loop.body):
        return 0
    sizes = _sizes(loop)
    return max(least, LINE // min(sizes), 2 * LINE // max(sizes))


def all_strips(printer: KernelPrinter, loop: Loop, extent: str) -> str:
    """How many elements the strips have together. They begin at different places of a page: else, in arrays whose lengths are
    powers of two, all would need the same few lines of a cache."""
    code, part = printer.code, PAGE // STRIPS // max(_sizes(loop))
    length = code.let(f"udiv i64 {extent}, {STRIPS}")
    odd = code.let(f"and i64 {code.let(f'sub i64 {length}, {part}')}, {-2 * part}")
    total = code.let(f"mul i64 {code.let(f'or i64 {odd}, {part}')}, {STRIPS}")
    return code.call("llvm.smax.i64", "i64", ("i64", total), ("i64", "0"))


def print_strips(printer: KernelPrinter, variable: str, total: str, step: int, body: Callable[[], None]) -> None:
    """The body for all elements of the strips, a chunk of each strip in turn."""
    code, lanes = printer.code, printer.lanes
    assert lanes is not None
    chunk, length = lanes.chunk, code.let(f"udiv i64 {total}, {STRIPS}")

    def run_chunk() -> None:
        first = code.let(f"add nsw i64 {printer.counters['chunk']}, {printer.counters['strip']}")
        printer.loop(variable, first, code.let(f"add nsw i64 {first}, {chunk}"), step, body)

    printer.loop("chunk", "0", length, chunk, lambda: printer.loop("strip", "0", total, length, run_chunk))


def _sizes(loop: Loop) -> list[int]:
    """Bytes of an element of each array."""
    loads = [e.dtype.size for s in loop.body for v in values(s) for e in expressions(v) if isinstance(e, Load)]
    return [*loads, *(s.value.dtype.size for s in loop.body if isinstance(s, Store))]


def _past_caches(printer: KernelPrinter, loop: Loop) -> list[str]:
    """The arrays that the loop only writes, element by element, and that the step does not read again."""
    computed = [s.value for s in statements(printer.kernel.body) if isinstance(s, (Let, Store))]
    read = {e.array for value in computed for e in expressions(value) if isinstance(e, Load)}
    stores = [s for s in loop.body if isinstance(s, Store)]
    flat = [s.array for s in stores if s.index == variable(loop.variable)]
    free = set(printer.streamed or ()) - read
    return [name for name in dict.fromkeys(flat) if name in free and flat.count(name) == 1]


def fetch_ahead(printer: KernelPrinter, load: Load) -> None:
    """Asks for what the loop will read some iterations later; an address behind the array's end does no harm."""
    assert printer.lanes is not None
    ahead = (STRIP_AHEAD_BYTES if printer.lanes.chunk else AHEAD_BYTES) // load.dtype.size
    at = printer.code.let(f"add nsw i64 {printer.index(load.index)}, {ahead}")
    address = printer.code.let(f"getelementptr {memory_type(load.dtype.short)}, ptr %{load.array}, i64 {at}")
    printer.code.run("llvm.prefetch.p0", ("ptr", address), ("i32", "0"), ("i32", "3"), ("i32", "1"))


def store_past(printer: KernelPrinter, value: Operand) -> str:
    """The end of the instruction that stores the vector past the caches."""
    printer.code.declarations[_HINT] = _HINT
    return f"align {min(value.lanes * value.dtype.size, LINE)}, !nontemporal !0"
