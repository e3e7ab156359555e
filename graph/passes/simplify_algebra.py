"""Algebraic simplification. In: a graph; out: the same graph with fewer and cheaper elementwise ops and reductions.

The rules are data: `algebra_rules.ALGEBRA` and `REDUCTIONS` here. Constants that come up are folded at once.
"""

from __future__ import annotations

from ..families import Reduce
from ..ir import Graph, Node
from ..pattern import Make
from ..rewrite import AnyRule, Exactness, FamilyRule, Rule, Rules
from .algebra_rules import ALGEBRA
from .fold_constants import FOLD


def simplify_algebra(graph: Graph) -> Graph:
    """Applies the exact rules until none applies."""
    return RULES.rewrite(graph)


def drop_empty_reduction(node: Node, make: Make) -> Node | None:
    """A reduction over no axes is its argument."""
    return node.args[0] if isinstance(node.op, Reduce) and not node.op.index and not node.attrs["axes"] else None


REDUCTIONS: tuple[AnyRule, ...] = (
    FamilyRule(
        "a reduction over no axes is its argument",
        ("reduce",),
        drop_empty_reduction,
        before='graph f(%0):\n  %0: f32[2] = parameter()\n  %1: f32[2] = reduce_sum(%0, axes=())\n  return %1',
        after='graph f(%0):\n  %0: f32[2] = parameter()\n  return %0',
        lighter="an op less",
    ),
    *(
        Rule(f"{name}(x, axes=a, keepdims=d)", "reshape(x, shape=root.shape)", where="ones_at(x, a)",
             example={"x": kind, "a": (1, 2), "d": False})
        for name, kind in (("reduce_max", "f32[2,1,1]"), ("reduce_min", "f32[2,1,1]"), ("reduce_prod", "f32[2,1,1]"),
                           ("reduce_any", "b1[2,1,1]"), ("reduce_all", "b1[2,1,1]"))
    ),
    Rule("reduce_sum(1, axes=a, keepdims=d)", "dim_value(size=reduced_size(root), dtype=root.dtype)",
         where="root.dtype.size >= 4", example={"": "f32[3,5]", "a": (1,), "d": True},
         why="counting; a sum is only more exact that way once it passes 2**24"),
    Rule("reduce_sum(broadcast_to(x, shape=s), axes=a, keepdims=d)",
         "mul(reshape(x, shape=root.shape), dim_value(size=reduced_size(root), dtype=root.dtype))",
         where="stretched_only(x, s, a)", exactness=Exactness.REASSOCIATING,
         example={"x": "f32[3]", "s": (4, 3), "a": (0,), "d": False}),
)
RULES = Rules((*FOLD, *ALGEBRA, *REDUCTIONS))
REASSOCIATING_RULES = Rules((*FOLD, *ALGEBRA, *REDUCTIONS), reassociate=True)


def simplify_algebra_freely(graph: Graph) -> Graph:
    """As `simplify_algebra`, with the rules that are only equal for real numbers."""
    return REASSOCIATING_RULES.rewrite(graph)
