"""Losses of probabilities. In: true and predicted distributions, or class numbers; out: one loss per sample."""

from __future__ import annotations

import warnings
from typing import Any

import weft
from weft.layers import activations
from weft.layers.precision import epsilon
from weft.layers.serialization import public

from .loss import match_ranks, pair, to_tensor
from .wrapper import LossFunctionWrapper, takes_class_numbers


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """``sum(y_true * log(y_true / y_pred), axis=-1)``, both kept within [epsilon, 1]."""
    y_true, y_pred = (weft.clip_by_value(y, epsilon(), 1.0) for y in pair(y_true, y_pred))
    return weft.reduce_sum(y_true * weft.math.log(y_true / y_pred), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """``mean(y_pred - y_true * log(y_pred + epsilon), axis=-1)``."""
    y_true, y_pred = pair(y_true, y_pred)
    return weft.reduce_mean(y_pred - y_true * weft.math.log(y_pred + epsilon()), axis=-1)


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """The mean along the axis of ``-y_true * log(p) - (1 - y_true) * log(1 - p)``.

    y_pred: probabilities p (kept within [epsilon, 1 - epsilon]), or their logits if ``from_logits``.
    label_smoothing: targets are moved that fraction of the way to 1/2.
    """
    return weft.reduce_mean(binary_crossentropies(*pair(y_true, y_pred), from_logits, label_smoothing), axis=axis)


def binary_crossentropies(y_true: Any, y_pred: Any, from_logits: bool, label_smoothing: float = 0.0) -> Any:
    """The crossentropy of each element. ValueError if the shapes differ."""
    check_same_shape(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    y_pred, from_logits = find_logits(y_pred, from_logits, "sigmoid")
    if from_logits:
        return weft.nn.sigmoid_cross_entropy_with_logits(labels=y_true, logits=y_pred)
    p = weft.clip_by_value(y_pred, epsilon(), 1.0 - epsilon())
    return -(y_true * weft.math.log(p) + (1.0 - y_true) * weft.math.log(1.0 - p))


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """The binary crossentropy times ``(1 - p_of_the_true_class) ** gamma``, so that easy samples count less (Lin et al., 2018).

    apply_class_balancing: weigh class 1 by alpha and class 0 by 1 - alpha.
    """
    y_true, y_pred = pair(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    p = activations.sigmoid(y_pred) if from_logits else y_pred
    likelihood = y_true * p + (1.0 - y_true) * (1.0 - p)
    loss = weft.pow(1.0 - likelihood, gamma) * binary_crossentropies(y_true, p, from_logits=False)
    if apply_class_balancing:
        loss = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * loss
    return weft.reduce_mean(loss, axis=axis)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """``-sum(y_true * log(p), axis)`` for one-hot (or soft) targets.

    y_pred: probabilities p, made to sum to 1 and kept within [epsilon, 1 - epsilon], or logits if ``from_logits``.
    label_smoothing: targets are moved that fraction of the way to equal probabilities.
    """
    y_pred = to_tensor(y_pred)
    y_true = to_tensor(y_true, y_pred.dtype)
    if len(y_true.shape) < len(y_pred.shape):
        raise ValueError(
            f"categorical_crossentropy needs one-hot targets. Received: {shapes_text(y_true, y_pred)}. "
            "Class numbers go with sparse_categorical_crossentropy."
        )
    check_same_shape(y_true, y_pred)
    if y_pred.shape[-1] == 1:
        warnings.warn(
            "categorical_crossentropy expects more than one class on the last axis of y_pred; use binary_crossentropy for two "
            f"classes. Received: y_pred of shape {tuple(y_pred.shape)}",
            SyntaxWarning,
            stacklevel=2,
        )
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_pred.shape[axis]
    if axis in (-1, len(y_pred.shape) - 1):
        y_pred, from_logits = find_logits(y_pred, from_logits, "softmax")
    if from_logits:
        return weft.nn.softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred, axis=axis)
    p = weft.clip_by_value(y_pred / weft.reduce_sum(y_pred, axis=axis, keepdims=True), epsilon(), 1.0 - epsilon())
    return -weft.reduce_sum(y_true * weft.math.log(p), axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``-sum(alpha * (1 - p) ** gamma * y_true * log(p), axis)`` (Lin et al., 2018)."""
    y_pred = to_tensor(y_pred)
    y_true = to_tensor(y_true, y_pred.dtype)
    check_same_shape(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_pred.shape[axis]
    p = weft.nn.softmax(y_pred, axis=axis) if from_logits else y_pred
    p = weft.clip_by_value(p / weft.reduce_sum(p, axis=axis, keepdims=True), epsilon(), 1.0 - epsilon())
    return weft.reduce_sum(weft.pow(1.0 - p, gamma) * alpha * -y_true * weft.math.log(p), axis=axis)


@takes_class_numbers
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """``-log(p[y_true])`` for class numbers y_true of shape (...) or (..., 1) and predictions of shape (..., classes).

    y_pred: probabilities p, made to sum to 1 and kept within [epsilon, 1 - epsilon], or logits if ``from_logits``.
    ignore_class: samples of this class count as 0. Floating point class numbers are accepted.
    Raises an IndexRangeError, when it runs, for a class number outside [0, classes); NaN is outside.
    """
    y_pred = to_tensor(y_pred)
    y_true = to_tensor(y_true)
    if axis not in (-1, len(y_pred.shape) - 1):
        raise ValueError(f"The classes must lie on the last axis. Received: axis={axis}")
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = weft.squeeze(y_true, -1)
    if len(y_true.shape) != len(y_pred.shape) - 1:
        raise ValueError(
            f"Class numbers need one axis less than the predictions. Received: {shapes_text(y_true, y_pred)}. "
            "One-hot targets go with categorical_crossentropy."
        )
    labels = weft.cast(y_true, weft.int64)
    y_pred, from_logits = find_logits(y_pred, from_logits, "softmax")
    if ignore_class is None:
        return _class_losses(labels, y_pred, from_logits)
    kept = weft.not_equal(labels, ignore_class)
    losses = _class_losses(weft.where(kept, labels, weft.zeros_like(labels)), y_pred, from_logits)
    return weft.where(kept, losses, weft.zeros_like(losses))


def _class_losses(labels: Any, y_pred: Any, from_logits: bool) -> Any:
    if from_logits:
        return weft.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=y_pred)
    chosen = weft.gather(y_pred, labels, axis=-1, batch_dims=len(labels.shape))
    p = weft.clip_by_value(chosen / weft.reduce_sum(y_pred, axis=-1), epsilon(), 1.0 - epsilon())
    return -weft.math.log(p)


def find_logits(y_pred: Any, from_logits: bool, activation: str) -> tuple[Any, bool]:
    """The tensor that this activation made the prediction of, and True; if it did not, the arguments as they are.

    Probabilities of large logits are exactly 0 or 1, where their crossentropy has no gradient; that of the logits has one.
    """
    made_by, logits = getattr(y_pred, "_logits", (None, None))
    if made_by != activation:
        return y_pred, from_logits
    if from_logits:
        message = f"The loss has from_logits=True, but the prediction comes from {activation}. Its argument is taken as logits."
        warnings.warn(message, stacklevel=4)
    return logits, True


def shapes_text(y_true: Any, y_pred: Any) -> str:
    """Both shapes for a message, unknown sizes as None."""
    shapes = [tuple(s if isinstance(s, int) else None for s in t.shape) for t in (y_true, y_pred)]
    return f"y_true of shape {shapes[0]}, y_pred of shape {shapes[1]}"


def check_same_shape(y_true: Any, y_pred: Any) -> None:
    """ValueError if ranks differ, or sizes that are both known."""
    known = zip(y_true.shape, y_pred.shape, strict=False)
    fits = len(y_true.shape) == len(y_pred.shape) and all(a == b or a is None or b is None for a, b in known)
    if not fits:
        raise ValueError(f"Targets and predictions must have the same shape. Received: {shapes_text(y_true, y_pred)}")


@public("keras.losses")
class KLDivergence(LossFunctionWrapper):
    """The Kullback-Leibler divergence of the prediction from the truth. Arguments: see `Loss`."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(kl_divergence, reduction, name, dtype)


@public("keras.losses")
class Poisson(LossFunctionWrapper):
    """The Poisson loss, ``y_pred - y_true * log(y_pred)``. Arguments: see `Loss`."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "poisson", dtype: Any = None) -> None:
        super().__init__(poisson, reduction, name, dtype)


@public("keras.losses")
class BinaryCrossentropy(LossFunctionWrapper):
    """Crossentropy of two classes; arguments as in `binary_crossentropy` and `Loss`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(binary_crossentropy, reduction, name, dtype, **options)


@public("keras.losses")
class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Focal crossentropy of two classes; arguments as in `binary_focal_crossentropy` and `Loss`."""

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        options = {"apply_class_balancing": apply_class_balancing, "alpha": alpha, "gamma": gamma}
        options |= {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(binary_focal_crossentropy, reduction, name, dtype, **options)


@public("keras.losses")
class CategoricalCrossentropy(LossFunctionWrapper):
    """Crossentropy of one-hot targets; arguments as in `categorical_crossentropy` and `Loss`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, reduction, name, dtype, **options)


@public("keras.losses")
class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Focal crossentropy of one-hot targets; arguments as in `categorical_focal_crossentropy` and `Loss`."""

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        options = {"alpha": alpha, "gamma": gamma, "from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_focal_crossentropy, reduction, name, dtype, **options)


@public("keras.losses")
class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Crossentropy of class numbers; arguments as in `sparse_categorical_crossentropy` and `Loss`.

    With ``ignore_class`` the mean is taken over the samples of the other classes.
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, **options)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        ignored = self._options["ignore_class"]
        if ignored is None:
            return super().__call__(y_true, y_pred, sample_weight)
        weight = ignore_weights(to_tensor(y_true), to_tensor(y_pred), ignored, self.reduction, self.dtype)
        if sample_weight is not None:
            weight, given = match_ranks(weight, to_tensor(sample_weight, self.dtype))
            weight = weight * given
        return super().__call__(y_true, y_pred, weight)


def ignore_weights(y_true: Any, y_pred: Any, ignored: int, reduction: str | None, dtype: Any) -> Any:
    """Weights that leave out one class: 0 there, elsewhere 1, or (number of samples / number kept) where a mean is taken."""
    if len(y_true.shape) == len(y_pred.shape):
        y_true = weft.squeeze(y_true, -1)
    kept = weft.cast(weft.not_equal(weft.cast(y_true, weft.int64), ignored), dtype)
    if reduction not in ("sum_over_batch_size", "mean"):
        return kept
    return kept * weft.math.divide_no_nan(weft.cast(weft.size(kept), dtype), weft.reduce_sum(kept))
