"""What `fit` returns. In: the metrics of each epoch; out: lists of them by name."""

from __future__ import annotations

from .callback import Callback, Logs


class History(Callback):
    """``history`` maps metric names to lists with one value per epoch, ``epoch`` lists the numbers of the epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self
