"""Sums and means over all samples. In: values (batch, ...) with optional weights; out: their sum or mean so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import weft
from weft.layers.serialization import public, serialize_object

from .. import losses
from ..losses.loss import map_tensors, match_ranks, to_tensor
from ..losses.wrapper import TAKES_CLASS_NUMBERS
from .metric import Metric

Reduce = Callable[..., Any]


def per_sample(values: Any, sample_weight: Any, reduce: Reduce, dtype: Any) -> tuple[Any, Any]:
    """Weighted values and weights with the batch axis only, or no axis for scalars.

    Values with more axes than their weights are reduced over the extra axes first, so that a weight counts for its sample.
    """
    values = to_tensor(values, dtype)
    if sample_weight is not None:
        values, weight = match_ranks(values, to_tensor(sample_weight, dtype))
        rank = len(weight.shape)
        if len(values.shape) > rank:
            values = reduce(values, axis=list(range(rank, len(values.shape))))
        weight = weft.broadcast_to(weight, weft.shape(values))
        values = values * weight
        sample_weight = reduce(weight, axis=list(range(1, rank))) if rank > 1 else weight
    if len(values.shape) > 1:
        values = reduce(values, axis=list(range(1, len(values.shape))))
    return values, sample_weight


@public("keras.metrics")
class Sum(Metric):
    """The weighted sum of all values."""

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(dtype=dtype, name=name)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds values (batch, ...), each sample times its weight."""
        values, _ = per_sample(values, sample_weight, weft.reduce_sum, self.dtype)
        self.total.assign_add(weft.reduce_sum(values))

    def result(self) -> Any:
        """The sum, a scalar."""
        return weft.identity(self.total)


@public("keras.metrics")
class Mean(Metric):
    """The weighted mean of all values: ``total / count``, 0 if there were none."""

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(dtype=dtype, name=name)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Takes in values (batch, ...), each sample with its weight, or a scalar."""
        values, weight = per_sample(values, sample_weight, weft.reduce_mean, self.dtype)
        self.total.assign_add(weft.reduce_sum(values))
        if weight is not None:
            self.count.assign_add(weft.reduce_sum(weight))
        elif len(values.shape):
            self.count.assign_add(weft.cast(weft.shape(values)[0], self.dtype))
        else:
            self.count.assign_add(1.0)

    def result(self) -> Any:
        """The mean, a scalar."""
        return weft.math.divide_no_nan(self.total, self.count)


@public("keras.metrics")
class MeanMetricWrapper(Mean):
    """The mean of what ``fn(y_true, y_pred, **options)`` gives per sample."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **options: Any) -> None:
        super().__init__(name=name or getattr(fn, "__name__", None) or "mean_metric_wrapper", dtype=dtype)
        self._fn = fn
        self._options = options
        if losses.is_own(fn) or losses.is_own(type(fn)):
            self._direction = "down"

    # Keras lets these metrics take two tensors where Mean takes one, hence the ignored override.
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Takes in one batch of targets and predictions."""
        # Class numbers stay integers, floating point and others take the metric's dtype.
        numbers = self._fn in TAKES_CLASS_NUMBERS or getattr(self._fn, "casts_targets", True) is False
        y_true = map_tensors(lambda t: to_tensor(t, None if numbers else self.dtype), y_true)
        y_pred = map_tensors(lambda t: to_tensor(t, self.dtype), y_pred)
        super().update_state(self._fn(y_true, y_pred, **self._options), sample_weight)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | self._options
        return config | {"fn": serialize_object(self._fn)} if type(self) is MeanMetricWrapper else config
