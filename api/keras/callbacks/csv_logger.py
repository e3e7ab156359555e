"""Metrics in a text file. In: the metrics of each epoch; out: a CSV file with one row per epoch."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import IO, Any

import numpy as np

from .callback import Callback, Logs


class CSVLogger(Callback):
    """Writes "epoch" and every metric to a file, complete after each epoch.

    separator: between columns; append: keep what the file holds, with its header, instead of beginning anew.
    As in Keras the columns are sorted, and without validation ``val_...`` columns hold "NA".
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.keys: list[str] | None = None
        self.writer: csv.DictWriter[str] | None = None
        self.csv_file: IO[str] | None = None
        self.append_header = True

    def on_train_begin(self, logs: Logs | None = None) -> None:
        path = Path(self.filename)
        self.append_header = not (self.append and path.exists() and path.stat().st_size > 0)
        self._close()
        self.csv_file = path.open("a" if self.append else "w", newline="")
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if self.csv_file is None:
            return
        if self.writer is None or self.keys is None:
            self.keys = sorted(logs)
            if self.keys and not any(k.startswith("val_") for k in self.keys):
                self.keys += [f"val_{k}" for k in self.keys]
            self.writer = csv.DictWriter(self.csv_file, ["epoch", *self.keys], delimiter=self.sep)
            if self.append_header:
                self.writer.writeheader()
        self.writer.writerow({"epoch": epoch} | {k: _cell(logs.get(k, "NA")) for k in self.keys})
        self.csv_file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._close()

    def _close(self) -> None:
        if self.csv_file is not None:
            self.csv_file.close()
        self.csv_file = self.writer = None

    def __del__(self) -> None:
        if getattr(self, "csv_file", None) is not None:
            self._close()  # a fit that was interrupted never reaches on_train_end


def _cell(value: Any) -> Any:
    if isinstance(value, str) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
