"""Known contents of small integer tensors. In: a traced tensor such as ``stack([shape(x)[0], 3])``; out: its values as sizes.

A reshape needs its target shape while tracing. Shape tensors are computed by ordinary ops from constants and sizes; here these
few ops are run once more, on NumPy arrays of ints and `Dim`, which know how to add and multiply.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from weft.graph.dims import Dim, Size
from weft.graph.ir import Node

from .tensor import EagerTensor, TracedTensor

LIMIT = 64  # elements; shapes are short

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "floordiv": operator.floordiv, "neg": operator.neg,
    "cast": lambda x: x, "identity": lambda x: x, "stop_gradient": lambda x: x,
}
_COMBINE: dict[str, Callable[..., Any]] = {"reduce_sum": np.add.reduce, "reduce_prod": np.multiply.reduce}


def known_sizes(tensor: Any) -> tuple[Size, ...] | None:
    """The elements of an integer tensor in row-major order as ints and `Dim`, or None if they are not known while tracing."""
    if isinstance(tensor, EagerTensor):
        return tuple(int(v) for v in tensor._array.ravel()) if tensor.dtype.is_integer else None
    if not isinstance(tensor, TracedTensor) or not tensor.dtype.is_integer:
        return None
    found = _contents(tensor._node, {})
    return None if found is None else tuple(v if isinstance(v, Dim) else int(v) for v in found.ravel())


def _contents(node: Node, known: dict[Node, Any]) -> Any:
    """The node's value as an object array, or None."""
    if node not in known:
        size = node.type.size if hasattr(node.type, "shape") else None
        known[node] = _compute(node, known) if isinstance(size, int) and size <= LIMIT else None
    return known[node]


def _compute(node: Node, known: dict[Node, Any]) -> Any:
    if "size" in node.attrs and not node.shape:
        return _objects(node.attrs["size"])
    if "value" in node.attrs and not node.args:
        return node.attrs["value"].array.astype(object)
    if not node.args or not node.dtype.is_integer:
        return None
    args = [_contents(a, known) for a in node.args]
    if any(a is None for a in args):
        return None
    try:
        return _run(node, args)
    except (TypeError, ValueError):  # the result is no size, for instance a quotient that is not whole
        return None


def _run(node: Node, args: list[Any]) -> Any:
    if node.op.name in _ARITHMETIC:
        return _objects(_ARITHMETIC[node.op.name](*args))
    if node.op.name in _COMBINE:
        return _objects(_COMBINE[node.op.name](args[0], axis=node.attrs["axes"], keepdims=node.attrs["keepdims"]))
    if node.op.family in ("layout", "gather") and not getattr(node.op, "scatters", False):
        if node.op.family == "gather":
            args[1] = args[1].astype(np.int64)
        return _objects(node.op.evaluate(args, node.attrs))
    return None


def _objects(value: Any) -> np.ndarray:
    """A 0-d or n-d object array; NumPy hands out bare elements for 0-d results."""
    if isinstance(value, np.ndarray):
        return value if value.dtype == object else value.astype(object)
    out = np.empty((), object)
    out[()] = value
    return out
