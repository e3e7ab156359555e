"""From a program to machine code. In: a `Program`; out: the address of its compiled step.

Kernels are compiled one by one and looked up by the hash of their text, first in this process, then in the cache on disk, so
equal kernels are compiled once wherever they occur. Numba is imported only when a kernel is found in neither. Matrix products
are bound to a BLAS where there is one. `step` itself is printed as LLVM text by `driver` and calls kernels by symbol.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.codegen.program import KernelDecl, Program
from weft.graph.errors import UnimplementedError

from . import blas, driver
from .engine import compile_lock, engine, machine_key
from .kernel_module import export_kernel, merge_pattern
from .module_text import ModuleText
from .object_code import compiled_object
from .store import content_key, load_bytes

_OWN_FILES = ("frontend.py", "kernel_module.py", "prelude_numba.py", "vector_math.py", "engine.py", "driver.py")


@dataclass(frozen=True, eq=False)
class NativeStep:
    """A loaded step: ``int32 step(ptr p, ptr d, ptr effect)``. ``handle`` keeps its code; uses_blas: it calls a library."""

    address: int
    uses_blas: bool
    handle: Any


@dataclass
class Counters:
    """What compiling has cost this process: for tests, `explain` and the curious."""

    kernels_compiled: int = 0
    kernels_loaded: int = 0
    kernels_shared: int = 0
    steps_compiled: int = 0
    seconds: float = 0.0


counters = Counters()


@functools.cache
def _compiler_version() -> str:
    """A hash of the files that turn kernel text into machine code."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in _OWN_FILES)).hexdigest()


def compile_step(program: Program) -> NativeStep:
    """Compiles or loads every kernel that the step calls, and the step.

    Raises UnimplementedError naming the kernel if Numba cannot compile one: always a defect of the code generator.
    """
    start = time.perf_counter()
    module = ModuleText.split(program.source)
    kernels = {k.name: k for k in program.kernels}
    identities = [(b.kind, b.index) for b in program.buffers]
    imports: dict[str, int] = {}

    def resolve(name: str, pointers: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        pattern = merge_pattern(tuple(identities[i] for i in pointers))
        symbol, address = _kernel(module, kernels[name], pattern)
        imports[symbol] = address
        merged = () if symbol.startswith("weft_blas") else pattern
        return symbol, tuple(i for i in range(len(pointers)) if not merged or merged[i] == i)

    with compile_lock:
        text, _ = driver.print_step(module.step, resolve)
        key = content_key("step", text, _compiler_version(), machine_key())
        code = load_bytes("objects", key)
        if code is None:
            counters.steps_compiled += 1
            code = compiled_object(key, lambda: text, vectorize=False)
        address, handle = engine.load(code, driver.STEP_SYMBOL, imports)
        counters.seconds += time.perf_counter() - start
    return NativeStep(address, any(s.startswith("weft_blas") for s in imports), handle)


def _kernel(module: ModuleText, decl: KernelDecl, pattern: tuple[int, ...]) -> tuple[str, int]:
    """(symbol, address) of one kernel, for one pattern of buffers that are the same."""
    if decl.contract is not None:
        c = decl.contract
        bound = blas.bind_contract(c.dtype, c.transpose_a, c.transpose_b)
        if bound is not None:
            return bound
    text, constants = module.functions[decl.name], module.constants_of(decl.name)
    facts = repr((decl.name, decl.pointers, decl.integers, pattern))
    key = content_key("kernel", text, constants, facts, _compiler_version(), machine_key())
    symbol = f"{decl.name}_{key[:16]}"
    if symbol in engine.addresses:
        counters.kernels_shared += 1
        return symbol, engine.addresses[symbol]
    code = load_bytes("objects", key)
    if code is None:
        counters.kernels_compiled += 1
        code = compiled_object(key, _lowering(text, decl, constants, symbol, pattern))
    else:
        counters.kernels_loaded += 1
    return symbol, engine.keep(code, symbol)


def _lowering(text: str, decl: KernelDecl, constants: str, symbol: str, pattern: tuple[int, ...]) -> Callable[[], str]:
    def lower() -> str:
        from . import frontend  # imports Numba, which only a cache miss should

        try:
            lowered, name = frontend.lower_kernel(text, decl.name, constants, decl.pointers, decl.integers, f"<{decl.name}>")
        except Exception as error:
            raise UnimplementedError(f"Numba could not compile the kernel {decl.name}: {error}\n\n{constants}\n{text}") from error
        return export_kernel(lowered, name, symbol, len(decl.pointers), decl.integers, pattern)

    return lower
