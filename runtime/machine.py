"""What this machine can do. In: the CPU and the installed libraries; out: the `Target` that code is generated for."""

from __future__ import annotations

import functools
from pathlib import Path

from weft.codegen.target import Target

from .blas import contract_dtypes
from .engine import cpu_features


def detect_target() -> Target:
    """What the code generator needs to know about this machine and the settings."""
    width, (l1, l2, _) = vector_bytes(), cache_bytes()
    return Target(vector_bytes=width, l1_bytes=l1, l2_bytes=l2, library_contracts=contract_dtypes())


@functools.cache
def vector_bytes() -> int:
    """Bytes of a vector register."""
    features = cpu_features()
    return 64 if "avx512f" in features else 32 if "avx2" in features else 16


@functools.cache
def cache_bytes() -> tuple[int, int, int]:
    """Bytes of one core's first and second data cache, and of the third, which cores share; 0 if there is none."""
    return _cache_size("index0", 32 * 1024), _cache_size("index2", 512 * 1024), _cache_size("index3", 0)


def _cache_size(index: str, default: int) -> int:
    """The size of one of the first core's caches, from Linux; a usual size elsewhere."""
    try:
        text = Path(f"/sys/devices/system/cpu/cpu0/cache/{index}/size").read_text().strip()
        return int(text.rstrip("KM")) * {"K": 1024, "M": 1024 * 1024}.get(text[-1], 1)
    except (OSError, ValueError):
        return default
