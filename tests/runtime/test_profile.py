"""The profiler: what is counted, what is measured, and what is shown of it."""

from __future__ import annotations

import threading
import time
import xml.etree.ElementTree as xml
from pathlib import Path

import numpy as np
import pytest

import weft as tf
from weft import keras
from weft.codegen import Program, generate
from weft.codegen.target import Target
from weft.debug.chart import draw_curves
from weft.debug.profile_page import draw_timeline
from weft.debug.profiling import Profile, ProfileRow
from weft.debug.svg import Picture
from weft.graph.dims import Dim, parse_size, size_value
from weft.graph.passes import optimize
from weft.graph.record import replace
from weft.runtime.machine_limits import Cores, Level, Limits, measure_limits, sweep_loop
from weft.runtime.store import pack_tables, unpack_tables


def calls_of(function, *specs):
    """The calls of the program that is generated for the function."""
    graph = tf.function(function).get_concrete_function(*specs).graph
    return generate(optimize(graph), Target()).calls


def total(call, **sizes):
    moved = sum(min(size_value(parse_size(t), sizes) for t in least) for least in call.traffic)
    return size_value(parse_size(call.flops), sizes), moved


# What is counted --------------------------------------------------------------------------------------------------------------


def test_a_product_costs_two_operations_per_term_and_moves_its_arrays():
    (call,) = calls_of(tf.matmul, tf.TensorSpec([Dim("batch"), 30]), tf.TensorSpec([30, 7]))
    assert total(call, batch=5) == (2 * 5 * 30 * 7, 4 * (5 * 30 + 30 * 7 + 5 * 7))
    assert call.ops == "matmul" and call.result == "f32[batch,7]"


def test_a_fused_chain_reads_each_array_once_and_writes_once():
    (call,) = calls_of(lambda x, y: (x * y + x) / y, tf.TensorSpec([Dim("batch"), 8]), tf.TensorSpec([8]))
    flops, moved = total(call, batch=10)
    assert flops == 10 * 8 * (1 + 1 + 5)  # a division counts as five
    assert moved == 4 * (10 * 8 + 8 + 10 * 8)


def test_a_reduction_counts_what_it_reads():
    (call,) = calls_of(lambda x: tf.reduce_sum(x, axis=1), tf.TensorSpec([20, 50]))
    flops, moved = total(call)
    assert moved == 4 * (20 * 50 + 20)
    assert flops >= 20 * 50


def test_integer_work_is_no_floating_point_work():
    (call,) = calls_of(lambda x: x + x * 2, tf.TensorSpec([16], tf.int32))
    assert total(call) == (0, 2 * 16 * 4)


def test_rows_picked_from_a_table_count_at_most_the_table():
    calls = calls_of(tf.gather, tf.TensorSpec([1000, 4]), tf.TensorSpec([Dim("batch")], tf.int32))
    few, many = (sum(total(c, batch=n)[1] for c in calls) for n in (2, 10**6))
    assert few < 500
    assert 4 * 4 * 10**6 < many < 4 * 4 * 10**6 + 4 * 4000 + 8 * 4 * 10**6


def test_an_update_in_place_reads_and_writes():
    v = tf.Variable(np.ones(100, np.float32))

    def update(x):
        v.assign_add(x)

    (call,) = calls_of(update, tf.TensorSpec([100]))
    assert total(call) == (100, 3 * 400)


def test_calls_survive_storing():
    layer = tf.function(lambda a, b: tf.nn.relu(tf.matmul(a, b)))
    graph = layer.get_concrete_function(tf.TensorSpec([4, 5]), tf.TensorSpec([5, 6])).graph
    program = generate(optimize(graph), Target())
    assert len(program.calls) == program.notes["calls"]
    assert Program.from_tables(unpack_tables(pack_tables(program.to_tables())), program.constants).calls == program.calls


# What is measured -------------------------------------------------------------------------------------------------------------


