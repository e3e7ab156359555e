"""What this machine can do. In: the CPU and the installed libraries; out: the `Target` that code is generated for."""

from __future__ import annotations

import functools
import platform

from weft.codegen.target import Target

from .config import config
from .host import cpu_features


def detect_target() -> Target:
    """What the code generator needs to know about this machine and the settings."""
    width, (l1, l2, _) = vector_bytes(), cache_bytes()
    own = ("f32", "f64") if config.own_contractions else ()
    avx512 = {"avx512f", "avx512vl"} <= cpu_features()
    return Target(width, vector_registers(), l1, l2, own_contracts=own, avx512=avx512)


@functools.cache
def vector_bytes() -> int:
    """Bytes of a vector register."""
    features = cpu_features()
    return 64 if "avx512f" in features else 32 if "avx2" in features else 16


def vector_registers() -> int:
    """How many vector registers there are; of x86 without AVX-512, 16."""
    return 32 if "avx512f" in cpu_features() or _is_arm() else 16


@functools.cache
def arithmetic_share() -> float:
    """Of what a cycle computes with 64-byte vectors and fused multiply-adds, how much one of this machine's does."""
    return vector_bytes() / 64 / (1 if "fma" in cpu_features() or _is_arm() else 2)


def _is_arm() -> bool:
    return platform.machine().lower() in ("aarch64", "arm64")


@functools.cache
def cache_bytes() -> tuple[int, int, int]:
    """Bytes of one core's first and second data cache, and of the third, which cores share; 0 if there is none."""
    return _cache_size("index0", 32 * 1024), _cache_size("index2", 512 * 1024), _cache_size("index3", 0)


def _cache_size(index: str, default: int) -> int:
    """The size of one of the first core's caches, from Linux; a usual size elsewhere."""
    try:
        with open(f"/sys/devices/system/cpu/cpu0/cache/{index}/size") as file:
            text = file.read().strip()
        return int(text.rstrip("KM")) * {"K": 1024, "M": 1024 * 1024}.get(text[-1], 1)
    except (OSError, ValueError):
        return default
