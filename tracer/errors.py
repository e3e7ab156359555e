"""Errors of tracing and taping. They derive from the built-ins that TensorFlow's programs catch."""

from __future__ import annotations

from weft.graph.errors import DTypeError, ShapeError


class OperatorNotAllowedInGraphError(TypeError):
    """Python asked a traced tensor for its value: ``if``, ``while``, ``for``, ``in``, ``int()``."""


class InaccessibleTensorError(TypeError, ValueError):
    """A traced tensor was used outside the trace that made it."""


class SymbolicToNumpyError(NotImplementedError, TypeError):
    """NumPy asked a traced tensor for its value."""


class VariableCreationError(ValueError):
    """A function created a variable when it may not: only the first call may."""


class UnconvertibleError(TypeError, ValueError):
    """A value that no tensor can hold. TensorFlow raises TypeError for strings among numbers and ValueError for objects."""


class DTypeConversionError(DTypeError, ValueError):
    """A tensor has another dtype than was asked for. TensorFlow raises ValueError here, eager ops raise InvalidArgumentError."""


class AssignShapeError(ShapeError):
    """A value was assigned to a variable of another shape."""
