"""What rewrite rules ask about nodes, sizes and types. In: nodes and attribute values; out: truth values and new attributes.

Everything here asks a node's type, its constant value or its op's index map, never its op's name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .dims import Shape, Size, product
from .dtype import DType
from .families import Layout
from .ir import ArrayType, Literal, Node
from .sign_facts import never_minus_zero

__all__ = [
    "adds_leading_ones",
    "all_zero",
    "composed",
    "full_slice",
    "identity_permutation",
    "is_number",
    "lossless",
    "moves_only_ones",
    "never_minus_zero",
    "ones_at",
    "power_of_two",
    "reduced_size",
    "same_after",
    "stretched_only",
    "swaps_last_two",
]

FOLDED_ELEMENTS = 4096  # constants up to this size are computed while compiling


def constant_value(node: Node) -> np.ndarray | None:
    """The array of a constant node, None for any other node."""
    if node.args:
        return None
    value = node.attrs.get("value")
    return value.array if isinstance(value, Literal) else None


def is_broadcast(node: Node) -> bool:
    """Whether the node is its only argument repeated as NumPy broadcasting would, judged by its op's index map."""
    op = node.op
    if not isinstance(op, Layout) or len(node.args) != 1:
        return False
    inner, outer = node.args[0].shape, node.shape
    lead = len(outer) - len(inner)
    if op.linear:
        return lead >= 0 and outer == (1,) * lead + inner
    if op.view is None or lead < 0:
        return False
    view = op.view((node.args[0].type,), node.attrs)
    for k, size in enumerate(inner):
        if size == 1 and view.offset[k] == 0:
            continue
        if size != outer[k + lead] or (view.axis[k], view.stride[k], view.offset[k]) != (k + lead, 1, 0):
            return False
    return True


def constant_below(node: Node) -> Node | None:
    """The constant that the node is, or repeats if it is a scalar; None if it is too large to compute with."""
    array = constant_value(node)
    if array is not None:
        return node if array.size <= FOLDED_ELEMENTS else None
    while is_broadcast(node):
        node = node.args[0]
        if not node.shape and constant_value(node) is not None:
            return node
    return None


def is_number(node: Node, value: bool | int | float) -> bool:
    """Whether all elements are this number, bit for bit; True and False only equal bools, other numbers only numbers."""
    below = constant_below(node)
    if below is None or isinstance(value, bool) is not below.dtype.is_bool:
        return False
    array = constant_value(below)
    assert array is not None
    if array.size == 0 or (below.dtype.is_integer and (value != int(value) or not below.dtype.min <= value <= below.dtype.max)):
        return False
    return bool((array.reshape(-1).view(f"u{array.itemsize}") == np.array(value, array.dtype).view(f"u{array.itemsize}")).all())


def power_of_two(node: Node) -> bool:
    """Whether the constant's elements and their reciprocals are normal powers of two, so that dividing is multiplying."""
    array = constant_value(node)
    if array is None or array.dtype.kind != "f" or array.size == 0 or not np.isfinite(array).all() or not array.all():
        return False
    fraction, exponent = np.frexp(array)
    low, high = np.finfo(array.dtype).minexp, np.finfo(array.dtype).maxexp - 2
    return bool((abs(fraction) == 0.5).all() and (exponent - 1 >= -high).all() and (exponent - 1 <= -low).all())


def lossless(source: DType, target: DType) -> bool:
    """Whether every value of the source type is a value of the target type."""
    if source is target or source.is_bool:
        return True
    if target.is_bool or (source.is_floating and not target.is_floating):
        return False
    if source.is_floating:
        return source.size <= target.size
    if target.is_floating:
        digits = np.iinfo(source.np).bits - (not source.is_unsigned)
        return digits <= np.finfo(target.np).nmant + 1
    return bool(target.min <= source.min and source.max <= target.max)


def same_after(source: DType, middle: DType, target: DType) -> bool:
    """Whether casting over the middle type gives the same as casting at once.

    A float that does not fit an integer type has no defined result, so that case only counts if nothing changes on the way.
    """
    if not lossless(source, middle):
        return False
    return middle is source or not source.is_floating or target.is_floating or target.is_bool


def identity_permutation(perm: Sequence[int]) -> bool:
    return tuple(perm) == tuple(range(len(perm)))


def composed(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """The one permutation that does what ``first`` and then ``second`` do."""
    return tuple(first[i] for i in second)


def swaps_last_two(perm: Sequence[int]) -> bool:
    n = len(perm)
    return n >= 2 and tuple(perm) == (*range(n - 2), n - 1, n - 2)


def moves_only_ones(node: Node, perm: Sequence[int]) -> bool:
    """Whether the axes that are not of size 1 stay in order, so that no element moves in memory."""
    kept = [i for i in perm if node.shape[i] != 1]
    return kept == sorted(kept)


def adds_leading_ones(node: Node, shape: Shape) -> bool:
    """Whether the shape is the node's with axes of size 1 in front."""
    lead = len(shape) - node.rank
    return lead >= 0 and shape == (1,) * lead + node.shape


def ones_at(node: Node, axes: Sequence[int]) -> bool:
    """Whether all these axes have size 1."""
    return all(node.shape[a] == 1 for a in axes)


def reduced_size(reduction: Node) -> Size:
    """How many elements go into one element of a reduction."""
    return product(reduction.args[0].shape[a] for a in reduction.attrs["axes"])


def stretched_only(node: Node, shape: Shape, axes: Sequence[int]) -> bool:
    """Whether broadcasting the node to the shape repeats elements along exactly these axes."""
    lead = len(shape) - node.rank
    return all((i < lead or (node.shape[i - lead] == 1)) if i in axes else i >= lead and node.shape[i - lead] == size
               for i, size in enumerate(shape))


def all_zero(*sizes: Sequence[Size]) -> bool:
    return all(s == 0 for group in sizes for s in group)


def full_slice(node: Node, begin: Sequence[Size], shape: Shape, strides: Sequence[int]) -> bool:
    """Whether the slice takes everything in order."""
    return all_zero(begin) and tuple(shape) == node.shape and all(s == 1 or n == 1 for s, n in zip(strides, shape, strict=True))


def element_count(type: ArrayType) -> float:
    """The number of elements; infinite if it is symbolic."""
    return type.size if isinstance(type.size, int) else math.inf

