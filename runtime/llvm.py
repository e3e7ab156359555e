"""LLVM, loaded when it is first needed. In: nothing; out: llvmlite's binding, ready to make code for this machine."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def llvm() -> Any:
    import llvmlite.binding as binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding
