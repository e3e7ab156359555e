"""`Tensor` and its two kinds. In: an array (eager) or a node and its trace (while tracing); out: immutable tensors.

Create tensors with `convert.convert_to_tensor`, or `EagerTensor(array)` for an array that nobody else will write.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from weft.graph.dims import Dim
from weft.graph.dtype import DType, as_dtype
from weft.graph.ir import ArrayType, Node
from weft.graph.op import DimConflict

from .attribute_hints import missing_attribute
from .errors import OperatorNotAllowedInGraphError, SymbolicToNumpyError
from .operators import Operators
from .origin import user_line
from .tensor_shape import TensorShape

if TYPE_CHECKING:
    from .recording import Trace

DTYPES: dict[Any, DType] = {d.np: d for d in map(as_dtype, ("float16", "float32", "float64", "bool"))}
DTYPES.update({d.np: d for d in (as_dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64))})


class Reference:
    """A hashable stand-in for a tensor: ``d[x.ref()]``; ``deref()`` gives the tensor back. Equal if the tensor is the same."""

    __slots__ = ("_tensor",)

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def deref(self) -> Any:
        return self._tensor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and other._tensor is self._tensor

    def __hash__(self) -> int:
        return id(self._tensor)

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._tensor!r}>"


class Tensor(Operators):
    """An immutable array of one dtype: `EagerTensor` holds numbers, `TracedTensor` stands for a node of a graph.

    ``_logits``, where it is set: the name of the activation that made this tensor, and the tensor it was made of.
    """

    __slots__ = ("__weakref__", "_logits")
    _logits: tuple[str, Tensor]

    @property
    def type(self) -> ArrayType:
        """dtype and shape as the IR writes them."""
        raise NotImplementedError

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def shape(self) -> TensorShape:
        return TensorShape.of(self.type.shape)

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def device(self) -> str:
        return "/job:localhost/replica:0/task:0/device:CPU:0"

    def get_shape(self) -> TensorShape:
        return self.shape

    if TYPE_CHECKING:

        def numpy(self) -> Any:
            """A copy of the value; eager tensors only, so that ``hasattr(x, "numpy")`` tells them apart."""

    def ref(self) -> Reference:
        """A hashable reference to this tensor, for dict keys and sets."""
        return Reference(self)

    def set_shape(self, shape: Any) -> None:
        """Checks that the tensor has this shape; ValueError otherwise. A size that is not known yet is fixed by this."""
        wanted = TensorShape(shape)
        if not self.shape.is_compatible_with(wanted):
            raise ValueError(f"Tensor's shape {self.shape} is not compatible with supplied shape {wanted}.")
        for have, want in zip(self.type.shape, wanted):
            if isinstance(have, Dim) and want is not None and have != want:
                raise DimConflict(f"set_shape({wanted}) fixes a size of {self!r}: {have} against {want}.", have, want)

    __hash__ = Operators.__hash__


class EagerTensor(Tensor):
    """A tensor with a value. ``_array`` is its read-only ndarray."""

    __slots__ = ("_array",)

    def __init__(self, array: np.ndarray) -> None:
        """Takes the array over: it becomes read-only, and nobody may write it through another view."""
        array.setflags(False)  # type: ignore[call-arg]  # the first flag is `write`; by keyword it costs twice as much
        self._array = array

    @property
    def type(self) -> ArrayType:
        return ArrayType(DTYPES[self._array.dtype], self._array.shape)

    @property
    def dtype(self) -> DType:
        return DTYPES[self._array.dtype]

    @property
    def shape(self) -> TensorShape:
        return TensorShape.of(self._array.shape)

    @property
    def ndim(self) -> int:
        return self._array.ndim

    def __getattr__(self, name: str) -> Any:
        if name == "name":
            raise AttributeError("Tensor.name is undefined when eager execution is enabled.")
        raise missing_attribute("EagerTensor", name)

    def numpy(self) -> Any:
        """A copy as ndarray; a NumPy scalar if the tensor has no axes."""
        return self._array.copy() if self._array.ndim else self._array[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._array, dtype, copy=copy)

    def __len__(self) -> int:
        if not self._array.ndim:
            raise TypeError("Scalar tensor has no `len()`")
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        if not self._array.ndim:
            raise TypeError("Cannot iterate over a scalar tensor.")
        return (self[i] for i in range(len(self._array)))

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(np.asarray(self == item)))

    def __bool__(self) -> bool:
        return bool(self._array)

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iu":
            raise TypeError(f"Only integer scalar tensors can be used as an index. Received: {self!r}")
        return int(self._scalar("index"))

    def __round__(self, digits: int | None = None) -> Any:
        return round(self._scalar("round").item(), digits)

    def __format__(self, spec: str) -> str:
        return format(self.numpy(), spec)

    def __str__(self) -> str:
        text = str(self._array)
        return f"tf.Tensor({_own_line(text)}, shape={self.shape}, dtype={self.dtype.name})"

    def __repr__(self) -> str:
        return f"<tf.Tensor: shape={self.shape}, dtype={self.dtype.name}, numpy={numpy_text(self._array)}>"

    def __copy__(self) -> EagerTensor:
        return self

    def __deepcopy__(self, memo: Any) -> EagerTensor:
        return EagerTensor(self._array.copy())

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (np.array(self._array),)

    def _scalar(self, wanted: str) -> Any:
        if self._array.size != 1:
            raise TypeError(f"Only tensors with one element convert to {wanted}. Received: shape {self.shape}")
        return self._array.reshape(())[()]


class TracedTensor(Tensor):
    """A tensor without a value yet: ``_node`` of the graph that ``_trace`` records."""

    __slots__ = ("_node", "_trace")

    def __init__(self, node: Node, trace: Trace) -> None:
        self._node = node
        self._trace = trace

    @property
    def type(self) -> ArrayType:
        return self._node.type

    @property
    def dtype(self) -> DType:
        return self._node.type.dtype

    @property
    def shape(self) -> TensorShape:
        return TensorShape.of(self._node.type.shape)

    @property
    def ndim(self) -> int:
        return len(self._node.type.shape)

    @property
    def name(self) -> str:
        return f"{self._node.attrs.get('name') or self._node.op.name}:0"

    def __getattr__(self, name: str) -> Any:
        if name == "numpy":
            raise AttributeError(
                f"{self.describe()} has no value while the function is traced, so `.numpy()` does not exist. Return the tensor, "
                f"print it with weft.print, or run the function eagerly (weft.config.run_functions_eagerly(True))."
            )
        raise missing_attribute("Tensor", name)

    def describe(self) -> str:
        """The tensor and where it was made, for messages."""
        made = f" (made at {self._node.origins[0].full})" if self._node.origins else ""
        return f"The traced tensor {self.name!r} of shape {self.shape} and dtype {self.dtype.name}{made}"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise SymbolicToNumpyError(
            f"Cannot convert a symbolic tf.Tensor ({self.name}) to a numpy array. {self.describe()} has no value while the "
            f"function is traced. Use weft's functions instead of NumPy's at {user_line()}."
        )

    def __len__(self) -> int:
        if not self._node.shape:
            raise TypeError("Scalar tensor has no `len()`")
        size = self._node.shape[0]
        if not isinstance(size, int):
            raise self._not_allowed("len()", "x.shape[0], which may be used in shapes, or weft.shape(x)[0]")
        return size

    def __iter__(self) -> Iterator[Any]:
        raise self._not_allowed("iterating", "whole-tensor operations, unstack(x) for a fixed number of rows, or a loop outside")

    def __contains__(self, item: Any) -> bool:
        raise self._not_allowed("the operator `in`", "reduce_any(x == item)")

    def __bool__(self) -> bool:
        raise self._not_allowed("its truth value (`if`, `while`, `and`, `or`, `not`, `assert`)", "weft.where(condition, a, b)")

    def __float__(self) -> float:
        raise self._not_allowed("float()", "weft.cast(x, 'float32')")

    def __int__(self) -> int:
        raise self._not_allowed("int()", "weft.cast(x, 'int32'), or x.shape[axis] for a size")

    def __index__(self) -> int:
        raise self._not_allowed("its value as a Python index or size", "weft.gather(x, i), or x.shape[axis] for a size")

    def __format__(self, spec: str) -> str:
        return str(self)

    def __str__(self) -> str:
        return f'Tensor("{self.name}", shape={self.shape}, dtype={self.dtype.name})'

    def __repr__(self) -> str:
        return f"<tf.Tensor '{self.name}' shape={self.shape} dtype={self.dtype.name}>"

    def __copy__(self) -> TracedTensor:
        return self

    def __deepcopy__(self, memo: Any) -> TracedTensor:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{self.describe()} cannot be pickled.")

    def _not_allowed(self, what: str, fix: str) -> OperatorNotAllowedInGraphError:
        return OperatorNotAllowedInGraphError(
            f"Using a symbolic `tf.Tensor` for {what} is not allowed while a function is traced, because its value is not known "
            f"yet: {user_line() or 'unknown line'}. {self.describe()}. Use {fix}, or move this out of the function."
        )


def alias(tensor: Any) -> Any:
    """Another tensor of the same value, which tapes tell apart from the first."""
    if isinstance(tensor, TracedTensor):
        return TracedTensor(tensor._node, tensor._trace)
    return EagerTensor(tensor._array) if isinstance(tensor, EagerTensor) else tensor


def same_value(a: Any, b: Any) -> bool:
    """True if one is the `alias` of the other."""
    if isinstance(a, EagerTensor):
        return isinstance(b, EagerTensor) and a._array is b._array
    return isinstance(b, TracedTensor) and a._node is b._node


def numpy_text(array: np.ndarray) -> str:
    """The array as the repr of a tensor shows it: scalars bare, matrices on lines of their own."""
    return _own_line(repr(array)) if array.ndim else str(array)


def _own_line(text: str) -> str:
    return f"\n{text}" if "\n" in text else text


def _unpickled(array: np.ndarray) -> EagerTensor:
    return EagerTensor(array)
