"""A small train step as a graph, for tests: dense layers, relu, sparse cross-entropy, RMSprop, a loss and an accuracy metric."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from weft.graph import ArrayType, Dim, Graph, Node, VariableRef, as_dtype, constant, dim_value, o, parameter, read
from weft.graph.gradient import gradients

F32 = as_dtype("float32")
I64 = as_dtype("int64")


class Step:
    """Variables are created by `variable`; ``graph`` is the whole step, ``values`` the variables' first values by reference."""

    def __init__(self, sizes: tuple[int, ...], seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.values: dict[VariableRef, np.ndarray] = {}
        self.writes: list[tuple[VariableRef, Node]] = []
        batch = Dim("batch")
        x = parameter(ArrayType(F32, (batch, sizes[0])), "x")
        y = parameter(ArrayType(I64, (batch,)), "y")
        self.graph = self.build(x, y, batch, sizes)

    def variable(self, name: str, shape: tuple[int, ...], scale: float = 0.0) -> VariableRef:
        ref = VariableRef(name, ArrayType(F32, shape))
        self.values[ref] = (self.random.normal(size=shape) * scale).astype(np.float32)
        return ref

    def build(self, x: Node, y: Node, batch: Dim, sizes: tuple[int, ...]) -> Graph:
        weights, h = [], x
        for i, (n, m) in enumerate(pairwise(sizes)):
            w, b = self.variable(f"w{i}", (n, m), 0.1), self.variable(f"b{i}", (m,), 0.1)
            h = o.add(o.matmul(h, read(w)), read(b))
            if i < len(sizes) - 2:
                h = o.relu(h)
            weights += [w, b]
        losses = o.sparse_softmax_cross_entropy_with_logits(h, y)
        count = dim_value(batch, F32)
        total = o.reduce_sum(losses, axes=(0,), keepdims=False)
        loss = o.div(total, count)
        self.metrics(h, y, total, count)
        rate = read(self.variable("rate", ()))
        for ref, g in zip(weights, gradients([loss], [read(w) for w in weights]), strict=True):
            self.rmsprop(ref, g, rate)
        return Graph((x, y), (loss,), tuple(self.writes), name="train_step")

    def metrics(self, logits: Node, y: Node, total: Node, count: Node) -> None:
        hits = o.cast(o.equal(o.argmax(logits, axes=(1,), dtype=I64), y), dtype=F32)
        for name, value in (("loss_sum", total), ("hits", o.reduce_sum(hits, axes=(0,), keepdims=False)), ("count", count)):
            ref = self.variable(name, ())
            self.writes.append((ref, o.add(read(ref), value)))

    def rmsprop(self, ref: VariableRef, g: Node, rate: Node) -> None:
        square = self.variable(f"{ref.name}_square", ref.type.shape)
        new = o.add(o.mul(read(square), 0.9), o.mul(o.square(g), 0.1))
        update = o.div(o.mul(g, rate), o.add(o.sqrt(new), 1e-7))
        self.writes += [(square, new), (ref, o.sub(read(ref), update))]


__all__ = ["Step", "constant"]
