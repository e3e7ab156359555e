"""Functions that make tensors from numbers and shapes. In: values, shapes, dtypes; out: tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from weft.graph.dims import Dim, product
from weft.graph.dtype import DType, as_dtype, bool_, float32
from weft.graph.errors import ShapeError

from ..apply import apply
from ..tensor import Tensor
from .arguments import as_integer, as_sizes, as_tensor, known_size, refuse_symbolic, size_tensor, sizes_of
from .arithmetic import cast


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor with the given elements; ``shape`` reshapes them, or repeats a single one.

    Python floats become float32, integers int32; NumPy arrays keep their dtype. TypeError if ``shape`` needs another number of
    elements.
    """
    x = as_tensor(value, None if dtype is None else as_dtype(dtype))
    if shape is None:
        return x
    target = as_sizes(shape)
    if product(sizes_of(x)) == 1 and product(target) != 1:
        return apply("broadcast_to", (apply("reshape", (x,), shape=()),), shape=target)
    if product(sizes_of(x)) != product(target):
        count = product(sizes_of(x))
        raise TypeError(f"{count} values do not fill the shape {target}, which has {product(target)} elements.")
    return apply("reshape", (x,), shape=target)


def fill(dims: Any, value: Any, name: str | None = None) -> Tensor:
    """A tensor of shape ``dims`` whose elements all are the scalar ``value``."""
    x = as_tensor(value)
    if sizes_of(x):
        raise ShapeError(f"fill needs a scalar value. Received: a tensor of shape {x.shape}.")
    shape = as_sizes(dims)
    if any(isinstance(size, int) and size < 0 for size in shape):
        raise ShapeError(f"A size must not be negative. Received: shape {shape}.")
    refuse_symbolic(shape)
    return apply("broadcast_to", (x,), shape=shape)


def zeros(shape: Any, dtype: Any = float32, name: str | None = None) -> Tensor:
    """A tensor of zeros (of False for bool)."""
    return fill(shape, as_tensor(0, as_dtype(dtype)) if as_dtype(dtype) is not bool_ else as_tensor(False))


def ones(shape: Any, dtype: Any = float32, name: str | None = None) -> Tensor:
    """A tensor of ones (of True for bool)."""
    return fill(shape, as_tensor(1, as_dtype(dtype)) if as_dtype(dtype) is not bool_ else as_tensor(True))


def zeros_like(input: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """Zeros of the shape of ``input``, of its dtype unless one is given."""
    x = as_tensor(input)
    return zeros(sizes_of(x), dtype or x.dtype)


def ones_like(input: Any, dtype: Any = None, name: str | None = None) -> Tensor:
    """Ones of the shape of ``input``, of its dtype unless one is given."""
    x = as_tensor(input)
    return ones(sizes_of(x), dtype or x.dtype)


def identity(input: Any, name: str | None = None) -> Tensor:
    """A tensor with the same value."""
    return apply("identity", (as_tensor(input),))


def identity_n(input: Any, name: str | None = None) -> list[Tensor]:
    """`identity` of each tensor of a list."""
    return [identity(x) for x in input]


def stop_gradient(input: Any, name: str | None = None) -> Tensor:
    """The same value, through which no gradient flows."""
    return apply("stop_gradient", (as_tensor(input),))


def is_tensor(x: Any) -> bool:
    """Whether ``x`` is a tensor or a variable of weft."""
    return isinstance(x, Tensor) or hasattr(x, "assign_add") or hasattr(x, "__weft_apply__")


def ramp(size: Any, dtype: DType) -> Tensor:
    """``0, 1, ..., size - 1``; ``size`` may be a symbolic size."""
    refuse_symbolic([size])
    return apply("iota", (), size=size, dtype=dtype)


def number_range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = None) -> Tensor:
    """``start, start + delta, ...`` up to but without ``limit``; with one argument from 0.

    The dtype is that of the arguments (int32 for Python integers, float32 if one is a float). The length must be known while
    tracing: from numbers, or from sizes such as ``shape(x)[0]``.
    """
    if limit is None:
        start, limit = 0, start
    target = as_dtype(dtype) if dtype is not None else _common_dtype(start, limit, delta)
    ends = [known_size(v) for v in (start, limit, delta)]
    if any(isinstance(v, Dim) for v in ends):
        return _symbolic_range(ends, target)
    low, high, by = (np.asarray(v if k is None else k, target.np) for v, k in zip((start, limit, delta), ends, strict=True))
    if low.ndim or high.ndim or by.ndim:
        raise ShapeError(f"range needs scalars. Received: shapes {low.shape}, {high.shape}, {by.shape}.")
    if by == 0:
        raise ShapeError("range needs a delta other than 0. Received: delta=0.")
    if low > high if by > 0 else low < high:
        order = "start <= limit when delta > 0" if by > 0 else "start >= limit when delta < 0"
        raise ShapeError(f"Requires {order}. Received: range({low}, {high}, {by}).")
    count = max(0, int(np.ceil((high.astype(np.float64) - low.astype(np.float64)) / by.astype(np.float64))))
    return as_tensor(low + by * np.arange(count).astype(target.np))


