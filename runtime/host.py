"""What LLVM says about this machine. In: the CPU; out: its name and features, the triple, and a hash of all that code depends on.

Asking LLVM means importing it, which a process that finds its steps in the cache needs for nothing else. So on Linux the answer
is kept in the cache, under what the kernel says about the CPU and which file LLVM lies in.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from importlib.machinery import PathFinder

from weft.graph.record import record

from .llvm import llvm
from .store import content_key, load_bytes, store_bytes

_CPU_FACTS = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features", "CPU implementer", "CPU part")


@record
class Host:
    """triple, cpu, features: in LLVM's words. versions: of llvmlite and of LLVM."""

    triple: str
    cpu: str
    features: str
    versions: tuple[str, str]


@functools.cache
def host() -> Host:
    """This machine, from the cache or from LLVM."""
    identity = _identity()
    key = None if identity is None else content_key("host in lines", identity)
    stored = None if key is None else load_bytes("hosts", key)
    if stored is not None:
        triple, cpu, features, llvmlite, llvm_version = stored.decode().split("\n")
        return Host(triple, cpu, features, (llvmlite, llvm_version))
    found = _ask_llvm()
    if key is not None:
        store_bytes("hosts", key, "\n".join((found.triple, found.cpu, found.features, *found.versions)).encode())
    return found


def _ask_llvm() -> Host:
    import llvmlite

    binding = llvm()
    versions = llvmlite.__version__, ".".join(map(str, binding.llvm_version_info))
    features = binding.get_host_cpu_features().flatten()
    return Host(str(binding.get_process_triple()), binding.get_host_cpu_name(), features, versions)


def _identity() -> str | None:
    """What decides LLVM's answer: the first CPU as the kernel describes it, and the file of LLVM's library. None: unknown."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            first = file.read(8192).partition("\n\n")[0]
        facts = [line for line in first.splitlines() if line.partition(":")[0].strip() in _CPU_FACTS]
        spec = PathFinder.find_spec("llvmlite")
        if not facts or spec is None or spec.origin is None:
            return None
        library = os.path.join(os.path.dirname(spec.origin), "binding", "libllvmlite.so")
        status = os.stat(library)
    except OSError:
        return None
    return repr((facts, platform.machine(), library, status.st_size, status.st_mtime_ns))


def target_triple() -> str:
    return host().triple


def cpu_features() -> frozenset[str]:
    """Names of the instruction sets this CPU has, such as ``avx512f``."""
    return frozenset(f[1:] for f in host().features.split(",") if f.startswith("+"))


def cpu_name() -> str:
    """LLVM's name of this CPU, such as ``sapphirerapids``."""
    return host().cpu


def llvm_version() -> str:
    return host().versions[1]


@functools.cache
def machine_key() -> str:
    """A hash of everything outside the text that object code depends on: CPU, its features, and LLVM's version."""
    return hashlib.sha256(repr((platform.system(), host())).encode()).hexdigest()
