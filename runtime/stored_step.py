"""A compiled step as one entry of the cache. In: the object code of a step and of its kernels; out: bytes, and back.

Kernels are stored one by one as well, because programs share them. But a process that starts again wants all of one step, and one
file is read in the time that its directory entry takes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from weft.graph.record import record

from .store import pack_tables, unpack_tables

STEP_SYMBOL = "weft_step"
"""The function that a step's object exports."""
Routine = tuple[str, bool, bool]
"""What `blas.bind_contract` takes: element type, and which operands are transposed."""


@record
class StoredStep:
    """code: the step's object. kernels: symbol and object of each kernel it calls. routines: the BLAS routines it is bound to."""

    code: bytes
    kernels: Mapping[str, bytes]
    routines: Sequence[Routine]


def pack_step(step: StoredStep) -> bytes:
    sizes = [(symbol, len(code)) for symbol, code in step.kernels.items()]
    head = pack_tables([sizes, list(step.routines)])
    return b"".join([struct.pack("<q", len(head)), head, *step.kernels.values(), step.code])


def unpack_step(data: bytes) -> StoredStep:
    """The inverse of `pack_step`."""
    (length,) = struct.unpack_from("<q", data)
    place = 8 + length
    sizes, routines = unpack_tables(data[8:place])
    kernels = {}
    for symbol, size in sizes:
        kernels[symbol] = data[place : place + size]
        place += size
    return StoredStep(data[place:], kernels, [tuple(r) for r in routines])