@pytest.mark.compiles
def test_a_step_is_profiled_call_by_call_and_leaves_its_variables_alone():
    w = tf.Variable(np.ones((64, 32), np.float32), name="w")

    @tf.function
    def step(x):
        y = tf.nn.relu(tf.matmul(x, w))  # the product
        w.assign_sub(0.1 * tf.matmul(x, y, transpose_a=True))
        return tf.reduce_mean(y)

    x = tf.constant(np.random.default_rng(0).random((16, 64), np.float32))
    before = w.numpy()
    profile = tf.debug.profile(step, x, steps=5)
    np.testing.assert_array_equal(w.numpy(), before)
    products = [r for r in profile.rows if r.ops.startswith("matmul")]
    update = 2 * 64 * 32  # the end of the second product: a multiplication and a subtraction per weight
    assert [(r.ops, r.flops) for r in products] == [("matmul", 2 * 16 * 64 * 32), ("matmul, mul, sub", 2 * 16 * 64 * 32 + update)]
    assert all(0 < r.seconds < 1 for r in products)
    assert profile.kernel_seconds > 0 and profile.step_seconds > 0
    assert Path(__file__).name in products[0].lines
    assert any("# the product" in text for text in profile.sources.values())
    assert products[0].kernel in str(profile) and products[0].lines in str(profile)
    assert float(step(x)) == pytest.approx(float(tf.reduce_mean(tf.nn.relu(tf.matmul(x, before)))), rel=1e-6)


@pytest.mark.compiles
def test_a_models_train_step_is_profiled_by_layer():
    first, last = keras.layers.Dense(8, activation="relu", name="first"), keras.layers.Dense(3, name="last")
    model = keras.Sequential([keras.Input((12,)), first, last])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    rng = np.random.default_rng(1)
    x, y = rng.random((20, 12)), rng.integers(0, 3, 20)
    weights = model.get_weights()
    profile = tf.debug.profile(model, x, y, steps=3)
    for a, b in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert profile.name == "train_step"
    assert any("first" in name for name in profile.by_layer()) and any("last" in name for name in profile.by_layer())
    assert sum(profile.by_layer().values()) == pytest.approx(profile.kernel_seconds)
    assert sum(profile.by_line().values()) == pytest.approx(profile.kernel_seconds)
    assert tf.debug.profile(model, x, steps=1).name == "predict_step"
    assert int(model.optimizer.iterations.numpy()) == 0


@pytest.mark.compiles
def test_effects_and_checks_are_timed_too(capsys):
    @tf.function
    def step(x, i):
        tf.print("seen")
        return tf.gather(x, i)

    args = tf.constant([1.0, 2.0, 3.0]), tf.constant([0, 2])
    profile = tf.debug.profile(step, *args, steps=2)
    assert [r.kernel for r in profile.rows].count("effect") == 1
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.debug.profile(step, args[0], tf.constant([7]), steps=1)
    capsys.readouterr()


def test_wrong_calls_say_what_is_wrong():
    with pytest.raises(ValueError, match="at least one step"):
        tf.debug.profile(lambda x: x, 1.0, steps=0)
    with pytest.raises(ValueError, match="needs values"):
        tf.debug.profile(tf.function(lambda x: x + 1.0), tf.TensorSpec([3]))


# Limits -----------------------------------------------------------------------------------------------------------------------

LEVELS = Level("L1", 1e4, 400e9), Level("L2", 1e6, 100e9), Level("memory", float("inf"), 10e9)
LIMITS = Limits(1, {"f32": 100e9, "f64": 50e9}, LEVELS)


def test_work_is_bound_by_arithmetic_or_by_the_level_that_holds_its_bytes():
    assert LIMITS.floor(1e6, 1000) == (1e-5, "FMA")
    assert LIMITS.floor(1e6, 1000, "f64") == (2e-5, "FMA")
    assert LIMITS.floor(10, 1e5) == (1e-6, "L2")
    assert LIMITS.floor(10, 1e8) == (1e-2, "memory")


