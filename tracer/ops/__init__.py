"""Every public function, flat. In: ``from weft.tracer import ops``; out: ``ops.exp``, ``ops.reduce_mean``, ``ops.random.normal``.

Functions that an op's record describes completely come from `generated`; the others are written here, one kind to a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..late_names import late_names
from .generated import all_functions

if TYPE_CHECKING:
    from . import random
    from .activations import crelu, gelu, leaky_relu, log_softmax, silu, softmax, swish
    from .arithmetic import (
        accumulate_n,
        acosh,
        add_n,
        asinh,
        atanh,
        cast,
        clip_by_global_norm,
        clip_by_norm,
        clip_by_value,
        divide,
        divide_no_nan,
        erfc,
        global_norm,
        polyval,
        reciprocal_no_nan,
        rint,
        saturate_cast,
        scalar_mul,
        truediv,
        truncatediv,
        truncatemod,
        xdivy,
        xlog1py,
    )
    from .arithmetic import nearest_integer as round
    from .contraction import (
        adjoint,
        band_part,
        cross,
        diag,
        diag_part,
        l2_normalize,
        matmul,
        matvec,
        norm,
        normalize,
        set_diag,
        tensordot,
        trace,
    )
    from .creation import (
        constant,
        eye,
        fill,
        identity_n,
        is_tensor,
        linspace,
        ones,
        ones_like,
        zeros,
        zeros_like,
    )
    from .creation import number_range as range
    from .effects import (
        assert_all_finite,
        assert_equal,
        assert_greater,
        assert_greater_equal,
        assert_integer,
        assert_less,
        assert_less_equal,
        assert_near,
        assert_negative,
        assert_non_negative,
        assert_non_positive,
        assert_none_equal,
        assert_positive,
        assert_rank,
        assert_rank_at_least,
        assert_rank_in,
        assert_scalar,
        assert_shapes,
        assert_type,
        check_numerics,
        is_numeric_tensor,
    )
    from .effects import assert_true as Assert
    from .effects import print_tensors as print
    from .einstein_sum import einsum
    from .indexing import (
        bincount,
        boolean_mask,
        confusion_matrix,
        embedding_lookup,
        gather,
        gather_nd,
        invert_permutation,
        one_hot,
        scatter_nd,
        sequence_mask,
        slice,
        strided_slice,
        tensor_scatter_nd_add,
        tensor_scatter_nd_sub,
        tensor_scatter_nd_update,
        unsorted_segment_mean,
        unsorted_segment_sum,
        where,
    )
    from .joining import concat, meshgrid, pad, repeat, split, stack, unstack
    from .losses import (
        compute_average_loss,
        l2_loss,
        log_poisson_loss,
        sigmoid_cross_entropy_with_logits,
        softmax_cross_entropy_with_logits,
        sparse_softmax_cross_entropy_with_logits,
        weighted_cross_entropy_with_logits,
    )
    from .normalization import (
        batch_normalization,
        bias_add,
        dropout,
        moments,
        normalize_moments,
        sufficient_statistics,
        weighted_moments,
    )
    from .reductions import (
        argmax,
        argmin,
        count_nonzero,
        cumprod,
        cumsum,
        in_top_k,
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
        zero_fraction,
    )
    from .shaping import (
        broadcast_dynamic_shape,
        broadcast_static_shape,
        broadcast_to,
        ensure_shape,
        expand_dims,
        matrix_transpose,
        rank,
        reshape,
        reverse,
        roll,
        shape,
        size,
        squeeze,
        tile,
        transpose,
    )
    from .sorting import argsort, sort, top_k

__all__ = [
    "Assert", "accumulate_n", "acosh", "add_n", "adjoint", "argmax", "argmin", "argsort", "asinh", "assert_all_finite",
    "assert_equal", "assert_greater", "assert_greater_equal", "assert_integer", "assert_less", "assert_less_equal",
    "assert_near", "assert_negative", "assert_non_negative", "assert_non_positive", "assert_none_equal", "assert_positive",
    "assert_rank", "assert_rank_at_least", "assert_rank_in", "assert_scalar", "assert_shapes", "assert_type", "atanh",
    "band_part", "batch_normalization", "bias_add", "bincount", "boolean_mask", "broadcast_dynamic_shape",
    "broadcast_static_shape", "broadcast_to", "cast", "check_numerics", "clip_by_global_norm", "clip_by_norm",
    "clip_by_value", "compute_average_loss", "concat", "confusion_matrix", "constant", "count_nonzero", "crelu", "cross",
    "cumprod", "cumsum", "diag", "diag_part", "divide", "divide_no_nan", "dropout", "einsum", "embedding_lookup",
    "ensure_shape", "erfc", "expand_dims", "eye", "fill", "gather", "gather_nd", "gelu", "global_norm", "identity_n",
    "in_top_k", "invert_permutation", "is_numeric_tensor", "is_tensor", "l2_loss", "l2_normalize", "leaky_relu", "linspace",
    "log_poisson_loss", "log_softmax", "matmul", "matrix_transpose", "matvec", "meshgrid", "moments", "norm", "normalize",
    "normalize_moments", "one_hot", "ones", "ones_like", "pad", "polyval", "print", "random", "range", "rank",
    "reciprocal_no_nan", "reduce_all", "reduce_any", "reduce_euclidean_norm", "reduce_logsumexp", "reduce_max", "reduce_mean",
    "reduce_min", "reduce_prod", "reduce_std", "reduce_sum", "reduce_variance", "repeat", "reshape", "reverse", "rint",
    "roll", "round", "saturate_cast", "scalar_mul", "scatter_nd", "sequence_mask", "set_diag", "shape",
    "sigmoid_cross_entropy_with_logits", "silu", "size", "slice", "softmax", "softmax_cross_entropy_with_logits", "sort",
    "sparse_softmax_cross_entropy_with_logits", "split", "squeeze", "stack", "strided_slice", "sufficient_statistics",
    "swish", "tensor_scatter_nd_add", "tensor_scatter_nd_sub", "tensor_scatter_nd_update", "tensordot", "tile", "top_k",
    "trace", "transpose", "truediv", "truncatediv", "truncatemod", "unsorted_segment_mean", "unsorted_segment_sum", "unstack",
    "weighted_cross_entropy_with_logits", "weighted_moments", "where", "xdivy", "xlog1py", "zero_fraction", "zeros",
    "zeros_like",
]  # fmt: skip

_LATE = {
    "activations": ("crelu", "gelu", "leaky_relu", "log_softmax", "silu", "softmax", "swish"),
    "arithmetic": (
        "accumulate_n", "acosh", "add_n", "asinh", "atanh", "cast", "clip_by_global_norm", "clip_by_norm", "clip_by_value",
        "divide", "divide_no_nan", "erfc", "global_norm", "nearest_integer as round", "polyval", "reciprocal_no_nan", "rint",
        "saturate_cast", "scalar_mul", "truediv", "truncatediv", "truncatemod", "xdivy", "xlog1py",
    ),
    "contraction": (
        "adjoint", "band_part", "cross", "diag", "diag_part", "l2_normalize", "matmul", "matvec", "norm", "normalize",
        "set_diag", "tensordot", "trace",
    ),
    "creation": (
        "constant", "eye", "fill", "identity_n", "is_tensor", "linspace", "ones", "ones_like", "zeros", "zeros_like",
        "number_range as range",
    ),
    "effects": (
        "assert_all_finite", "assert_equal", "assert_greater", "assert_greater_equal", "assert_integer", "assert_less",
        "assert_less_equal", "assert_near", "assert_negative", "assert_non_negative", "assert_non_positive",
        "assert_none_equal", "assert_positive", "assert_rank", "assert_rank_at_least", "assert_rank_in", "assert_scalar",
        "assert_shapes", "assert_type", "check_numerics", "is_numeric_tensor", "assert_true as Assert",
        "print_tensors as print",
    ),
    "einstein_sum": ("einsum",),
    "indexing": (
        "bincount", "boolean_mask", "confusion_matrix", "embedding_lookup", "gather", "gather_nd", "invert_permutation",
        "one_hot", "scatter_nd", "sequence_mask", "slice", "strided_slice", "tensor_scatter_nd_add", "tensor_scatter_nd_sub",
        "tensor_scatter_nd_update", "unsorted_segment_mean", "unsorted_segment_sum", "where",
    ),
    "joining": ("concat", "meshgrid", "pad", "repeat", "split", "stack", "unstack"),
    "losses": (
        "compute_average_loss", "l2_loss", "log_poisson_loss", "sigmoid_cross_entropy_with_logits",
        "softmax_cross_entropy_with_logits", "sparse_softmax_cross_entropy_with_logits", "weighted_cross_entropy_with_logits",
    ),
    "normalization": (
        "batch_normalization", "bias_add", "dropout", "moments", "normalize_moments", "sufficient_statistics",
        "weighted_moments",
    ),
    "reductions": (
        "argmax", "argmin", "count_nonzero", "cumprod", "cumsum", "in_top_k", "reduce_all", "reduce_any",
        "reduce_euclidean_norm", "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_std",
        "reduce_sum", "reduce_variance", "zero_fraction",
    ),
    "shaping": (
        "broadcast_dynamic_shape", "broadcast_static_shape", "broadcast_to", "ensure_shape", "expand_dims",
        "matrix_transpose", "rank", "reshape", "reverse", "roll", "shape", "size", "squeeze", "tile", "transpose",
    ),
    "sorting": ("argsort", "sort", "top_k"),
    "random": (),
}  # fmt: skip

__getattr__, __dir__ = late_names(__name__, _LATE, all_functions())
