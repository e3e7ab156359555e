"""Exception classes. Each also derives from the built-in that NumPy or plain Python would raise for the same mistake."""

from __future__ import annotations


class OpError(Exception):
    """Base class of the errors that an operation raises. ``message`` is its text; there is no ``op`` or ``node_def`` object."""

    op = node_def = None

    @property
    def message(self) -> str:
        return str(self)


class InvalidArgumentError(OpError):
    """An operation received a value it does not accept."""


class ShapeError(InvalidArgumentError, ValueError):
    """Shapes do not fit together. TensorFlow raises InvalidArgumentError in eager mode and ValueError while tracing."""


class DTypeError(InvalidArgumentError, TypeError):
    """Element types do not fit together; there is no implicit promotion between tensors."""


class OutOfRangeError(OpError, IndexError):
    """An index or an iterator ran past the end."""


class IndexRangeError(InvalidArgumentError, IndexError):
    """A gather, scatter or class label lies outside the allowed range."""


class DivisionByZeroError(InvalidArgumentError, ZeroDivisionError):
    """Integer division or remainder by zero."""


class CheckFailedError(InvalidArgumentError, AssertionError):
    """An assertion inside the computation failed."""


class NotFoundError(OpError):
    """Something that was asked for by name does not exist."""


class UnimplementedError(OpError, NotImplementedError):
    """The operation exists but not for these arguments."""


class VerificationError(Exception):
    """A graph breaks an invariant of the IR: always a defect of weft, never of the user's program."""
