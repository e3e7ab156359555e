"""Matrix products of a graph as kernels of their own shape. In: type, transpositions and sizes; out: Python and LLVM text.

There are none where the target asks for no micro-kernels of this type: then the step calls the canonical kernel, to which the run
time binds a library.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

from weft.graph.dims import Size
from weft.graph.dims import product as multiply
from weft.graph.dtype import DType
from weft.graph.record import record, replace

from .build_epilogue import EpilogueKernels, split_epilogue
from .build_own import contract_text
from .contract_dot import is_dot
from .contract_formula import FormulaEpilogue, declare_epilogue
from .contract_kernel import print_contract
from .contract_parts import SHARED_MULTIPLY_ADDS
from .contract_plan import plan_product, plan_together
from .contract_product import Product, is_narrow, matrix_product
from .emit_python import print_behind
from .kernel import Kernel
from .program import EpilogueDecl
from .target import Target

LEAST_K = 128
"""Steps of k for which an epilogue that streams has to run in the tiles at least, where only the call knows k: a usual batch."""
FEW = 64
"""What an unknown k is taken for where a small one is the more difficult case: a small batch."""
_print_once = functools.lru_cache(maxsize=256)(print_contract)  # layers of one shape share their products
SIGNATURE = "(a, b, c, "
"""How what the canonical text takes begins; a kernel of its own shape takes scratch memory next."""

Facts = tuple[bool, bool, bool, bool]
"""What the rule of a product's term says: which operands are transposed, and whether it is added to what c holds."""


@record
class PrintedContract:
    """text: plain Python, llvm: the micro-kernels; both take (a, b, c, work, e..., batch, m, n, k, stride_a, stride_b, n...).
    work: bytes. epilogue: what e0, ... and n0, ... belong to; sizes: what to pass for n0, ..."""

    name: str
    text: str
    llvm: str
    work: int
    epilogue: EpilogueDecl | None = None
    sizes: tuple[Size, ...] = ()


@record
class Ending:
    """The kernel over the finished product, as `build_epilogue.build_epilogue` builds it. keeps: the product is stored too."""

    kernel: Kernel
    keeps: bool


def emit_contract(
    dtype: DType, facts: Facts, sizes: Sequence[Size], target: Target, ending: Ending | None = None, sets: int = 1
) -> PrintedContract | None:
    """sizes: batch, m, n, k, stride_a, stride_b. sets: so many products with the same a."""
    product = own_product(dtype, facts, sizes, target)
    if product is None:
        return None
    product = replace(product, sets=sets)
    canonical, text = contract_text(dtype, *facts)
    several = f"x{sets}" if sets > 1 else ""
    if ending is None:
        kernel = _print_once(product, target)
        text, name = _named(_with_sets(text, sets, ()), canonical, kernel.text, several)
        return PrintedContract(name, text, kernel.text, kernel.work)
    parts = split_epilogue(ending.kernel)
    assert parts is not None, "the group has been found suitable"
    lines, more = print_behind(ending.kernel, target)
    decl = declare_epilogue(ending.kernel, parts, more, ending.keeps, target)
    kernel = _print_once(replace(product, epilogue=FormulaEpilogue(decl)), target)
    text = _with_ending(text, ending.kernel, lines, len(more))
    text = _with_sets(text, sets, [p.name for p in ending.kernel.params[1:]])
    text, name = _named(text, canonical, kernel.text, "_".join(filter(None, (several, ending.kernel.title))))
    return PrintedContract(name, text, kernel.text, kernel.work, decl, more)


def own_product(dtype: DType, facts: Facts, sizes: Sequence[Size], target: Target) -> Product | None:
    """The product as the micro-kernels see it, None if it is left to a library or to loops."""
    if dtype.short not in target.own_contracts:
        return None
    batch, m, n, k = (s if isinstance(s, int) else None for s in sizes[:4])
    return matrix_product(dtype.short, *facts[:2], batch, m, n, k, accumulate=facts[2], halves=facts[3])


def takes_epilogue(dtype: DType, facts: Facts, sizes: Sequence[Size], target: Target, parts: EpilogueKernels) -> bool:
    """Whether the product's own kernel ends in register tiles over the result as it lies in memory, and an epilogue pays there.

    If it touches arrays shaped like the product, it has to run in the tiles, and pays if it adds rows up, or if all together are
    so few that they hardly leave the L1 cache, or do not stay in the L2 cache anyway, or threads share the product, each of which
    then has its own part of them.
    """
    streams = parts.streams
    product = own_product(dtype, facts, sizes, target)
    if product is None or is_dot(product) or 1 in (product.m, product.n):
        return False
    if is_narrow(product, target.vector_bytes // product.size):
        return False
    if not streams:
        return True
    elements = multiply(sizes[:3])
    if isinstance(elements, int) and not parts.sums:
        near = 2 * target.l1_bytes < elements * product.size * (1 + streams) < target.l2_bytes // 2
        if near and elements * (product.k or FEW) < SHARED_MULTIPLY_ADDS:
            return False
    most = plan_together(product, plan_product(product, target), target)[1]
    return bool(product.levels) or (product.k or LEAST_K) <= most


def _named(text: str, canonical: str, llvm: str, title: str) -> tuple[str, str]:
    """The text under its name, which ends in a hash of both texts; and the name."""
    digest = hashlib.sha256((text + llvm).encode()).hexdigest()[:8]
    name = "_".join(filter(None, (canonical, title, digest)))
    return text.replace(f"def {canonical}{SIGNATURE}", f"def {name}(a, b, c, work, ", 1), name


def _with_ending(text: str, kernel: Kernel, lines: Sequence[str], integers: int) -> str:
    """The product's text with the kernel's lines behind its loops. What it takes stands where the micro-kernels have it."""
    arrays = ", ".join(f"{p.name}: {p.dtype.short}{' written' * p.written}" for p in kernel.params[1:])
    own = "".join(f"{p.name}, " for p in kernel.params[1:])
    sizes = "".join(f", n{i}" for i in range(integers))
    text = text.replace(SIGNATURE, SIGNATURE + own, 1).replace("stride_b):", f"stride_b{sizes}):", 1)
    text = text.replace('."""', f'. Then {", ".join(kernel.ops)}. {arrays}"""', 1)
    body, end = text.rsplit("    return 0\n", 1)
    return "\n".join([f"{body}    # what follows is done tile by tile in machine code", *lines, f"    return 0\n{end}"])


def _with_sets(text: str, sets: int, own: Sequence[str]) -> str:
    """The text of one product as that of several, which share a. own: the epilogue's arrays."""
    if sets == 1:
        return text
    each = [["b", "c", *own], *([f"{name}_{s}" for name in ("b", "c", *own)] for s in range(1, sets))]
    text = text.replace("batch, ", "".join(f"{name}, " for names in each[1:] for name in names) + "batch, ", 1)
    text = text.replace('."""', f'; for {sets} b and c."""', 1)
    head, body = text.split("    b = view", 1)
    body, end = body.rsplit("    return 0\n", 1)
    turns = ", ".join(f"({', '.join(names)})" for names in each)
    lines = f"    b = view{body}".splitlines(keepends=True)
    loop = f"    for {', '.join(each[0])} in ({turns}):\n"
    return "".join([head, loop, *(f"    {line}" if line.strip() else line for line in lines), f"    return 0\n{end}"])
