"""Devices as TensorFlow lists them. In: a type; out: the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class PhysicalDevice(NamedTuple):
    """A device of the machine."""

    name: str
    device_type: str


class LogicalDevice(NamedTuple):
    """A device that computes."""

    name: str
    device_type: str


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of a type, of all types if None: one CPU."""
    return [PhysicalDevice("/physical_device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """The devices of a type, of all types if None: one CPU."""
    return [LogicalDevice("/device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


def get_visible_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """All devices are visible."""
    return list_physical_devices(device_type)


def set_visible_devices(devices: Sequence[Any] | Any, device_type: str | None = None) -> None:
    """Accepted if it leaves the CPU visible. ValueError otherwise."""
    devices = devices if isinstance(devices, (list, tuple)) and not isinstance(devices, PhysicalDevice) else [devices]
    if device_type in (None, "CPU") and not any(getattr(d, "device_type", None) == "CPU" for d in devices):
        raise ValueError(f"The CPU must stay visible, there is no other device. Received: {devices}")
