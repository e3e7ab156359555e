"""``weft.config.threading``, under TensorFlow's names. In: numbers of threads; out: the setting (docs/threads.md)."""

from __future__ import annotations

import operator

from weft.runtime.config import config as _config
from weft.runtime.team import team as _team
from weft.runtime.team import thread_count as _thread_count


def set_intra_op_parallelism_threads(num_threads: int) -> None:
    """How many threads may share one compiled step; 0: the physical cores that the process may run on; 1: none but the caller's.

    Steps take the number when they are first called with new sizes, so set it before that; 1 holds for all steps at once. Results
    are the same bits for any number. ValueError for a negative number.
    """
    _config.intra_op_threads = _count(num_threads)
    if num_threads == 1:
        _team.stop()


def get_intra_op_parallelism_threads() -> int:
    """The number that was set, or 0 for weft's own choice; `usable_threads` says what that is."""
    return _config.intra_op_threads


def set_inter_op_parallelism_threads(num_threads: int) -> None:
    """Accepted for TensorFlow's programs and without effect: all threads work on one call of a step at a time, in order.

    ValueError for a negative number.
    """
    _config.inter_op_threads = _count(num_threads)


def get_inter_op_parallelism_threads() -> int:
    """The number that was set, or 0."""
    return _config.inter_op_threads


def usable_threads() -> int:
    """How many threads a step that pays for them uses now."""
    return _thread_count()


def _count(value: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"num_threads must be a whole number. Received: {value!r} of type {type(value).__name__}.")
    if operator.index(value) < 0:
        raise ValueError(f"num_threads must be at least 0. Received: {value}.")
    return operator.index(value)
