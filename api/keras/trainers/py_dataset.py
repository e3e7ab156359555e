"""Data loaded batch by batch by the user's code. In: a subclass with `__len__` and `__getitem__`; out: batches for `fit`."""

from __future__ import annotations

from typing import Any


class PyDataset:
    """Base class of data sets that load one batch at a time.

    A subclass defines ``__len__()``, the number of batches, and ``__getitem__(index)``, which returns ``(x, y)`` or
    ``(x, y, sample_weight)``; ``on_epoch_begin`` and ``on_epoch_end`` if it likes. `fit` takes the batches in a new order each
    epoch unless ``shuffle=False``. Calling ``super().__init__()`` is not needed.
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__().")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index).")

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None for an endless data set."""
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called before every epoch."""

    def on_epoch_end(self) -> None:
        """Called after every epoch."""
