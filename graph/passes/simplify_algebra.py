"""Simplification. In: a graph; out: the same graph with fewer and cheaper ops, to which no rule applies any more.

The rules are data: constants (`fold_constants`), layout (`eliminate_transposes`), broadcasts (`absorb_broadcasts`), algebra
(`algebra_rules`) and reductions (here). They are applied in one walk over the graph, because one makes room for another.
"""

from __future__ import annotations

from ..ir import Graph
from ..rewrite import AnyRule, Exactness, Rule, Rules
from .absorb_broadcasts import BROADCASTS
from .algebra_rules import ALGEBRA
from .eliminate_transposes import LAYOUT
from .fold_constants import FOLD


def simplify_algebra(graph: Graph) -> Graph:
    """Applies the exact rules until none applies."""
    return RULES.rewrite(graph)


SAME_ELEMENTS = (
    Rule("reduce_sum(x, axes=a, keepdims=d)", "add(reshape(x, shape=root.shape), 0)",
         where="ones_at(x, a) and not never_minus_zero(x)", example={"x": "f32[2,1]", "a": (1,), "d": False},
         why="a sum starts from 0, so that -0 becomes 0"),
    Rule("reduce_sum(x, axes=a, keepdims=d)", "reshape(x, shape=root.shape)", where="ones_at(x, a) and never_minus_zero(x)",
         example={"x": "i32[2,3]", "a": (), "d": False}),
    *(
        Rule(f"{name}(x, axes=a, keepdims=d)", "reshape(x, shape=root.shape)", where="ones_at(x, a)",
             example={"x": kind, "a": (1, 2), "d": False})
        for name, kind in (("reduce_max", "f32[2,1,1]"), ("reduce_min", "f32[2,1,1]"), ("reduce_prod", "f32[2,1,1]"),
                           ("reduce_any", "b1[2,1,1]"), ("reduce_all", "b1[2,1,1]"))
    ),
)

COUNTING: tuple[Rule, ...] = (
    Rule("reduce_sum(1, axes=a, keepdims=d)", "dim_value(size=reduced_size(root), dtype=root.dtype)",
         where="root.dtype.size >= 4", example={"": "f32[3,5]", "a": (1,), "d": True},
         why="counting; a sum is only more exact that way once it passes 2**24"),
    Rule("reduce_sum(broadcast_to(x, shape=s), axes=a, keepdims=d)",
         "mul(reshape(x, shape=root.shape), dim_value(size=reduced_size(root), dtype=root.dtype))",
         where="stretched_only(x, s, a)", exactness=Exactness.REASSOCIATING,
         example={"x": "f32[3]", "s": (4, 3), "a": (0,), "d": False}),
)
REDUCTIONS = (*SAME_ELEMENTS, *COUNTING)
EVERY_RULE: tuple[AnyRule, ...] = (*FOLD, *LAYOUT, *BROADCASTS, *ALGEBRA, *REDUCTIONS)
RULES = Rules(EVERY_RULE)
REASSOCIATING_RULES = Rules(EVERY_RULE, reassociate=True)


def simplify_algebra_freely(graph: Graph) -> Graph:
    """As `simplify_algebra`, with the rules that are only equal for real numbers."""
    return REASSOCIATING_RULES.rewrite(graph)
