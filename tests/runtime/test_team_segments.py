"""What threads take at a time: which calls are one segment, what each waits for, and who may take it."""

from __future__ import annotations

import ast

import pytest

from weft.codegen import Program, Target, generate
from weft.codegen.program import Split
from weft.graph import ArrayType, Graph, VariableRef, as_dtype, o, parameter, read
from weft.graph.passes import optimize
from weft.graph.record import replace
from weft.runtime.config import config
from weft.runtime.module_text import ModuleText
from weft.runtime.plan_team import plan_team
from weft.runtime.team_choice import choose_calls
from weft.runtime.team_products import share_products
from weft.runtime.team_segments import Access, Segment, TeamCall, form_segments

F32 = as_dtype("float32")
OWN = Target(64, 32, l2_bytes=2 << 20, own_contracts=("f32", "f64"))
ROWS = ("n0", 8, "64")
FAILURE = ast.parse("if e:\n    return e").body[0]


def call(reads: str, writes: str, *, rows: str = "", fails: bool = False, effect: bool = False) -> TeamCall:
    """A call over buffers named by letters. rows: those of which each part touches its own rows; if any, the call is cut."""
    accesses = [Access(b, False, ROWS if b in rows else None) for b in reads]
    accesses += [Access(b, True, ROWS if b in rows else None) for b in writes]
    failure = FAILURE if fails else None
    assert failure is None or isinstance(failure, ast.If)
    node = ast.Call(ast.Name("kernel"), [], [])
    return TeamCall(node, failure, Split(8, "n0") if rows else None, tuple(accesses), effect)


def shapes(segments: list[Segment]) -> list[tuple[int, list[tuple[int, bool]], bool]]:
    return [(len(s.calls), s.needs, s.free) for s in segments]


def test_calls_that_hang_together_are_one_segment() -> None:
    segments = form_segments([call("x", "a"), call("a", "b", fails=True), call("ab", "c")])
    assert shapes(segments) == [(3, [], True)]


def test_calls_that_could_run_at_once_are_not() -> None:
    segments = form_segments([call("x", "a"), call("x", "b"), call("b", "c"), call("ac", "d")])
    assert shapes(segments) == [(1, [], True), (2, [], True), (1, [(1, False), (0, False)], True)]


def test_parts_that_need_the_same_part_are_one_segment() -> None:
    segments = form_segments([call("x", "a", rows="xa"), call("a", "b", rows="ab"), call("b", "c", rows="c")])
    assert shapes(segments) == [(2, [], False), (1, [(0, False)], False)]


def test_a_chain_may_need_the_same_parts_of_an_earlier_one() -> None:
    calls = [call("x", "a", rows="a"), call("x", "d", rows="d"), call("d", "e", rows="de"), call("ae", "f", rows="aef")]
    assert shapes(form_segments(calls)) == [(1, [], False), (3, [(0, True)], False)]


def test_only_what_runs_behind_the_last_cut_call_is_free() -> None:
    calls = [call("x", "a"), call("a", "b", rows="b"), call("b", "c"), call("", "", effect=True)]
    assert [s.free for s in form_segments(calls)] == [False, False, True, False]


def test_what_can_go_ahead_of_pieces_does_and_is_free() -> None:
    """A gradient in pieces; what needs its result, what reads its memory and what can fail stay behind it, the rest does not."""
    pieces = replace(call("x", "w", rows="w"), long=True)
    calls = [call("y", "x"), pieces, call("y", "v"), call("v", "u"), call("w", "a"), call("y", "b", fails=True), call("b", "c")]
    segments = form_segments(calls)
    assert [s.calls for s in segments] == [calls[:1], calls[2:4], calls[1:2], calls[4:5], calls[5:7]]
    assert [(s.needs, s.free) for s in segments[:3]] == [([], False), ([], True), ([(0, False)], False)]
    halves = replace(pieces, long=False)
    assert [s.calls[0] for s in form_segments([calls[0], halves, *calls[2:]])][:3] == [calls[0], halves, calls[2]]


def test_nothing_passes_what_can_fail() -> None:
    """The counters come behind the check of the product: if it fails they are as they were."""
    pieces = replace(call("x", "w", rows="w"), long=True)
    calls = [call("y", "x"), pieces, call("y", "v"), call("w", "a", fails=True), call("y", "b"), call("y", "c")]
    segments = form_segments(calls)
    assert [s.calls for s in segments] == [calls[:1], calls[2:3], calls[1:2], *([c] for c in calls[3:])]


def test_everybody_waits_for_a_code_only_once() -> None:
    calls = [call("x", "a", fails=True), call("a", "b", rows="b"), call("a", "c", rows="c")]
    assert shapes(form_segments(calls)) == [(1, [], False)] * 3


# A step ------------------------------------------------------------------------------------------------------------------------


def train(width: int) -> Program:
    """The step of two layers, the first of which is long; the second one's weight has the same gradient's size as activations."""
    x, y = parameter(ArrayType(F32, (width, 784)), "x"), parameter(ArrayType(F32, (width, width)), "y")
    w, v = VariableRef("w", ArrayType(F32, (784, width))), VariableRef("v", ArrayType(F32, (width, width)))
    h = o.relu(o.matmul(x, read(w)))
    d = o.sub(o.matmul(h, read(v)), y)
    e = o.where(o.greater(h, 0.0), o.matmul(d, read(v), transpose_b=True), 0.0)
    writes = [(u, o.sub(read(u), o.mul(g, g))) for u, g in ((w, gradient(x, e)), (v, gradient(h, d)))]
    return generate(optimize(Graph((x, y), (), tuple(writes))), OWN)


def gradient(a, b):
    return o.matmul(a, b, transpose_a=True)


def segments_of(program: Program) -> list[Segment]:
    step = ModuleText.split(program.source).step
    products = share_products(program, step)
    decls = {k.name: replace(k, split=products[k.name].split) if k.name in products else k for k in program.kernels}
    plan = plan_team(step, decls, program.buffers, choose_calls(program, {}))
    assert plan is not None
    return plan.segments


@pytest.mark.parametrize(("width", "waits"), [(64, False), (512, True)])
def test_memory_makes_nobody_wait_where_it_is_small(width: int, waits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second weight's gradient needs nothing of the first one's, but takes its operand's place where arrays are large."""
    monkeypatch.setattr(config, "intra_op_threads", 2)
    segments = segments_of(train(width))
    gradients = [i for i, s in enumerate(segments) if any("_tn_" in ast.unparse(c.node.func) for c in s.calls)]
    assert len(gradients) == 2
    assert any(j >= gradients[0] for j, _ in segments[gradients[1]].needs) == waits
