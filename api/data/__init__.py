"""``weft.data``: input pipelines. In: arrays and generators; out: `Dataset`, which loops and ``fit`` pass over."""

from . import experimental
from .dataset import AUTOTUNE, Dataset, DatasetIterator
from .stage import INFINITE as INFINITE_CARDINALITY
from .stage import UNKNOWN as UNKNOWN_CARDINALITY

__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset", "DatasetIterator", "experimental"]
