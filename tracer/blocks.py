"""Memory for arrays that live long or are large. In: a number of bytes; out: a block that starts at a cache line.

Large blocks lie on huge pages where the system has them: one entry of the processor's address table then covers 2 MiB instead of
4 KiB, and a page that is touched for the first time costs one visit to the system instead of 512.
"""

from __future__ import annotations

import contextlib
import mmap

import numpy as np

ALIGNMENT = 64  # bytes: a cache line, and the widest vector
HUGE_PAGE = 2 * 1024 * 1024


def allocate_block(size: int) -> np.ndarray:
    """So many writable bytes, not initialised, starting at a multiple of `ALIGNMENT`; MemoryError if there are none."""
    if size >= HUGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        return _map_huge(size)
    return _from(np.empty(size + ALIGNMENT, np.uint8), size, ALIGNMENT)


def _map_huge(size: int) -> np.ndarray:
    """A mapping of its own; all its whole huge pages are asked for as such, the rest stays on small ones."""
    try:
        mapped = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"Unable to allocate {size} bytes") from error
    block = _from(np.frombuffer(mapped, np.uint8), size, HUGE_PAGE)
    start = block.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data
    with contextlib.suppress(OSError):  # a system without huge pages
        mapped.madvise(mmap.MADV_HUGEPAGE, start, size // HUGE_PAGE * HUGE_PAGE)
    return block


def _from(memory: np.ndarray, size: int, alignment: int) -> np.ndarray:
    start = -memory.ctypes.data % alignment
    return memory[start : start + size]


def aligned_copy(array: np.ndarray) -> np.ndarray:
    """A writable copy in C order that starts at a multiple of `ALIGNMENT`."""
    out = allocate_block(array.nbytes).view(array.dtype).reshape(array.shape)
    np.copyto(out, array)
    return out
