"""Building nodes by name. In: arrays, types, variables, other nodes; out: nodes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from .dims import Dim, Shape, Size
from .dtype import DType
from .ir import ArrayType, Literal, Node, VariableRef, make
from .op import REGISTRY

_parameter_ids = itertools.count()


def constant(array: Any) -> Node:
    """A constant node holding a copy of the array; its dtype must be one of weft's."""
    return make(REGISTRY["constant"], (), {"value": Literal(array)})


def parameter(type: ArrayType, name: str = "x") -> Node:
    """A new input of a graph; no two are the same node."""
    return make(REGISTRY["parameter"], (), {"type": type, "name": name, "uid": next(_parameter_ids)})


def read(variable: VariableRef) -> Node:
    """The variable's value at the start of the graph."""
    return make(REGISTRY["read"], (), {"variable": variable})


def dim_value(size: Size, dtype: DType) -> Node:
    """A scalar holding a size, known when the graph runs; a constant if the size is an integer."""
    if isinstance(size, Dim):
        return make(REGISTRY["dim_value"], (), {"size": size, "dtype": dtype})
    return constant(dtype.np.type(size))


def zeros_like(node: Node) -> Node:
    """Zeros of the node's dtype and shape."""
    zero = constant(node.dtype.np.type(0))
    return zero if not node.shape else make(REGISTRY["broadcast_to"], (zero,), {"shape": node.shape})


def expand_dims(node: Node, axis: int) -> Node:
    """The node with an axis of size 1 inserted before ``axis`` (which may be the rank or -1: at the end)."""
    at = axis if axis >= 0 else node.rank + 1 + axis
    return reshape(node, (*node.shape[:at], 1, *node.shape[at:]))


def reshape(node: Node, shape: Shape) -> Node:
    """The node with another shape; itself if it has it already."""
    return node if node.shape == shape else make(REGISTRY["reshape"], (node,), {"shape": shape})


class Builder:
    """Makes nodes by op name: ``o.mul(a, b)``, ``o.reduce_sum(x, axes=(0,), keepdims=False)``.

    Given to gradient rules and rewrite rules, so that op files never import each other. A Python number among the arguments
    becomes a constant of the dtype of the first node argument (masks do not count).
    """

    def __getattr__(self, name: str) -> Callable[..., Node]:
        try:
            op = REGISTRY[name]
        except KeyError:
            raise AttributeError(f"There is no op called {name!r}.") from None

        def build(*args: Any, **attrs: Any) -> Node:
            first = next((a for a in args[getattr(op, "masks", 0) :] if isinstance(a, Node)), None)
            nodes = [a if isinstance(a, Node) else self.constant_like(a, first) for a in args]
            return make(op, nodes, attrs)

        build.__name__ = name
        setattr(self, name, build)
        return build

    def constant_like(self, value: Any, like: Node | None) -> Node:
        """A constant scalar of the dtype of ``like``."""
        if like is None:
            raise TypeError("A number needs a node beside it to take its element type from.")
        return constant(np.asarray(value, like.dtype.np))


o = Builder()
