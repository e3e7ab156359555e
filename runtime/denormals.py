"""Steps that flush denormal numbers to zero. In: LLVM text of a step's function; out: the same between two settings of the FPU.

Optimizer slots of weights without a gradient decay by a factor per step until they are denormal, and arithmetic on denormal
numbers is some tens of times slower. TensorFlow and XLA flush them in all their computations; here only steps that write
floating-point variables do, so functions without state keep NumPy's results to the last denormal bit.
"""

from __future__ import annotations

from weft.codegen.program import Program

from .config import config
from .host import target_triple

_X86 = """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define internal i64 @flush_denormals() alwaysinline {
  %cell = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %cell)
  %before = load i32, ptr %cell
  %flushing = or i32 %before, 32832
  store i32 %flushing, ptr %cell
  call void @llvm.x86.sse.ldmxcsr(ptr %cell)
  %wide = zext i32 %before to i64
  ret i64 %wide
}
define internal void @keep_denormals(i64 %before) alwaysinline {
  %cell = alloca i32
  %narrow = trunc i64 %before to i32
  store i32 %narrow, ptr %cell
  call void @llvm.x86.sse.ldmxcsr(ptr %cell)
  ret void
}
"""  # 32832 = 0x8040: results to zero (bit 15), operands to zero (bit 6)

_ARM = """
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
define internal i64 @flush_denormals() alwaysinline {
  %before = call i64 @llvm.aarch64.get.fpcr()
  %flushing = or i64 %before, 16777216
  call void @llvm.aarch64.set.fpcr(i64 %flushing)
  ret i64 %before
}
define internal void @keep_denormals(i64 %before) alwaysinline {
  call void @llvm.aarch64.set.fpcr(i64 %before)
  ret void
}
"""  # 16777216 = 1 << 24, FZ


def flushes_denormals(program: Program) -> bool:
    """Whether the program's step shall: what is set, else if it updates floating-point variables."""
    if config.flush_denormals is not None:
        return config.flush_denormals
    return any(v.written and v.dtype.startswith("f") for v in program.variables)


def wrap_flushing(symbol: str, parameters: str, inner: str, linkage: str = "") -> str:
    """LLVM text of ``i32 @symbol(parameters)`` that calls ``@inner`` with denormals flushed, and restores the setting after it.

    parameters: as in a definition, ``ptr %p, i64 %t``. On processors whose setting is not known here it just calls.
    """
    machine = target_triple().split("-")[0]
    setting = _X86 if machine in ("x86_64", "i686") else _ARM if machine in ("aarch64", "arm64") else ""
    before = "  %before = call i64 @flush_denormals()\n" if setting else ""
    after = "  call void @keep_denormals(i64 %before)\n" if setting else ""
    body = f"{before}  %code = call i32 @{inner}({parameters})\n{after}  ret i32 %code\n"
    return f"{setting}\ndefine {linkage} i32 @{symbol}({parameters}) {{\n{body}}}\n"
