"""``weft.nn``: activations, losses from logits, normalisation. In and out: tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from weft.tracer.ops.generated import namespace

__all__ = [
    "batch_normalization",
    "bias_add",
    "compute_average_loss",
    "crelu",
    "dropout",
    "embedding_lookup",
    "gelu",
    "in_top_k",
    "l2_loss",
    "l2_normalize",
    "leaky_relu",
    "log_poisson_loss",
    "log_softmax",
    "moments",
    "normalize_moments",
    "sigmoid_cross_entropy_with_logits",
    "silu",
    "softmax",
    "softmax_cross_entropy_with_logits",
    "sparse_softmax_cross_entropy_with_logits",
    "sufficient_statistics",
    "swish",
    "top_k",
    "weighted_cross_entropy_with_logits",
    "weighted_moments",
    "zero_fraction",
]

_generated = {n: f for n, f in namespace("nn").items() if n not in globals()}
globals().update(_generated)
__all__ += list(_generated)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
