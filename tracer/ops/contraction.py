"""Linear algebra that is built from matrix products and layout. In: tensors; out: tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weft.graph.dims import Size, product
from weft.graph.errors import DTypeError, ShapeError, UnimplementedError

from ..apply import apply
from ..tensor import Tensor
from .arguments import as_axes, as_axis, as_tensor, as_tensors, fixed_size, sizes_of
from .arithmetic import cast
from .reductions import reduce
from .shaping import matrix_transpose


def matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False, adjoint_b: bool = False,
    a_is_sparse: bool = False, b_is_sparse: bool = False, output_type: Any = None, name: str | None = None,
) -> Tensor:
    """The matrix product over the last two axes; leading axes broadcast. ``a: (..., m, k)``, ``b: (..., k, n)``.

    The adjoint of real numbers is the transpose; the sparsity hints change nothing. ValueError if an argument has fewer than
    two axes or the inner sizes differ.
    """
    x, y = as_tensors(a, b)
    if output_type is not None:
        x, y = cast(x, output_type), cast(y, output_type)
    for label, t in (("a", x), ("b", y)):
        if len(sizes_of(t)) < 2:
            raise ShapeError(f"matmul needs tensors with at least two axes. Received: {label} of shape {t.shape}.")
    return apply("matmul", (x, y), transpose_a=bool(transpose_a or adjoint_a), transpose_b=bool(transpose_b or adjoint_b))


def matvec(
    a: Any, b: Any, transpose_a: bool = False, adjoint_a: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of matrices ``a: (..., m, n)`` and vectors ``b: (..., n)``."""
    x, y = as_tensors(a, b)
    column = apply("reshape", (y,), shape=(*sizes_of(y), 1))
    out = matmul(x, column, transpose_a=transpose_a or adjoint_a)
    return apply("reshape", (out,), shape=sizes_of(out)[:-1])


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """Products summed over the paired ``axes``: a number n (last n of ``a``, first n of ``b``) or two lists of axes."""
    x, y = as_tensors(a, b)
    m, n = sizes_of(x), sizes_of(y)
    left, right = _paired_axes(axes, len(m), len(n))
    if len(left) != len(right) or any(m[i] != n[j] for i, j in zip(left, right, strict=False)):
        raise ShapeError(f"tensordot pairs axes of equal size. Received: shapes {x.shape} and {y.shape}, axes={axes}.")
    kept_left = [i for i in range(len(m)) if i not in left]
    kept_right = [j for j in range(len(n)) if j not in right]
    inner = product(m[i] for i in left)
    rows = apply("reshape", (_arranged(x, (*kept_left, *left)),), shape=(product(m[i] for i in kept_left), inner))
    columns = apply("reshape", (_arranged(y, (*right, *kept_right)),), shape=(inner, product(n[j] for j in kept_right)))
    out = apply("matmul", (rows, columns), transpose_a=False, transpose_b=False)
    return apply("reshape", (out,), shape=(*(m[i] for i in kept_left), *(n[j] for j in kept_right)))


def _arranged(x: Tensor, perm: tuple[int, ...]) -> Tensor:
    return x if perm == tuple(range(len(perm))) else apply("transpose", (x,), perm=perm)


def _paired_axes(axes: Any, left_rank: int, right_rank: int) -> tuple[list[int], list[int]]:
    if isinstance(axes, (int, np.integer)):
        if not 0 <= axes <= min(left_rank, right_rank):
            raise ShapeError(f"axes must lie between 0 and both ranks. Received: axes={axes}, ranks {left_rank}, {right_rank}.")
        return list(range(left_rank - int(axes), left_rank)), list(range(int(axes)))
    if len(axes) != 2:
        raise ValueError(f"axes must be a number or a pair of lists. Received: axes={axes}.")
    first, second = ([a] if isinstance(a, (int, np.integer)) else list(a) for a in axes)
    return [as_axis(a, left_rank) for a in first], [as_axis(a, right_rank) for a in second]


def norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool | None = None, name: str | None = None) -> Tensor:
    """The vector norm of order ``ord`` along ``axis`` (None: of all elements); two axes with "fro" or "euclidean": of matrices.

    ord: "euclidean" (2), 1, infinity, or any positive number.
    """
    x = as_tensor(tensor)
    if not x.dtype.is_floating:
        raise DTypeError(f"norm takes floating tensors. Received: dtype {x.dtype.name}.")
    pair = isinstance(axis, (list, tuple)) and len(axis) == 2
    if pair and ord not in ("euclidean", "fro"):
        return _matrix_norm(x, ord, axis, keepdims)
    if ord in ("euclidean", "fro", 2):
        return apply("sqrt", (reduce("reduce_sum", apply("square", (x,)), axis, keepdims),))
    size = apply("abs", (x,))
    if ord == 1:
        return reduce("reduce_sum", size, axis, keepdims)
    if ord == np.inf:
        return reduce("reduce_max", size, axis, keepdims)
    if isinstance(ord, str) or ord <= 0:
        raise ValueError(f"ord must be 'euclidean', 'fro', infinity or a positive number. Received: ord={ord!r}.")
    total = reduce("reduce_sum", apply("pow", (size, as_tensor(ord, x.dtype))), axis, keepdims)
    return apply("pow", (total, as_tensor(1.0 / ord, x.dtype)))


def _matrix_norm(x: Tensor, ord: Any, axis: Sequence[int], keepdims: bool | None) -> Tensor:
    """The induced norms 1 (largest column sum) and infinity (largest row sum)."""
    if ord not in (1, np.inf):
        raise ValueError(f"The matrix norms are 'fro', 'euclidean', 1 and infinity. Received: ord={ord!r}.")
    rows, columns = (as_axis(a, len(sizes_of(x))) for a in axis)
    summed, searched = (rows, columns) if ord == 1 else (columns, rows)
    out = reduce("reduce_max", reduce("reduce_sum", apply("abs", (x,)), summed, True), searched, True)
    shape = tuple(s for i, s in enumerate(sizes_of(out)) if keepdims or i not in (rows, columns))
    return apply("reshape", (out,), shape=shape)


