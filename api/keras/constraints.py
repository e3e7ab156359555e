"""Constraints, under Keras' path. In: ``keras.constraints.MaxNorm``; out: the classes of `weft.layers.constraints`."""

from weft.layers.constraints import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm, deserialize, get, serialize

max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "max_norm", "min_max_norm", "non_neg",
    "serialize", "unit_norm",
]  # fmt: skip
