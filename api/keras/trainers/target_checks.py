"""Targets that would quietly spoil a training. In: target arrays and losses; out: nothing, or an error naming the sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from weft.tracer import tree

from .. import losses
from .compile_loss import CompileLoss


def check_targets(y: Any, loss: CompileLoss | None) -> None:
    """ValueError if targets given as arrays hold NaN and every loss is one of weft's own, which cannot make sense of NaN.

    Losses written by the user may use NaN for missing targets, so they are left alone; so are data sets, whose elements are not
    seen beforehand.
    """
    if loss is None or y is None or not all(_is_builtin(part) for part in loss.parts):
        return
    for target in tree.leaves_of(y):
        array = np.asarray(target) if isinstance(target, np.ndarray) or hasattr(target, "__array__") else None
        if array is not None and array.dtype.kind == "f" and np.isnan(array).any():
            first = int(np.argwhere(np.isnan(array))[0][0])
            count = int(np.isnan(array).sum())
            raise ValueError(f"The targets must not be NaN. Received: {count} NaN in y, the first in sample {first}")


def _is_builtin(loss: Any) -> bool:
    if isinstance(loss, str) or losses.is_own(loss):
        return True
    return isinstance(loss, losses.LossFunctionWrapper) and losses.is_own(loss.fn)
