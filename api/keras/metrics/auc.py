"""The area under a curve. In: targets 0 and 1, predictions; out: an approximation by sums over thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import weft
from weft.layers.precision import epsilon
from weft.layers.serialization import public

from .confusion_counts import are_even, count, prepare
from .metric import Metric

CURVES = ("ROC", "PR", "PRGAIN")
METHODS = ("interpolation", "majoring", "minoring")


@public("keras.metrics")
class AUC(Metric):
    """The area under the ROC, precision-recall or precision-recall-gain curve.

    num_thresholds or thresholds: where the curve is sampled. summation_method: how heights between two thresholds are taken;
    for the PR curve "interpolation" follows Davis and Goadrich (2006).
    multi_label: one area per label (predictions of shape (batch, labels)), averaged, with label_weights if given.
    """

    _direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(dtype=dtype, name=name)
        if str(curve).upper() not in CURVES:
            raise ValueError(f"curve must be one of {', '.join(CURVES)}. Received: {curve!r}")
        if str(summation_method).lower() not in METHODS:
            raise ValueError(f"summation_method must be one of {', '.join(METHODS)}. Received: {summation_method!r}")
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(f"num_thresholds must be at least 2. Received: {num_thresholds}")
        if num_labels and not multi_label:
            raise ValueError("num_labels only applies with multi_label=True.")
        self._given_thresholds = None if thresholds is None else [float(t) for t in thresholds]
        inner = sorted(thresholds) if thresholds is not None else list(np.linspace(0, 1, num_thresholds)[1:-1])
        self.num_thresholds = len(inner) + 2
        self._even = thresholds is None or are_even([0.0, *inner, 1.0])
        # One threshold just below 0 and one just above 1, so that rounding cannot lose the ends of the curve.
        self._thresholds = [0.0 - epsilon(), *inner, 1.0 + epsilon()]
        self.curve = str(curve).upper()
        self.summation_method = str(summation_method).lower()
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = label_weights
        self._from_logits = from_logits
        self._built = False
        if not multi_label or num_labels:
            self._build((self.num_thresholds, num_labels) if multi_label else (self.num_thresholds,))

    @property
    def thresholds(self) -> list[float]:
        """Where the curve is sampled, with an end on either side of [0, 1]."""
        return list(self._thresholds)

    def _build(self, shape: tuple[Any, ...]) -> None:
        self.true_positives = self.add_variable(shape, name="true_positives")
        self.false_positives = self.add_variable(shape, name="false_positives")
        self.true_negatives = self.add_variable(shape, name="true_negatives")
        self.false_negatives = self.add_variable(shape, name="false_negatives")
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes in one batch of targets and predictions."""
        y_pred = weft.sigmoid(weft.cast(y_pred, self.dtype)) if self._from_logits else weft.convert_to_tensor(y_pred)
        if not self._built:
            self._build((self.num_thresholds, int(y_pred.shape[-1])))
        weights = None if self.multi_label else self.label_weights
        decisions = prepare(y_true, y_pred, sample_weight, self.dtype, per_label=self.multi_label, label_weights=weights)
        counts = count(decisions, self._thresholds, self._even, self.dtype)
        self.true_positives.assign_add(counts.tp)
        self.false_positives.assign_add(counts.fp)
        self.true_negatives.assign_add(counts.tn)
        self.false_negatives.assign_add(counts.fn)

    def result(self) -> Any:
        """The area, a scalar."""
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._average(self._interpolated_areas())
        x, y = self._curve_points()
        left, right = y[:-1], y[1:]
        if self.summation_method == "interpolation":
            heights = (left + right) / 2.0
        else:
            heights = weft.minimum(left, right) if self.summation_method == "minoring" else weft.maximum(left, right)
        return self._average((x[:-1] - x[1:]) * heights)

    def _average(self, areas: Any) -> Any:
        if not self.multi_label:
            return weft.reduce_sum(areas)
        by_label = weft.reduce_sum(areas, axis=0)
        if self.label_weights is None:
            return weft.reduce_mean(by_label)
        weights = weft.constant(np.asarray(self.label_weights), self.dtype)
        return weft.math.divide_no_nan(weft.reduce_sum(by_label * weights), weft.reduce_sum(weights))

    def _curve_points(self) -> tuple[Any, Any]:
        divide = weft.math.divide_no_nan
        tp, fp, tn, fn = (weft.identity(v) for v in self._variables)
        recall = divide(tp, tp + fn)
        if self.curve == "ROC":
            return divide(fp, fp + tn), recall
        if self.curve == "PR":
            return recall, divide(tp, tp + fp)
        # Precision-recall gain (Flach and Kull, 2015): gains below 0 and those without any true positive are set to the worst.
        scale = divide(tp + fn, tn + fp)
        none = weft.equal(tp, 0.0)
        recall_gain = weft.where(none, weft.zeros_like(tp), 1.0 - scale * divide(fn, tp))
        precision_gain = weft.where(none, weft.ones_like(tp), 1.0 - scale * divide(fp, tp))
        return weft.maximum(recall_gain, 0.0), precision_gain

    def _interpolated_areas(self) -> Any:
        divide = weft.math.divide_no_nan
        tp, fp, _, fn = (weft.identity(v) for v in self._variables)
        predicted = tp + fp
        gained = tp[:-1] - tp[1:]
        slope = divide(gained, weft.maximum(predicted[:-1] - predicted[1:], 0.0))
        intercept = tp[1:] - slope * predicted[1:]
        both = weft.logical_and(predicted[:-1] > 0.0, predicted[1:] > 0.0)
        quotient = divide(predicted[:-1], weft.maximum(predicted[1:], 0.0))
        ratio = weft.where(both, quotient, weft.ones_like(predicted[1:]))
        return divide(slope * (gained + intercept * weft.math.log(ratio)), weft.maximum(tp[1:] + fn[1:], 0.0))

    def reset_state(self) -> None:
        """Forgets every batch."""
        if self._built:
            super().reset_state()

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self._from_logits,
        }
        return config if self._given_thresholds is None else config | {"thresholds": self._given_thresholds}
