"""Projections applied to weights after every update. In: a weight's new value; out: the nearest allowed value."""

from __future__ import annotations

from typing import Any

from weft.tracer import ops

from .precision import epsilon
from .serialization import NameTable, deserialize_object, public, resolve, serialize_object


class Constraint:
    """Base class: subclasses define ``__call__(w)`` and, with arguments, ``get_config``."""

    def __call__(self, w: Any) -> Any:
        return w

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        return cls(**config)


def _norm(w: Any, axis: Any) -> Any:
    return ops.sqrt(ops.reduce_sum(ops.square(w), axis=axis, keepdims=True))


@public("keras.constraints")
class MaxNorm(Constraint):
    """Scales vectors along ``axis`` down to at most ``max_value``."""

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        norm = _norm(w, self.axis)
        return w * (ops.clip_by_value(norm, 0.0, float(self.max_value)) / (norm + epsilon()))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


@public("keras.constraints")
class NonNeg(Constraint):
    """Sets negative values to zero."""

    def __call__(self, w: Any) -> Any:
        return ops.maximum(w, 0.0)


@public("keras.constraints")
class UnitNorm(Constraint):
    """Scales vectors along ``axis`` to length one."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        return w / (_norm(w, self.axis) + epsilon())

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


@public("keras.constraints")
class MinMaxNorm(Constraint):
    """Pulls the length of vectors along ``axis`` into [min_value, max_value], by the share ``rate`` per update."""

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Any:
        norm = _norm(w, self.axis)
        wanted = self.rate * ops.clip_by_value(norm, float(self.min_value), float(self.max_value)) + (1.0 - self.rate) * norm
        return w * (wanted / (norm + epsilon()))

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


TABLE = NameTable(__name__, ("MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm"))


def get(identifier: Any) -> Any:
    """The constraint for None, a name, a `Constraint`, its configuration or a function of one tensor."""
    return resolve("constraint", TABLE, Constraint, identifier)


def serialize(constraint: Any) -> Any:
    """The constraint as plain data."""
    return serialize_object(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint that `serialize` wrote."""
    return deserialize_object(config, custom_objects)
