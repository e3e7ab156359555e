"""The reference interpreter. In: a graph, arrays for its inputs and variables; out: the outputs and the variables' new values.

Every other way of running a graph is tested against this one. It walks the nodes in order and calls each op's NumPy kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .dims import Dim, size_value
from .errors import DTypeError, ShapeError
from .ir import ArrayType, Graph, Node, VariableRef
from .record import record


@record
class Result:
    """What a run of a graph produced. writes: the new values of the variables, in the graph's order."""

    outputs: tuple[np.ndarray, ...]
    writes: tuple[tuple[VariableRef, np.ndarray], ...]


def evaluate(
    graph: Graph, inputs: Sequence[np.ndarray], variables: Mapping[VariableRef, np.ndarray] | None = None
) -> Result:
    """Runs the graph. Nothing is written to: new values of variables are returned, for the caller to store.

    Raises `ShapeError` or `DTypeError` if the inputs do not fit, KeyError for a variable without a value, and what ops raise.
    """
    arrays = [np.asarray(a) for a in inputs]
    dims = solve_dims([p.type for p in graph.inputs], [a.shape for a in arrays])
    values: dict[Node, Any] = {}
    for p, a in zip(graph.inputs, arrays, strict=True):
        if p.dtype.np != a.dtype:
            raise DTypeError(f"Input {p.attrs['name']} of {graph.name} is {p.type}. Received: an array of {a.dtype}.")
        values[p] = a
    for node in graph.nodes():
        if node in values:
            continue
        if "variable" in node.attrs:
            values[node] = (variables or {})[node.attrs["variable"]]
        else:
            values[node] = evaluate_node(node, [values[a] for a in node.args], dims)
    return Result(tuple(values[n] for n in graph.outputs), tuple((v, values[n]) for v, n in graph.writes))


def evaluate_node(node: Node, arrays: Sequence[Any], dims: Mapping[str, int]) -> Any:
    """The node's value for its arguments' values: an array, a tuple of arrays, or None for a token."""
    return node.op.evaluate(arrays, resolve_attrs(node.attrs, dims))


def resolve_attrs(attrs: Mapping[str, Any], dims: Mapping[str, int]) -> Mapping[str, Any]:
    """The attributes with every symbolic size replaced by its value."""
    return {k: _resolve(v, dims) for k, v in attrs.items()}


def _resolve(value: Any, dims: Mapping[str, int]) -> Any:
    if isinstance(value, Dim):
        return value.value(dims)
    if isinstance(value, tuple):
        return tuple(_resolve(v, dims) for v in value)
    return value


def solve_dims(types: Sequence[ArrayType], shapes: Sequence[tuple[int, ...]]) -> dict[str, int]:
    """The values of the symbolic sizes in the types that make them equal to the shapes.

    Raises `ShapeError` naming type and shape if there are none.
    """
    if len(types) != len(shapes):
        raise ShapeError(f"A graph of {len(types)} inputs takes as many arrays. Received: {len(shapes)}.")
    known: dict[str, int] = {}
    open_sizes: list[tuple[Dim, int]] = []
    for t, shape in zip(types, shapes, strict=True):
        if len(t.shape) != len(shape):
            raise ShapeError(f"An input of type {t} takes arrays of rank {len(t.shape)}. Received: shape {tuple(shape)}.")
        open_sizes += [(s, n) for s, n in zip(t.shape, shape, strict=True) if isinstance(s, Dim)]
    while open_sizes:
        rest = [(s, n) for s, n in open_sizes if not _solve(s, n, known)]
        if len(rest) == len(open_sizes):
            break
        open_sizes = rest
    for t, shape in zip(types, shapes, strict=True):
        solved = [(s, n) for s, n in zip(t.shape, shape, strict=True) if isinstance(s, int) or s.names <= known.keys()]
        if any(size_value(s, known) != n for s, n in solved):
            where = f" with {', '.join(f'{k} = {v}' for k, v in known.items())}" if known else ""
            raise ShapeError(f"An input of type {t}{where} got an array of another shape. Received: {tuple(shape)}.")
    if open_sizes:
        raise ShapeError(f"The size {open_sizes[0][0]} cannot be solved for its names. Received: {open_sizes[0][1]}.")
    return known


def _solve(size: Dim, value: int, known: dict[str, int]) -> bool:
    """Whether the size's names are known now: none is left open, or a single linear one that is solved for."""
    unknown = size.names - known.keys()
    if not unknown:
        return True
    if len(unknown) > 1:
        return False
    (name,) = unknown
    at_zero, at_one, at_two = (size.value({**known, name: v}) for v in (0, 1, 2))
    slope = at_one - at_zero
    if at_two - at_one != slope or slope == 0 or (value - at_zero) % slope or (value - at_zero) // slope < 0:
        return False
    known[name] = (value - at_zero) // slope
    return True
