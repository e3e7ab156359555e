"""The training loop. In: data and a model; out: trained weights, metrics, predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.tracer.late_names import late_names

if TYPE_CHECKING:
    from .batch_arrays import pack_x_y_sample_weight, unpack_x_y_sample_weight
    from .progress_bar import Progbar
    from .py_dataset import PyDataset

__all__ = ["Progbar", "PyDataset", "pack_x_y_sample_weight", "unpack_x_y_sample_weight"]

_LATE = {
    "batch_arrays": ("pack_x_y_sample_weight", "unpack_x_y_sample_weight"),
    "progress_bar": ("Progbar",),
    "py_dataset": ("PyDataset",),
}

__getattr__, __dir__ = late_names(__name__, _LATE)
