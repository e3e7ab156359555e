"""Products of one shape that share a: which become one call, and that its bits are those of a call each."""

from __future__ import annotations

import ctypes
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from weft.codegen import Program, Target, generate, order_variables
from weft.codegen.contract_kernel import print_contract
from weft.codegen.contract_product import Product, matrix_product
from weft.graph import ArrayType, Dim, Graph, Node, VariableRef, as_dtype, o, parameter, read
from weft.graph.record import replace
from weft.runtime import frame, team_products
from weft.runtime.config import config
from weft.runtime.engine import compile_text, engine
from weft.runtime.executable import build
from weft.runtime.team import team

sys.path.insert(0, str(Path(__file__).parent))
from contract_run import KINDS, host, narrow
from plain_epilogues import AddColumns, AddElements, Chain, Relu
from test_fuse_epilogues import agree, values_for

F32, F64 = as_dtype("float32"), as_dtype("float64")
BATCH = Dim("batch")
OWN = Target(64, 32, 32 * 1024, 2 * 1024 * 1024, own_contracts=("f32", "f64"))
MODES = ["python", pytest.param("compiled", marks=pytest.mark.compiles)]
M, N = 256, 128  # of a gradient whose transposed left operand is packed


def tensor(*shape, dtype=F32, name="x") -> Node:
    return parameter(ArrayType(dtype, shape), name)


def gradients_of(count: int, m=M, n=N, k=BATCH, dtype=F32) -> tuple[list[Node], list[Node]]:
    """(parameters, products)"""
    a, *others = given = [tensor(k, m, dtype=dtype), *(tensor(k, n, dtype=dtype, name=f"g{i}") for i in range(count))]
    return given, [o.matmul(a, g, transpose_a=True) for g in others]


def sets(program: Program) -> list[int]:
    """Of how many products each call of a product is."""
    decls = {k.name: k.contract for k in program.kernels}
    return [decls[c.kernel].sets for c in program.calls if decls.get(c.kernel) is not None]


# Kernels ------------------------------------------------------------------------------------------------------------------------


def run_kernel(
    product: Product, target: Target, arrays: list[np.ndarray], sizes: tuple[int, ...], part: tuple[str, int, int] | None = None
) -> None:
    """Calls the product's kernel; scratch memory is put where it belongs. part: axis, first and last."""
    ranged, span = (part[0], part[1:]) if part else ("", ())
    kernel = print_contract(product, target, ranged)
    symbol = f"sets_test_{abs(hash((kernel.text, ranged)))}"
    address, handle = engine.load(compile_text(kernel.text.replace("KERNEL", symbol), vectorize=False, tidy=False), symbol)
    guard = np.full(kernel.work + 64, 0xAB, np.uint8)
    pointers = [x.ctypes.data for x in (*arrays[:3], guard, *arrays[3:])]
    assert handle is not None and len(pointers) == kernel.pointers
    kinds = [ctypes.c_void_p] * len(pointers) + [ctypes.c_int64] * (6 + len(span))
    assert ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(address)(*pointers, *sizes, *span) == 0
    assert (guard[kernel.work :] == 0xAB).all(), "the kernel wrote behind its scratch memory"


ENDINGS = {"plain": None, "bias and residual": Chain((AddColumns(), AddElements(), Relu()))}


