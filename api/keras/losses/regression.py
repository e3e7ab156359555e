"""Losses of numbers. In: true and predicted values of one shape (batch, ..., n); out: one loss per sample, over the last axis."""

from __future__ import annotations

import math
from typing import Any

import weft
from weft.layers.precision import epsilon
from weft.layers.serialization import public

from .loss import pair
from .wrapper import LossFunctionWrapper


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """``mean((y_true - y_pred)², axis=-1)``."""
    y_true, y_pred = pair(y_true, y_pred)
    return weft.reduce_mean(weft.square(y_true - y_pred), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """``mean(|y_true - y_pred|, axis=-1)``."""
    y_true, y_pred = pair(y_true, y_pred)
    return weft.reduce_mean(weft.abs(y_true - y_pred), axis=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """``100 * mean(|y_true - y_pred| / max(|y_true|, epsilon), axis=-1)``."""
    y_true, y_pred = pair(y_true, y_pred)
    part = weft.abs((y_true - y_pred) / weft.maximum(weft.abs(y_true), epsilon()))
    return 100.0 * weft.reduce_mean(part, axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """``mean((log(y_pred + 1) - log(y_true + 1))², axis=-1)``, both kept at epsilon or above."""
    y_true, y_pred = pair(y_true, y_pred)
    difference = weft.math.log(weft.maximum(y_pred, epsilon()) + 1.0) - weft.math.log(weft.maximum(y_true, epsilon()) + 1.0)
    return weft.reduce_mean(weft.square(difference), axis=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """``-sum(y_true * y_pred) / (|y_true| |y_pred|)`` along the axis: -1 for equal directions, 0 for a right angle."""
    y_true, y_pred = pair(y_true, y_pred)
    return -weft.reduce_sum(_unit(y_true, axis) * _unit(y_pred, axis), axis=axis)


def _unit(x: Any, axis: int) -> Any:
    """x divided by its norm or, if that is more, epsilon. The root of at least epsilon² has a gradient where x is 0, too."""
    total = weft.reduce_sum(weft.square(x), axis=axis, keepdims=True)
    return x * weft.math.rsqrt(weft.maximum(total, epsilon() ** 2))


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """The mean over the last axis of ``e² / 2`` where ``|e| <= delta`` and of ``delta * |e| - delta² / 2`` elsewhere."""
    y_true, y_pred = pair(y_true, y_pred)
    error = y_pred - y_true
    size = weft.abs(error)
    return weft.reduce_mean(
        weft.where(size <= delta, 0.5 * weft.square(error), delta * size - 0.5 * delta * delta), axis=-1
    )


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """``mean(log(cosh(y_pred - y_true)), axis=-1)``, computed without overflow."""
    y_true, y_pred = pair(y_true, y_pred)
    error = y_pred - y_true
    return weft.reduce_mean(error + weft.nn.softplus(-2.0 * error) - math.log(2.0), axis=-1)



@public("keras.losses")
class MeanSquaredError(LossFunctionWrapper):
    """The mean of squared differences. Arguments: see `Loss`."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_error", dtype: Any = None
    ) -> None:
        super().__init__(mean_squared_error, reduction, name, dtype)


@public("keras.losses")
class MeanAbsoluteError(LossFunctionWrapper):
    """The mean of absolute differences. Arguments: see `Loss`."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_error", dtype: Any = None
    ) -> None:
        super().__init__(mean_absolute_error, reduction, name, dtype)


@public("keras.losses")
class MeanAbsolutePercentageError(LossFunctionWrapper):
    """The mean of absolute differences in percent of the true values. Arguments: see `Loss`."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_percentage_error", dtype: Any = None
    ) -> None:
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@public("keras.losses")
class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """The mean of squared differences of logarithms. Arguments: see `Loss`."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_logarithmic_error", dtype: Any = None
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@public("keras.losses")
class CosineSimilarity(LossFunctionWrapper):
    """The negative cosine of the angle between true and predicted vectors along ``axis``. Other arguments: see `Loss`."""

    def __init__(
        self, axis: int = -1, reduction: str | None = "sum_over_batch_size", name: str = "cosine_similarity", dtype: Any = None
    ) -> None:
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


@public("keras.losses")
class Huber(LossFunctionWrapper):
    """Squared for differences up to ``delta``, linear beyond. Other arguments: see `Loss`."""

    def __init__(
        self, delta: float = 1.0, reduction: str | None = "sum_over_batch_size", name: str = "huber_loss", dtype: Any = None
    ) -> None:
        super().__init__(huber, reduction, name, dtype, delta=delta)


@public("keras.losses")
class LogCosh(LossFunctionWrapper):
    """The logarithm of the hyperbolic cosine of the difference. Arguments: see `Loss`."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "log_cosh", dtype: Any = None) -> None:
        super().__init__(log_cosh, reduction, name, dtype)
