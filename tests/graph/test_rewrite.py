"""The rewrite rules: each is applied to its example, and both sides are computed for awkward numbers."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest

from weft.graph import REGISTRY, ArrayType, Graph, Node, as_dtype, constant, make, o, parameter
from weft.graph.dims import parse_size
from weft.graph.evaluate import evaluate
from weft.graph.passes.absorb_broadcasts import BROADCASTS
from weft.graph.passes.algebra_rules import ALGEBRA
from weft.graph.passes.eliminate_transposes import LAYOUT
from weft.graph.passes.fold_constants import FOLD
from weft.graph.passes.simplify_algebra import REDUCTIONS
from weft.graph.pattern import head, number, parse_term, slack
from weft.graph.rewrite import Engine, Exactness, FamilyRule, Rule, Rules
from weft.graph.text import to_text
from weft.graph.text_parser import parse
from weft.graph.verify import verify

ALL = (*FOLD, *ALGEBRA, *REDUCTIONS, *LAYOUT, *BROADCASTS)
RULES = [r for r in ALL if isinstance(r, Rule)]
FAMILY_RULES = [r for r in ALL if isinstance(r, FamilyRule)]
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1.2e-38, 3.4e38, -3.4e38, 0.1, -2.5, 7.0, 1 / 3]


def type_of(text: str) -> ArrayType:
    short, _, sizes = text.partition("[")
    names = {d.short: d for d in map(as_dtype, ("float32", "float16", "float64", "int32", "int64", "uint8", "bool"))}
    return ArrayType(names[short], tuple(parse_size(s) for s in sizes.rstrip("]").split(",") if s))


def stand_ins(rule: Rule) -> dict[str, Any]:
    """The names of a rule's example: parameters, constants and attribute values."""
    made: dict[str, Any] = {}
    for name, value in rule.example.items():
        if isinstance(value, str):
            made[name] = parameter(type_of(value), name)
        elif isinstance(value, (np.ndarray, np.generic)):
            made[name] = constant(value)
        else:
            made[name] = value
    return made


def instantiate(term: ast.expr, names: dict[str, Any], like: Node | None = None) -> Node:
    """The left side of a rule as a node."""
    if isinstance(term, ast.Name):
        return names[term.id]
    if not isinstance(term, ast.Call):
        value = number(term)
        if isinstance(value, bool):
            return constant(np.bool_(value))
        assert like is not None
        return constant(np.asarray(value, like.dtype.np))
    args: list[Node | None] = [None if number(a) is not None else instantiate(a, names) for a in term.args]
    like = next((a for a in args if a is not None), names.get(""))
    full = [instantiate(t, names, like) if a is None else a for t, a in zip(term.args, args, strict=True)]
    if "" in names:
        full = [o.broadcast_to(a, shape=names[""].shape) for a in full]
    attrs = {k.arg: names[k.value.id] if isinstance(k.value, ast.Name) else ast.literal_eval(k.value) for k in term.keywords}
    return make(REGISTRY[head(term)], full, attrs)


