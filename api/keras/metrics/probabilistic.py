"""Losses of probabilities and margins as metrics. In: targets and predictions; out: the mean of the loss over all samples."""

from __future__ import annotations

from typing import Any

from weft.layers.serialization import public

from .. import losses
from .reduction import MeanMetricWrapper


@public("keras.metrics")
class KLDivergence(MeanMetricWrapper):
    """The mean Kullback-Leibler divergence."""

    def __init__(self, name: str = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(losses.kl_divergence, name, dtype)


@public("keras.metrics")
class Poisson(MeanMetricWrapper):
    """The mean Poisson loss."""

    def __init__(self, name: str = "poisson", dtype: Any = None) -> None:
        super().__init__(losses.poisson, name, dtype)


@public("keras.metrics")
class BinaryCrossentropy(MeanMetricWrapper):
    """The mean crossentropy of two classes."""

    def __init__(
        self, name: str = "binary_crossentropy", dtype: Any = None, from_logits: bool = False, label_smoothing: float = 0.0
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.binary_crossentropy, name, dtype, **options)


@public("keras.metrics")
class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean crossentropy of one-hot targets."""

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, **options)


@public("keras.metrics")
class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean crossentropy of class numbers."""

    def __init__(
        self, name: str = "sparse_categorical_crossentropy", dtype: Any = None, from_logits: bool = False, axis: int = -1
    ) -> None:
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, from_logits=from_logits, axis=axis)


@public("keras.metrics")
class Hinge(MeanMetricWrapper):
    """The mean hinge loss."""

    def __init__(self, name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(losses.hinge, name, dtype)


@public("keras.metrics")
class SquaredHinge(MeanMetricWrapper):
    """The mean squared hinge loss."""

    def __init__(self, name: str = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(losses.squared_hinge, name, dtype)


@public("keras.metrics")
class CategoricalHinge(MeanMetricWrapper):
    """The mean hinge loss of one-hot targets."""

    def __init__(self, name: str = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(losses.categorical_hinge, name, dtype)
