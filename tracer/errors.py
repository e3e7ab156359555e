"""Errors of tracing and taping. They derive from the built-ins that TensorFlow's programs catch."""

from __future__ import annotations


class OperatorNotAllowedInGraphError(TypeError):
    """Python asked a traced tensor for its value: ``if``, ``while``, ``for``, ``in``, ``int()``."""


class InaccessibleTensorError(TypeError, ValueError):
    """A traced tensor was used outside the trace that made it."""


class SymbolicToNumpyError(NotImplementedError, TypeError):
    """NumPy asked a traced tensor for its value."""


class VariableCreationError(ValueError):
    """A function created a variable when it may not: only the first call may."""
