"""Scratch memory of a step. In: slot sizes as texts and the sizes of one call; out: addresses in one aligned block.

Slots are planned at compile time; their offsets are known when the symbolic sizes are, once per distinct batch size. Nothing is
allocated while a step runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weft.graph.dims import Size, parse_size, size_value
from weft.tracer.blocks import ALIGNMENT, allocate_block


class SlotPlan:
    """The slots of a program, parsed once: each as large as the largest buffer that shares it."""

    def __init__(self, slots: Sequence[Sequence[str]]) -> None:
        self._slots: list[list[Size]] = [[parse_size(text) for text in slot] for slot in slots]

    def offsets(self, dims: Mapping[str, int]) -> tuple[list[int], int]:
        """The byte offset of every slot, a multiple of `ALIGNMENT`, and the total."""
        at, out = 0, []
        for slot in self._slots:
            out.append(at)
            largest = max((size_value(s, dims) for s in slot), default=0)
            at += -(-largest // ALIGNMENT) * ALIGNMENT
        return out, at


class Arena:
    """One block of at least so many bytes, starting at a multiple of `ALIGNMENT`."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.bytes = allocate_block(size)
        self.address: int = self.bytes.ctypes.data
