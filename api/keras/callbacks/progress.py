"""The callback behind ``verbose``. In: steps and metrics; out: Keras 3's progress bar."""

from __future__ import annotations

from typing import Any

from ..trainers.progress_bar import Progbar, print_message
from .callback import Callback, Logs


class ProgbarLogger(Callback):
    """Prints a bar (``verbose=1``) or one line per epoch (``verbose=2``). During `fit` the validation is silent."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self._in_fit = False

    def set_params(self, params: dict[str, Any]) -> None:
        verbose = params["verbose"]
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params["epochs"]
        self.target = params["steps"]

    def is_due(self, batch: int, in_test: bool = False) -> bool:
        """Whether the hook at the end of this batch would draw, so that the metrics need not be read otherwise."""
        return not (in_test and self._in_fit) and self._bar().is_due(batch + 1)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_fit = True

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._start()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._start()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._start()
        if self.verbose and self.epochs > 1:
            print_message(f"Epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._show(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._show(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._show(batch, None)  # the predictions are no metrics

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._finish(logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._in_fit:
            self._finish(logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._finish(None)

    def _start(self) -> None:
        self.seen = 0
        self.progbar = None
        self._bar()

    def _bar(self) -> Progbar:
        if self.progbar is None:
            self.progbar = Progbar(self.target, verbose=self.verbose, unit_name="step", stateless_metrics=())
        return self.progbar

    def _show(self, batch: int, logs: Logs | None) -> None:
        self.seen = batch + 1
        if self.verbose == 1:
            self._bar().update(self.seen, list((logs or {}).items()), finalize=False)

    def _finish(self, logs: Logs | None) -> None:
        bar = self._bar()
        if self.target is None:
            self.target = bar.target = self.seen
        bar.update(self.target, list((logs or {}).items()), finalize=True)
