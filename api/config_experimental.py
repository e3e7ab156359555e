"""``weft.config.experimental``: settings of devices. In: calls that a program for GPUs makes at its start; out: there is one CPU,
and results are the same every time anyway.
"""

from __future__ import annotations

from typing import Any

from .config_devices import PhysicalDevice, get_visible_devices, list_physical_devices, set_visible_devices

__all__ = [
    "PhysicalDevice", "enable_op_determinism", "get_memory_growth", "get_visible_devices", "list_physical_devices",
    "set_memory_growth", "set_visible_devices",
]  # fmt: skip


def set_memory_growth(device: Any, enable: bool) -> None:
    """Nothing: memory is taken as it is needed."""


def get_memory_growth(device: Any) -> bool:
    """Memory is taken as it is needed."""
    return True


def enable_op_determinism() -> None:
    """Nothing: the same seed always gives the same bits."""
