"""``weft.math``: elementwise functions, reductions, scans. In and out: tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.tracer.late_names import late_names
from weft.tracer.ops.generated import namespace

if TYPE_CHECKING:
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
        divide_no_nan,
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
        round,
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

__all__ = [
    "accumulate_n", "acosh", "add_n", "argmax", "argmin", "asinh", "atanh", "bincount", "confusion_matrix", "count_nonzero",
    "cumprod", "cumsum", "divide", "divide_no_nan", "erfc", "in_top_k", "invert_permutation", "l2_normalize", "log_softmax",
    "polyval", "reciprocal_no_nan", "reduce_all", "reduce_any", "reduce_euclidean_norm", "reduce_logsumexp", "reduce_max",
    "reduce_mean", "reduce_min", "reduce_prod", "reduce_std", "reduce_sum", "reduce_variance", "rint", "round", "scalar_mul",
    "softmax", "top_k", "truediv", "unsorted_segment_mean", "unsorted_segment_sum", "xdivy", "xlog1py", "zero_fraction",
]  # fmt: skip
_GENERATED = namespace("math")

__getattr__, __dir__ = late_names(__name__, {"weft.tracer.ops": tuple(__all__)}, _GENERATED)

__all__ += [name for name in _GENERATED if name not in __all__]
