"""Metrics by Keras' names, as classes and strings. In: a name, configuration or object; out: a metric."""

from __future__ import annotations

from typing import Any

from weft.layers.serialization import deserialize_object, find_custom, name_table, resolve, serialize_object

from ..losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from .accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from .auc import AUC
from .confusion import FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives
from .metric import Metric
from .probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from .reduction import Mean, MeanMetricWrapper, Sum
from .regression import (
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    RootMeanSquaredError,
)

CLASSES: tuple[type[Metric], ...] = (
    AUC, Accuracy, BinaryAccuracy, BinaryCrossentropy, CategoricalAccuracy, CategoricalCrossentropy, CategoricalHinge,
    CosineSimilarity, FalseNegatives, FalsePositives, Hinge, KLDivergence, LogCoshError, Mean, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Poisson, Precision, Recall,
    RootMeanSquaredError, SparseCategoricalAccuracy, SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy,
    SquaredHinge, Sum, TopKCategoricalAccuracy, TrueNegatives, TruePositives,
)  # fmt: skip
FUNCTIONS = (
    binary_accuracy, binary_crossentropy, binary_focal_crossentropy, categorical_accuracy, categorical_crossentropy,
    categorical_focal_crossentropy, categorical_hinge, hinge, huber, kl_divergence, log_cosh, mean_absolute_error,
    mean_absolute_percentage_error, mean_squared_error, mean_squared_logarithmic_error, poisson, sparse_categorical_accuracy,
    sparse_categorical_crossentropy, sparse_top_k_categorical_accuracy, squared_hinge, top_k_categorical_accuracy,
)  # fmt: skip
ALIASES = {
    "acc": Accuracy,
    "bce": BinaryCrossentropy,
    "kld": KLDivergence,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
    "rmse": RootMeanSquaredError,
}

# Functions first: under a name that both have (mean_squared_error) a string means the metric class.
_TABLE: dict[str, Any] = {f.__name__: f for f in FUNCTIONS} | name_table(*CLASSES)
_TABLE |= ALIASES | {name.upper(): c for name, c in ALIASES.items()}

__all__ = [c.__name__ for c in CLASSES] + [f.__name__ for f in FUNCTIONS]
__all__ += ["MeanMetricWrapper", "Metric", "deserialize", "get", "serialize"]


def get(identifier: Any) -> Any:
    """The metric of that name (``"mse"``), configuration or object; a function stays a function, None stays None.

    Raises ValueError with the near matches for an unknown name.
    """
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return resolve("metric", _TABLE, Metric, identifier)


def is_known(name: str) -> bool:
    """Whether `get` understands the name."""
    return name in _TABLE or find_custom(name) is not None


def serialize(metric: Any) -> Any:
    """The metric as JSON-able data."""
    return serialize_object(metric)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The inverse of `serialize`; a plain name gives the metric of that name."""
    if isinstance(config, str):
        return get(config)
    return deserialize_object(config, _TABLE | dict(custom_objects or {}))
