"""Settings under TensorFlow's names, and weft's own. In: calls like ``weft.config.run_functions_eagerly(True)``; out: the run
time's settings, one table of which is in docs/settings.md.
"""

from __future__ import annotations

import operator
import os
from typing import TYPE_CHECKING

from weft.runtime.config import BACKGROUND, KERNELS
from weft.runtime.config import config as _config
from weft.runtime.result_pool import results as _results

from . import config_experimental, config_threading
from .config_devices import LogicalDevice as LogicalDevice
from .config_devices import PhysicalDevice as PhysicalDevice
from .config_devices import get_visible_devices as get_visible_devices
from .config_devices import list_logical_devices as list_logical_devices
from .config_devices import list_physical_devices as list_physical_devices
from .config_devices import set_visible_devices as set_visible_devices

if TYPE_CHECKING:
    from pathlib import Path

threading = config_threading
experimental = config_experimental


def run_functions_eagerly(run_eagerly: bool) -> None:
    """With True every compiled function, fit's steps included, runs its Python code op by op, so that a debugger can step."""
    _config.run_functions_eagerly = bool(run_eagerly)


def functions_run_eagerly() -> bool:
    """Whether `run_functions_eagerly` is on."""
    return _config.run_functions_eagerly


# How steps are compiled: each holds for what is compiled from now on --------------------------------------------------------


def set_kernels(kernels: str) -> None:
    """How kernels become machine code: "llvm" (default), in milliseconds from their LLVM text; "numba", from their Python text.

    ValueError for another name.
    """
    if kernels not in KERNELS:
        raise ValueError(f"kernels must be one of {', '.join(map(repr, KERNELS))}. Received: {kernels!r}.")
    _config.kernels = kernels


def kernels() -> str:
    """What `set_kernels` chose."""
    return _config.kernels


def set_own_contractions(use: bool) -> None:
    """Whether matrix products get micro-kernels for their shape (default). Without, a BLAS computes them, or compiled loops."""
    _config.own_contractions = _flag("use", use)


def own_contractions() -> bool:
    """What `set_own_contractions` chose."""
    return _config.own_contractions


def set_background_compile(mode: str) -> None:
    """Which functions may run their first calls with NumPy while a thread compiles them, where compiling takes long.

    ``"off"``, the default: none; every call of a function gives the same bits. ``"stateless"``: functions that write no
    variable. ``"on"``: all, train steps too; their first steps are rounded as NumPy rounds, and how many there are depends on the
    clock. The first result comes earlier, the tenth may come later, see docs/performance.md. ValueError for another name.
    """
    if mode not in BACKGROUND:
        raise ValueError(f"mode must be one of {', '.join(map(repr, BACKGROUND))}. Received: {mode!r}.")
    _config.background_compile = mode


def background_compile() -> str:
    """What `set_background_compile` chose."""
    return _config.background_compile


def set_use_blas(use: bool) -> None:
    """Whether an installed BLAS may compute matrix products that have no micro-kernel (default)."""
    _config.use_blas = _flag("use", use)


def use_blas() -> bool:
    """What `set_use_blas` chose."""
    return _config.use_blas


def set_flush_denormals(flush: bool | None) -> None:
    """Whether denormal numbers count as zero: in all steps (True), in none (False), or (None, the default) in those that update
    floating-point variables.

    Optimizer slots of weights without a gradient decay until they are denormal, and arithmetic on such numbers is some tens of
    times slower. Eager ops never flush.
    """
    _config.flush_denormals = None if flush is None else _flag("flush", flush)


def flush_denormals() -> bool | None:
    """What `set_flush_denormals` chose."""
    return _config.flush_denormals


# Memory and disk: at once ---------------------------------------------------------------------------------------------------


def set_result_pool_bytes(size: int) -> None:
    """How much memory of large results that nobody uses any more is kept for later ones (default 256 MiB); 0: none.

    ValueError for a negative size.
    """
    _config.result_pool_bytes = _count("size", size)
    _results.trim(_config.result_pool_bytes)


def result_pool_bytes() -> int:
    """What `set_result_pool_bytes` chose."""
    return _config.result_pool_bytes


def set_cache_dir(path: str | os.PathLike[str] | None) -> None:
    """Where compiled steps are kept between processes; None: in memory. Default: the environment's ``WEFT_CACHE_DIR``.

    The folder is made when something is stored. TypeError for what is no path, NotADirectoryError for a file.
    """
    folder = None if path is None else os.path.expanduser(os.fspath(path))
    if folder is not None and os.path.exists(folder) and not os.path.isdir(folder):
        raise NotADirectoryError(f"The cache needs a folder. Received: {folder}, which is a file.")
    _config.cache_dir = folder


def cache_dir() -> Path | None:
    """The folder of the cache on disk, or None."""
    from pathlib import Path

    return None if _config.cache_dir is None else Path(_config.cache_dir)


def set_cache_bytes(size: int) -> None:
    """How large the cache on disk may become (default 512 MiB): beyond, the oldest entries are deleted. ValueError below 0."""
    _config.cache_bytes = _count("size", size)


def cache_bytes() -> int:
    """What `set_cache_bytes` chose."""
    return _config.cache_bytes


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False. Received: {value!r} of type {type(value).__name__}.")
    return value


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be a whole number. Received: {value!r} of type {type(value).__name__}.")
    if operator.index(value) < 0:
        raise ValueError(f"{name} must be at least 0. Received: {value}.")
    return operator.index(value)
