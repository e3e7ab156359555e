"""Penalties on weights or outputs. In: a tensor; out: a scalar tensor that is added to the loss."""

from __future__ import annotations

import math
from typing import Any

from weft.tracer import ops

from .serialization import NameTable, deserialize_object, public, resolve, serialize_object


class Regularizer:
    """Base class: subclasses define ``__call__(x)`` and, with arguments, ``get_config``."""

    def __call__(self, x: Any) -> Any:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        return cls(**config)


def _factor(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} must be a finite number that is not negative. Received: {name}={value!r}")
    return float(value)


@public("keras.regularizers")
class L1L2(Regularizer):
    """``l1 * sum(|x|) + l2 * sum(x²)``."""

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _factor(0.0 if l1 is None else l1, "l1")
        self.l2 = _factor(0.0 if l2 is None else l2, "l2")

    def __call__(self, x: Any) -> Any:
        total: Any = 0.0
        if self.l1:
            total = self.l1 * ops.reduce_sum(ops.abs(x)) + total
        if self.l2:
            total = self.l2 * ops.reduce_sum(ops.square(x)) + total
        return total if self.l1 or self.l2 else ops.constant(0.0, dtype=x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


@public("keras.regularizers")
class L1(L1L2):
    """``l1 * sum(|x|)``."""

    def __init__(self, l1: float | None = 0.01) -> None:
        super().__init__(l1=0.01 if l1 is None else l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


@public("keras.regularizers")
class L2(L1L2):
    """``l2 * sum(x²)``."""

    def __init__(self, l2: float | None = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


@public("keras.regularizers")
class OrthogonalRegularizer(Regularizer):
    """Punishes rows (or columns) of a matrix that are not orthogonal: the mean of |cosine| over all pairs, times ``factor``."""

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(f"mode must be rows or columns. Received: mode={mode!r}")
        self.factor, self.mode = _factor(factor, "factor"), mode

    def __call__(self, x: Any) -> Any:
        if len(x.shape) != 2:
            raise ValueError(f"OrthogonalRegularizer takes a matrix. Received: shape {tuple(x.shape)}")
        axis = 1 if self.mode == "rows" else 0
        size = int(x.shape[1 - axis])
        norm = ops.maximum(ops.sqrt(ops.reduce_sum(ops.square(x), axis=axis, keepdims=True)), 1e-12)
        unit = x / norm
        product = ops.matmul(unit, ops.transpose(unit)) if axis == 1 else ops.matmul(ops.transpose(unit), unit)
        pairs = max(size * (size - 1) / 2.0, 1.0)
        return self.factor * 0.5 * ops.reduce_sum(ops.abs(product * (1.0 - ops.eye(size, dtype=x.dtype)))) / pairs

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1_l2 = L1L2


TABLE = NameTable(__name__, ("L1", "L2", "L1L2", "OrthogonalRegularizer"), {"l1_l2": "L1L2"})


def get(identifier: Any) -> Any:
    """The regularizer for None, a name, a `Regularizer`, its configuration or a function of one tensor."""
    return resolve("regularizer", TABLE, Regularizer, identifier)


def serialize(regularizer: Any) -> Any:
    """The regularizer as plain data."""
    return serialize_object(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer that `serialize` wrote."""
    return deserialize_object(config, custom_objects)
