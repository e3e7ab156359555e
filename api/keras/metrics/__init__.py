"""Metrics by Keras' names, as classes and strings. In: a name, configuration or object; out: a metric."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from weft.layers.serialization import NameTable, deserialize_object, resolve, serialize_object
from weft.tracer.late_names import late_names

from .metric import Metric

if TYPE_CHECKING:
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

_LATE = {
    "weft.keras.losses": (
        "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
        "categorical_hinge", "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error",
        "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "poisson",
        "sparse_categorical_crossentropy", "squared_hinge",
    ),
    "accuracy": (
        "Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy",
        "TopKCategoricalAccuracy", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy",
        "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy",
    ),
    "auc": ("AUC",),
    "confusion": ("FalseNegatives", "FalsePositives", "Precision", "Recall", "TrueNegatives", "TruePositives"),
    "probabilistic": (
        "BinaryCrossentropy", "CategoricalCrossentropy", "CategoricalHinge", "Hinge", "KLDivergence", "Poisson",
        "SparseCategoricalCrossentropy", "SquaredHinge",
    ),
    "reduction": ("Mean", "MeanMetricWrapper", "Sum"),
    "regression": (
        "CosineSimilarity", "LogCoshError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
        "MeanSquaredLogarithmicError", "RootMeanSquaredError",
    ),
}  # fmt: skip

_SHORT = ("KLD", "MAE", "MAPE", "MSE", "MSLE", "kld", "kullback_leibler_divergence", "logcosh", "mae", "mape", "mse", "msle")


def _find_loss(name: str) -> Any:
    from .. import losses

    return getattr(losses, name)


__getattr__, __dir__ = late_names(__name__, _LATE, {name: functools.partial(_find_loss, name) for name in _SHORT})

_OWN = sorted({name for names in _LATE.values() for name in names} - {"MeanMetricWrapper"})
_ALIASES = {
    "acc": "Accuracy",
    "bce": "BinaryCrossentropy",
    "kld": "KLDivergence",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "mse": "MeanSquaredError",
    "msle": "MeanSquaredLogarithmicError",
    "rmse": "RootMeanSquaredError",
}
# Under a name that both have (mean_squared_error) a string means the metric class.
_TABLE = NameTable(
    __name__,
    [n for n in _OWN if n.islower()],
    [n for n in _OWN if not n.islower()],
    _ALIASES,
    {n.upper(): c for n, c in _ALIASES.items()},
)

__all__ = [
    "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "CategoricalAccuracy", "CategoricalCrossentropy",
    "CategoricalHinge", "CosineSimilarity", "FalseNegatives", "FalsePositives", "Hinge", "KLDivergence", "LogCoshError",
    "Mean", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanMetricWrapper", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Metric", "Poisson", "Precision", "Recall", "RootMeanSquaredError",
    "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy", "SquaredHinge", "Sum",
    "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives", "binary_accuracy", "binary_crossentropy",
    "binary_focal_crossentropy", "categorical_accuracy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_hinge", "deserialize", "get", "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "poisson", "serialize",
    "sparse_categorical_accuracy", "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy", "squared_hinge",
    "top_k_categorical_accuracy",
]  # fmt: skip


def get(identifier: Any) -> Any:
    """The metric of that name (``"mse"``), configuration or object; a function stays a function, None stays None.

    Raises ValueError with the near matches for an unknown name.
    """
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return resolve("metric", _TABLE, Metric, identifier)


def serialize(metric: Any) -> Any:
    """The metric as JSON-able data."""
    return serialize_object(metric)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The inverse of `serialize`; a plain name gives the metric of that name."""
    if isinstance(config, str):
        return get(config)
    return deserialize_object(config, {**_TABLE, **(custom_objects or {})})
