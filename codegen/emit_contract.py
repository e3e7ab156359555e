"""Matrix products of a graph as kernels of their own shape. In: type, transpositions and sizes; out: Python and LLVM text.

There are none where the target asks for no micro-kernels of this type, or for a shape that a library is faster at (see
`contract_plan.covers`): then the step calls the canonical kernel, to which the run time binds a library.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

from weft.graph.dims import Size
from weft.graph.dtype import DType
from weft.graph.record import record

from .build_own import contract_text
from .contract_kernel import print_contract
from .contract_plan import covers
from .contract_product import matrix_product
from .target import Target

_print_once = functools.lru_cache(maxsize=256)(print_contract)  # layers of one shape share their products
SIGNATURE = "(a, b, c, batch"
"""What the canonical text takes; a kernel of its own shape takes scratch memory too."""


@record
class PrintedContract:
    """text: plain Python, llvm: the micro-kernels; both take (a, b, c, work, batch, m, n, k, stride_a, stride_b). work: bytes."""

    name: str
    text: str
    llvm: str
    work: int


def emit_contract(
    dtype: DType, transpose_a: bool, transpose_b: bool, sizes: Sequence[Size], target: Target
) -> PrintedContract | None:
    """sizes: batch, m, n, k, stride_a, stride_b."""
    if dtype.short not in target.own_contracts:
        return None
    batch, m, n, k = (s if isinstance(s, int) else None for s in sizes[:4])
    product = matrix_product(dtype.short, transpose_a, transpose_b, batch, m, n, k)
    if not covers(product, dtype.short in target.library_contracts and not target.several_cores):
        return None
    kernel = _print_once(product, target)
    canonical, text = contract_text(dtype, transpose_a, transpose_b)
    digest = hashlib.sha256((text + kernel.text).encode()).hexdigest()[:8]
    name = f"{canonical}_{digest}"
    text = text.replace(f"def {canonical}{SIGNATURE}", f"def {name}(a, b, c, work, batch", 1)
    return PrintedContract(name, text, kernel.text, kernel.work)
