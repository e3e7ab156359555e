"""``weft.bitwise``: operations on the bits of integers. In and out: integer tensors."""

from __future__ import annotations

from weft.tracer.late_names import late_names
from weft.tracer.ops.generated import namespace

_GENERATED = namespace("bitwise")

__all__ = list(_GENERATED)

__getattr__, __dir__ = late_names(__name__, {}, _GENERATED)
