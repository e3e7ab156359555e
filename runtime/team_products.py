"""Matrix products for a team of threads. In: a program with micro-kernels; out: for each, how it is cut and its text.

The kernel that computes a range of tiles is printed only when a step is bound to a team: small models never pay for it.
"""

from __future__ import annotations

import ast

from weft.codegen.contract_formula import FormulaEpilogue
from weft.codegen.contract_kernel import print_contract
from weft.codegen.contract_parts import ALWAYS, Parts, columns_of_a, plan_parts
from weft.codegen.contract_product import matrix_product
from weft.codegen.program import Program, Split
from weft.graph.record import record, replace

from .machine import detect_target
from .plan_team import WORK
from .team import thread_count
from .team_choice import is_shared_product


@record
class SharedProduct:
    """split: how the calls are cut. text: LLVM text of the kernel ``split.ranged``. columns: see `columns_of_a`."""

    split: Split
    text: str
    columns: tuple[int, ...]


def share_products(program: Program, step: ast.FunctionDef) -> dict[str, SharedProduct]:
    """By kernel name, the products that can be cut."""
    target, parts = detect_target(), max(2, thread_count())
    decls = {k.name: k for k in program.kernels if is_shared_product(program, k)}
    out: dict[str, SharedProduct] = {}
    for node in ast.walk(step):
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if name not in decls or name in out or not isinstance(node, ast.Call):
            continue
        contract = decls[name].contract
        assert contract is not None
        sizes = node.args[len(decls[name].pointers) :][:4]
        epilogue = FormulaEpilogue(contract.epilogue) if contract.epilogue else None
        batch, m, n, k = (s.value if isinstance(s, ast.Constant) and isinstance(s.value, int) else None for s in sizes)
        transposed = contract.transpose_a, contract.transpose_b
        product = matrix_product(contract.dtype, *transposed, batch, m, n, k, epilogue, contract.accumulate, contract.halves)
        product = replace(product, sets=contract.sets)
        cut = Parts("batch", "n0", 1, ALWAYS) if contract.halves else plan_parts(product, target, parts)
        if cut is not None:
            kernel = print_contract(product, target, cut.axis)
            split = Split(
                cut.granule, cut.extent, ranged=f"{name}_{cut.axis}", work=(WORK, kernel.work), repeats=cut.repeats,
                again=cut.again,
            )
            out[name] = SharedProduct(split, kernel.text, columns_of_a(product, target, cut))
    return out
