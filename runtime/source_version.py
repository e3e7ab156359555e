"""Which weft this is. In: the compiler's own source files; out: a hash of their text, which entries of the cache are keyed by.

Reading two hundred files takes longer than everything else about a step that is in the cache. So the hash is itself remembered,
under the files' paths, sizes and times of change: the facts by which Python decides whether its bytecode is still good.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence

import weft.codegen
import weft.graph

from .store import content_key, load_bytes, store_bytes

_RUNTIME = os.path.dirname(__file__)
_CODEGEN = weft.codegen.__path__[0]
_OWN_FILES = (
    "frontend.py", "kernel_module.py", "pointer_type.py", "prelude_numba.py", "emit_arithmetic.py", "vector_math.py", "engine.py",
    "driver.py", "clock.py", "denormals.py",
)  # fmt: skip
_MATHEMATICS = "llvm_", "vector_", "function_writer"
"""How the names of the code generator's files begin by which the prelude's functions are printed."""


@functools.cache
def source_version() -> str:
    """A hash of the compiler's own source text: another version of weft never reads this version's entries."""
    return _hash_files([f for folder in (weft.graph.__path__[0], _CODEGEN, _RUNTIME) for f in _python_files(folder)])


@functools.cache
def printer_version() -> str:
    """A hash of the files that turn kernel text into machine code."""
    mathematics = [f for f in _python_files(_CODEGEN) if os.path.basename(f).startswith(_MATHEMATICS)]
    coefficients = os.path.join(weft.graph.__path__[0], "special.py")
    return _hash_files([*(os.path.join(_RUNTIME, name) for name in _OWN_FILES), *mathematics, coefficients])


def _python_files(folder: str) -> list[str]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                found.append(entry.path)
            elif entry.is_dir() and entry.name != "__pycache__":
                found += _python_files(entry.path)
    return sorted(found)


def _hash_files(paths: Sequence[str]) -> str:
    facts = []
    for path in paths:
        status = os.stat(path)
        facts.append((path, status.st_size, status.st_mtime_ns))
    key = content_key("versions", repr(facts))
    known = load_bytes("versions", key)
    if known is not None:
        return known.decode()
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(os.path.basename(path).encode() + b"\0" + file.read())
    store_bytes("versions", key, digest.hexdigest().encode())
    return digest.hexdigest()
