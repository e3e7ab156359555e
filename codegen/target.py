"""The machine that code is generated for. In: what the runtime found out about the CPU; out: the limits that shape kernels."""

from __future__ import annotations

from weft.graph.record import record


@record
class Target:
    """Facts about the CPU. Generated text may depend on them, so a cache key has to include ``repr(target)``.

    vector_bytes: width of a SIMD register; vector_registers: how many there are (AVX-512 always has 32). l1_bytes, l2_bytes: data
    caches of one core. own_contracts: dtype short names whose products get micro-kernels of their own. static_extent: inner loops
    up to this length are printed with their length as a number, so that LLVM unrolls them; longer ones get it as an argument and
    can be shared between shapes. avx512: the CPU has its instructions, for vectors of any width.
    """

    vector_bytes: int = 32
    vector_registers: int = 16
    l1_bytes: int = 32 * 1024
    l2_bytes: int = 512 * 1024
    own_contracts: tuple[str, ...] = ()
    static_extent: int = 1024
    avx512: bool = False
