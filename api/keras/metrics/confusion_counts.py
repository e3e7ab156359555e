"""Counts of right and wrong decisions at thresholds. In: targets, predictions, weights; out: weighted counts per threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import weft
from weft.layers.precision import epsilon

from ..losses.loss import match_ranks, to_tensor


class Decisions(NamedTuple):
    """Targets (as booleans), predictions and weights of one batch, each of shape (n,) or, per label, (n, labels)."""

    positive: Any
    score: Any
    weight: Any


class Counts(NamedTuple):
    """Weighted numbers of true positives, ..., each of shape (thresholds,) or (thresholds, labels)."""

    tp: Any
    fp: Any
    fn: Any
    tn: Any


def checked_thresholds(thresholds: Any, default: float) -> list[float]:
    """A list of thresholds from a number, a list or None. ValueError outside [0, 1]."""
    if thresholds is None:
        return [default]
    listed = list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    wrong = [t for t in listed if t is None or t < 0 or t > 1]
    if wrong:
        raise ValueError(f"Thresholds must lie within [0, 1]. Received: {wrong}")
    return [float(t) for t in listed]


def are_even(thresholds: Sequence[float]) -> bool:
    """Whether they divide [0, 1] evenly; then decisions are made by bucket, as Keras makes them."""
    if len(thresholds) < 3:
        return False
    return bool(np.allclose(thresholds, np.linspace(0, 1, len(thresholds)), atol=epsilon()))


def prepare(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    dtype: Any,
    *,
    top_k: int | None = None,
    class_id: int | None = None,
    per_label: bool = False,
    label_weights: Any = None,
) -> Decisions:
    """Everything flat over samples and labels (over samples only if ``per_label``), with one weight each."""
    y_pred, y_true = match_ranks(to_tensor(y_pred, dtype), to_tensor(y_true, dtype))
    weight = None if sample_weight is None else _match_weight(to_tensor(sample_weight, dtype), y_pred)
    if top_k is not None:
        y_pred = weft.where(among_top_k(y_pred, top_k), y_pred, weft.constant(-1e10, dtype))
    if class_id is not None:
        if len(y_pred.shape) == 1:
            raise ValueError(f"class_id needs predictions of shape (samples, classes). Received: shape {tuple(y_pred.shape)}")
        y_true, y_pred = y_true[..., class_id : class_id + 1], y_pred[..., class_id : class_id + 1]
    if label_weights is not None:
        scale = weft.ones_like(y_pred) * weft.constant(np.asarray(label_weights), dtype)
        weight = scale if weight is None else weight * scale
    if weight is not None:
        weight = weft.broadcast_to(weight, weft.shape(y_pred))
    positive = weft.not_equal(y_true, 0.0)
    if per_label:
        return Decisions(positive, y_pred, weight)
    flat = None if weight is None else weft.reshape(weight, [-1])
    return Decisions(weft.reshape(positive, [-1]), weft.reshape(y_pred, [-1]), flat)


def _match_weight(weight: Any, y_pred: Any) -> Any:
    """The weight without needless last axes of size 1, and with one more if it has fewer axes than the predictions."""
    while len(weight.shape) > 1 and len(weight.shape) >= len(y_pred.shape) and weight.shape[-1] == 1 != y_pred.shape[-1]:
        weight = weft.squeeze(weight, -1)
    return weft.expand_dims(weight, -1) if len(weight.shape) < len(y_pred.shape) else weight


def among_top_k(scores: Any, k: int) -> Any:
    """True for the k largest scores along the last axis; of equal ones, the first."""
    mine, other = weft.expand_dims(scores, -1), weft.expand_dims(scores, -2)
    classes = np.arange(scores.shape[-1])
    before = weft.constant(classes[None, :] < classes[:, None])
    ahead = weft.logical_or(other > mine, weft.logical_and(weft.equal(other, mine), before))
    return weft.reduce_sum(weft.cast(ahead, weft.int32), axis=-1) < k


def above_thresholds(score: Any, thresholds: Sequence[float], even: bool) -> Any:
    """True where a score exceeds a threshold, with a leading axis for the thresholds."""
    shape = [len(thresholds)] + [1] * len(score.shape)
    if not even:
        limits = np.asarray(thresholds).reshape(shape)
        return weft.expand_dims(score, 0) > weft.constant(limits, score.dtype)
    # Keras decides by the bucket ceil(p * (n - 1)) - 1; thresholds moved outwards by epsilon make the first bucket catch 0.
    buckets = weft.math.ceil(weft.clip_by_value(score, 0.0, 1.0) * float(len(thresholds) - 1)) - 1.0
    if thresholds[0] < 0.0 or thresholds[-1] > 1.0:
        buckets = weft.maximum(buckets, 0.0)
    numbers = np.arange(len(thresholds)).reshape(shape)
    return weft.expand_dims(buckets, 0) >= weft.constant(numbers, score.dtype)


def count(decisions: Decisions, thresholds: Sequence[float], even: bool, dtype: Any) -> Counts:
    """The weighted counts of one batch at every threshold."""
    above = above_thresholds(decisions.score, thresholds, even)
    positive = weft.expand_dims(decisions.positive, 0)
    one = weft.ones_like(decisions.score) if decisions.weight is None else decisions.weight
    weight = weft.expand_dims(one, 0)
    zero = weft.zeros_like(weight)
    positives, negatives = weft.where(positive, weight, zero), weft.where(positive, zero, weight)

    def total(condition: Any, amount: Any) -> Any:
        return weft.reduce_sum(weft.where(condition, amount, zero), axis=1)

    below = weft.logical_not(above)
    return Counts(*(weft.cast(t, dtype) for t in (
        total(above, positives), total(above, negatives), total(below, positives), total(below, negatives)
    )))  # fmt: skip
