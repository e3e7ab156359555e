"""Python's operators. In: a tensor or variable and anything `convert_to_tensor` takes; out: tensors, through `apply`."""

from __future__ import annotations

from typing import Any

from weft.graph.dtype import DType, float32, float64
from weft.graph.errors import DTypeError, ShapeError
from weft.graph.op import DimConflict

from .apply import apply
from .context import state
from .errors import UnconvertibleError


class Operators:
    """Arithmetic, comparison and indexing for `Tensor` and `Variable`.

    There is no promotion between tensors: both must have one dtype (`DTypeError`). A Python number or a NumPy array takes the
    dtype of the tensor beside it. ``/`` on integers gives float64 (float32 for 8 and 16 bits), as in TensorFlow.
    """

    __slots__ = ()

    __array_priority__ = 100  # an ndarray on the left leaves the operator to us
    dtype: Any

    def __add__(self, other: Any) -> Any:
        return apply("add", (self, other))

    def __radd__(self, other: Any) -> Any:
        return apply("add", (other, self))

    def __sub__(self, other: Any) -> Any:
        return apply("sub", (self, other))

    def __rsub__(self, other: Any) -> Any:
        return apply("sub", (other, self))

    def __mul__(self, other: Any) -> Any:
        try:
            return apply("mul", (self, other))
        except DTypeError:
            if not self.dtype.is_bool:
                raise
        return apply("logical_and", (self, other))  # masks

    def __rmul__(self, other: Any) -> Any:
        try:
            return apply("mul", (other, self))
        except DTypeError:
            if not self.dtype.is_bool:
                raise
        return apply("logical_and", (other, self))  # masks

    def __truediv__(self, other: Any) -> Any:
        return true_divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return true_divide(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return apply("floordiv", (self, other))

    def __rfloordiv__(self, other: Any) -> Any:
        return apply("floordiv", (other, self))

    def __mod__(self, other: Any) -> Any:
        return apply("mod", (self, other))

    def __rmod__(self, other: Any) -> Any:
        return apply("mod", (other, self))

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __pow__(self, other: Any) -> Any:
        return apply("pow", (self, other))

    def __rpow__(self, other: Any) -> Any:
        return apply("pow", (other, self))

    def __matmul__(self, other: Any) -> Any:
        return apply("matmul", (self, other))

    def __rmatmul__(self, other: Any) -> Any:
        return apply("matmul", (other, self))

    def __neg__(self) -> Any:
        return apply("neg", (self,))

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return apply("abs", (self,))

    def __invert__(self) -> Any:
        return apply("invert" if self.dtype.is_integer else "logical_not", (self,))

    def __and__(self, other: Any) -> Any:
        return apply(_bitwise("and", self), (self, other))

    def __rand__(self, other: Any) -> Any:
        return apply(_bitwise("and", self), (other, self))

    def __or__(self, other: Any) -> Any:
        return apply(_bitwise("or", self), (self, other))

    def __ror__(self, other: Any) -> Any:
        return apply(_bitwise("or", self), (other, self))

    def __xor__(self, other: Any) -> Any:
        return apply(_bitwise("xor", self), (self, other))

    def __rxor__(self, other: Any) -> Any:
        return apply(_bitwise("xor", self), (other, self))

    def __lt__(self, other: Any) -> Any:
        return apply("less", (self, other))

    def __le__(self, other: Any) -> Any:
        return apply("less_equal", (self, other))

    def __gt__(self, other: Any) -> Any:
        return apply("greater", (self, other))

    def __ge__(self, other: Any) -> Any:
        return apply("greater_equal", (self, other))

    def __eq__(self, other: object) -> Any:
        return _compare("equal", self, other)

    def __ne__(self, other: object) -> Any:
        return _compare("not_equal", self, other)

    def __getitem__(self, key: Any) -> Any:
        return state.interpreter.index(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError(
            f"'{type(self).__name__}' object does not support item assignment: tensors are immutable. Build a new tensor, "
            "for instance where(mask, new, old), or keep the state in a Variable and write v[index].assign(value)."
        )

    def __hash__(self) -> int:
        kind = "Variable" if hasattr(self, "assign") and hasattr(self, "trainable") else "Tensor"
        raise TypeError(f"{kind} is unhashable. Instead, use {kind.lower()}.ref() as the key.")


def true_divide(x: Any, y: Any) -> Any:
    """``x / y``; integer tensors are cast to floating first. x, y: at least one tensor or variable."""
    like = x if isinstance(x, Operators) else y
    if not like.dtype.is_integer:
        return apply("div", (x, y))
    target = quotient_dtype(like.dtype)
    x, y = (apply("cast", (v,), dtype=target) if isinstance(v, Operators) else v for v in (x, y))
    return apply("div", (x, y))


def quotient_dtype(dtype: DType) -> DType:
    """The dtype of a true quotient of integers."""
    return float32 if dtype.size <= 2 else float64


def _bitwise(name: str, x: Operators) -> str:
    """The op behind ``&``, ``|`` and ``^``: bits of integers, truth values otherwise."""
    return f"bitwise_{name}" if x.dtype.is_integer else f"logical_{name}"


def _compare(op: str, x: Any, other: object) -> Any:
    """Elementwise; a plain False (True for ``!=``) where there is nothing to compare, as in TensorFlow."""
    if other is None:
        return op == "not_equal"
    try:
        return apply(op, (x, other))
    except UnconvertibleError:
        return op == "not_equal"
    except DimConflict:
        raise
    except ShapeError:
        return apply(op, (False, True))
