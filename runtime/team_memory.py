"""What sharing a step among threads needs in memory. In: a program and the sizes of a call; out: a number of bytes."""

from __future__ import annotations

from collections.abc import Mapping

from weft.codegen.program import Program
from weft.graph.record import replace

from .module_text import ModuleText
from .plan_team import plan_team
from .team import descriptor_bytes
from .team_choice import choose_calls, choose_long


def team_bytes(program: Program, sizes: Mapping[str, int]) -> int:
    """The table of the step's calls and the scratch memory of every thread; 0 for a step that stays on the caller's thread."""
    shared = choose_calls(program, sizes)
    if not shared:
        return 0
    from .team_products import share_products  # prints products anew, so it brings the code generator along

    step = ModuleText.split(program.source).step
    products = share_products(program, step)
    decls = {k.name: replace(k, split=products[k.name].split) if k.name in products else k for k in program.kernels}
    plan = plan_team(step, decls, program.buffers, shared, choose_long(program, sizes, shared))
    return 0 if plan is None else descriptor_bytes(plan)
