"""LLVM without Numba. In: LLVM text or object code; out: addresses of loaded functions.

Object code is placed by `map_object` where that can be done, so a process that finds everything in the cache does not even import
LLVM; elsewhere LLVM's ORC JIT links it and reports a missing symbol or a broken object as RuntimeError. Nothing here can end the
process on bad input.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import itertools
import os
import threading
from collections.abc import Mapping
from typing import Any

from .host import host, target_triple
from .llvm import llvm
from .map_object import map_object

compile_lock = threading.RLock()
"""Held by whoever compiles or loads a step. Single calls of LLVM are serialised by llvmlite itself."""

_library_ids = itertools.count()


class _LlvmCalls:
    """Threads that are inside LLVM. The process must not end under them, so its exit waits for them and lets no other in."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nobody is inside, as in a forked child."""
        self._changed = threading.Condition()
        self._running = 0
        self._ended = False

    def __enter__(self) -> None:
        with self._changed:
            if self._ended:
                raise RuntimeError("Nothing is compiled any more: the interpreter is ending.")
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.wait_for(lambda: self._running == 0)


_llvm_calls = _LlvmCalls()
atexit.register(_llvm_calls.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_llvm_calls.reset)


@functools.cache
def data_layout() -> str:
    """LLVM's description of sizes and alignments on this machine."""
    return str(_target_machine().target_data)


def _target_machine(effort: int = 2) -> Any:
    binding = llvm()
    this = host()
    target = binding.Target.from_triple(this.triple)
    # One machine per use: LLVM's engines take ownership and sharing one crashed.
    return target.create_target_machine(
        cpu=this.cpu, features=this.features, opt=effort, reloc="default", codemodel="jitdefault", jit=True
    )


def compile_text(text: str, *, vectorize: bool = True, tidy: bool = True, effort: int = 2) -> bytes:
    """Object code of a module in LLVM's text form, optimised. RuntimeError if the text is no valid module.

    vectorize: run all of LLVM's passes, so that loops become SIMD code. Without it the text is only tidied up, which takes a
    tenth of the time: for kernels whose vectors are written out. tidy: not even that, for text that is written as it shall run.
    effort: LLVM's level for choosing instructions and registers; 0 takes a third of the time, for modules that only call others.
    """
    with _llvm_calls:
        machine, module = _parsed(text, effort)
        if vectorize or tidy:
            _optimize(module, machine, vectorize)
        return _emit_object(machine, module)


def _emit_object(machine: Any, module: Any) -> bytes:
    """The module's object code, made without llvmlite's lock.

    llvmlite runs one call of LLVM at a time. Emitting code takes nearly all of a compilation, and LLVM does it for any number of
    modules at once if each has a context and a target machine of its own, as here.
    """
    emit, release = _emitters()
    if emit is None:
        return bytes(machine.emit_object(module))
    error = ctypes.c_char_p()
    buffer = emit(machine, module, 1, ctypes.byref(error))
    if not buffer:
        raise RuntimeError((error.value or b"LLVM emitted no code").decode())
    try:
        lib = llvm().ffi.lib
        return ctypes.string_at(lib.LLVMPY_GetBufferStart(buffer), lib.LLVMPY_GetBufferSize(buffer))
    finally:
        release(buffer)


@functools.cache
def _emitters() -> tuple[Any, Any]:
    """The function behind `emit_object`, and the one that frees its result; None, None if this llvmlite looks different."""
    try:
        lib = llvm().ffi.lib
        emit = ctypes.CDLL(lib._name).LLVMPY_TargetMachineEmitToMemory
        release = lib.LLVMPY_DisposeMemoryBuffer
        emit.argtypes, emit.restype = lib.LLVMPY_TargetMachineEmitToMemory.argtypes, lib.LLVMPY_TargetMachineEmitToMemory.restype
    except AttributeError:
        return None, None
    return emit, release


def optimized_text(text: str, *, assembly: bool = False) -> str:
    """The module after optimisation, as LLVM text or assembly: for people who look at what was made of a kernel."""
    machine, module = _parsed(text)
    _optimize(module, machine, True)
    return str(machine.emit_assembly(module)) if assembly else str(module)


def _parsed(text: str, effort: int = 2) -> tuple[Any, Any]:
    """A target machine and the verified module for it."""
    machine = _target_machine(effort)
    module = llvm().parse_assembly(text, context=llvm().create_context())
    module.triple, module.data_layout = target_triple(), data_layout()
    module.verify()
    return machine, module


def _optimize(module: Any, machine: Any, vectorize: bool) -> None:
    binding = llvm()
    options = binding.create_pipeline_tuning_options(speed_level=2 if vectorize else 1)
    options.slp_vectorization = False
    builder = binding.create_pass_builder(machine, options)
    if vectorize:
        builder.getModulePassManager().run(module, builder)
        return
    passes = binding.create_new_module_pass_manager()
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
        mapped = map_object(code, symbol, imports or {})
        if mapped is not None:
            return mapped
        binding = llvm()
        with compile_lock:
            if self._jit is None:
                self._jit = binding.create_lljit_compiler(_target_machine())
            builder = binding.JITLibraryBuilder().add_object_img(code).add_current_process().export_symbol(symbol)
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
