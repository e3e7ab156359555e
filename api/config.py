"""Settings under TensorFlow's names. In: calls like ``weft.config.run_functions_eagerly(True)``; out: the run time's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from weft.runtime.config import config as _config

from . import config_threading

if TYPE_CHECKING:
    from pathlib import Path

threading = config_threading


def run_functions_eagerly(run_eagerly: bool) -> None:
    """With True every compiled function, fit's steps included, runs its Python code op by op, so that a debugger can step."""
    _config.run_functions_eagerly = bool(run_eagerly)


def functions_run_eagerly() -> bool:
    """Whether `run_functions_eagerly` is on."""
    return _config.run_functions_eagerly


class PhysicalDevice(NamedTuple):
    """A device as TensorFlow lists it."""

    name: str
    device_type: str


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of a type, of all types if None: one CPU."""
    return [PhysicalDevice("/physical_device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


def set_cache_dir(path: str | Path | None) -> None:
    """Where compiled steps are kept between processes; None: in memory. Default: the environment's ``WEFT_CACHE_DIR``."""
    _config.cache_dir = path


def cache_dir() -> Path | None:
    """The folder of the cache on disk, or None."""
    from pathlib import Path  # for those who ask

    return None if _config.cache_dir is None else Path(_config.cache_dir)


def set_use_blas(use: bool) -> None:
    """Whether an installed BLAS may compute matrix products of steps compiled from now on."""
    _config.use_blas = bool(use)
