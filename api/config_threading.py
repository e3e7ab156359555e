"""``weft.config.threading``, under TensorFlow's names. In: numbers of threads; out: the setting (docs/threads.md)."""

from __future__ import annotations

from weft.runtime.config import config as _config
from weft.runtime.team import team as _team
from weft.runtime.team import thread_count as _thread_count


def set_intra_op_parallelism_threads(num_threads: int) -> None:
    """How many threads may share one compiled step; 0: the physical cores that the process may run on; 1: none but the caller's.

    Steps take the number when they are first called with new sizes, so set it before that; 1 holds for all steps at once. Results
    are the same bits for any number. ValueError for a negative number.
    """
    if num_threads < 0:
        raise ValueError(f"num_threads must be at least 0. Received: {num_threads}.")
    _config.intra_op_threads = int(num_threads)
    if num_threads == 1:
        _team.stop()


def get_intra_op_parallelism_threads() -> int:
    """The number that was set, or 0 for weft's own choice; `usable_threads` says what that is."""
    return _config.intra_op_threads


def usable_threads() -> int:
    """How many threads a step that pays for them uses now."""
    return _thread_count()
