"""Regularizers, under Keras' path. In: ``keras.regularizers.L2``; out: the classes of `weft.layers.regularizers`."""

from weft.layers.regularizers import L1, L1L2, L2, OrthogonalRegularizer, Regularizer, deserialize, get, l1_l2, serialize

l1, l2, orthogonal_regularizer = L1, L2, OrthogonalRegularizer

__all__ = [
    "L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "deserialize", "get", "l1", "l1_l2", "l2",
    "orthogonal_regularizer", "serialize",
]  # fmt: skip
