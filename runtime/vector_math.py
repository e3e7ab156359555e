"""The scalar functions of kernels that Numba lowers. In: a name and a type; out: their definitions as LLVM text.

The mathematics is `codegen.vector_math`'s, with one lane: it has no branches, so LLVM's vectoriser can widen a loop that calls
it, and a kernel computes the same bits whichever way it is compiled. What is not there becomes a call of the C library.
"""

from __future__ import annotations

import functools
import re

from weft.codegen.llvm_code import Code, Operand
from weft.codegen.llvm_formulas import apply
from weft.graph.dtype import BY_SHORT

_BINARY = ("maximum", "minimum", "atan2", "power")


def symbol_of(name: str, short: str) -> str:
    """The LLVM function for a scalar function on float32 (``f32``) or float64 (``f64``)."""
    return f"weft_{name}_{short}"


@functools.cache
def define(name: str, short: str) -> tuple[str, dict[str, str]]:
    """The definition of one function and the declarations it needs, by name; KeyError for an unknown name."""
    dtype = BY_SHORT[short]
    operands = [Operand(f"%{p}", dtype) for p in ("xy" if name in _BINARY else "x")]
    code = Code()
    result = apply(code, name, operands, dtype)
    params = ", ".join(f"{o.type} {o.text}" for o in operands)
    code.line(f"ret {result.type} {result.text}")
    head = f"internal {result.type} @{symbol_of(name, short)}({params}) alwaysinline nounwind"
    return code.function(head), code.declarations


def link_functions(text: str) -> str:
    """The module with its declarations of our functions replaced by definitions, and everything those need declared."""
    wanted = sorted(set(re.findall(r'@"?(weft_([a-z0-9_]+)_(f32|f64))"?\(', text)))
    text = re.sub(r'^declare [^@]*@"?weft_[a-z0-9_]+_f(32|64)"?\(.*\n', "", text, flags=re.M)
    declared = set(re.findall(r'^declare [^@]*@"?([\w.]+)"?\(', text, flags=re.M))
    needed: dict[str, str] = {}
    definitions = ""
    for _, name, short in wanted:
        definition, declarations = define(name, short)
        definitions += definition
        needed |= declarations
    return text + "".join(f"{line}\n" for name, line in needed.items() if name not in declared) + definitions
