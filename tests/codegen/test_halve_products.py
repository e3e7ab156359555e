"""Long products in halves: which they are, that their sums are right, and that threads change no bit."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from weft.codegen import Program, Target, generate, order_variables
from weft.graph import ArrayType, Dim, Graph, VariableRef, as_dtype, o, parameter, read
from weft.graph.passes import optimize
from weft.runtime import frame
from weft.runtime.config import config
from weft.runtime.executable import build
from weft.runtime.machine import detect_target
from weft.runtime.team import team
from weft.runtime.team_choice import choose_calls

sys.path.insert(0, str(Path(__file__).parent))
from test_fuse_epilogues import agree, values_for

F32, F64, I32 = as_dtype("float32"), as_dtype("float64"), as_dtype("int32")
BATCH = Dim("batch")
OWN = Target(64, 32, own_contracts=("f32", "f64"))
MODES = ["python", pytest.param("compiled", marks=pytest.mark.compiles)]


def layer(m, k: int, n: int, dtype=F32, *, trained: bool = True, turned: bool = False) -> Graph:
    """relu(x @ w), and a step of w along the gradient of half its squares' sum. Sums are scaled to be about 1."""
    given = parameter(ArrayType(dtype, (m, k)), "x")
    x = given if dtype is I32 else o.mul(given, 1 / 32)
    w = VariableRef("w", ArrayType(dtype, (n, k) if turned else (k, n)))
    y = o.matmul(x, read(w), transpose_b=turned)
    h = y if dtype is I32 else o.relu(y)
    if not trained:
        return Graph((given,), (h,))
    g = o.matmul(h, x, transpose_a=True) if turned else o.matmul(x, h, transpose_a=True)
    rate = 2 if dtype is I32 else 1e-3
    return Graph((given,), (h,), ((w, o.sub(read(w), o.mul(g, rate))),))


def halved(program: Program) -> int:
    decls = {k.name: k.contract for k in program.kernels}
    return sum(1 for c in program.calls if decls.get(c.kernel) is not None and decls[c.kernel].halves)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("n", [2, 33])
def test_unknown_batch(n, dtype, mode):
    program = agree(layer(BATCH, 514, n, dtype), OWN, mode, (0, 1, 3, 19))
    assert halved(program) == 1


@pytest.mark.compiles
@pytest.mark.parametrize(("m", "k", "n"), [(64, 784, 64), (61, 1030, 47), (200, 514, 21)])
def test_known_sizes(m, k, n):
    assert halved(agree(layer(m, k, n), OWN, "compiled")) == 1


@pytest.mark.parametrize(
    "graph",
    [
        layer(BATCH, 512, 8, trained=False),  # nobody writes w: it stays in all caches
        layer(BATCH, 513, 8),
        layer(BATCH, 510, 8),
        layer(BATCH, 512, 1),
        layer(8, 512, 8),  # too short for two threads
        layer(BATCH, 4096, 512),  # no L2 cache keeps half of it
        layer(BATCH, 512, 8, I32),
        layer(BATCH, 512, 8, turned=True),
    ],
)
def test_left_whole(graph):
    assert halved(generate(graph, OWN)) == 0


def test_left_to_a_library():
    assert halved(generate(layer(BATCH, 512, 8), Target())) == 0


def test_not_numbers_stay_where_they_are():
    """A NaN and an infinity in one row of x reach that row of the result only."""
    program = generate(layer(BATCH, 512, 8), OWN)
    x, w = np.ones((4, 512), np.float32), np.ones((512, 8), np.float32)
    x[1, 5], x[2, 400] = np.nan, np.inf
    (out,) = build(program, [w], "python")([x])
    np.testing.assert_array_equal(out, np.array([16, np.nan, np.inf, 16], np.float32)[:, None].repeat(8, 1))


def test_stored_program():
    program = generate(layer(BATCH, 512, 8), OWN)
    assert halved(Program.from_tables(program.to_tables(), ())) == 1


@pytest.mark.compiles
@pytest.mark.parametrize(("batch", "n"), [(64, 64), (7, 33)])
def test_same_bits_for_any_number_of_threads(batch, n, monkeypatch):
    monkeypatch.setattr(config, "team_delay", 0)
    monkeypatch.setattr(frame, "choose_calls", lambda program, dims: frozenset(range(len(program.calls))))
    graph = optimize(layer(BATCH, 784, n))
    program = generate(graph, detect_target())
    assert halved(program) == 1
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(config, "intra_op_threads", threads)
        storages = values_for(order_variables(graph), batch)
        run = build(program, storages, "compiled")
        for _ in range(3):
            out = run(values_for(graph.inputs, batch))
        results.append([*out, *storages])
    team.stop()
    for one, two in pairwise(results):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)


def test_threads_share_the_long_calls_only(monkeypatch):
    """Of a small model's step: the first layer's product and the update of its weight."""
    monkeypatch.setattr(config, "intra_op_threads", 2)
    x, w, v = parameter(ArrayType(F32, (64, 784)), "x"), VariableRef("w", ArrayType(F32, (784, 64))), read_small()
    h = o.relu(o.matmul(x, read(w)))
    y = o.matmul(h, read(v))
    dh = o.matmul(y, read(v), transpose_b=True)
    writes = [(w, o.sub(read(w), o.matmul(x, dh, transpose_a=True))), (v, o.sub(read(v), o.matmul(h, y, transpose_a=True)))]
    program = generate(optimize(Graph((x,), (), tuple(writes))), OWN)
    calls = choose_calls(program, {})
    assert sorted(program.calls[c].result for c in calls) == ["f32[2,64,64]", "f32[784,64]"]
    assert len(program.calls) > len(calls)


def read_small() -> VariableRef:
    return VariableRef("v", ArrayType(F32, (64, 10)))
