"""Losses as metrics. In: targets and predictions; out: the mean of the loss over all samples."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.serialization import public

from .. import losses
from ..losses.loss import match_ranks, to_tensor
from .reduction import Mean, MeanMetricWrapper


@public("keras.metrics")
class MeanSquaredError(MeanMetricWrapper):
    """The mean squared difference."""

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)


@public("keras.metrics")
class MeanAbsoluteError(MeanMetricWrapper):
    """The mean absolute difference."""

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_error, name, dtype)


@public("keras.metrics")
class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean absolute difference in percent of the targets."""

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


@public("keras.metrics")
class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean squared difference of logarithms."""

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


@public("keras.metrics")
class RootMeanSquaredError(Mean):
    """The root of the mean squared difference."""

    _direction = "down"

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    # Keras lets these metrics take two tensors where Mean takes one, hence the ignored override.
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Takes in one batch of targets and predictions."""
        y_pred = to_tensor(y_pred, self.dtype)
        y_true, y_pred = match_ranks(to_tensor(y_true, self.dtype), y_pred)
        super().update_state(weft.square(y_true - y_pred), sample_weight)

    def result(self) -> Any:
        """The root mean squared error, a scalar."""
        return weft.sqrt(super().result())


@public("keras.metrics")
class CosineSimilarity(MeanMetricWrapper):
    """The cosine of the angle between targets and predictions: 1 for equal directions."""

    _direction = "up"

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(cosine_similarity, name, dtype, axis=axis)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle along the axis; the loss of that name is its negative."""
    return -losses.cosine_similarity(y_true, y_pred, axis)


@public("keras.metrics")
class LogCoshError(MeanMetricWrapper):
    """The mean logarithm of the hyperbolic cosine of the difference."""

    def __init__(self, name: str = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.log_cosh, name, dtype)
