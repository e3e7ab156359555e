"""The code generator's one entry. In: an optimised `Graph` and a `Target`; out: a `Program`.

lower_graph -> accumulate_products -> plan_targets -> find_roots -> fuse_terms -> plan_stores -> fuse_epilogues ->
fuse_products -> schedule_groups -> plan_buffers -> kernels -> text.
"""

from __future__ import annotations

from collections.abc import Callable

from weft.graph.ir import Graph

from .accumulate_products import accumulate_products
from .emit_module import ModuleWriter
from .find_roots import find_roots
from .fuse_epilogues import fuse_epilogues
from .fuse_nodes import fuse_terms
from .fuse_products import fuse_products
from .lower_graph import Lowered, lower_graph
from .plan_buffers import plan_buffers
from .plan_stores import plan_stores
from .plan_targets import plan_targets
from .program import KernelDecl, Program, order_variables
from .schedule_groups import schedule_groups
from .target import Target
from .terms import Leaf, Term


def generate(graph: Graph, target: Target | None = None, watch: Callable[[KernelDecl, str], None] | None = None) -> Program:
    """The program that computes the graph.

    watch: called with every kernel that has LLVM text as soon as it is printed, so that compiling it may begin.
    Raises UnimplementedError, naming op and user line, for what cannot be compiled (float16).
    """
    target = target or Target()
    lowered = lower_graph(graph, target)
    accumulate_products(graph, lowered, target)
    targets = plan_targets(graph, lowered)
    roots = find_roots(targets.required)
    groups = fuse_terms(roots)
    stores = plan_stores(groups, roots, targets.required)
    groups, stores = fuse_epilogues(groups, stores, targets, target)
    groups, stores = fuse_products(groups, stores, targets, target)
    schedule = schedule_groups(groups, stores, targets)
    leaves = _leaves(graph, lowered)
    buffers = plan_buffers(schedule, stores, targets, leaves, target.l2_bytes // 8)
    writer = ModuleWriter(graph, lowered, stores, buffers, target)
    for step in schedule.steps:
        before = len(writer.llvm)
        writer.add_step(step)
        if watch is not None:
            for name in list(writer.llvm)[before:]:
                watch(writer.kernels[name], writer.llvm[name])
    writer.add_late_copies(schedule.late)
    return writer.program(schedule)


def _leaves(graph: Graph, lowered: Lowered) -> list[Term]:
    """Every input, variable and constant, used or not, in order."""
    table = lowered.table
    out = [table.make(Leaf("input", i), (), n.dtype, n.shape) for i, n in enumerate(graph.inputs)]
    out += [table.make(Leaf("variable", i), (), v.type.dtype, v.type.shape) for i, v in enumerate(order_variables(graph))]
    constants = {t: t.rule.index for t in lowered.terms.values() if isinstance(t.rule, Leaf) and t.rule.kind == "constant"}
    return [*out, *sorted(constants, key=lambda t: constants[t])]
