"""Losses by Keras' names, as classes, functions and strings. In: a name, configuration or object; out: a loss."""

from __future__ import annotations

from typing import Any

from weft.layers.serialization import deserialize_object, name_table, resolve, serialize_object

from .hinge import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
from .loss import Loss
from .probabilistic import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from .regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from .wrapper import LossFunctionWrapper

CLASSES: tuple[type[Loss], ...] = (
    BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy, CategoricalHinge,
    CosineSimilarity, Hinge, Huber, KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
    MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy, SquaredHinge,
)  # fmt: skip
FUNCTIONS = (
    binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy, categorical_focal_crossentropy, categorical_hinge,
    cosine_similarity, hinge, huber, kl_divergence, log_cosh, mean_absolute_error, mean_absolute_percentage_error,
    mean_squared_error, mean_squared_logarithmic_error, poisson, sparse_categorical_crossentropy, squared_hinge,
)  # fmt: skip
ALIASES = {
    "bce": binary_crossentropy,
    "kld": kl_divergence,
    "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mse": mean_squared_error,
    "msle": mean_squared_logarithmic_error,
}

_TABLE = name_table(*CLASSES) | {f.__name__: f for f in FUNCTIONS}
_TABLE |= ALIASES | {name.upper(): f for name, f in ALIASES.items()}

__all__ = [c.__name__ for c in CLASSES] + [f.__name__ for f in FUNCTIONS]
__all__ += ["Loss", "LossFunctionWrapper", "deserialize", "get", "serialize"]


def get(identifier: Any) -> Any:
    """The loss of that name (``"mse"`` gives the function, ``"MeanSquaredError"`` an object), configuration or object.

    None stays None. Raises ValueError with the near matches for an unknown name.
    """
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return resolve("loss", _TABLE, Loss, identifier)


def serialize(loss: Any) -> Any:
    """The loss as JSON-able data."""
    return serialize_object(loss)


def deserialize(name: Any, custom_objects: Any = None) -> Any:
    """The inverse of `serialize`; a plain name gives the loss of that name."""
    if isinstance(name, str):
        return get(name)
    return deserialize_object(name, _TABLE | dict(custom_objects or {}))
