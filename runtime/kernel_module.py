"""A kernel's C face. In: LLVM text as Numba lowers it; out: a module that exports one C function and needs no Numba.

The exported function takes pointers and int64 sizes and returns int32: 0, the kernel's check code, or `BROKEN`. Pointers are
declared not to overlap, which lets loops become SIMD code without tests at run time. Where a step passes one buffer for two
arguments (an update in place), the exported function takes it once: such a variant has its own symbol.
"""

from __future__ import annotations

import re

from weft.codegen.program import PLACEHOLDER

BROKEN = -3
"""Returned if Numba's code wants to raise, which generated kernels never do."""


def merge_pattern(buffers: tuple[object, ...]) -> tuple[int, ...]:
    """For each argument the first argument that is the same buffer: ``(0, 1, 0)`` if the third is the first."""
    return tuple(buffers.index(b) for b in buffers)


def export_kernel(text: str, lowered: str, symbol: str, pointers: int, integers: int, pattern: tuple[int, ...]) -> str:
    """The module's text with a C function ``symbol`` over the lowered function, and the scalar functions it calls."""
    text = text.replace(f'define i32 @"{lowered}"', f'define internal i32 @"{lowered}"')
    text = re.sub(r"^(@.*) = common global", r"\1 = internal global", text, flags=re.M)
    parameters = [f"ptr noalias %p{i}" for i in range(pointers) if pattern[i] == i]
    parameters += [f"i64 %n{i}" for i in range(integers)]
    arguments = [f"ptr %p{pattern[i]}" for i in range(pointers)] + [f"i64 %n{i}" for i in range(integers)]
    wrapper = f"""
define i32 @{symbol}({", ".join(parameters)}) nounwind {{
  %result = alloca i32
  %exception = alloca ptr
  %status = call i32 @"{lowered}"({", ".join(["ptr %result", "ptr %exception", *arguments])})
  %code = load i32, ptr %result
  %failed = icmp ne i32 %status, 0
  %out = select i1 %failed, i32 {BROKEN}, i32 %code
  ret i32 %out
}}
"""
    from .vector_math import link_functions  # a large module that only kernels lowered by Numba need

    return link_functions(text + wrapper)


def name_kernel(text: str, symbol: str) -> str:
    """A kernel's own LLVM text under its symbol."""
    return text.replace(f"@{PLACEHOLDER}(", f"@{symbol}(", 1)
