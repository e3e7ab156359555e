"""``weft.errors``: every exception class that weft raises, TensorFlow's names among them."""

from __future__ import annotations

from weft.graph.errors import (
    CheckFailedError,
    DivisionByZeroError,
    DTypeError,
    IndexRangeError,
    InvalidArgumentError,
    NotFoundError,
    OpError,
    OutOfRangeError,
    ShapeError,
    UnimplementedError,
)
from weft.tracer.errors import (
    InaccessibleTensorError,
    OperatorNotAllowedInGraphError,
    SymbolicToNumpyError,
    VariableCreationError,
)

__all__ = [
    "CheckFailedError",
    "DTypeError",
    "DivisionByZeroError",
    "InaccessibleTensorError",
    "IndexRangeError",
    "InvalidArgumentError",
    "NotFoundError",
    "OpError",
    "OperatorNotAllowedInGraphError",
    "OutOfRangeError",
    "ShapeError",
    "SymbolicToNumpyError",
    "UnimplementedError",
    "VariableCreationError",
]
