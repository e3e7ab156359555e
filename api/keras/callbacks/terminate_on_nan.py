"""Stopping when the loss is lost. In: the loss after each step; out: ``model.stop_training`` or an error."""

from __future__ import annotations

import math

from ..trainers.progress_bar import print_message
from .callback import Callback, Logs


class TerminateOnNaN(Callback):
    """Ends `fit` after the first step with a loss that is NaN or infinite; ``raise_error``: with a RuntimeError."""

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"The loss became {loss} at batch {batch}; training is terminated.")
        print_message(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
