"""The base of all losses, and how per-sample losses become one number. In: targets, predictions, weights; out: a scalar."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.naming import auto_name, to_snake_case
from weft.layers.precision import floatx

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss:
    """A loss. A subclass implements ``call(y_true, y_pred)`` and returns one loss per sample.

    reduction: ``"sum_over_batch_size"`` (or ``"mean"``) divides the sum of the weighted losses by their number,
        ``"mean_with_sample_weight"`` by the sum of the weights, ``"sum"`` only adds, None returns them as they are.
    dtype: what targets and predictions are cast to; `floatx` by default.
    """

    casts_targets = True  # False where targets are class numbers

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None) -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(map(repr, REDUCTIONS))}. Received: {reduction!r}")
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self.reduction = reduction
        self._dtype = weft.as_dtype(dtype or floatx()).name

    @property
    def dtype(self) -> str:
        return self._dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss of targets and predictions of shapes (batch, ...), each sample multiplied by its weight."""
        y_pred = map_tensors(lambda t: to_tensor(t, self.dtype), y_pred)
        y_true = map_tensors(lambda t: to_tensor(t, self.dtype if self.casts_targets else None), y_true)
        return reduce_weighted(self.call(y_true, y_pred), sample_weight, self.reduction, self.dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One loss per sample; implemented by each loss."""
        raise NotImplementedError(f"{type(self).__name__} must implement call(y_true, y_pred).")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """The inverse of `get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def map_tensors(function: Any, value: Any) -> Any:
    """The function applied to a tensor or to each tensor in a list, tuple or dictionary."""
    if isinstance(value, dict):
        return {k: map_tensors(function, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)) and any(hasattr(v, "shape") for v in value):
        return type(value)(map_tensors(function, v) for v in value)
    return function(value)


def to_tensor(value: Any, dtype: Any = None) -> Any:
    """A tensor of that dtype (of its own, if None); other dtypes are cast."""
    tensor = weft.convert_to_tensor(value)
    return tensor if dtype is None or tensor.dtype == dtype else weft.cast(tensor, dtype)


def match_ranks(a: Any, b: Any, expand_rank_1: bool = True) -> tuple[Any, Any]:
    """Both tensors with equal ranks, if they differ only by a last axis of size 1: (batch,) beside (batch, 1).

    The one of rank 1 is expanded, otherwise the longer one is squeezed; ranks that differ more are left to the operation.
    """
    rank_a, rank_b = len(a.shape), len(b.shape)
    if rank_a == rank_b + 1 and a.shape[-1] == 1:
        if rank_b == 1 and expand_rank_1:
            return a, weft.expand_dims(b, -1)
        return weft.squeeze(a, -1), b
    if rank_b == rank_a + 1 and b.shape[-1] == 1:
        if rank_a == 1 and expand_rank_1:
            return weft.expand_dims(a, -1), b
        return a, weft.squeeze(b, -1)
    return a, b


def reduce_weighted(values: Any, sample_weight: Any, reduction: str | None, dtype: Any) -> Any:
    """The losses, multiplied by the weights and reduced."""
    values = to_tensor(values, dtype)
    if sample_weight is not None:
        values, sample_weight = match_ranks(values, to_tensor(sample_weight, values.dtype))
        values = values * sample_weight
    if reduction in (None, "none") or len(values.shape) == 0:
        return values
    if reduction == "sum":
        return weft.reduce_sum(values)
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        return weft.math.divide_no_nan(weft.reduce_sum(values), weft.reduce_sum(sample_weight))
    return weft.reduce_mean(values)


def pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both as tensors of the predictions' dtype and of one rank."""
    y_pred = to_tensor(y_pred)
    return match_ranks(to_tensor(y_true, y_pred.dtype), y_pred)
