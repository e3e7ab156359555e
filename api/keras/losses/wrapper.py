"""A function as a loss. In: ``fn(y_true, y_pred, **options)``; out: a `Loss` that calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft.layers.serialization import serialize_object

from .loss import Loss, map_tensors, match_ranks

LossFunction = Callable[..., Any]
TAKES_CLASS_NUMBERS: set[LossFunction] = set()  # functions whose targets must not be cast to floating point


def takes_class_numbers(function: LossFunction) -> LossFunction:
    """A decorator: the targets of this loss function are class numbers."""
    TAKES_CLASS_NUMBERS.add(function)
    return function


class LossFunctionWrapper(Loss):
    """The loss that ``fn(y_true, y_pred, **options)`` gives per sample."""

    def __init__(
        self,
        fn: LossFunction,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._options = options
        self.casts_targets = getattr(fn, "__hash__", None) is None or fn not in TAKES_CLASS_NUMBERS

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if hasattr(y_true, "shape") and hasattr(y_pred, "shape"):
            y_true, y_pred = match_ranks(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._options)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | self._options
        return config if type(self) is not LossFunctionWrapper else config | {"fn": serialize_object(self.fn)}


__all__ = ["LossFunctionWrapper", "map_tensors", "takes_class_numbers"]
