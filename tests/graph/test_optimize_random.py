"""Optimising random graphs: awkward constants, broadcasts, casts, choices and layout ops; the values must not change."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.graph import ArrayType, Dim, Graph, Node, as_dtype, constant, o, parameter
from weft.graph.evaluate import evaluate
from weft.graph.gradient import gradients
from weft.graph.passes import optimize
from weft.graph.text import to_text
from weft.graph.text_parser import parse

F32, I32, B1 = as_dtype("float32"), as_dtype("int32"), as_dtype("bool")
N = Dim("n")
SHAPES: tuple[tuple[int | Dim, ...], ...] = ((), (N, 3), (3,), (N, 1), (1,))
NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.0, -0.5, 3.0, np.inf, np.nan, 1e-40, 3e38]
UNARY = ("neg", "abs", "square", "sqrt", "exp", "identity", "relu", "sign", "reciprocal", "floor")
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum", "pow", "squared_difference")
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
LOGIC = ("logical_and", "logical_or", "logical_xor")


class Pool:
    """Nodes to choose arguments from, and the choices."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.inputs = [parameter(ArrayType(F32, s)) for s in SHAPES] + [parameter(ArrayType(B1, (N, 3)))]
        self.floats = self.inputs[:-1]
        self.floats += [constant(np.float32(draw(st.sampled_from(NUMBERS)))) for _ in range(4)]
        self.floats.append(constant(np.full((1, 3), draw(st.sampled_from(NUMBERS)), np.float32)))
        self.masks = [self.inputs[-1], constant(np.bool_(True)), constant(np.bool_(False))]

    def number(self) -> Node:
        return self.draw(st.sampled_from(self.floats))

    def mask(self) -> Node:
        return self.draw(st.sampled_from(self.masks))

    def grow(self) -> None:
        kind = self.draw(st.sampled_from(("unary", "binary", "binary", "compare", "logic", "where", "cast", "layout", "reduce")))
        getattr(self, kind)()

    def unary(self) -> None:
        self.floats.append(getattr(o, self.draw(st.sampled_from(UNARY)))(self.number()))

    def binary(self) -> None:
        self.floats.append(getattr(o, self.draw(st.sampled_from(BINARY)))(self.number(), self.number()))

    def compare(self) -> None:
        self.masks.append(getattr(o, self.draw(st.sampled_from(COMPARISONS)))(self.number(), self.number()))

    def logic(self) -> None:
        a, b = self.mask(), self.mask()
        self.masks += [o.logical_not(a), getattr(o, self.draw(st.sampled_from(LOGIC)))(a, b)]

    def where(self) -> None:
        self.floats.append(o.where(self.mask(), self.number(), self.number()))

    def cast(self) -> None:
        middle = self.draw(st.sampled_from((I32, B1, F32, as_dtype("float64"), as_dtype("uint8"))))
        self.floats.append(o.cast(o.cast(self.mask(), dtype=middle), dtype=F32))
        self.floats.append(o.cast(o.cast(self.number(), dtype=as_dtype("float64")), dtype=F32))

    def layout(self) -> None:
        x = self.number()
        if x.rank < 2:
            self.floats.append(o.broadcast_to(x, shape=(N, 3)))
            return
        y = o.transpose(x, perm=(1, 0))
        self.floats += [o.transpose(o.neg(y), perm=(1, 0)), o.reshape(o.reshape(y, shape=(y.type.size,)), shape=x.shape)]
        self.floats.append(o.slice(o.concat(x, x, axis=1), begin=(0, 0), shape=x.shape, strides=(1, 1)))

    def reduce(self) -> None:
        x = self.number()
        axes = tuple(i for i in range(x.rank) if self.draw(st.booleans()))
        name = self.draw(st.sampled_from(("reduce_sum", "reduce_prod")))
        keepdims = axes == (1,) or self.draw(st.booleans())  # a result of shape (n,) would not broadcast with (3,)
        self.floats.append(getattr(o, name)(x, axes=axes, keepdims=keepdims))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    pool = Pool(draw)
    for _ in range(draw(st.integers(1, 12))):
        pool.grow()
    outputs = [*pool.floats[-3:], pool.masks[-1]]
    smooth = [g for g in gradients(outputs[:1], pool.inputs[:5]) if g is not None]
    return Graph(tuple(pool.inputs), (*outputs, *smooth))


@given(graphs(), st.integers(0, 2), st.integers(0, 2**32 - 1))
@settings(max_examples=150)
def test_optimizing_keeps_every_value(graph: Graph, n: int, seed: int) -> None:
    best = optimize(graph, verify_each=True)
    assert optimize(best).roots == best.roots
    random = np.random.default_rng(seed)
    arrays = []
    for node in graph.inputs:
        shape = tuple(s if isinstance(s, int) else n for s in node.shape)
        values = random.choice(np.array(NUMBERS), shape) if node.dtype is F32 else random.integers(0, 2, shape)
        arrays.append(np.asarray(values).astype(node.dtype.np))
    with np.errstate(all="ignore"):
        want, got = evaluate(graph, arrays).outputs, evaluate(best, arrays).outputs
    for w, g in zip(want, got, strict=True):
        np.testing.assert_array_equal(g, w)
        if w.dtype.kind == "f":
            assert (np.signbit(g) == np.signbit(w))[~np.isnan(w)].all()


@given(graphs())
@settings(max_examples=50)
def test_text_of_random_graphs_is_read_back(graph: Graph) -> None:
    for one in (graph, optimize(graph)):
        assert to_text(parse(to_text(one))) == to_text(one)
