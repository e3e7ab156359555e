"""The losses given to `compile` as one. In: targets, outputs, weights; out: the weighted sum, and a running mean per output."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.precision import floatx

from .. import losses
from ..metrics import Mean
from .outputs import Names, align, align_targets, binary_or_sparse, flatten_outputs, is_array

CROSSENTROPY = ("crossentropy", "ce")


class CompileLoss:
    """loss: one for all outputs, or a list or dictionary with one (or None) per output. loss_weights: numbers, likewise.

    Raises ValueError at once for unknown names of losses, and at the first call for outputs that do not exist.
    """

    def __init__(self, loss: Any, loss_weights: Any = None, output_names: Names = None) -> None:
        self._loss = loss
        self._weights = loss_weights
        self._output_names = output_names
        self._losses: list[Any] = []  # per output, None where it is not trained
        self._factors: list[Any] = []
        self.metrics: list[Mean] = []  # per trained output, if there are several, in the order of `evaluate`'s results
        self._trackers: list[Mean | None] = []  # the same per output
        self.built = False
        self.parts = _leaves(loss)  # every loss as it was given
        for part in self.parts:
            if not (isinstance(part, str) and part.lower() in CROSSENTROPY):
                losses.get(part)
        if output_names:
            self._check_names(output_names)

    def _check_names(self, names: list[str]) -> None:
        if isinstance(self._loss, dict) and not _is_loss(self._loss):
            align(self._loss, names, "loss", _is_loss)
        if isinstance(self._weights, dict):
            align(self._weights, names, "loss_weights", _is_number)

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Finds out which loss belongs to which output."""
        names, predictions = flatten_outputs(y_pred, self._output_names)
        given = [self._loss] * len(names) if _is_loss(self._loss) else align(self._loss, names, "loss", _is_loss)
        targets = align_targets(y_true, names, [loss is not None for loss in given])
        self._losses = [_make(loss, t, p) for loss, t, p in zip(given, targets, predictions, strict=True)]
        single = [self._weights] if _is_number(self._weights) else self._weights
        self._factors = align(single, names, "loss_weights", _is_number)
        self._make_trackers(names, y_pred)
        self.built = True

    def _make_trackers(self, names: list[Any], y_pred: Any) -> None:
        """A running mean per trained output, if there are several. Keras lists them as the user listed the losses or outputs."""
        several = sum(loss is not None for loss in self._losses) > 1
        self._trackers = [
            Mean(name=f"{name or loss.name}_loss") if several and loss is not None else None
            for name, loss in zip(names, self._losses, strict=True)
        ]
        by_name = dict(zip(names, self._trackers, strict=True))
        listed = names
        if isinstance(y_pred, dict):
            listed = list(self._loss if isinstance(self._loss, dict) and not _is_loss(self._loss) else y_pred)
        self.metrics = [tracker for name in listed if (tracker := by_name[name]) is not None]

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The total loss, a scalar, or None if no output has a loss."""
        if not self.built:
            self.build(y_true, y_pred)
        names, predictions = flatten_outputs(y_pred, self._output_names)
        targets = align_targets(y_true, names, [loss is not None for loss in self._losses])
        weights = _align_weights(sample_weight, names)
        total = None
        for i, loss in enumerate(self._losses):
            if loss is None:
                continue
            if targets[i] is None:
                raise ValueError(f"The output {names[i] or ''!r} has a loss, so it needs targets. Received: none")
            value = weft.cast(loss(targets[i], predictions[i], weights[i]), floatx())
            tracker = self._trackers[i]
            if tracker is not None:
                tracker.update_state(value, sample_weight=weft.shape(predictions[i])[0])
            if self._factors[i] is not None:
                value = value * float(self._factors[i])
            total = value if total is None else total + value
        return total


def _make(loss: Any, y_true: Any, y_pred: Any) -> Any:
    if loss is None:
        return None
    if isinstance(loss, str) and loss.lower() in CROSSENTROPY:
        names = {"binary": "binary_crossentropy", "sparse": "sparse_categorical_crossentropy"}
        loss = names.get(binary_or_sparse(y_true, y_pred), "categorical_crossentropy")
    found = losses.get(loss)
    if isinstance(found, losses.Loss):
        return found
    name = loss if isinstance(loss, str) else getattr(found, "__name__", type(found).__name__)
    return losses.LossFunctionWrapper(found, name=name)


def _align_weights(sample_weight: Any, names: list[Any]) -> list[Any]:
    if sample_weight is None or is_array(sample_weight):
        return [sample_weight] * len(names)
    return align(sample_weight, names, "sample_weight", is_array)


def _is_loss(value: Any) -> bool:
    return value is None or not isinstance(value, (list, tuple, dict)) or (isinstance(value, dict) and "class_name" in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or (hasattr(value, "__float__") and not isinstance(value, (list, tuple, dict)))


def _leaves(loss: Any) -> list[Any]:
    if _is_loss(loss):
        return [] if loss is None else [loss]
    parts = loss.values() if isinstance(loss, dict) else loss
    return [leaf for part in parts for leaf in _leaves(part)]
