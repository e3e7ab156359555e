"""Broadcasting: the rule that puts ``broadcast_to`` above elementwise ops instead of below them.

An elementwise op repeats its arguments by itself, so repeating them before is work for nothing, and repeating the result
afterwards is less work than computing equal elements.
"""

from __future__ import annotations

from ..conditions import is_broadcast
from ..families import Elementwise
from ..ir import Node
from ..op import REGISTRY, broadcast_shapes
from ..pattern import Make
from ..rewrite import FamilyRule


def absorb(node: Node, make: Make) -> Node | None:
    """The op on arguments that are not repeated. An op that checks its elements is left alone: there may be none of them."""
    op = node.op
    if not isinstance(op, Elementwise) or op.check or not any(map(is_broadcast, node.args)):
        return None
    inner = [a.args[0] if is_broadcast(a) else a for a in node.args]
    shape = broadcast_shapes([a.shape for a in inner], lambda: op.name)
    result = make(op, inner, dict(node.attrs))
    return result if shape == node.shape else make(REGISTRY["broadcast_to"], [result], {"shape": node.shape})


BROADCASTS = (
    FamilyRule(
        "an elementwise op broadcasts by itself",
        ("elementwise",),
        absorb,
        before=(
            "graph f(%0, %1):\n  %0: f32[4,3] = parameter()\n  %1: f32[3] = parameter()\n"
            "  %2: f32[4,3] = broadcast_to(%1, shape=(4, 3))\n  %3: f32[4,3] = exp(%2)\n  %4: f32[4,3] = add(%0, %3)\n  return %4"
        ),
        after=(
            "graph f(%0, %1):\n  %0: f32[4,3] = parameter()\n  %1: f32[3] = parameter()\n"
            "  %2: f32[3] = exp(%1)\n  %3: f32[4,3] = add(%0, %2)\n  return %3"
        ),
        lighter="w + 2(1 + x) becomes w + 2x or 1 + w + 2x",
    ),
)
