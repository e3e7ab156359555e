"""What is known about signs. In: a node; out: whether some of its elements may be -0 or negative.

For the side conditions of rules: adding 0 changes -0 to 0 and nothing else, so it may go where there is no -0. The facts are
data: sets of ops.
"""

from __future__ import annotations

import numpy as np

from .ir import Literal, Node

DEPTH = 4  # how far to look below a node

COUNTS = frozenset({"dim_value", "iota"})
UNSIGNED_FLOATS = frozenset({"abs", "square", "squared_difference", "exp", "sigmoid", "softmax", "cosh"})  # integers may wrap
UNSIGNED_IF_ALL_ARGUMENTS_ARE = frozenset({
    "add", "mul", "div", "div_no_nan", "sqrt", "reciprocal", "rsqrt", "minimum",
    "reduce_sum", "reduce_prod", "reduce_max", "reduce_min",
    "reshape", "broadcast_to", "transpose", "slice", "concat", "identity", "stop_gradient",
})  # fmt: skip


def unsigned(node: Node, depth: int = DEPTH) -> bool:
    """Whether no element is negative or -0. NaN does not count."""
    name, array = node.op.name, node.attrs.get("value")
    if isinstance(array, Literal):
        return not (np.signbit(array.array) & ~np.isnan(array.array)).any() if node.dtype.is_floating else _natural(array.array)
    if name in COUNTS or node.dtype.is_unsigned or node.dtype.is_bool:
        return True
    if depth == 0 or not node.dtype.is_floating:
        return False
    if name in UNSIGNED_FLOATS:
        return True
    if name == "cast":
        return unsigned(node.args[0], depth - 1)
    return name in UNSIGNED_IF_ALL_ARGUMENTS_ARE and all(unsigned(a, depth - 1) for a in node.args)


def never_minus_zero(node: Node, depth: int = DEPTH) -> bool:
    """Whether no element is -0: a sum that starts from 0, a sum with such a term, what comes from integers, what is unsigned."""
    name = node.op.name
    if not node.dtype.is_floating or name == "reduce_sum":
        return True
    if name == "cast" and not node.args[0].dtype.is_floating:
        return True
    if name == "add" and depth and any(never_minus_zero(a, depth - 1) for a in node.args):
        return True
    return unsigned(node, depth)


def _natural(array: np.ndarray) -> bool:
    return bool((array >= 0).all())
