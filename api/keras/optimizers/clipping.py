"""Limits on gradients. In: gradients; out: the same directions, shortened where they are too long."""

from __future__ import annotations

from typing import Any

import weft


def clip_by_norm(gradient: Any, limit: float) -> Any:
    """The gradient, scaled down if its L2 norm exceeds ``limit``."""
    norm = weft.sqrt(weft.reduce_sum(weft.square(gradient)))
    return gradient * limit / weft.maximum(norm, limit)


def clip_by_value(gradient: Any, limit: float) -> Any:
    """The gradient with every element kept within ``[-limit, limit]``."""
    return weft.maximum(weft.minimum(gradient, limit), -limit)


def clip_together(gradients: list[Any], limit: float) -> list[Any]:
    """The gradients, all scaled down alike if the L2 norm of all of them together exceeds ``limit``.

    A norm that is not finite makes every gradient NaN, so that a broken step shows.
    """
    norm = weft.sqrt(sum(weft.reduce_sum(weft.square(g)) for g in gradients))
    scale = limit * weft.minimum(1.0 / norm, 1.0 / limit) + (norm - norm)
    return [g * scale for g in gradients]
