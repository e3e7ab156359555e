"""Random graphs for tests: elementwise chains with broadcasts, reductions, views, products, gathers, variables written."""

from __future__ import annotations

from typing import Any

import numpy as np

from weft.graph import ArrayType, Dim, Graph, Node, VariableRef, as_dtype, constant, dim_value, o, parameter, read
from weft.graph.build import expand_dims, reshape
from weft.graph.dims import Size

F32, I64 = as_dtype("float32"), as_dtype("int64")
BATCH = Dim("batch")
UNARY = ("abs", "tanh", "square", "relu", "neg", "sigmoid", "exp")
BINARY = ("add", "sub", "mul", "maximum", "minimum")


class RandomGraph:
    """``graph`` with ``inputs(batch)`` and ``values`` for its variables. Everything follows from the seed."""

    def __init__(self, seed: int, length: int = 14) -> None:
        self.random = np.random.default_rng(seed)
        self.values: dict[VariableRef, np.ndarray] = {}
        self.parameters = [parameter(ArrayType(F32, s), f"x{i}") for i, s in enumerate([(BATCH, 3), (BATCH,), (4, 3)])]
        self.labels = parameter(ArrayType(I64, (BATCH,)), "labels")
        self.nodes: list[Node] = [*self.parameters]
        for name, shape in (("u", (3,)), ("v", (4, 3)), ("s", ())):
            ref = VariableRef(name, ArrayType(F32, shape))
            self.values[ref] = self.random.uniform(-1, 1, shape).astype(np.float32)
            self.nodes.append(read(ref))
        self.nodes.append(constant(self.random.uniform(-1, 1, (3, 3)).astype(np.float32)))
        while len(self.nodes) < length:
            node = self.step()
            if node is not None and node.rank <= 3:
                self.nodes.append(node)
        self.graph = self.finish()

    def pick(self, found: Any = lambda n: True) -> Node | None:
        """A node, rather a late one."""
        options = [n for n in self.nodes if found(n)]
        if not options:
            return None
        return options[min(int(self.random.beta(2, 1) * len(options)), len(options) - 1)]

    def step(self) -> Node | None:
        kinds = [self.unary, self.binary, self.binary, self.reduce, self.view, self.product, self.row, self.gather, self.glue]
        return kinds[self.random.integers(len(kinds))]()

    def unary(self) -> Node | None:
        return getattr(o, str(self.random.choice(UNARY)))(o.minimum(self.pick(), 3.0))

    def binary(self) -> Node | None:
        x = self.pick()
        y = self.pick(lambda n: fits(n.shape, x.shape))
        if y is None:
            return None
        if self.random.random() < 0.3:
            return o.where(o.greater(x, y), y, x)
        return getattr(o, str(self.random.choice(BINARY)))(x, y)

    def reduce(self) -> Node | None:
        x = self.pick(lambda n: n.rank > 0)
        axes = tuple(i for i in range(x.rank) if self.random.random() < 0.6) or (x.rank - 1,)
        op = str(self.random.choice(["reduce_sum", "reduce_max", "reduce_sum"]))
        return getattr(o, op)(x, axes=axes, keepdims=bool(self.random.random() < 0.5))

    def view(self) -> Node | None:
        x = self.pick(lambda n: n.rank > 0)
        choice = self.random.integers(6)
        if choice == 0:
            return o.transpose(x, perm=tuple(int(i) for i in self.random.permutation(x.rank)))
        if choice == 1:
            return expand_dims(x, int(self.random.integers(x.rank + 1)))
        if choice == 2:
            return reshape(x, (x.type.size,))
        if choice == 3:
            return o.reverse(x, axes=(x.rank - 1,))
        if choice == 4:
            return o.broadcast_to(x, shape=(2, *x.shape)) if x.rank < 3 else None
        first, count = (1, x.shape[-1] - 1) if isinstance(x.shape[-1], int) and x.shape[-1] > 1 else (0, x.shape[-1])
        begin, shape = (*(0,) * (x.rank - 1), first), (*x.shape[:-1], count)
        return o.slice(x, begin=begin, shape=shape, strides=(1,) * x.rank)

    def product(self) -> Node | None:
        x = self.pick(lambda n: n.rank == 2)
        y = None if x is None else self.pick(lambda n: n.rank == 2 and n.shape[0] == x.shape[1])
        return None if y is None else o.tanh(o.matmul(x, y)) if self.random.random() < 0.5 else o.matmul(x, y)

    def row(self) -> Node | None:
        x = self.pick(lambda n: n.rank > 0 and isinstance(n.shape[-1], int))
        return None if x is None else o.softmax(x)

    def gather(self) -> Node | None:
        x = self.pick(lambda n: n.rank > 0 and isinstance(n.shape[0], int) and n.shape[0] >= 3)
        return None if x is None else o.gather(x, self.labels, axis=0, batch_dims=0)

    def glue(self) -> Node | None:
        x = self.pick(lambda n: n.rank > 0)
        y = self.pick(lambda n: n.rank == x.rank and n.shape[1:] == x.shape[1:])
        if self.random.random() < 0.3:
            return o.cumsum(x, axis=int(self.random.integers(x.rank)), exclusive=False, reverse=bool(self.random.random() < 0.5))
        return o.concat(x, y, axis=0)

    def finish(self) -> Graph:
        outputs = [n for n in self.nodes[-6:] if self.random.random() < 0.6] or self.nodes[-1:]
        writes = []
        for ref in self.values:
            same = [n for n in self.nodes if n.shape == ref.type.shape]
            node = same[self.random.integers(len(same))]
            if self.random.random() < 0.5:
                node = o.add(o.mul(read(ref), 0.5), node)
            if self.random.random() < 0.7:
                writes.append((ref, node))
        outputs.append(o.add(dim_value(BATCH, F32), 1.0))
        return Graph((*self.parameters, self.labels), tuple(outputs), tuple(writes), name="random")

    def inputs(self, batch: int) -> list[np.ndarray]:
        shapes: list[tuple[Size, ...]] = [(batch, 3), (batch,), (4, 3)]
        arrays = [self.random.uniform(-1, 1, s).astype(np.float32) for s in shapes]
        return [*arrays, self.random.integers(0, 3, batch).astype(np.int64)]


def fits(a: tuple[Size, ...], b: tuple[Size, ...]) -> bool:
    return all(x == y or x == 1 or y == 1 for x, y in zip(reversed(a), reversed(b)))
