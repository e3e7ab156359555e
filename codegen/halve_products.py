"""Long matrix products as the sum of two halves. In: operands of a product; out: terms for both halves and their sum.

``x @ w`` with many rows of w is ``x[:, :h] @ w[:h] + x[:, h:] @ w[h:]``. Two threads can then compute a half each and keep
their rows of w in their own caches: for this product, for its gradient, which is cut along the same rows, and for the update of
w. Cut along the rows of x, both would read all of w, which the other has just written (docs/threads.md tells what that costs).
One thread computes the same two sums, so results do not depend on threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.graph.dims import Shape
from weft.graph.dtype import DType
from weft.graph.ir import Node

from .contract_parts import SHARED_MULTIPLY_ADDS
from .lower_layout import view_term
from .target import Target
from .terms import Formula, Leaf, Own, Strided, Term, Terms

LEAST_K = 512
"""Rows of w from which adding the halves, a pass over the result, is next to nothing."""

def pays_in_halves(node: Node, args: Sequence[Term], updated: frozenset[int], target: Target) -> bool:
    """Whether w is a variable that the program updates, long, and small enough that a core's L2 cache keeps half of it and
    of what its update reads."""
    a, b = args
    if len(a.shape) != 2 or len(b.shape) != 2 or node.dtype.short not in target.own_contracts:
        return False
    if not (isinstance(b.rule, Leaf) and b.rule.kind == "variable" and b.rule.index in updated):
        return False
    (m, n), k = node.shape, b.shape[0]
    if not isinstance(k, int) or not isinstance(n, int) or n < 2 or k % 2 or k < LEAST_K:
        return False
    if 2 * k * n * node.dtype.size > target.l2_bytes:
        return False
    return not isinstance(m, int) or m * n * k >= SHARED_MULTIPLY_ADDS


def multiply_halves(table: Terms, args: Sequence[Term], dtype: DType, shape: Shape) -> Term:
    """The sum of both halves."""
    halves = table.make(Own("contract", (False, False, False, True)), args, dtype, (2, *shape))
    each = [view_term(table, halves, Strided((None, 0, 1), (1, 1, 1), (i, 0, 0)), shape) for i in range(2)]
    return table.formula(Formula("a + b", ("a", "b"), dtype, (), "matmul"), each, dtype, shape)
