"""Jacobians, one gradient per element of the target. In: a tape's gradient function, target, sources; out: derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from weft.graph.errors import InvalidArgumentError, ShapeError

from .apply import apply
from .convert import convert_to_tensor
from .tree import flatten

Gradient = Callable[[Any, Any, Any, Any], Any]  # (target, sources, output gradients, unconnected)


def jacobian(gradient: Gradient, target: Any, sources: Any, unconnected: Any) -> Any:
    """In the structure of the sources: ``target.shape + source.shape`` each, or None for unconnected ones.

    Raises `ShapeError` if the target has a symbolic size, `InvalidArgumentError` if it has no elements.
    """
    shape = _fixed_shape(target)
    rows = []
    for i in range(math.prod(shape)):
        row = gradient(target, sources, _one_hot(target.dtype, shape, i), unconnected)
        rows.append(flatten(row)[0])
    if not rows:
        raise InvalidArgumentError(f"The jacobian of a tensor without elements is not defined. Received: {target!r}")
    leaves, structure = flatten(sources)
    return structure.unflatten([_stack([row[k] for row in rows], shape) for k in range(len(leaves))])


def batch_jacobian(gradient: Gradient, target: Any, source: Any, unconnected: Any) -> Any:
    """target (batch, *t), source (batch, *s) -> (batch, *t, *s), or None. The examples of a batch must not mix."""
    shape = _fixed_shape(target)
    if not shape or not source.ndim or source.shape[0] != shape[0]:
        raise ShapeError(f"batch_jacobian needs one batch axis in both. Received: target {target.shape}, source {source.shape}.")
    rows = []
    for i in range(math.prod(shape[1:])):
        seed = apply("broadcast_to", (_one_hot(target.dtype, shape[1:], i),), shape=shape)
        rows.append(gradient(target, source, seed, unconnected))
    stacked = _stack(rows, shape[1:])
    if stacked is None:
        return None
    inner = len(shape) - 1  # the axes of t come first: move the batch before them
    return apply("transpose", (stacked,), perm=(inner, *range(inner), *range(inner + 1, inner + source.ndim)))


def _fixed_shape(target: Any) -> tuple[int, ...]:
    if not target.shape.is_fully_defined():
        raise ShapeError(f"A jacobian needs a target of fixed shape. Received: {target.shape}.")
    return tuple(target.shape)


def _one_hot(dtype: Any, shape: tuple[int, ...], i: int) -> Any:
    array = np.zeros(math.prod(shape), dtype.np)
    array[i] = 1
    return convert_to_tensor(array.reshape(shape))


def _stack(rows: list[Any], shape: tuple[int, ...]) -> Any:
    if rows[0] is None:
        return None
    lead = [apply("reshape", (row,), shape=(1, *row.shape)) for row in rows]
    joined = apply("concat", lead, axis=0) if len(lead) > 1 else lead[0]
    return apply("reshape", (joined,), shape=(*shape, *rows[0].shape))
