"""Precision, recall and the counts behind them. In: targets 0 and 1, predictions; out: a number per threshold."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.serialization import public

from .confusion_counts import Counts, are_even, checked_thresholds, count, prepare
from .metric import Metric


class _Counting(Metric):
    """Adds one of the four counts up. ``thresholds``: a number or a list; a prediction above it counts as positive."""

    _kind = "tp"

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype=dtype, name=name)
        self.init_thresholds = thresholds
        self.thresholds = checked_thresholds(thresholds, 0.5)
        self.accumulator = self.add_variable((len(self.thresholds),), name="accumulator")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes in one batch of targets and predictions."""
        decisions = prepare(y_true, y_pred, sample_weight, self.dtype)
        counts = count(decisions, self.thresholds, are_even(self.thresholds), self.dtype)
        self.accumulator.assign_add(getattr(counts, self._kind))

    def result(self) -> Any:
        """The count: a scalar for one threshold, else of shape (thresholds,)."""
        return self.accumulator[0] if len(self.thresholds) == 1 else weft.identity(self.accumulator)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"thresholds": self.init_thresholds}


@public("keras.metrics")
class TruePositives(_Counting):
    """The weighted number of positives predicted as such."""

    _kind = "tp"


@public("keras.metrics")
class FalsePositives(_Counting):
    """The weighted number of negatives predicted positive."""

    _kind = "fp"


@public("keras.metrics")
class TrueNegatives(_Counting):
    """The weighted number of negatives predicted as such."""

    _kind = "tn"


@public("keras.metrics")
class FalseNegatives(_Counting):
    """The weighted number of positives predicted negative."""

    _kind = "fn"


class _Ratio(Metric):
    """True positives over true positives plus one kind of error."""

    _direction = "up"
    _error = ("fp", "false_positives")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype=dtype, name=name)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self.thresholds = checked_thresholds(thresholds, 0.5) if thresholds is not None or top_k is None else [-1e10]
        self.true_positives = self.add_variable((len(self.thresholds),), name="true_positives")
        self._errors = self.add_variable((len(self.thresholds),), name=self._error[1])
        setattr(self, self._error[1], self._errors)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes in one batch of targets and predictions."""
        decisions = prepare(y_true, y_pred, sample_weight, self.dtype, top_k=self.top_k, class_id=self.class_id)
        counts: Counts = count(decisions, self.thresholds, are_even(self.thresholds), self.dtype)
        self.true_positives.assign_add(counts.tp)
        self._errors.assign_add(getattr(counts, self._error[0]))

    def result(self) -> Any:
        """The ratio: a scalar for one threshold, else of shape (thresholds,); 0 where nothing was counted."""
        ratio = weft.math.divide_no_nan(self.true_positives, self.true_positives + self._errors)
        return ratio[0] if len(self.thresholds) == 1 else ratio

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}


@public("keras.metrics")
class Precision(_Ratio):
    """The fraction of predicted positives that are positive.

    thresholds: a number or list, 0.5 by default; top_k: only the k largest predictions of a sample count as positive;
    class_id: only this class counts.
    """

    _error = ("fp", "false_positives")


@public("keras.metrics")
class Recall(_Ratio):
    """The fraction of positives that were predicted positive. Arguments as in `Precision`."""

    _error = ("fn", "false_negatives")
