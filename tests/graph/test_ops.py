"""What every op record must hold, generated from the registry: types, purity, kernels against their declared meaning."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from weft.graph.dtype import as_dtype
from weft.graph.families import Elementwise, Layout, Reduce, Row, Scan
from weft.graph.ir import ArrayType, TokenType
from weft.graph.op import REGISTRY, Op, Sample
from weft.graph.quiet import quietly
from weft.graph.scalar import kernel, names_in, parse

CASES = [pytest.param(op, s, id=f"{op.name}-{i}") for op in REGISTRY.values() for i, s in enumerate(op.samples())]


def cases(family: type[Op]) -> list[Any]:
    return [c for c in CASES if isinstance(c.values[0], family)]


def types_of(sample: Sample) -> tuple[ArrayType, ...]:
    return tuple(ArrayType(as_dtype(np.asarray(a).dtype), np.shape(a)) for a in sample.args)


def run(op: Op, sample: Sample) -> np.ndarray:
    return op.evaluate([np.asarray(a) for a in sample.args], op.canonical(sample.attrs))


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_result_has_the_inferred_type_and_arguments_stay(op: Op, sample: Sample) -> None:
    arrays = [np.array(a) for a in sample.args]
    before = [a.tobytes() for a in arrays]
    for a in arrays:
        a.setflags(write=False)
    attrs = op.canonical(sample.attrs)
    expected = op.infer(types_of(sample), attrs)
    result = op.evaluate(arrays, attrs)
    assert type(result) is np.ndarray
    assert (result.dtype, result.shape) == (expected.dtype.np, expected.shape)
    assert [a.tobytes() for a in arrays] == before


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize(("op", "sample"), [c for c in CASES if any(np.asarray(a).dtype == np.float32 for a in c.values[1].args)])
def test_other_float_types_are_kept(op: Op, sample: Sample, dtype: type) -> None:
    arrays = [np.asarray(a) for a in sample.args]
    arrays = [quietly(a.astype, dtype) if a.dtype == np.float32 else a for a in arrays]
    attrs = op.canonical(sample.attrs)
    expected = op.infer(types_of(Sample(tuple(arrays))), attrs)
    result = op.evaluate(arrays, attrs)
    assert (result.dtype, result.shape) == (expected.dtype.np, expected.shape)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_evaluation_is_repeatable(op: Op, sample: Sample) -> None:
    assert run(op, sample).tobytes() == run(op, sample).tobytes()


@pytest.mark.parametrize("op", REGISTRY.values(), ids=lambda op: op.name)
def test_record_is_complete(op: Op) -> None:
    assert op.doc.endswith(".")
    assert op.name == op.name.lower()
    needs_more = {"parameter", "read", "token", "print", "check", "call", "custom_call", "item"}
    assert op.name in needs_more or len(op.samples()) > 1


@pytest.mark.parametrize("op", [o for o in REGISTRY.values() if isinstance(o, Elementwise)], ids=lambda op: op.name)
def test_expression_uses_arguments_and_attributes_only(op: Elementwise) -> None:
    allowed = set("abc"[: len(op.params)]) | set(op.attributes)
    for expr in filter(None, (op.expr, op.check)):
        assert set(names_in(parse(expr))) <= allowed
    assert bool(op.check) == bool(op.error) == bool(op.message)


@pytest.mark.parametrize(("op", "sample"), cases(Elementwise))
def test_own_numpy_kernel_agrees_with_the_expression(op: Elementwise, sample: Sample) -> None:
    arrays = [np.asarray(a) for a in sample.args]
    attrs = op.canonical(sample.attrs)
    dtype = as_dtype(arrays[op.masks].dtype)
    function, names = kernel(op.expr, dtype)
    scope = {**dict(zip("abc", arrays, strict=False)), **{k: dtype.np.type(v) for k, v in attrs.items() if isinstance(v, float)}}
    expected = np.asarray(quietly(lambda: np.asarray(function(*[scope[n] for n in names])).astype(run(op, sample).dtype)))
    np.testing.assert_array_equal(run(op, sample), expected)


def smooth_float32(op: Elementwise, sample: Sample) -> bool:
    """Whether the op maps float32 to float32 and does not fall either way near a whole number."""
    values = sample.args[op.masks :]
    return op.result == "same" and op.name != "floordiv" and all(np.asarray(a).dtype == np.float32 for a in values)


@pytest.mark.parametrize(("op", "sample"), [c for c in cases(Elementwise) if smooth_float32(*c.values)])
def test_float32_agrees_with_float64(op: Elementwise, sample: Sample) -> None:
    wide = Sample(tuple(a if a.dtype == np.bool_ else a.astype(np.float64) for a in map(np.asarray, sample.args)), sample.attrs)
    np.testing.assert_allclose(run(op, sample), quietly(run, op, wide), rtol=3e-5 if op.name == "mod" else 3e-6, atol=1e-6)


@pytest.mark.parametrize(("op", "sample"), cases(Reduce))
def test_reduction_is_start_and_combine(op: Reduce, sample: Sample) -> None:
    (x,) = (np.asarray(a) for a in sample.args)
    attrs = op.canonical(sample.attrs)
    dtype = as_dtype(x.dtype)
    combine, names = kernel(op.combine, dtype)
    kept = [i for i in range(x.ndim) if i not in attrs["axes"]]
    length = math.prod(x.shape[i] for i in attrs["axes"])
    rows = x.transpose(kept + list(attrs["axes"])).reshape(*[x.shape[i] for i in kept], length)
    out = np.empty(rows.shape[:-1], run(op, sample).dtype)
    for at in np.ndindex(rows.shape[:-1]):
        out[at] = _fold(op, rows[at], combine, names, dtype)
    np.testing.assert_allclose(run(op, sample).reshape(out.shape), out, rtol=2e-6)


def _fold(op: Reduce, row: np.ndarray, combine: Any, names: tuple[str, ...], dtype: Any) -> Any:
    if op.index:
        acc, position = row[0], 0
        for i, a in enumerate(row):
            if quietly(combine, *[{"acc": acc, "a": a}[n] for n in names]):
                acc, position = a, i
        return position
    assert op.start is not None
    acc = op.start(dtype)
    for a in row:
        acc = quietly(combine, *[{"acc": acc, "a": a}[n] for n in names])
    return acc


@pytest.mark.parametrize(("op", "sample"), cases(Scan))
def test_scan_is_start_and_combine(op: Scan, sample: Sample) -> None:
    (x,) = (np.asarray(a) for a in sample.args)
    attrs = op.canonical(sample.attrs)
    combine, names = kernel(op.combine, as_dtype(x.dtype))
    moved = np.moveaxis(x, attrs["axis"], 0)
    out = np.empty_like(moved)
    acc = np.full(moved.shape[1:], op.start(as_dtype(x.dtype)))
    for i in range(len(moved))[:: -1 if attrs["reverse"] else 1]:
        following = quietly(combine, *[{"acc": acc, "a": moved[i]}[n] for n in names])
        out[i] = acc if attrs["exclusive"] else following
        acc = following
    np.testing.assert_allclose(run(op, sample), np.moveaxis(out, 0, attrs["axis"]), rtol=2e-6)


@pytest.mark.parametrize(("op", "sample"), cases(Layout))
def test_index_map_says_what_the_kernel_does(op: Layout, sample: Sample) -> None:
    arrays = [np.asarray(a) for a in sample.args]
    types, attrs = types_of(sample), op.canonical(sample.attrs)
    result = run(op, sample)
    assert [op.linear, op.view is not None, op.place is not None].count(True) == 1
    if op.linear:
        expected = arrays[0].ravel().reshape(result.shape)
    elif op.view is not None:
        expected = _read_through(op.view(types, attrs), arrays[0], result)
    else:
        assert op.place is not None
        expected = _written(op, op.place(types, attrs), arrays, attrs, result)
    np.testing.assert_array_equal(result, expected)


def _read_through(view: Any, x: np.ndarray, like: np.ndarray) -> np.ndarray:
    out = np.empty_like(like)
    for at in np.ndindex(like.shape):
        steps = zip(view.axis, view.stride, view.offset, strict=True)
        out[at] = x[tuple(f if a is None else f + s * at[a] for a, s, f in steps)]
    return out


def _written(op: Layout, places: Any, arrays: list[np.ndarray], attrs: Any, like: np.ndarray) -> np.ndarray:
    out = np.full_like(like, op.fill(attrs) if op.fill else 0)
    for x, place in zip(arrays, places, strict=True):
        for at in np.ndindex(x.shape):
            out[tuple(f + s * i for s, f, i in zip(place.stride, place.offset, at, strict=True))] = x[at]
    return out


@pytest.mark.parametrize("op", [o for o in REGISTRY.values() if isinstance(o, Row)], ids=lambda op: op.name)
def test_row_expressions_use_known_names(op: Row) -> None:
    known = set("abc"[: len(op.params)]) | {"j", "n"} | set(op.attributes)
    for name, kind, expr in op.phases:
        assert kind in ("max", "sum")
        assert set(names_in(parse(expr))) <= known
        known.add(name)
    assert set(names_in(parse(op.result))) <= known
    rows = set("abc"[len(op.params) - op.row_args : len(op.params)]) | {"n"} | set(op.attributes)
    assert not op.check or set(names_in(parse(op.check))) <= rows


def test_public_names_are_taken_once() -> None:
    names = list(itertools.chain.from_iterable(op.public for op in REGISTRY.values()))
    assert sorted(names) == sorted(set(names))


def test_token_is_a_token() -> None:
    assert REGISTRY["token"].infer((), {}) == TokenType()
