"""The state of a session. In: a seed, or nothing; out: reproducible numbers, names that start again."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from weft.layers.naming import reset_names
from weft.layers.symbolic import KerasTensor
from weft.tracer import ops


def set_random_seed(seed: int) -> None:
    """Seeds Python's, NumPy's and weft's generators, so that the same program gives the same numbers."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"Expected `seed` argument to be an integer from 0 to 2**32 - 1. Received: seed={seed!r}")
    random.seed(int(seed))
    np.random.seed(int(seed))
    ops.random.set_seed(int(seed))


def clear_session(free_memory: bool = True) -> None:
    """Starts the counting of automatic names again."""
    reset_names()


def is_keras_tensor(x: Any) -> bool:
    """Whether the value is a symbolic tensor, as `keras.Input` gives."""
    return isinstance(x, KerasTensor)
