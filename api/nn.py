"""``weft.nn``: activations, losses from logits, normalisation. In and out: tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.tracer.late_names import late_names
from weft.tracer.ops.generated import namespace

if TYPE_CHECKING:
    from weft.tracer.ops import (
        batch_normalization,
        bias_add,
        compute_average_loss,
        crelu,
        dropout,
        embedding_lookup,
        gelu,
        in_top_k,
        l2_loss,
        l2_normalize,
        leaky_relu,
        log_poisson_loss,
        log_softmax,
        moments,
        normalize_moments,
        sigmoid_cross_entropy_with_logits,
        silu,
        softmax,
        softmax_cross_entropy_with_logits,
        sparse_softmax_cross_entropy_with_logits,
        sufficient_statistics,
        swish,
        top_k,
        weighted_cross_entropy_with_logits,
        weighted_moments,
        zero_fraction,
    )

__all__ = [
    "batch_normalization", "bias_add", "compute_average_loss", "crelu", "dropout", "embedding_lookup", "gelu", "in_top_k",
    "l2_loss", "l2_normalize", "leaky_relu", "log_poisson_loss", "log_softmax", "moments", "normalize_moments",
    "sigmoid_cross_entropy_with_logits", "silu", "softmax", "softmax_cross_entropy_with_logits",
    "sparse_softmax_cross_entropy_with_logits", "sufficient_statistics", "swish", "top_k",
    "weighted_cross_entropy_with_logits", "weighted_moments", "zero_fraction",
]  # fmt: skip
_GENERATED = namespace("nn")

__getattr__, __dir__ = late_names(__name__, {"weft.tracer.ops": tuple(__all__)}, _GENERATED)

__all__ += [name for name in _GENERATED if name not in __all__]
