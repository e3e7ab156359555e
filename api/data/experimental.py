"""``weft.data.experimental``: TensorFlow's older names. In: a data set; out: its size, and constants."""

from __future__ import annotations

from typing import Any

from .dataset import AUTOTUNE
from .stage import INFINITE as INFINITE_CARDINALITY
from .stage import UNKNOWN as UNKNOWN_CARDINALITY

__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "cardinality"]


def cardinality(dataset: Any) -> Any:
    """The number of elements as an int64 tensor, or one of the two constants."""
    return dataset.cardinality()
