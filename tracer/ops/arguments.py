"""Arguments of public functions. In: what users pass (numbers, lists, arrays, tensors); out: tensors, sizes and axes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from weft.graph.dims import Dim, Shape, Size
from weft.graph.dtype import DType, int32
from weft.graph.errors import ShapeError
from weft.graph.op import DimConflict

from ..apply import apply
from ..context import executing_eagerly
from ..convert import convert_to_tensor, operand
from ..errors import DTypeConversionError, OperatorNotAllowedInGraphError
from ..origin import user_line
from ..shape_values import known_sizes
from ..tensor import EagerTensor, Tensor, TracedTensor


def as_tensor(value: Any, dtype: DType | None = None) -> Tensor:
    """The value as a tensor. Python values and arrays take ``dtype``; ValueError if a tensor has another one."""
    return value if dtype is None and isinstance(value, Tensor) else convert_to_tensor(value, dtype)


def as_tensors(*values: Any) -> list[Tensor]:
    """Arguments of one op as tensors: what is no tensor takes the dtype of the first tensor (of the first value if none is)."""
    dtype = next((v.dtype for v in values if is_tensor_like(v)), None)
    out: list[Tensor] = []
    for value in values:
        tensor = as_tensor(value) if is_tensor_like(value) else operand(value, dtype)
        dtype = dtype or tensor.dtype
        out.append(tensor)
    return out


def is_tensor_like(value: Any) -> bool:
    """Whether the value is a tensor, a variable or a symbolic input, so that its dtype is fixed."""
    kind = type(value)
    return isinstance(value, Tensor) or hasattr(kind, "__weft_tensor__") or hasattr(kind, "__weft_apply__")


def sizes_of(x: Tensor) -> Shape:
    """The shape as the IR writes it: integers and symbolic sizes."""
    return x.type.shape


def known_size(value: Any) -> Size | None:
    """The value as an integer or symbolic size if it is one; None for floats. ValueError if only the running program knows it."""
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if isinstance(value, (int, np.integer, Dim)):
        return value if isinstance(value, Dim) else int(value)
    if is_tensor_like(value):
        if not value.dtype.is_integer:
            return None
        (size,) = _known(value) or (None,)
        return size
    array = np.asarray(value)
    return int(array) if array.ndim == 0 and array.dtype.kind in "iu" else None


def _known(tensor: Any) -> Shape:
    tensor = as_tensor(tensor)
    if isinstance(tensor, EagerTensor):
        return tuple(int(v) for v in tensor._array.reshape(-1))
    sizes = known_sizes(tensor)
    if sizes is None:
        raise OperatorNotAllowedInGraphError(
            "A shape, axis or count must be known while a function is traced: numbers, x.shape, or what weft.shape(x) gives. "
            f"Received at {user_line()}: {_described(tensor)}."
        )
    return tuple(sizes)


def as_size(value: Any) -> Size:
    """One size: an integer, a symbolic size, or a scalar tensor whose value is known."""
    size = known_size(value)
    if size is None:
        raise DTypeConversionError(f"A size must be an integer. Received: {value!r}.")
    return size


def as_sizes(shape: Any) -> Shape:
    """A shape: a sequence of sizes, an integer vector, or one size (a shape of one axis)."""
    if is_tensor_like(shape) and shape.dtype.is_integer:
        return _known(shape)
    if isinstance(shape, (int, np.integer, Dim)):
        return (as_size(shape),)
    if isinstance(shape, (tuple, list)) or np.ndim(shape):
        return tuple(as_size(s) for s in shape)
    return (as_size(shape),)


def as_integer(value: Any) -> int:
    """An integer that is known while tracing."""
    size = as_size(value)
    return fixed_size(size, "An integer that is the same in every call is needed")


def fixed_size(size: Size, rule: str) -> int:
    """The size as an integer. `DimConflict` for a symbolic one, upon which a function is traced again for this very size."""
    if isinstance(size, Dim):
        raise DimConflict(f"{rule}. Received: the size {size}, which changes between calls.", size, 0)
    return size


def as_integers(values: Any) -> list[int]:
    """Integers that are known while tracing; one alone counts as a list of one."""
    return [as_integer(v) for v in as_sizes(values)]


def as_matrix(values: Any) -> list[list[int]]:
    """Rows of integers that are known while tracing."""
    if is_tensor_like(values) or isinstance(values, np.ndarray):
        flat = as_integers(np.reshape(values, -1) if isinstance(values, np.ndarray) else as_tensor(values))
        width = int(values.shape[-1])
        return [flat[i : i + width] for i in range(0, len(flat), width)]
    return [as_integers(row) for row in values]


def as_axis(axis: Any, rank: int) -> int:
    """The axis counted from the front; ValueError if there is no such axis."""
    at = as_integer(axis)
    if not -rank <= at < rank:
        raise ShapeError(f"The axis must lie between {-rank} and {rank - 1} for {rank} axes. Received: axis={at}.")
    return at % rank


def as_axes(axis: Any, rank: int) -> tuple[int, ...]:
    """The axes, sorted and counted from the front; None means all. ValueError for an axis that is missing or named twice."""
    if axis is None:
        return tuple(range(rank))
    axes = sorted(as_axis(a, rank) for a in as_integers(axis))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"An axis is named twice. Received: axis={axis}.")
    return tuple(axes)


def as_array(tensor: Tensor, what: str, instead: str) -> np.ndarray:
    """The elements, for functions whose result's shape depends on them; TypeError while tracing, naming the alternative."""
    if not isinstance(tensor, EagerTensor):
        raise OperatorNotAllowedInGraphError(
            f"The shape of what {what} gives depends on values that are not known while a function is traced. "
            f"Use {instead} or call it outside. Received at {user_line()}: {_described(tensor)}."
        )
    return tensor._array


def _described(tensor: Any) -> str:
    return tensor.describe() if isinstance(tensor, TracedTensor) else repr(tensor)


def refuse_symbolic(sizes: Iterable[Size]) -> None:
    """TypeError for symbolic sizes in eager mode: they come from symbolic Keras tensors, which have no values."""
    found = next((s for s in sizes if isinstance(s, Dim)), None)
    if found is not None and executing_eagerly():
        raise TypeError(
            "A size of a symbolic Keras tensor is not known before the model runs. Put this into the `call` of a layer. "
            f"Received: the size {found} at {user_line()}."
        )


def size_tensor(size: Size, dtype: DType) -> Tensor:
    """A size as a scalar tensor."""
    if not isinstance(size, Dim):
        return as_tensor(size, dtype)
    refuse_symbolic([size])
    return apply("dim_value", (), size=size, dtype=dtype)


def sizes_tensor(sizes: Shape, dtype: DType = int32) -> Tensor:
    """A shape as an integer vector."""
    if not any(isinstance(s, Dim) for s in sizes):
        return EagerTensor(np.array(sizes, dtype.np))
    parts = [apply("reshape", (size_tensor(s, dtype),), shape=(1,)) for s in sizes]
    return parts[0] if len(parts) == 1 else apply("concat", parts, axis=0)
