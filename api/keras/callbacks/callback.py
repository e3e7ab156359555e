"""The base of all callbacks. In: what happens during fit, evaluate and predict; out: whatever a subclass does then."""

from __future__ import annotations

from typing import Any

Logs = dict[str, Any]


class Callback:
    """Hooks called during `fit`, `evaluate` and `predict`. A subclass overrides those it needs.

    logs: metric names and their values as floats. The dictionary may be changed in `on_epoch_end`; `History` sees the changes of
    the callbacks before it. ``self.model`` is the model, ``self.params`` holds "verbose", "epochs" and "steps".
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] | None = None
        self._model: Any = None

    @property
    def model(self) -> Any:
        return self._model

    def set_params(self, params: dict[str, Any]) -> None:
        """Keeps "verbose", "epochs" and "steps" of the loop that begins."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Keeps the model of the loop that begins."""
        self._model = model

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """The old name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """The old name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch of `fit` begins; epochs count from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch of `fit` is over, and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A training step (or, with steps_per_execution, the first of several) begins."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A training step is over; logs hold the metrics of the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A step of `evaluate`, or of the validation in `fit`, begins."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A step of `evaluate`, or of the validation in `fit`, is over."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A step of `predict` begins."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A step of `predict` is over; ``logs["outputs"]`` holds the predictions of the batch."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """`fit` begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """`fit` is over; logs are those of the last epoch."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """`evaluate`, or a validation, begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """`evaluate`, or a validation, is over."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """`predict` begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """`predict` is over."""


def overrides(callback: Any, *names: str) -> bool:
    """Whether the callback does anything in one of these hooks."""
    for name in names:
        method = getattr(callback, name, None)
        if method is not None and getattr(method, "__func__", method) is not getattr(Callback, name):
            return True
    return False
