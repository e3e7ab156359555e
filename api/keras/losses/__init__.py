"""Losses by Keras' names, as classes, functions and strings. In: a name, configuration or object; out: a loss."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from weft.layers.serialization import NameTable, deserialize_object, resolve, serialize_object
from weft.tracer.late_names import late_names

from .loss import Loss

if TYPE_CHECKING:
    from .margins import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
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

_LATE = {
    "margins": ("CategoricalHinge", "Hinge", "SquaredHinge", "categorical_hinge", "hinge", "squared_hinge"),
    "probabilistic": (
        "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy",
        "KLDivergence", "Poisson", "SparseCategoricalCrossentropy", "binary_crossentropy", "binary_focal_crossentropy",
        "categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence", "poisson",
        "sparse_categorical_crossentropy",
    ),
    "regression": (
        "CosineSimilarity", "Huber", "LogCosh", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
        "MeanSquaredLogarithmicError", "cosine_similarity", "huber", "log_cosh", "mean_absolute_error",
        "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error",
    ),
    "wrapper": ("LossFunctionWrapper",),
}  # fmt: skip

_OWN = [name for home in ("margins", "probabilistic", "regression") for name in _LATE[home]]
_ALIASES = {
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
}
_SHORT = {n: f for n, f in _ALIASES.items() if n != "bce"}
_SHORT |= {n.upper(): f for n, f in _SHORT.items()} | {"kullback_leibler_divergence": "kl_divergence", "logcosh": "log_cosh"}

__getattr__, __dir__ = late_names(
    __name__, _LATE, {short: functools.partial(getattr, sys.modules[__name__], name) for short, name in _SHORT.items()}
)

# Under a name that both have (mean_squared_error) a string means the function.
_TABLE = NameTable(
    __name__,
    [n for n in _OWN if not n.islower()],
    [n for n in _OWN if n.islower()],
    _ALIASES,
    {n.upper(): f for n, f in _ALIASES.items()},
)

__all__ = [
    "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy", "CategoricalFocalCrossentropy",
    "CategoricalHinge", "CosineSimilarity", "Hinge", "Huber", "KLDivergence", "LogCosh", "Loss", "LossFunctionWrapper",
    "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson",
    "SparseCategoricalCrossentropy", "SquaredHinge", "binary_crossentropy", "binary_focal_crossentropy",
    "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "cosine_similarity", "deserialize",
    "get", "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_error", "mean_squared_logarithmic_error", "poisson", "serialize", "sparse_categorical_crossentropy",
    "squared_hinge",
]  # fmt: skip


def is_own(value: Any) -> bool:
    """Whether the value is one of the classes and functions here, and not the user's."""
    name = getattr(value, "__name__", None)
    return name in _OWN and _TABLE[name] is value


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
    return deserialize_object(name, {**_TABLE, **(custom_objects or {})})
