"""How often predictions are right. In: targets and predictions; out: the fraction of matches."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.precision import floatx
from weft.layers.serialization import public

from ..losses.loss import match_ranks, to_tensor
from ..losses.wrapper import takes_class_numbers
from .reduction import MeanMetricWrapper


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the prediction equals the target, elsewhere 0."""
    y_pred = to_tensor(y_pred)
    y_true, y_pred = match_ranks(to_tensor(y_true, y_pred.dtype), y_pred)
    return weft.cast(weft.equal(y_true, y_pred), floatx())


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where ``y_pred > threshold`` agrees with the target 0 or 1, elsewhere 0."""
    y_pred = to_tensor(y_pred)
    y_true, y_pred = match_ranks(to_tensor(y_true, y_pred.dtype), y_pred)
    return weft.cast(weft.equal(y_true, weft.cast(y_pred > threshold, y_pred.dtype)), floatx())


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is at the largest target (one-hot), elsewhere 0; without the last axis."""
    matches = weft.equal(weft.argmax(to_tensor(y_true), axis=-1), weft.argmax(to_tensor(y_pred), axis=-1))
    return weft.cast(matches, floatx())


@takes_class_numbers
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is at the class number y_true of shape (...) or (..., 1), elsewhere 0."""
    y_true, y_pred = class_numbers(y_true, y_pred)
    return weft.cast(weft.equal(y_true, weft.argmax(y_pred, axis=-1)), floatx())


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the class of the largest target is among the k largest predictions, elsewhere 0."""
    return in_top_k(weft.argmax(to_tensor(y_true), axis=-1), to_tensor(y_pred), k)


@takes_class_numbers
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the class number is among the k largest predictions, elsewhere 0."""
    return in_top_k(*class_numbers(y_true, y_pred), k)


def class_numbers(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Class numbers as int64 without a last axis of size 1, and the predictions."""
    y_true, y_pred = to_tensor(y_true), to_tensor(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = weft.squeeze(y_true, -1)
    return weft.cast(y_true, weft.int64), y_pred


def in_top_k(labels: Any, y_pred: Any, k: int) -> Any:
    """1 where fewer than k predictions exceed that of the label, so that ties count as among the top k."""
    chosen = weft.gather(y_pred, labels, axis=-1, batch_dims=len(labels.shape))
    larger = weft.reduce_sum(weft.cast(y_pred > weft.expand_dims(chosen, -1), floatx()), axis=-1)
    return weft.cast(larger < float(k), floatx())


@public("keras.metrics")
class Accuracy(MeanMetricWrapper):
    """How often predictions equal targets. In `compile` the string "accuracy" picks the accuracy that fits the shapes."""

    _direction = "up"

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name, dtype)


@public("keras.metrics")
class BinaryAccuracy(MeanMetricWrapper):
    """How often ``y_pred > threshold`` agrees with targets 0 and 1. ValueError unless the threshold is between 0 and 1."""

    _direction = "up"

    def __init__(self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        if threshold is not None and not 0 < threshold < 1:
            raise ValueError(f"threshold must lie between 0 and 1. Received: {threshold}")
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold


@public("keras.metrics")
class CategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction is that of the one-hot target."""

    _direction = "up"

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


@public("keras.metrics")
class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction is that of the class number."""

    _direction = "up"

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


@public("keras.metrics")
class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class of the one-hot target is among the k largest predictions."""

    _direction = "up"

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


@public("keras.metrics")
class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class number is among the k largest predictions."""

    _direction = "up"

    def __init__(self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k
