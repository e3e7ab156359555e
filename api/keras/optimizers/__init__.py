"""Optimizers by Keras' names and formulas. In: a name, configuration or object; out: an optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.layers.serialization import NameTable, deserialize_object, resolve, serialize_object
from weft.tracer.late_names import late_names

from .optimizer import Optimizer

if TYPE_CHECKING:
    from . import schedules
    from .adagrad import Adagrad
    from .adam import Adam, AdamW
    from .rmsprop import RMSprop
    from .sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "deserialize", "get", "schedules", "serialize"]

_LATE = {"adagrad": ("Adagrad",), "adam": ("Adam", "AdamW"), "rmsprop": ("RMSprop",), "schedules": (), "sgd": ("SGD",)}

__getattr__, __dir__ = late_names(__name__, _LATE)

_CLASSES = ("SGD", "RMSprop", "Adam", "AdamW", "Adagrad")
_TABLE = NameTable(__name__, _CLASSES, {name.lower(): name for name in _CLASSES})


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
