"""``weft.linalg``: matrix products, norms, diagonals. In and out: tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.tracer.ops import (
    adjoint,
    band_part,
    cross,
    diag,
    diag_part,
    einsum,
    eye,
    global_norm,
    l2_normalize,
    matmul,
    matrix_transpose,
    matvec,
    norm,
    normalize,
    set_diag,
    tensordot,
    trace,
)

__all__ = [
    "adjoint",
    "band_part",
    "cross",
    "diag",
    "diag_part",
    "einsum",
    "eye",
    "global_norm",
    "l2_normalize",
    "matmul",
    "matrix_transpose",
    "matvec",
    "norm",
    "normalize",
    "set_diag",
    "tensordot",
    "trace",
]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