@pytest.mark.compiles
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("target", "known"), [(host, True), (narrow, False)])
@pytest.mark.parametrize("form", ["nn", "nt", "tn", "tt"])
@pytest.mark.parametrize("sizes", [(300, 130, 70), (37, 33, 300), (26, 65, 0)])
def test_bits_of_single_products(sizes, form, target, ending, known):
    m, n, k = sizes
    rng = np.random.default_rng(m)
    short = "f32" if m != 37 else "f64"
    make = lambda *shape: rng.normal(size=shape).astype(KINDS[short])  # noqa: E731
    flags = form[0] == "t", form[1] == "t"
    single = matrix_product(short, *flags, 1, *(sizes if known else (None,) * 3), epilogue=ENDINGS[ending])
    a = make(k, m) if flags[0] else make(m, k)
    b = [make(n, k) if flags[1] else make(k, n) for _ in range(3)]
    own = [[make(n), make(m, n)] if ENDINGS[ending] else [] for _ in range(3)]
    apart, together = ([np.full((m, n), np.nan, KINDS[short]) for _ in range(3)] for _ in range(2))
    call = 1, m, n, k, 0, 0
    for right, result, arrays in zip(b, apart, own, strict=True):
        run_kernel(single, target(), [a, right, result, *arrays], call)
    each = [[right, result, *arrays] for right, result, arrays in zip(b, together, own, strict=True)]
    run_kernel(replace(single, sets=3), target(), [a, *(x for arrays in each for x in arrays)], call)
    for x, y in zip(apart, together, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.compiles
@pytest.mark.parametrize(("axis", "count"), [("rows", 300), ("columns", 130)])
def test_parts_of_fused_products_equal_the_whole(axis, count):
    """What threads run: ranges of rows or columns of all products."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(70, 300)).astype(np.float32), rng.normal(size=(2, 70, 130)).astype(np.float32)
    product = replace(matrix_product("f32", True, False, 1, None, None, None), sets=2)
    whole, cut = np.zeros((2, 300, 130), np.float32), np.zeros((2, 300, 130), np.float32)
    call = 1, 300, 130, 70, 0, 0
    run_kernel(product, host(), [a, b[0], whole[0], b[1], whole[1]], call)
    for first, last in pairwise((0, 96, count)):
        run_kernel(product, host(), [a, b[0], cut[0], b[1], cut[1]], call, (axis, first, last))
    np.testing.assert_array_equal(whole, cut)


# Graphs -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [F32, F64])
def test_gradients_of_three_weights(dtype, mode):
    given, made = gradients_of(3, dtype=dtype)
    program = agree(Graph(tuple(given), tuple(made)), OWN, mode, (5, 1, 0))
    assert sets(program) == [3]
    assert program.calls[0].flops == f"{6 * M * N}*batch"
    assert Program.from_tables(program.to_tables(), ()).kernels == program.kernels


@pytest.mark.compiles
@pytest.mark.parametrize("sizes", [(259, 131, 77), (256, 128, 700), (300, 200, 1)])
def test_bits_of_calls_apart(sizes):
    """Of products that other ends keep apart."""
    given, made = gradients_of(3, *sizes)
    target = replace(host(), own_contracts=("f32",))
    together = generate(Graph(tuple(given), tuple(made)), target)
    apart = generate(Graph(tuple(given), (made[0], o.neg(made[1]), o.abs(made[2]))), target)
    assert sets(apart) == [1, 1, 1] and (target.vector_bytes < 64 or sets(together) == [3])
    inputs = values_for(given, 1)
    one, two = (build(p, [], "compiled")(inputs) for p in (together, apart))
    for x, y in zip((one[0], -one[1], np.abs(one[2])), two, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("mode", MODES)
def test_equal_epilogues(mode):
    given, made = gradients_of(3)
    bias = [tensor(N, name=f"b{i}") for i in range(3)]
    ended = [o.relu(o.add(p, b)) for p, b in zip(made, bias, strict=True)]
    program = agree(Graph((*given, *bias), tuple(ended)), OWN, mode, (5,))
    assert sets(program) == [3] == [len(program.calls) * 3]
    assert program.calls[0].ops == "matmul, add, relu"


@pytest.mark.parametrize("mode", MODES)
def test_each_update_is_the_end_of_its_gradients_product(mode):
    """Momentum for two weights: each is the end of its gradient's product, whose arrays do not fit the L2 cache."""
    given, made = gradients_of(2)
    rate = read(VariableRef("rate", ArrayType(F32, ())))
    writes = []
    for i, g in enumerate(made):
        w, s = (VariableRef(f"{name}{i}", ArrayType(F32, (M, N))) for name in "ws")
        slot = o.add(o.mul(read(s), 0.9), g)
        writes += [(s, slot), (w, o.sub(read(w), o.mul(slot, o.sqrt(o.abs(rate)))))]
    program = agree(Graph(tuple(given), (), tuple(writes)), replace(OWN, l2_bytes=512 * 1024), mode, (5, 40))
    assert sets(program) == [2]
    assert program.kernels[0].contract.epilogue.streams and program.kernels[0].contract.epilogue.prepare


def test_unequal_epilogues_stay_apart():
    given, made = gradients_of(4)
    ended = (o.relu(made[0]), o.tanh(made[1]), o.relu(made[2]), o.mul(made[3], 2.0))
    assert sorted(sets(agree(Graph(tuple(given), ended), OWN))) == [1, 1, 2]
    ended = (o.mul(made[0], 3.0), o.mul(made[1], 2.0))
    assert sets(agree(Graph(tuple(given[:3]), ended), OWN)) == [1, 1]


def test_products_that_need_each_other_stay_apart():
    """The second is made of the first, by way of another kernel; the third is of neither."""
    given, made = gradients_of(1, k=4)
    rows = o.slice(o.tanh(o.reverse(made[0], axes=(0,))), begin=(0, 0), shape=(4, N), strides=(1, 1))
    free = tensor(4, N, name="free")
    second, third = (o.matmul(given[0], b, transpose_a=True) for b in (rows, free))
    assert sorted(sets(agree(Graph((*given, free), (made[0], second, third)), OWN))) == [1, 2]


def test_other_shapes_and_operands_stay_apart():
    given, made = gradients_of(2)
    wider = tensor(BATCH, N + 1, name="wider")
    other = tensor(BATCH, M, name="other")
    more = o.matmul(given[0], wider, transpose_a=True), o.matmul(other, given[1], transpose_a=True)
    assert sorted(sets(agree(Graph((*given, wider, other), (*made, *more)), OWN))) == [1, 1, 2]


def test_only_where_a_is_packed_and_that_takes_time():
    for m, n, k, form in ((64, 64, 64, "n"), (M, 64, 64, "t"), (M, 700, 64, "t")):
        a = tensor(*((k, m) if form == "t" else (m, k)))
        others = [tensor(k, n, name=f"b{i}") for i in range(3)]
        program = generate(Graph((a, *others), tuple(o.matmul(a, b, transpose_a=form == "t") for b in others)), OWN)
        assert sets(program) == [1, 1, 1]


@pytest.mark.compiles
def test_a_variable_written_by_one_and_read_by_another():
    """The weight that the first product updates is the second one's operand, with its old value."""
    given, (first,) = gradients_of(1, 128, 128, 128, F64)
    w, v = (VariableRef(name, ArrayType(F64, (128, 128))) for name in "wv")
    second = o.matmul(given[0], read(w), transpose_a=True)
    writes = tuple((ref, o.sub(read(ref), o.mul(p, 0.001))) for ref, p in ((w, first), (v, second)))
    target = replace(OWN, l2_bytes=512 * 1024)
    program = agree(Graph(tuple(given), (), writes), target, "compiled")
    assert sets(program) == [1, 1]
    assert all(k.contract.epilogue for k in program.kernels)


def test_an_array_that_several_epilogues_read_is_not_overwritten():
    """Its last readers are the products of one call, whose results are as large."""
    given, made = gradients_of(3)
    shared = o.exp(tensor(M, N, name="e"))
    ended = [o.add(o.mul(p, shared), shared) for p in made]
    used = [o.reduce_sum(e, axes=(0,), keepdims=False) for e in ended]
    program = agree(Graph((*given, shared.args[0]), tuple(used)), replace(OWN, l2_bytes=128 * 1024), batches=(5,))
    assert sets(program) == [3]
    own = [tensor(M, N, name=f"o{i}") for i in range(3)]
    ended = [o.add(p, o.exp(x)) for p, x in zip(made, own, strict=True)]
    used = [o.reduce_sum(e, axes=(0,), keepdims=False) for e in ended]
    program = agree(Graph((*given, *own), tuple(used)), replace(OWN, l2_bytes=128 * 1024), batches=(5,))
    assert sets(program) == [3]


@pytest.mark.compiles
@pytest.mark.parametrize("updates", [False, True])
def test_same_bits_for_any_number_of_threads(updates, monkeypatch):
    target = replace(host(), l2_bytes=512 * 1024, own_contracts=("f32",))
    monkeypatch.setattr(config, "team_delay", 0)
    monkeypatch.setattr(frame, "choose_calls", lambda program, dims: frozenset(range(len(program.calls))))
    monkeypatch.setattr(team_products, "detect_target", lambda: target)
    given, made = gradients_of(3, 300, 140)
    refs = [VariableRef(f"w{i}", ArrayType(F32, (300, 140))) for i in range(3)]
    writes = tuple((w, o.sub(read(w), o.mul(g, read(w)))) for w, g in zip(refs, made, strict=True))
    graph = Graph(tuple(given), (), writes) if updates else Graph(tuple(given), tuple(made))
    program = generate(graph, target)
    assert target.vector_bytes < 64 or sets(program) == [3]
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(config, "intra_op_threads", threads)
        storages = values_for(order_variables(graph), 90)
        run = build(program, storages, "compiled")
        for _ in range(3):
            out = run(values_for(given, 90))
        results.append([*out, *storages])
    team.stop()
    for one, two in pairwise(results):
        for x, y in zip(one, two, strict=True):
            np.testing.assert_array_equal(x, y)
