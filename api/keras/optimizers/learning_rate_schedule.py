"""The base of schedules. In: the step counter, a tensor; out: the learning rate at that step."""

from __future__ import annotations

from typing import Any


class LearningRateSchedule:
    """A function of the step counter. A subclass implements ``__call__(step)`` with weft's operations and `get_config`."""

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must implement __call__(step).")  # the subclass does

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {k: v for k, v in vars(self).items() if not k.startswith("_")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """The inverse of `get_config`."""
        return cls(**config)
