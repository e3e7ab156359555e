"""Callbacks that watch one metric. In: its name and which way is better; out: whether a value is an improvement."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

from .callback import Callback, Logs

MODES = ("auto", "min", "max")


class MonitorCallback(Callback):
    """monitor: the metric's name, such as "val_loss". mode: "min", "max", or "auto", which asks the metric."""

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}. Received: {mode!r}")
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best: float | None = None
        self.monitor_op: Callable[[Any, Any], Any] | None = None

    def _find_direction(self) -> Callable[[Any, Any], Any]:
        name = self.monitor.removeprefix("val_")
        directions = {name: getattr(m, "_direction", None) for name, m in self.model._named_metrics()}
        if self.mode == "max" or (self.mode == "auto" and directions.get(name) == "up"):
            return operator.gt
        if self.mode == "min" or name == "loss" or name.endswith("_loss") or directions.get(name) == "down":
            return operator.lt
        raise ValueError(
            f"{type(self).__name__} cannot tell whether {self.monitor!r} should grow or shrink. Pass mode='max' or mode='min'."
        )

    def is_improvement(self, value: float, reference: float | None) -> bool:
        """Whether the value is better than the reference by more than min_delta; always, if there is no reference."""
        if reference is None:
            return True
        if self.monitor_op is None:
            self.monitor_op = self._find_direction()
        slack = self.min_delta if self.monitor_op is operator.gt else -self.min_delta
        return bool(self.monitor_op(value - slack, reference))

    def monitored(self, logs: Logs | None, purpose: str) -> float | None:
        """The metric's value; None, with a warning that lists the metrics there are, if it is not among them.

        ValueError if its name says nothing about its direction: a name of no metric at all must not train on unwatched.
        """
        if self.monitor_op is None:
            self.monitor_op = self._find_direction()
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"{purpose} on metric `{self.monitor}`, which is not available. Available metrics are: {', '.join(logs or {})}",
                stacklevel=3,
            )
        return value
