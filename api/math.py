"""``weft.math``: elementwise functions, reductions, scans. In and out: tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.tracer.ops import (
    accumulate_n,
    acosh,
    add_n,
    argmax,
    argmin,
    asinh,
    atanh,
    bincount,
    confusion_matrix,
    count_nonzero,
    cumprod,
    cumsum,
    divide,
    erfc,
    in_top_k,
    invert_permutation,
    l2_normalize,
    log_softmax,
    polyval,
    reciprocal_no_nan,
    reduce_all,
    reduce_any,
    reduce_euclidean_norm,
    reduce_logsumexp,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_std,
    reduce_sum,
    reduce_variance,
    rint,
    scalar_mul,
    softmax,
    top_k,
    truediv,
    unsorted_segment_mean,
    unsorted_segment_sum,
    xdivy,
    xlog1py,
    zero_fraction,
)
from weft.tracer.ops.generated import namespace

__all__ = [
    "accumulate_n",
    "acosh",
    "add_n",
    "argmax",
    "argmin",
    "asinh",
    "atanh",
    "bincount",
    "confusion_matrix",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "divide",
    "erfc",
    "in_top_k",
    "invert_permutation",
    "l2_normalize",
    "log_softmax",
    "polyval",
    "reciprocal_no_nan",
    "reduce_all",
    "reduce_any",
    "reduce_euclidean_norm",
    "reduce_logsumexp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_std",
    "reduce_sum",
    "reduce_variance",
    "rint",
    "scalar_mul",
    "softmax",
    "top_k",
    "truediv",
    "unsorted_segment_mean",
    "unsorted_segment_sum",
    "xdivy",
    "xlog1py",
    "zero_fraction",
]

_generated = {n: f for n, f in namespace("math").items() if n not in globals()}
globals().update(_generated)
__all__ += list(_generated)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