def _symbolic_range(ends: list[Any], dtype: DType) -> Tensor:
    start, limit, delta = ends
    span = None if start is None or limit is None or delta is None else limit - start
    count = span.divide(delta) if isinstance(span, Dim) and isinstance(delta, int) else None
    if count is None:
        raise ShapeError(f"The length of the range is not known while tracing. Received: range({start}, {limit}, {delta}).")
    steps = apply("mul", (ramp(count, dtype), as_tensor(delta, dtype)))
    return apply("add", (steps, size_tensor(start, dtype)))


def _common_dtype(*values: Any) -> DType:
    dtypes = [as_tensor(v).dtype for v in values]
    given = [d for v, d in zip(values, dtypes, strict=True) if hasattr(v, "dtype")]
    order = ["int32", "int64", "float16", "float32", "float64"]
    known = [d for d in (*given, *dtypes) if d.name in order]
    return max(known, key=lambda d: order.index(d.name)) if known else dtypes[0]


def linspace(start: Any, stop: Any, num: Any, name: str | None = None, axis: Any = 0) -> Tensor:
    """``num`` evenly spaced values from ``start`` to ``stop``, both included; integers give float64.

    Tensors of one shape are interpolated along a new axis.
    """
    first, last = as_tensor(start), as_tensor(stop)
    if not first.dtype.is_floating:
        first = cast(first, "float64")
    last = cast(last, first.dtype)
    count = as_integer(num)
    if count < 1:
        raise ValueError(f"linspace needs at least one value. Received: num={count}.")
    here = sizes_of(first)
    at = axis % (len(here) + 1)
    wide = (*here[:at], 1, *here[at:])
    first, last = apply("reshape", (first,), shape=wide), apply("reshape", (last,), shape=wide)
    if count == 1:
        return first
    steps = apply("reshape", (ramp(count, first.dtype),), shape=tuple(count if i == at else 1 for i in range(len(wide))))
    width = apply("div", (apply("sub", (last, first)), as_tensor(count - 1, first.dtype)))
    inner = apply("add", (first, apply("mul", (steps, width))))
    return apply("where", (apply("equal", (steps, as_tensor(count - 1, first.dtype))), last, inner))  # the end is exact


def eye(
    num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = float32, name: str | None = None
) -> Tensor:
    """The identity matrix, or a batch of them."""
    rows = as_sizes(num_rows)[0]
    columns = rows if num_columns is None else as_sizes(num_columns)[0]
    down = apply("reshape", (ramp(rows, as_dtype("int32")),), shape=(rows, 1))
    across = apply("reshape", (ramp(columns, as_dtype("int32")),), shape=(1, columns))
    matrix = cast(apply("equal", (down, across)), dtype)
    return matrix if batch_shape is None else apply("broadcast_to", (matrix,), shape=(*as_sizes(batch_shape), rows, columns))


number_range.__name__ = number_range.__qualname__ = "range"
