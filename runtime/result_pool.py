"""Memory of large results, used again. In: shape and dtype; out: an array that is its user's own as long as anyone refers to it.

A fresh array of many megabytes costs more than most steps that fill it: the system hands its pages over one by one, zeroed. So
the memory of a large result comes back here when the array and all its views are gone, and the next result takes it. What nobody
uses is bounded by ``config.result_pool_bytes``; beyond that, memory returns to the system, the longest unused first.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from weft.tracer.blocks import allocate_block

from .config import Config, config

LEAST_BYTES = 1 << 20
"""Smaller results are NumPy's matter: C's allocator has such memory at hand."""


class _Lease:
    """What owns the memory of one result: the array's base, and through it that of all its views."""

    __slots__ = ("__array_interface__", "_block", "_pool")

    def __init__(self, pool: ResultPool, block: np.ndarray, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._pool, self._block = pool, block
        self.__array_interface__ = {"shape": shape, "typestr": dtype.str, "data": (block.ctypes.data, False), "version": 3}

    def __del__(self) -> None:
        self._pool.take_back(self._block)


class ResultPool:
    """Blocks that no result uses now, the latest last."""

    def __init__(self, settings: Config) -> None:
        self._settings = settings
        self._spare: list[np.ndarray] = []
        self._lock = threading.Lock()
        self.spare_bytes = 0
        """What is kept for later results."""

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
        """An array like ``np.empty``'s, starting at a cache line."""
        size = block_size(math.prod(shape) * dtype.itemsize)
        block = self._take(size)
        return np.asarray(_Lease(self, allocate_block(size) if block is None else block, shape, dtype))

    def _take(self, size: int) -> np.ndarray | None:
        with self._lock:
            for i in range(len(self._spare) - 1, -1, -1):
                if len(self._spare[i]) == size:
                    self.spare_bytes -= size
                    return self._spare.pop(i)
        return None

    def take_back(self, block: np.ndarray) -> None:
        """A result is gone. This may run in any thread, at any place, even inside `_take`: it never waits."""
        limit = self._settings.result_pool_bytes
        if len(block) > limit or not self._lock.acquire(blocking=False):
            return  # the block is freed
        try:
            self._spare.append(block)
            self.spare_bytes += len(block)
            self._trim(limit)
        finally:
            self._lock.release()

    def trim(self, limit: int) -> None:
        """Frees the longest unused blocks until at most so many bytes are kept."""
        with self._lock:
            self._trim(limit)

    def _trim(self, limit: int) -> None:
        count = 0
        while self.spare_bytes > limit:
            self.spare_bytes -= len(self._spare[count])
            count += 1
        del self._spare[:count]

    def forget_lock(self) -> None:
        """In a forked child: the thread that held it may not exist."""
        self._lock = threading.Lock()


def block_size(size: int) -> int:
    """The size of the block for so many bytes: up to an eighth more, so that results of nearly one size share blocks."""
    step = 1 << max(12, size.bit_length() - 4)
    return -(-size // step) * step


results = ResultPool(config)


def maker_of(size: int) -> Callable[..., np.ndarray]:
    """What makes a result of so many bytes from its shape and dtype."""
    return np.empty if size < LEAST_BYTES else results.empty


def result_bytes(size: int) -> int:
    """What a result of so many bytes takes."""
    return size if size < LEAST_BYTES else block_size(size)


def new_result(shape: Sequence[int], dtype: np.dtype[Any]) -> np.ndarray:
    """An array for a result, not initialised."""
    return maker_of(math.prod(shape) * dtype.itemsize)(tuple(shape), dtype)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=results.forget_lock)