def awkward(type: ArrayType, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    shape = tuple(int(str(s)) for s in type.shape)
    if type.dtype.is_floating:
        values = random.choice(np.array(SPECIAL), shape)
    elif type.dtype.is_bool:
        values = random.integers(0, 2, shape)
    else:
        low, high = int(type.dtype.min), int(type.dtype.max)
        values = random.choice(np.array([low, high, 0, 1, 2, high // 3]), shape)
    with np.errstate(all="ignore"):
        return np.asarray(values).astype(type.dtype.np)


def bits(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).reshape(-1).view(f"u{array.dtype.itemsize}")


def assert_equal(got: np.ndarray, want: np.ndarray, exactness: Exactness) -> None:
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    if exactness is Exactness.REASSOCIATING:
        np.testing.assert_allclose(got, want, rtol=1e-5)
        return
    same = bits(got) == bits(want)
    if got.dtype.kind == "f" and exactness is Exactness.EXACT_EXCEPT_NAN:
        same |= np.isnan(got).reshape(-1) & np.isnan(want).reshape(-1)
    assert same.all(), (got.reshape(-1)[~same], want.reshape(-1)[~same])


def rewritten(rule: Rule) -> tuple[list[Node], Node, Node]:
    names = stand_ins(rule)
    before = instantiate(parse_term(rule.pattern), names)
    after = rule.apply(before, Engine(Rules(FOLD).by_op).make)
    assert after is not None, "the rule does not apply to its own example"
    assert after is not before
    return [n for n in names.values() if isinstance(n, Node) and "uid" in n.attrs], before, after


def compare(rule: Rule, inputs: list[Node], before: Node, after: Node, arrays: list[np.ndarray]) -> None:
    with np.errstate(all="ignore"):
        (want,) = evaluate(Graph(tuple(inputs), (before,)), arrays).outputs
        (got,) = evaluate(Graph(tuple(inputs), (after,)), arrays).outputs
    assert_equal(np.asarray(got), np.asarray(want), rule.exactness)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rule_keeps_its_promise(rule: Rule) -> None:
    inputs, before, after = rewritten(rule)
    assert after.type == before.type
    verify(Graph(tuple(inputs), (after,)))
    for seed in range(20):
        arrays = [awkward(n.type, seed + i) for i, n in enumerate(inputs)]
        compare(rule, inputs, before, after, arrays)


FLOAT_RULES = [r for r in ALGEBRA if any(isinstance(v, str) and v.startswith("f32") for v in r.example.values())]


def halved(value: Any) -> Any:
    """The stand-in of an example for 65536 elements of float16."""
    if isinstance(value, str):
        return "b1[65536]" if value.startswith("b1") else "f16[65536]"
    if isinstance(value, np.ndarray):
        return np.float16(-0.25)
    if isinstance(value, np.float32):
        return np.float16(value)
    return as_dtype("float16") if value is as_dtype("float32") else value


@pytest.mark.parametrize("rule", FLOAT_RULES, ids=str)
def test_rule_keeps_its_promise_for_every_half_float(rule: Rule) -> None:
    half = {name: halved(value) for name, value in rule.example.items()}
    rule = Rule(rule.pattern, rule.replacement, rule.where, half, rule.exactness)
    inputs, before, after = rewritten(rule)
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    every = np.where(np.isnan(every), (every.view(np.uint16) | 0x200).view(np.float16), every)  # arithmetic makes NaN quiet
    random = np.random.default_rng(0)
    arrays = [
        random.integers(0, 2, 65536).astype(bool) if n.dtype.is_bool else every if i == 0 else random.permutation(every)
        for i, n in enumerate(inputs)
    ]
    compare(rule, inputs, before, after, arrays)


@pytest.mark.parametrize("rule", FAMILY_RULES, ids=str)
def test_family_rule_turns_before_into_after(rule: FamilyRule) -> None:
    before = parse(rule.before)
    after = Rules((*FOLD, *LAYOUT, rule)).rewrite(verify(before))
    assert to_text(verify(after)) == to_text(parse(rule.after))
    shapes = [tuple(s if isinstance(s, int) else 5 for s in n.shape) for n in before.inputs]
    arrays = [awkward(ArrayType(n.dtype, s), i) for i, (n, s) in enumerate(zip(before.inputs, shapes, strict=True))]
    with np.errstate(all="ignore"):
        want, got = evaluate(before, arrays).outputs, evaluate(after, arrays).outputs
    for g, w in zip(got, want, strict=True):
        assert_equal(np.asarray(g), np.asarray(w), Exactness.EXACT)
    assert rule.lighter


def test_rule_that_does_not_make_the_term_lighter_is_refused() -> None:
    heavier = (("mul(x, y)", "mul(y, x)"), ("square(x)", "mul(x, x)"), ("mul(x, add(y, z))", "add(mul(x, y), mul(x, z))"))
    for before, after in heavier:
        with pytest.raises(ValueError, match="lighter"):
            slack(parse_term(before), parse_term(after))


def test_rule_that_names_no_op_is_refused() -> None:
    with pytest.raises(ValueError, match="no op called 'frobnicate'"):
        _ = Rule("frobnicate(x)", "x").compiled
    with pytest.raises(ValueError, match="needs the attribute dtype"):
        _ = Rule("cast(x)", "x").compiled


def unchanged(node: Node) -> bool:
    """Whether no exact rule applies to the node."""
    return Rules(ALL).rewrite(Graph(tuple(n for n in node.args if "uid" in n.attrs), (node,))).outputs == (node,)


def test_rules_that_are_wrong_for_nan_infinity_or_minus_zero_do_not_exist() -> None:
    x = parameter(type_of("f32[3]"))
    zero = constant(np.float32(0))
    assert unchanged(o.mul(x, zero))
    assert unchanged(o.sub(x, x))
    assert unchanged(o.add(x, zero))
    assert unchanged(o.div(x, x))
    assert unchanged(o.sub(x, constant(np.float32(-0.0))))
    assert unchanged(o.logical_not(o.less(x, zero)))
    assert unchanged(o.div(x, 3.0))
    assert unchanged(o.pow(x, 0.5))


def test_reassociating_rules_are_off_by_default() -> None:
    x = parameter(type_of("f32[3]"))
    total = o.reduce_sum(o.broadcast_to(x, shape=(4, 3)), axes=(0,), keepdims=False)
    assert unchanged(total)
    free = Rules(ALL, reassociate=True).rewrite(Graph((x,), (total,)))
    assert [n.op.name for n in free.nodes()] == ["parameter", "constant", "mul"]


def test_commutative_ops_match_in_either_order() -> None:
    x = parameter(type_of("f32[3]"))
    graph = Rules(ALL).rewrite(Graph((x,), (o.mul(constant(np.float32(1)), x), o.add(o.neg(x), o.square(x)))))
    assert graph.outputs == (x, o.sub(o.square(x), x))


def test_replacement_is_broadcast_to_the_shape_it_replaces() -> None:
    x = parameter(type_of("f32[3]"))
    graph = Rules(ALL).rewrite(Graph((x,), (o.mul(x, constant(np.ones((2, 3), np.float32))),)))
    assert graph.outputs == (o.broadcast_to(x, shape=(2, 3)),)
