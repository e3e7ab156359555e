"""Margin losses. In: targets -1 or 1 (or 0 and 1), predictions; out: one loss per sample."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.serialization import public

from .loss import pair
from .wrapper import LossFunctionWrapper


def signed_labels(y_true: Any) -> Any:
    """Targets of 0 and 1 as -1 and 1; others as they are."""
    binary = weft.reduce_all(weft.logical_or(weft.equal(y_true, 0.0), weft.equal(y_true, 1.0)))
    return weft.where(binary, 2.0 * y_true - 1.0, y_true)


def hinge(y_true: Any, y_pred: Any) -> Any:
    """``mean(max(1 - y_true * y_pred, 0), axis=-1)``."""
    y_true, y_pred = pair(y_true, y_pred)
    return weft.reduce_mean(weft.maximum(1.0 - signed_labels(y_true) * y_pred, 0.0), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """``mean(max(1 - y_true * y_pred, 0)², axis=-1)``."""
    y_true, y_pred = pair(y_true, y_pred)
    return weft.reduce_mean(weft.square(weft.maximum(1.0 - signed_labels(y_true) * y_pred, 0.0)), axis=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """``max(1 + largest wrong score - right score, 0)`` for one-hot targets."""
    y_true, y_pred = pair(y_true, y_pred)
    right = weft.reduce_sum(y_true * y_pred, axis=-1)
    wrong = weft.reduce_max((1.0 - y_true) * y_pred, axis=-1)
    return weft.maximum(wrong - right + 1.0, 0.0)


@public("keras.losses")
class Hinge(LossFunctionWrapper):
    """The hinge loss. Arguments: see `Loss`."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(hinge, reduction, name, dtype)


@public("keras.losses")
class SquaredHinge(LossFunctionWrapper):
    """The squared hinge loss. Arguments: see `Loss`."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


@public("keras.losses")
class CategoricalHinge(LossFunctionWrapper):
    """The hinge loss of one-hot targets. Arguments: see `Loss`."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)
