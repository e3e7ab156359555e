"""Constant folding: rules that compute now what depends on constants only. In: a node; out: its constant.

An array constant whose elements are all equal becomes a scalar that is broadcast: that is free in generated code, and the rules
for numbers then apply to it.
"""

from __future__ import annotations

import numpy as np

from ..build import constant
from ..conditions import FOLDED_ELEMENTS, constant_value, element_count, is_broadcast
from ..dims import Dim
from ..errors import OpError
from ..families import Elementwise, Source
from ..ir import ArrayType, Node
from ..op import REGISTRY
from ..pattern import Make
from ..rewrite import FamilyRule

COMPUTED = ("elementwise", "reduce", "layout", "contract", "gather", "row", "scan")


def fold(node: Node, make: Make) -> Node | None:
    """The node's value as a constant. None if an argument is not known, the result is large, or computing it fails.

    What fails (an integer division by zero, an index out of range) must fail when the program runs, with the user's line.
    """
    arrays: list[np.ndarray] = []
    for arg in node.args:
        array = constant_value(arg)
        if array is None:
            return None
        arrays.append(array)
    if not arrays or not isinstance(node.type, ArrayType):
        return None
    if _grows(node) or any(_is_symbolic(v) for v in node.attrs.values()):
        return None
    try:
        with np.errstate(all="ignore"):
            value = np.asarray(node.op.evaluate(arrays, node.attrs))
    except (OpError, ArithmeticError, IndexError, ValueError):
        return None
    if value.dtype != node.dtype.np or value.shape != node.shape:
        return None
    return constant(value)


def _grows(node: Node) -> bool:
    """Repeating elements costs memory and saves nothing; other results are kept if they are small."""
    count = element_count(node.type)
    if count > FOLDED_ELEMENTS or (is_broadcast(node) and not node.args[0].shape):
        return True
    return not isinstance(node.op, Elementwise) and count > sum(element_count(a.type) for a in node.args)


def _is_symbolic(value: object) -> bool:
    return isinstance(value, Dim) or (isinstance(value, tuple) and any(map(_is_symbolic, value)))


def split_uniform(node: Node, make: Make) -> Node | None:
    """A constant of equal elements as a broadcast scalar."""
    array = constant_value(node)
    if array is None or array.ndim == 0 or array.size == 0:
        return None
    bits = array.reshape(-1).view(f"u{array.itemsize}")
    if not (bits == bits[0]).all():
        return None
    return make(REGISTRY["broadcast_to"], [constant(array.reshape(-1)[0])], {"shape": node.shape})


def fold_size(node: Node, make: Make) -> Node | None:
    """A scalar that is made of integers only, such as a size that turned out to be known, as a constant."""
    op = node.op
    if not isinstance(op, Source) or op.compute is None or constant_value(node) is not None or node.args:
        return None
    if not isinstance(node.type, ArrayType) or node.type.shape or any(_is_symbolic(v) for v in node.attrs.values()):
        return None
    return constant(op.evaluate((), node.attrs))


FOLD = (
    FamilyRule(
        "an op of constants is a constant",
        COMPUTED,
        fold,
        before="graph f():\n  %0: f32[2] = constant([1.0, 2.0])\n  %1: f32[2] = mul(%0, 3.0)\n  return %1",
        after="graph f():\n  %0: f32[2] = constant([3.0, 6.0])\n  return %0",
        lighter="a constant is lighter than an op",
    ),
    FamilyRule(
        "a constant of equal elements is a broadcast scalar",
        ("source",),
        split_uniform,
        before="graph f():\n  %0: f32[3,4] = constant(1.0)\n  return %0",
        after="graph f():\n  %0: f32[3,4] = broadcast_to(f32(1.0), shape=(3, 4))\n  return %0",
        lighter="an array constant weighs 3, a scalar 1",
    ),
    FamilyRule(
        "a size that is known is a constant",
        ("source",),
        fold_size,
        before="graph f():\n  %0: i32[] = dim_value(size=12)\n  return %0",
        after="graph f():\n  return i32(12)",
        lighter="a constant is lighter than an op",
    ),
)
