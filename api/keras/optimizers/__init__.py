"""Optimizers by Keras' names and formulas. In: a name, configuration or object; out: an optimizer."""

from __future__ import annotations

from typing import Any

from weft.layers.serialization import deserialize_object, name_table, resolve, serialize_object

from . import schedules
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "deserialize", "get", "schedules", "serialize"]

_TABLE = name_table(SGD, RMSprop, Adam, AdamW, Adagrad)
_TABLE.update({name.lower(): target for name, target in list(_TABLE.items())})


def get(identifier: Any) -> Any:
    """The optimizer of that name (``"adam"``), configuration or object; None stays None. ValueError with near matches."""
    if isinstance(identifier, str) and identifier.lower() in _TABLE:
        identifier = identifier.lower()
    found = resolve("optimizer", _TABLE, Optimizer, identifier)
    if found is not None and not isinstance(found, Optimizer):
        raise ValueError(f"An optimizer is given by name or object. Received: {identifier!r} of type {type(identifier).__name__}")
    return found


def serialize(optimizer: Optimizer) -> Any:
    """The optimizer as JSON-able data."""
    return serialize_object(optimizer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The inverse of `serialize`."""
    return deserialize_object(config, custom_objects)
