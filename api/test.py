"""``weft.test``: what programs ask before they train. In: nothing; out: there is no GPU."""

from __future__ import annotations

__all__ = ["gpu_device_name", "is_built_with_cuda", "is_built_with_gpu_support", "is_gpu_available"]


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: tuple[int, int] | None = None) -> bool:
    """weft computes on the CPU."""
    return False


def gpu_device_name() -> str:
    """The name of the GPU: none."""
    return ""


def is_built_with_cuda() -> bool:
    """weft computes on the CPU."""
    return False


def is_built_with_gpu_support() -> bool:
    """weft computes on the CPU."""
    return False
