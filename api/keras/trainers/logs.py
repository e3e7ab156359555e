"""Metric values as Python numbers. In: what a step returned, as tensors; out: a sorted dictionary, when someone asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from weft.tracer.tensor import EagerTensor


class StepLogs:
    """The results of one compiled step, not yet looked at. Reading them costs more than keeping them."""

    __slots__ = ("_arrays", "_pack")

    def __init__(self, pack: Callable[[Sequence[Any]], Any], arrays: Sequence[np.ndarray]) -> None:
        self._pack = pack
        self._arrays = arrays

    def value(self) -> Any:
        """What the step returned, with tensors at the leaves."""
        return self._pack([EagerTensor(a) for a in self._arrays])


def read_logs(logs: Any) -> dict[str, Any]:
    """The logs as Keras hands them to callbacks: sorted by name, numbers as floats, nested dictionaries opened."""
    if isinstance(logs, StepLogs):
        logs = logs.value()
    found: dict[str, Any] = {}
    for name in sorted(logs or {}):
        value = logs[name]
        if isinstance(value, dict):
            found.update(read_logs(value))
        else:
            found[name] = _as_number(value)
    return found


def _as_number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value
