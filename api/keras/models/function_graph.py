"""The calls between a model's inputs and outputs. In: symbolic tensors; out: the calls, ready to be run, and the layers.

Layers are ordered as Keras orders them: by their distance from the outputs, farthest first, and among equals in the order in
which a walk from the outputs meets them. The order of a model's weights follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.layers.symbolic import KerasTensor, Node, Operation
from weft.tracer import tree
from weft.tracer.tensor_shape import Dim


class FunctionGraph:
    """The recorded calls that lead from ``inputs`` to ``outputs``.

    nodes: in running order, input nodes left out. operations: layers and operations, as Keras orders them. by_depth: distance
    from the outputs -> nodes, farthest first. ValueError if an output does not depend on the inputs alone.
    """

    def __init__(self, inputs: list[KerasTensor], outputs: list[KerasTensor]) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._given = {id(t) for t in inputs}
        self._order: list[Node] = []  # every node after those it depends on
        self._met: dict[int, tuple[Any, int]] = {}  # operation -> when the walk first met it
        self._walk()
        self.nodes = [n for n in self._order if not self._is_entry(n)]
        depths = self._depths()
        self.by_depth: dict[int, list[Node]] = {}
        for node in sorted(self._order, key=lambda n: -depths[id(n)]):
            self.by_depth.setdefault(depths[id(node)], []).append(node)
        self.operations = self._sorted_operations(depths)
        self._node_ids = {id(n) for n in self._order}
        self._has_operations = any(isinstance(op, Operation) for op in self.operations)

    def __contains__(self, node: object) -> bool:
        return id(node) in self._node_ids

    def _is_entry(self, node: Node) -> bool:
        return node.is_input or any(id(t) in self._given for t in node.output_tensors)

    def _walk(self) -> None:
        """Depth first from the outputs, without recursion: models may be thousands of calls deep."""
        state: dict[int, str] = {}
        for output in self.outputs:
            stack = [(_node_of(output), False)]
            while stack:
                node, left = stack.pop()
                if left:
                    state[id(node)] = "done"
                    self._order.append(node)
                    continue
                if id(node) in state:
                    continue
                state[id(node)] = "open"
                self._met.setdefault(id(node.operation), (node.operation, len(self._met)))
                stack.append((node, True))
                if not self._is_entry(node):
                    stack.extend((_node_of(t), False) for t in reversed(node.input_tensors))
                elif not any(id(t) in self._given for t in node.output_tensors):
                    raise ValueError(
                        f"The output depends on the input {node.operation.name!r}, which is not among the model's inputs: "
                        f"{[t.name for t in self.inputs]}."
                    )

    def _depths(self) -> dict[int, int]:
        """Distance from the outputs per node; all calls of one layer get the largest of theirs."""
        depths: dict[int, int] = {}
        layers: dict[int, int] = {}
        for node in reversed(self._order):
            depth = max(depths.get(id(node), 0), layers.get(id(node.operation), 0))
            depths[id(node)] = layers[id(node.operation)] = depth
            if not self._is_entry(node):
                for tensor in node.input_tensors:
                    parent = _node_of(tensor)
                    depths[id(parent)] = max(depth + 1, depths.get(id(parent), 0))
        for tensor in self.inputs:  # inputs that nothing uses
            node = _node_of(tensor)
            if id(node) not in depths:
                depths[id(node)] = 0
                self._order.append(node)
                self._met.setdefault(id(node.operation), (node.operation, -1))
        return depths

    def _sorted_operations(self, depths: Mapping[int, int]) -> list[Any]:
        deepest: dict[int, int] = {}
        for node in self._order:
            key = id(node.operation)
            deepest[key] = max(deepest.get(key, 0), depths[id(node)])
        return [op for op, _ in sorted(self._met.values(), key=lambda m: (-deepest[id(m[0])], m[1]))]

    def run(self, values: list[Any], training: Any = None) -> list[Any]:
        """The outputs for these values of the inputs. training: passed to layers that were not told otherwise."""
        known = {id(t): v for t, v in zip(self.inputs, values, strict=True)}
        sizes = solve_sizes(self.inputs, values) if self._has_operations else {}
        for node in self.nodes:
            outputs = node.run(known, sizes)
            if len(node.output_tensors) == 1 and not isinstance(outputs, (list, tuple, dict)):
                known[id(node.output_tensors[0])] = outputs
                continue
            for tensor, value in zip(node.output_tensors, tree.leaves_of(outputs), strict=True):
                known[id(tensor)] = value
        return [known[id(t)] for t in self.outputs]


def _node_of(tensor: KerasTensor) -> Node:
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def solve_sizes(inputs: list[KerasTensor], values: list[Any]) -> dict[str, Any]:
    """The real size for every name of a size in the inputs' shapes; names that stand for different sizes are left out."""
    sizes: dict[str, Any] = {}
    unclear: set[str] = set()
    for tensor, value in zip(inputs, values, strict=True):
        for size, real in zip(tuple(tensor.shape), tuple(value.shape), strict=True):
            name = str(size) if isinstance(size, Dim) else ""
            if name.isidentifier() and sizes.setdefault(name, real) != real:
                unclear.add(name)
    return {name: size for name, size in sizes.items() if name not in unclear}
