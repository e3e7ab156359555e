"""Whether a step is worth a team of threads. In: a program's work and the sizes of a call; out: a number of threads.

The estimate is rough on purpose: it only has to tell steps that a hand-over would slow down from those it speeds up.
"""

from __future__ import annotations

from collections.abc import Mapping

from weft.codegen.program import CallDecl, KernelDecl, Program
from weft.graph.dims import parse_size, size_value

from .machine import cache_bytes
from .memory import footprint
from .team import thread_count

PRODUCT_FLOPS = 100e3
"""FLOPs per microsecond that one thread reaches in matrix products."""
KERNEL_FLOPS = 20e3
"""... and in other kernels, with the prices of `count_work`."""
BYTES, CACHED_BYTES = 10e3, 30e3
"""Bytes per microsecond that one thread moves: to and from memory, and in a step whose data stay in its core's own cache."""
START_MICROSECONDS = 60.0
CALL_MICROSECONDS = 0.5
"""What handing over a step, and one call of it, costs."""
LEAST_GAIN = 0.15
"""The share of the step's time that threads must save."""


def choose_threads(program: Program, dims: Mapping[str, int]) -> int:
    """How many threads share the step at these sizes: all that there are, or 1 where that does not pay."""
    threads = thread_count()
    if threads < 2:
        return 1
    decls = {k.name: k for k in program.kernels}
    speed = CACHED_BYTES if 2 * footprint(program, dims) <= cache_bytes()[1] else BYTES
    shared = total = 0.0
    for call in program.calls:
        decl = decls.get(call.kernel)
        time = _microseconds(call, dims, decl is not None and decl.contract is not None, speed)
        total += time
        if decl is not None and (decl.split is not None or is_shared_product(program, decl)):
            shared += time
    gain = shared * (1 - 1 / threads) - START_MICROSECONDS - CALL_MICROSECONDS * len(program.calls)
    return threads if gain > START_MICROSECONDS and gain > LEAST_GAIN * total else 1


def _microseconds(call: CallDecl, dims: Mapping[str, int], product: bool, speed: float) -> float:
    flops = size_value(parse_size(call.flops), dims)
    moved = sum(min(size_value(parse_size(t), dims) for t in texts) for texts in call.traffic)
    return max(flops / (PRODUCT_FLOPS if product else KERNEL_FLOPS), moved / speed)


def is_shared_product(program: Program, decl: KernelDecl) -> bool:
    """Whether the kernel is a product by micro-kernels that ranges can be printed of."""
    return decl.contract is not None and decl.name in program.llvm
