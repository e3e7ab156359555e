"""The training loop. In: data and a model; out: trained weights, metrics, predictions."""

from __future__ import annotations

from .batch_arrays import pack_x_y_sample_weight, unpack_x_y_sample_weight
from .progress_bar import Progbar
from .py_dataset import PyDataset

__all__ = ["Progbar", "PyDataset", "pack_x_y_sample_weight", "unpack_x_y_sample_weight"]
