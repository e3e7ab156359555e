"""``weft.bitwise``: operations on the bits of integers. In and out: integer tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.tracer.ops.generated import namespace

_generated = {n: f for n, f in namespace("bitwise").items() if n not in globals()}
globals().update(_generated)
__all__ = list(_generated)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
