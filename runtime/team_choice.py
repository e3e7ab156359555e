"""Which calls of a step are worth a team of threads. In: a program's work and the sizes of a call; out: the calls to share.

The estimate is rough on purpose: it only has to tell calls that a hand-over would slow down from those it speeds up.
"""

from __future__ import annotations

from collections.abc import Mapping

from weft.codegen.program import CallDecl, KernelDecl, Program
from weft.graph.dims import parse_size, size_value

from .machine import arithmetic_share, cache_bytes
from .memory import footprint
from .team import thread_count

PRODUCT_FLOPS = 100e3
"""FLOPs per microsecond that one thread reaches in matrix products, with 64-byte vectors."""
KERNEL_FLOPS = 20e3
"""... and in other kernels, with the prices of `count_work`."""
BYTES, CACHED_BYTES = 10e3, 30e3
"""Bytes per microsecond that one thread moves: to and from memory, and in a step whose data stay in its core's own cache."""
PART_MICROSECONDS = 4.0
"""What each thread adds to the time of a call that is cut: meeting before and after it, and fetching what others have written."""
LONG_MICROSECONDS = 100.0
"""What a thread's share of a call takes at least if it is cut into pieces: threads then end together, whatever slows one down."""
LEAST_MICROSECONDS = 15.0
LEAST_GAIN = 0.15
"""What threads must save of a step: so much, and this share of its time."""


def choose_calls(program: Program, dims: Mapping[str, int]) -> frozenset[int]:
    """The calls, by their numbers, that all threads share at these sizes. None: the step stays on the caller's thread."""
    threads = thread_count()
    if threads < 2:
        return frozenset()
    decls = {k.name: k for k in program.kernels}
    speed = CACHED_BYTES if 2 * footprint(program, dims) <= cache_bytes()[1] else BYTES
    gain = total = 0.0
    chosen = []
    for number, call in enumerate(program.calls):
        decl = decls.get(call.kernel)
        time = _microseconds(call, dims, decl is not None and decl.contract is not None, speed)
        total += time
        saved = time * (1 - 1 / threads) - PART_MICROSECONDS * threads
        if decl is not None and saved > 0 and (decl.split is not None or is_shared_product(program, decl)):
            gain += saved
            chosen.append(number)
    return frozenset(chosen) if gain > LEAST_MICROSECONDS and gain > LEAST_GAIN * total else frozenset()


def choose_long(program: Program, dims: Mapping[str, int], calls: frozenset[int]) -> frozenset[int]:
    """Which of the shared calls are so long that each thread's share is cut into pieces."""
    decls = {k.name: k for k in program.kernels}
    out = []
    for number in calls.intersection(range(len(program.calls))):
        call = program.calls[number]
        decl = decls.get(call.kernel)
        product = decl is not None and is_shared_product(program, decl)
        if product and _microseconds(call, dims, True, BYTES) >= LONG_MICROSECONDS * thread_count():
            out.append(number)
    return frozenset(out)


def _microseconds(call: CallDecl, dims: Mapping[str, int], product: bool, speed: float) -> float:
    flops = size_value(parse_size(call.flops), dims)
    moved = sum(min(size_value(parse_size(t), dims) for t in texts) for texts in call.traffic)
    return max(flops / (PRODUCT_FLOPS if product else KERNEL_FLOPS) / arithmetic_share(), moved / speed)


def is_shared_product(program: Program, decl: KernelDecl) -> bool:
    """Whether the kernel is a product by micro-kernels that ranges can be printed of."""
    return decl.contract is not None and decl.name in program.llvm