@pytest.mark.compiles
def test_measured_limits_are_plausible():
    limits = measure_limits()
    assert 1e9 < limits.peak["f64"] < limits.peak["f32"] * 1.5 < 1e13
    assert limits.levels[-1].bytes == float("inf")
    assert all(1e8 < level.bandwidth < 1e13 for level in limits.levels)
    assert [level.bytes for level in limits.levels] == sorted(level.bytes for level in limits.levels)


def test_cores_are_measured_at_once_and_the_slowest_counts():
    cores, meeting = Cores(3), threading.Barrier(3, timeout=10)

    def meet() -> None:
        if meeting.wait() == 0:  # one after the other, the first would wait in vain
            time.sleep(0.05)

    assert cores.seconds(meet) >= 0.05
    cores.close()


@pytest.mark.compiles
def test_a_sweep_says_what_it_moved():
    sweep = sweep_loop(1 << 16)
    assert sweep(1) == 12 * (1 << 13) and sweep(5) == 5 * sweep(1)


# What is shown ----------------------------------------------------------------------------------------------------------------

ROWS = (
    ProfileRow("matmul_f32_nn", "matmul", "f32[8,8]", "train.py:3 dense", 4e-6, 100_000, 2000, 1e-6, "FMA"),
    ProfileRow("add_<1>", "add", "f32[8]", "train.py:3 dense, train.py:4", 1e-6, 8, 96, 2.5e-7, "L1"),
    ProfileRow("copy_2", "copy", "f32[8]", "", 0.0, 0, 64, 1e-7, "L1"),
)
PROFILE = Profile("step", 10, 6e-6, ROWS, LIMITS, {"train.py:3": "y = a < b"})


def test_the_table_lists_the_slowest_first():
    text = str(PROFILE)
    assert text.index("matmul_f32_nn") < text.index("add_<1>") < text.index("copy_2")
    assert "25.0" in text and "25% FMA" in text  # 100 kFLOP in 4 µs; 1 µs at the limit
    assert PROFILE.by_layer() == pytest.approx({"dense": 5e-6, "-": 0.0})
    assert PROFILE.by_line() == pytest.approx({"train.py:3": 4e-6, "train.py:3, train.py:4": 1e-6, "-": 0.0})


def test_pictures_are_well_formed_and_show_every_call(tmp_path):
    drawing = PROFILE.save(tmp_path / "p.svg").read_text()
    tree = xml.fromstring(drawing)
    titles = [t.text or "" for t in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert all(any(row.kernel in t for t in titles) for row in ROWS)
    page = PROFILE.save(tmp_path / "p.html").read_text()
    assert drawing in page and "y = a &lt; b" in page and "<script" not in page
    with pytest.raises(ValueError, match="html"):
        PROFILE.save(tmp_path / "p.png")


def test_bars_are_as_long_as_the_calls():
    def bars(profile):
        tree = xml.fromstring(str(draw_timeline(profile)))
        return [float(r.get("width", "0")) for r in tree.iter("{http://www.w3.org/2000/svg}rect") if len(r)][::2]

    first, second, _ = bars(PROFILE)
    assert first == pytest.approx(4 * second, rel=0.01)
    slower = replace(PROFILE, rows=(replace(ROWS[0], seconds=1e-6), *ROWS[1:]))
    assert bars(slower)[0] == pytest.approx(bars(slower)[1], rel=0.01)


def test_curves_have_all_their_points_inside_the_axes():
    picture = draw_curves("t", "x", "y", {"a": [(1, 3.0), (64, 200.0)], "b & c": [(8, 0.5)]})
    tree = xml.fromstring(str(picture))
    circles = [(float(c.get("cx", "-1")), float(c.get("cy", "-1"))) for c in tree.iter("{http://www.w3.org/2000/svg}circle")]
    assert len(circles) == 3 and all(0 < x < picture.width and 0 < y < picture.height for x, y in circles)
    with pytest.raises(ValueError, match="positive"):
        draw_curves("t", "x", "y", {"a": [(1, 0.0)]})


def test_text_in_pictures_is_escaped():
    picture = Picture(10, 10)
    picture.text(1, 2, "a < b & c")
    assert xml.fromstring(str(picture))[-1].text == "a < b & c"
