"""LLVM without Numba. In: LLVM text or object code; out: addresses of loaded functions.

Only llvmlite is used here, so a process that finds everything in the cache never imports Numba. Object code is linked by LLVM's
ORC JIT, which reports a missing symbol or a broken object as RuntimeError; nothing here can end the process on bad input.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import platform
import threading
from collections.abc import Mapping
from typing import Any

compile_lock = threading.RLock()
"""Held by whoever compiles or loads a step. Single calls of LLVM are serialised by llvmlite itself."""

_library_ids = itertools.count()


@functools.cache
def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@functools.cache
def target_triple() -> str:
    return str(_llvm().get_process_triple())


@functools.cache
def data_layout() -> str:
    """LLVM's description of sizes and alignments on this machine."""
    return str(_target_machine().target_data)


@functools.cache
def _cpu() -> tuple[str, str]:
    llvm = _llvm()
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def cpu_features() -> frozenset[str]:
    """Names of the instruction sets this CPU has, such as ``avx512f``."""
    return frozenset(f[1:] for f in _cpu()[1].split(",") if f.startswith("+"))


def cpu_name() -> str:
    """LLVM's name of this CPU, such as ``sapphirerapids``."""
    return _cpu()[0]


def llvm_version() -> str:
    return ".".join(map(str, _llvm().llvm_version_info))


@functools.cache
def machine_key() -> str:
    """A hash of everything outside the text that object code depends on: CPU, its features, and LLVM's version."""
    import llvmlite

    facts = (platform.system(), target_triple(), *_cpu(), llvmlite.__version__, _llvm().llvm_version_info)
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _target_machine() -> Any:
    llvm = _llvm()
    cpu, features = _cpu()
    target = llvm.Target.from_triple(target_triple())
    # One machine per use: LLVM's engines take ownership and sharing one crashed.
    return target.create_target_machine(cpu=cpu, features=features, opt=2, reloc="default", codemodel="jitdefault", jit=True)


def compile_text(text: str, *, vectorize: bool = True, tidy: bool = True) -> bytes:
    """Object code of a module in LLVM's text form, optimised. RuntimeError if the text is no valid module.

    vectorize: run all of LLVM's passes, so that loops become SIMD code. Without it the text is only tidied up, which takes a
    tenth of the time: for modules that only call others, and for kernels whose vectors are written out. tidy: not even that, for
    text that is written as it shall run.
    """
    machine, module = _parsed(text)
    if vectorize or tidy:
        _optimize(module, machine, vectorize)
    return bytes(machine.emit_object(module))


def optimized_text(text: str, *, assembly: bool = False) -> str:
    """The module after optimisation, as LLVM text or assembly: for people who look at what was made of a kernel."""
    machine, module = _parsed(text)
    _optimize(module, machine, True)
    return str(machine.emit_assembly(module)) if assembly else str(module)


def _parsed(text: str) -> tuple[Any, Any]:
    """A target machine and the verified module for it."""
    machine = _target_machine()
    module = _llvm().parse_assembly(text)
    module.triple, module.data_layout = target_triple(), data_layout()
    module.verify()
    return machine, module


def _optimize(module: Any, machine: Any, vectorize: bool) -> None:
    llvm = _llvm()
    options = llvm.create_pipeline_tuning_options(speed_level=2 if vectorize else 1)
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    if vectorize:
        builder.getModulePassManager().run(module, builder)
        return
    passes = llvm.create_new_module_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    passes.run(module, builder)


class Engine:
    """The code loaded into this process, by symbol. Kernels stay for the process's life; `load` returns what keeps code alive."""

    def __init__(self) -> None:
        self._jit: Any = None
        self.addresses: dict[str, int] = {}
        self._kept: list[Any] = []

    def load(self, code: bytes, symbol: str, imports: Mapping[str, int] | None = None) -> tuple[int, Any]:
        """Links object code and returns the address of its one exported function, and the handle that keeps it loaded.

        imports: addresses of symbols that are neither in the object nor in the process. RuntimeError for a broken object or a
        missing symbol.
        """
        llvm = _llvm()
        with compile_lock:
            if self._jit is None:
                self._jit = llvm.create_lljit_compiler(_target_machine())
            builder = llvm.JITLibraryBuilder().add_object_img(code).add_current_process().export_symbol(symbol)
            for name, address in (imports or {}).items():
                builder.import_symbol(name, address)
            handle = builder.link(self._jit, f"weft{next(_library_ids)}")
            return handle[symbol], handle

    def keep(self, code: bytes, symbol: str, imports: Mapping[str, int] | None = None) -> int:
        """Like `load`, once per symbol and for the life of the process."""
        with compile_lock:
            if symbol not in self.addresses:
                address, handle = self.load(code, symbol, imports)
                self._kept.append(handle)
                self.addresses[symbol] = address
            return self.addresses[symbol]


engine = Engine()
