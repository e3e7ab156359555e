"""Every gradient rule against finite differences in float64, first and second order, along random directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from weft.graph.build import constant, o, parameter
from weft.graph.dtype import as_dtype
from weft.graph.evaluate import evaluate
from weft.graph.gradient import gradients
from weft.graph.ir import ArrayType, Graph, Node, make
from weft.graph.op import REGISTRY, Op, Sample

CASES = [
    pytest.param(op, s, id=f"{op.name}-{i}")
    for op in REGISTRY.values()
    if op.gradient is not None
    for i, s in enumerate(op.samples())
    if s.differentiable
]
STEP = 1e-5


def widened(array: object) -> np.ndarray:
    """Floats as float64, everything else as it is."""
    value = np.asarray(array)
    return value.astype(np.float64) if value.dtype.kind == "f" else value


def directional_gradient(target: Node, sources: Sequence[Node], direction: Sequence[np.ndarray]) -> Node | None:
    """The sum over the sources of gradient times direction, or None if none is connected."""
    total: Node | None = None
    for source, g, d in zip(sources, gradients([target], sources), direction, strict=True):
        if g is not None:
            assert (g.dtype, g.shape) == (source.dtype, source.shape)
            term = o.reduce_sum(o.mul(g, constant(d)), axes=tuple(range(g.rank)))
            total = term if total is None else o.add(total, term)
    return total


def weighted_sum(op: Op, sample: Sample, sources: Sequence[Node], rng: np.random.Generator) -> Node:
    out = make(op, sources, sample.attrs)
    weights = constant(rng.uniform(0.5, 1.5, out.shape))
    return o.reduce_sum(o.mul(out, weights), axes=tuple(range(out.rank)))


def slope(function: Callable[..., float], arrays: Sequence[np.ndarray], direction: Sequence[np.ndarray]) -> float:
    """The central difference of fourth order."""

    def at(step: float) -> float:
        return function(*[a + step * d if a.dtype.kind == "f" else a for a, d in zip(arrays, direction, strict=True)])

    h = STEP * 40
    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)


def runner(sources: Sequence[Node], target: Node) -> Callable[..., float]:
    graph = Graph(tuple(sources), (target,))
    return lambda *arrays: float(evaluate(graph, arrays).outputs[0])


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_first_and_second_order(op: Op, sample: Sample) -> None:
    rng = np.random.default_rng(7)
    arrays = [widened(a) for a in sample.args]
    sources = [parameter(ArrayType(as_dtype(a.dtype), a.shape)) for a in arrays]
    direction = [rng.uniform(-1, 1, a.shape) if a.dtype.kind == "f" else np.zeros(a.shape) for a in arrays]
    target = weighted_sum(op, sample, sources, rng)
    first = directional_gradient(target, sources, direction)
    assert first is not None
    expected = slope(runner(sources, target), arrays, direction)
    assert runner(sources, first)(*arrays) == pytest.approx(expected, rel=1e-7, abs=1e-8)

    turned = [rng.uniform(-1, 1, a.shape) if a.dtype.kind == "f" else np.zeros(a.shape) for a in arrays]
    second = directional_gradient(first, sources, turned)
    curvature = slope(runner(sources, first), arrays, turned)
    found = 0.0 if second is None else runner(sources, second)(*arrays)
    assert found == pytest.approx(curvature, rel=1e-6, abs=1e-7)


def gradient_at(name: str, *values: object, attrs: dict[str, object] | None = None) -> list[np.ndarray | None]:
    """The gradients of ``sum(op(values))`` at float32 values."""
    arrays = [v if isinstance(v, np.ndarray) else np.asarray(v, np.float32) for v in values]
    sources = [parameter(ArrayType(as_dtype(a.dtype), a.shape)) for a in arrays]
    found = gradients([make(REGISTRY[name], sources, attrs or {})], sources)
    graph = Graph(tuple(sources), tuple(g for g in found if g is not None))
    results = iter(evaluate(graph, arrays).outputs)
    return [None if g is None else next(results) for g in found]


INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("relu", ([0.0, -1.0, 2.0, INF, -INF, NAN],), ([0, 0, 1, 1, 0, 0],)),
        ("relu6", ([0.0, 6.0, 3.0, 7.0],), ([0, 0, 1, 0],)),
        ("leaky_relu", ([0.0, -1.0, 1.0],), ([0.2, 0.2, 1],)),
        ("elu", ([0.0, -1.0],), ([1, np.exp(-1)],)),
        ("selu", ([0.0, -1.0],), ([1.050701, 0.64676857],)),
        ("softplus", ([-100.0, 100.0, 0.0],), ([0, 1, 0.5],)),
        ("log_sigmoid", ([-100.0, 100.0, 0.0],), ([1, 0, 0.5],)),
        ("sigmoid", ([-1000.0, 1000.0, 0.0],), ([0, 0, 0.25],)),
        ("tanh", ([-1000.0, 1000.0, 0.0],), ([0, 0, 1],)),
        ("abs", ([0.0, -2.0, 3.0],), ([0, -1, 1],)),
        ("sign", ([0.0, -2.0],), ([0, 0],)),
        ("sqrt", ([0.0, 4.0],), ([INF, 0.25],)),
        ("rsqrt", ([4.0],), ([-0.0625],)),
        ("log", ([0.0, 2.0],), ([INF, 0.5],)),
        ("maximum", ([1.0, 1.0, 0.0], [1.0, 0.0, 1.0]), ([1, 1, 0], [0, 0, 1])),
        ("minimum", ([1.0, 1.0, 0.0], [1.0, 0.0, 1.0]), ([1, 0, 1], [0, 1, 0])),
        ("pow", ([0.0, 0.0, -1.0], [0.0, 2.0, 2.0]), ([0, 0, -2], [0, 0, 0])),
        ("div_no_nan", ([1.0, 1.0], [0.0, 2.0]), ([0, 0.5], [0, -0.25])),
        ("xlogy", ([0.0], [0.0]), ([0], [0])),
        ("mod", ([5.0], [3.0]), ([1], [-1])),
        ("floor", ([2.5],), (None,)),
        ("floordiv", ([5.0], [3.0]), (None, None)),
        ("stop_gradient", ([2.5],), (None,)),
        ("where", (np.array([True, False]), [NAN, NAN], [NAN, NAN]), (None, [1, 0], [0, 1])),
    ],
)
def test_special_values_follow_tensorflow(name: str, values: tuple[object, ...], expected: tuple[object, ...]) -> None:
    for found, wanted in zip(gradient_at(name, *values), expected, strict=True):
        if wanted is None:
            assert found is None
        else:
            assert found is not None
            np.testing.assert_allclose(found, np.asarray(wanted, np.float32), rtol=1e-6)


def test_equal_winners_share_the_gradient() -> None:
    (found,) = gradient_at("reduce_max", [[2.0, 2.0, 1.0], [0.0, 3.0, 3.0]], attrs={"axes": (1,)})
    np.testing.assert_array_equal(found, np.array([[0.5, 0.5, 0], [0, 0.5, 0.5]], np.float32))
    (found,) = gradient_at("reduce_min", [1.0, 1.0, 1.0, 4.0], attrs={"axes": (0,)})
    np.testing.assert_allclose(found, [1 / 3, 1 / 3, 1 / 3, 0], rtol=1e-6)


def test_product_with_zeros() -> None:
    (found,) = gradient_at("reduce_prod", [0.0, 2.0, 3.0], attrs={"axes": (0,)})
    np.testing.assert_array_equal(found, [6, 0, 0])
    (found,) = gradient_at("reduce_prod", [[0.0, 2.0], [0.0, 3.0]], attrs={"axes": (0, 1)})
    np.testing.assert_array_equal(found, np.zeros((2, 2)))


def test_cumprod_at_zero_is_cut() -> None:
    (found,) = gradient_at("cumprod", [1.0, 0.0, 3.0], attrs={"axis": 0})
    np.testing.assert_array_equal(found, [1, 0, 0])


def test_cross_entropy_of_labels_that_do_not_sum_to_one() -> None:
    to_logits, to_labels = gradient_at("softmax_cross_entropy_with_logits", [[1.0, 2.0]], [[1.0, 1.0]])
    p = np.exp([1.0, 2.0]) / np.exp([1.0, 2.0]).sum()
    np.testing.assert_allclose(to_logits, [2 * p - 1], rtol=1e-6)
    np.testing.assert_allclose(to_labels, [-np.log(p)], rtol=1e-6)


def test_matmul_of_a_batch_and_a_matrix_sums_in_one_product() -> None:
    a = parameter(ArrayType(as_dtype("float32"), (2, 3, 4)))
    b = parameter(ArrayType(as_dtype("float32"), (4, 5)))
    (to_b,) = gradients([o.matmul(a, b)], [b])
    assert to_b is not None
    assert to_b.op.name == "matmul"
    assert to_b.rank == 2
