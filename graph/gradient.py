"""Gradients, graph to graph. In: target and source nodes; out: nodes that compute the derivative, built with the same ops.

Because the result is made of ordinary nodes, gradients of gradients need nothing more. Un-broadcasting happens once, here, and
not in every op's rule (`fit_gradient`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .build import constant, o
from .dims import Shape
from .ir import ArrayType, Node, TupleType, topological
from .origin import created_at


def gradients(
    targets: Sequence[Node],
    sources: Sequence[Node],
    seeds: Sequence[Node | None] | None = None,
) -> list[Node | None]:
    """The derivative of the (seed-weighted) sum of the targets with respect to each source.

    targets: array nodes; those that are not floating carry no gradient. seeds: one per target, of its type, or None for ones.
    Returns one node per source, of the source's type, or None where no differentiable path leads from it to a target. A source
    may be any node, also one in the middle of the graph or a target itself. Every new node gets the origins of the node it is
    the derivative of. ValueError if a seed does not fit its target.
    """
    order = topological(targets)
    connected = _depends_on(order, sources)
    walk = _Walk(connected)
    for i, target in enumerate(targets):
        seed = None if seeds is None else seeds[i]
        if target in connected and _carries_gradient(target):
            walk.add(target, ones_like(target) if seed is None else _checked_seed(seed, target))
    for node in reversed(order):
        if node in connected:
            walk.visit(node)
    return [walk.array_gradient(source) for source in sources]


def sum_to(node: Node, shape: Shape) -> Node:
    """Undoes broadcasting: sums ``node`` over the axes along which ``shape`` was stretched. float or int array -> same dtype.

    ``shape`` must broadcast to the node's shape; the result has exactly this shape.
    """
    if node.shape == shape:
        return node
    lead = node.rank - len(shape)
    axes = tuple(i for i, size in enumerate(node.shape) if i < lead or (shape[i - lead] == 1 and size != 1))
    if axes:
        node = o.reduce_sum(node, axes=axes, keepdims=False)
    return node if node.shape == shape else o.reshape(node, shape=shape)


def fit_gradient(gradient: Node, like: Node) -> Node:
    """The gradient in the shape of the node it belongs to.

    It is summed over the axes along which that node was broadcast, and stretched along those that the rule left at size 1.
    """
    shape = like.shape
    if gradient.shape == shape:
        return gradient
    rank = max(gradient.rank, len(shape))
    have = (1,) * (rank - gradient.rank) + gradient.shape
    want = (1,) * (rank - len(shape)) + shape
    joint = tuple(w if h == 1 else h for h, w in zip(have, want, strict=True))
    if joint != gradient.shape:
        gradient = o.broadcast_to(gradient, shape=joint)
    return sum_to(gradient, shape)


def ones_like(node: Node) -> Node:
    """Ones of the node's dtype and shape, also if that is symbolic."""
    one = constant(node.dtype.np.type(1))
    return one if not node.shape else o.broadcast_to(one, shape=node.shape)


class _Walk:
    """The state of one reverse walk: the gradient found so far of every node."""

    def __init__(self, connected: set[Node]) -> None:
        self.connected = connected
        self.found: dict[Node, Any] = {}  # a Node; for nodes of a tuple type a list of Node | None

    def add(self, node: Node, gradient: Node) -> None:
        before = self.found.get(node)
        self.found[node] = gradient if before is None else o.add(before, gradient)

    def add_item(self, node: Node, index: int, gradient: Node) -> None:
        items = self.found.setdefault(node, [None] * len(node.type.items))
        items[index] = gradient if items[index] is None else o.add(items[index], gradient)

    def array_gradient(self, node: Node) -> Node | None:
        found = self.found.get(node)
        return found if isinstance(found, Node) else None

    def visit(self, node: Node) -> None:
        """Hands the node's gradient on to its arguments; by now all its users have been visited."""
        gradient = self.found.get(node)
        if gradient is None or not any(a in self.connected for a in node.args):
            return
        with created_at(node.origins):
            if isinstance(node.args[0].type, TupleType):
                self.add_item(node.args[0], node.attrs["index"], gradient)
                return
            if node.op.gradient is None:
                return
            given = node.op.gradient(o, node, tuple(gradient) if isinstance(gradient, list) else gradient)
            if len(given) != len(node.args):
                raise TypeError(
                    f"The gradient rule of {node.op.name} must return one gradient per argument ({len(node.args)}). "
                    f"Received: {len(given)}."
                )
            for arg, part in zip(node.args, given, strict=True):
                if part is not None and arg in self.connected and _carries_gradient(arg):
                    self.add(arg, fit_gradient(part, arg))


def _depends_on(order: Sequence[Node], sources: Sequence[Node]) -> set[Node]:
    connected = set(sources)
    for node in order:
        if node not in connected and any(a in connected for a in node.args):
            connected.add(node)
    return connected


def _carries_gradient(node: Node) -> bool:
    return isinstance(node.type, TupleType) or (isinstance(node.type, ArrayType) and node.dtype.is_floating)


def _checked_seed(seed: Node, target: Node) -> Node:
    if seed.dtype is not target.dtype or seed.shape != target.shape:
        raise ValueError(
            f"An output gradient must have the dtype and shape of its target, {target.type}. Received: {seed.type}."
        )
    return seed