def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The tensor divided by its norm along ``axis``, and that norm."""
    x = as_tensor(tensor)
    length = norm(x, ord, axis, keepdims=True)
    return apply("div", (x, length)), length


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None) -> Tensor:
    """``x / sqrt(max(sum(x**2), epsilon))`` with the sum along ``axis`` (None: all); ``dim`` is its old name."""
    t = as_tensor(x)
    axis = dim if axis is None else axis
    total = apply("reduce_sum", (apply("square", (t,)),), axes=as_axes(axis, len(sizes_of(t))), keepdims=True)
    return apply("mul", (t, apply("rsqrt", (apply("maximum", (total, as_tensor(epsilon, t.dtype))),))))


def adjoint(matrix: Any, name: str | None = None) -> Tensor:
    """The last two axes swapped; of real numbers the conjugate is the number itself."""
    return matrix_transpose(matrix)


def _corner(x: Tensor, name: str) -> tuple[Size, Size]:
    here = sizes_of(x)
    if len(here) < 2:
        raise ShapeError(f"{name} needs at least two axes. Received: shape {x.shape}.")
    return here[-2], here[-1]


def _places(rows: Size, columns: Size) -> tuple[Tensor, Tensor]:
    from .creation import ramp  # products need no numbers in a row

    from_top = apply("reshape", (ramp(rows, as_tensor(0).dtype),), shape=(rows, 1))
    return from_top, apply("reshape", (ramp(columns, as_tensor(0).dtype),), shape=(1, columns))


def _masked(x: Tensor, mask: Tensor) -> Tensor:
    return apply("where", (mask, x, as_tensor(False, x.dtype)))  # False is a zero of every dtype


def _offset(k: Any, name: str) -> int:
    if not isinstance(k, (int, np.integer)):
        raise UnimplementedError(f"{name} takes one diagonal at a time. Received: k={k!r}.")
    return int(k)


def _on_diagonal(rows: Size, columns: Size, k: int) -> Tensor:
    """A mask that is true where column - row is ``k``."""
    row, column = _places(rows, columns)
    return apply("equal", (apply("add", (row, as_tensor(k, row.dtype))), column))


def diag(
    diagonal: Any, name: str | None = None, k: Any = 0, num_rows: Any = -1, num_cols: Any = -1, padding_value: Any = 0,
    align: str = "RIGHT_LEFT",
) -> Tensor:
    """Square matrices with the given diagonals: shape (..., n) becomes (..., n + |k|, n + |k|).

    k: which diagonal, positive above the main one. padding_value: the other elements.
    """
    x, by = as_tensor(diagonal), _offset(k, "diag")
    here = sizes_of(x)
    size = here[-1] + abs(by)
    if (num_rows, num_cols) not in ((-1, -1), (size, size)):
        raise UnimplementedError(f"diag makes square matrices. Received: num_rows={num_rows}, num_cols={num_cols}.")
    low = (0,) * (len(here) - 1) + (max(-by, 0),)
    high = (0,) * (len(here) - 1) + (max(by, 0),)
    value = as_tensor(padding_value, x.dtype)
    wide = apply("pad", (x,), low=low, high=high, interior=(0,) * len(here), value=0.0) if by else x
    return apply("where", (_on_diagonal(size, size, by), apply("reshape", (wide,), shape=(*here[:-1], size, 1)), value))


def diag_part(
    input: Any, name: str | None = None, k: Any = 0, padding_value: Any = 0, align: str = "RIGHT_LEFT"
) -> Tensor:
    """The diagonals of matrices, ``k`` above the main one: shape (..., n, n) becomes (..., n - |k|)."""
    x, by = as_tensor(input), _offset(k, "diag_part")
    rows, columns = _corner(x, "diag_part")
    if rows != columns:
        rows, columns = (fixed_size(s, "diag_part needs matrices of fixed size, or square ones") for s in (rows, columns))
    rows, columns = rows - max(-by, 0), columns - max(by, 0)
    short = rows if rows == columns or rows < columns else columns  # type: ignore[operator]  # numbers where they differ
    here = sizes_of(x)
    first = (*(0,) * (len(here) - 2), max(-by, 0), max(by, 0))
    square = apply("slice", (x,), begin=first, shape=(*here[:-2], short, short), strides=(1,) * len(here))
    return reduce("reduce_sum", _masked(square, _on_diagonal(short, short, 0)), -1)


def set_diag(input: Any, diagonal: Any, name: str | None = None, k: Any = 0, align: str = "RIGHT_LEFT") -> Tensor:
    """The matrices with their main diagonal replaced."""
    x = as_tensor(input)
    if _offset(k, "set_diag"):
        raise UnimplementedError(f"set_diag replaces the main diagonal. Received: k={k}.")
    values = as_tensor(diagonal, x.dtype)
    rows, columns = _corner(x, "set_diag")
    short = sizes_of(values)[-1]
    shape = (*sizes_of(values), 1) if short == rows else (*sizes_of(values)[:-1], 1, short)
    return apply("where", (_on_diagonal(rows, columns, 0), apply("reshape", (values,), shape=shape), x))


def trace(x: Any, name: str | None = None) -> Tensor:
    """The sums of the main diagonals: shape (..., m, n) becomes (...)."""
    t = as_tensor(x)
    return reduce("reduce_sum", _masked(t, _on_diagonal(*_corner(t, "trace"), 0)), (-2, -1))


def band_part(input: Any, num_lower: int, num_upper: int, name: str | None = None) -> Tensor:
    """The matrices with zeros outside a band around the diagonal; a negative width keeps that whole triangle."""
    x = as_tensor(input)
    row, column = _places(*_corner(x, "band_part"))
    distance = apply("sub", (row, column))
    mask = as_tensor(True)
    if num_lower >= 0:
        mask = apply("logical_and", (mask, apply("less_equal", (distance, as_tensor(int(num_lower), distance.dtype)))))
    if num_upper >= 0:
        mask = apply("logical_and", (mask, apply("greater_equal", (distance, as_tensor(-int(num_upper), distance.dtype)))))
    return _masked(x, mask)


def cross(a: Any, b: Any, name: str | None = None) -> Tensor:
    """The cross product of vectors of three components along the last axis."""
    x, y = as_tensors(a, b)
    if sizes_of(x) != sizes_of(y) or sizes_of(x)[-1:] != (3,):
        raise ShapeError(f"cross needs two tensors of one shape with a last axis of size 3. Received: {x.shape} and {y.shape}.")
    axis = len(sizes_of(x)) - 1
    one, two = (as_tensor(np.array(order, np.int32)) for order in ([1, 2, 0], [2, 0, 1]))

    def pick(t: Tensor, order: Tensor) -> Tensor:
        return apply("gather", (t, order), axis=axis, batch_dims=0)

    return apply("sub", (apply("mul", (pick(x, one), pick(y, two))), apply("mul", (pick(x, two), pick(y, one)))))
