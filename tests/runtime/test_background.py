"""First calls while a thread compiles. In: functions whose compiling is held up; out: failures where a caller could tell."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import weft as tf
from weft.runtime import background
from weft.runtime.config import config
from weft.runtime.engine import compile_lock


@pytest.fixture(autouse=True)
def eager_to_wait(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every new graph counts as slow to compile and quick to interpret, and none is in the cache."""
    monkeypatch.setattr(config, "background_compile", "on")
    monkeypatch.setattr(config, "cache_dir", None)
    monkeypatch.setattr(background, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(background, "MOST_SHARE", 1e9)
    monkeypatch.setattr(background, "is_stored", lambda graph: False)
    yield


def run_held(calls: Callable[[], None]) -> None:
    """Runs the calls while another thread holds the lock of all compilations, so that none of them finds compiled code."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with compile_lock:
            held.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        calls()
    finally:
        done.set()
        thread.join()


def wait_compiled(function: tf.runtime.function.Function, *args: object) -> None:
    function.get_concrete_function(*args).compiled  # noqa: B018 - waits


def test_first_calls_are_interpreted_and_later_ones_compiled() -> None:
    scale = tf.Variable([1.0, 2.0])

    @tf.function
    def step(x: tf.Tensor) -> tf.Tensor:
        scale.assign(scale * 1.5)
        return tf.reduce_sum(tf.exp(x) * scale)

    x = tf.constant([0.25, -0.5])
    results: list[float] = []
    concrete_step = step.get_concrete_function(x)

    def calls() -> None:
        results.extend(float(step(x)) for _ in range(3))
        assert concrete_step._compiled is None

    run_held(calls)
    wait_compiled(step, x)
    results += [float(step(x)) for _ in range(3)]
    assert concrete_step._compiled is not None
    expected = [float(np.sum(np.exp([0.25, -0.5]) * np.array([1.0, 2.0]) * 1.5**n)) for n in range(1, 7)]
    np.testing.assert_allclose(results, expected, rtol=1e-6)
    np.testing.assert_allclose(scale.numpy(), np.array([1.0, 2.0]) * 1.5**6, rtol=1e-6)


def test_random_draws_and_checks_are_those_of_compiled_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(x: tf.Tensor) -> tf.Tensor:
        tf.debugging.assert_greater(x, 0.0)
        return tf.random.uniform((4,)) + 0.0 * x

    x, bad = tf.constant(1.0), tf.constant(-1.0)
    drawn = []
    for held in (True, False):
        tf.random.set_seed(3)
        function = tf.function(draw)

        def calls(function: Callable[..., tf.Tensor] = function) -> None:
            drawn.append([function(x).numpy() for _ in range(2)])
            with pytest.raises(tf.errors.InvalidArgumentError):
                function(bad)

        if held:
            run_held(calls)
        else:
            monkeypatch.setattr(config, "background_compile", "off")
            calls()
    np.testing.assert_array_equal(drawn[0], drawn[1])


def test_results_are_the_callers_own() -> None:
    same = tf.function(lambda x: (x, x + 1.0))
    array = np.zeros(3, np.float32)

    def calls() -> None:
        first, _ = same(array)
        array[:] = 7
        np.testing.assert_array_equal(first, [0, 0, 0])

    run_held(calls)


def test_an_error_of_the_compiler_surfaces_on_a_later_call(monkeypatch: pytest.MonkeyPatch) -> None:
    double = tf.function(lambda x: x * 2.0)
    x = tf.constant(1.5)

    first_is_done = threading.Event()

    def fail(graph: object) -> None:
        first_is_done.wait(30)
        raise tf.errors.UnimplementedError("not today")

    monkeypatch.setattr(background, "compile_graph", fail)
    assert float(double(x)) == 3.0
    first_is_done.set()
    with pytest.raises(tf.errors.UnimplementedError, match="not today"):
        for _ in range(1000):
            double(x)
            time.sleep(0.005)
    assert float(double(x)) == 3.0  # compiled at once, and this time it works


def test_threads_lose_no_update() -> None:
    count = tf.Variable(0.0)
    step = tf.function(lambda: count.assign_add(1.0))

    def work() -> None:
        for _ in range(200):
            step()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert float(count.numpy()) == 800


@pytest.mark.parametrize(("mode", "writes", "expected"), [("off", False, False), ("stateless", False, True),
                                                          ("stateless", True, False), ("on", True, True)])  # fmt: skip
def test_the_setting_says_which_functions_start_so(mode: str, writes: bool, expected: bool) -> None:
    tf.config.set_background_compile(mode)
    total = tf.Variable(0.0)
    function = tf.function((lambda x: total.assign_add(x)) if writes else (lambda x: x * 3.0))
    graph = function.get_concrete_function(tf.constant(1.0)).graph
    job = background.start_compile(graph, [np.float32(1.0)])
    assert (job is not None) == expected
    if job is not None:
        assert job.wait().graph is graph


def test_the_setting_is_one_of_three() -> None:
    with pytest.raises(ValueError, match="'off', 'stateless', 'on'"):
        tf.config.set_background_compile("maybe")


def test_small_heavy_and_looping_graphs_are_compiled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "LEAST_SECONDS", 0.3)
    monkeypatch.setattr(background, "MOST_SHARE", 0.1)

    def wanted(function: Callable[..., object], *arrays: np.ndarray) -> bool:
        graph = tf.function(function).get_concrete_function(*map(tf.constant, arrays)).graph
        job = background.start_compile(graph, arrays)
        return job is not None and job.wait() is not None

    def chain(x: tf.Tensor) -> tf.Tensor:
        for n in (9, 8, 7, 6, 5, 4):
            x = tf.matmul(x, tf.ones((x.shape[-1], n)) * x[0, 0])
        return x

    assert wanted(chain, np.ones((4, 10), np.float32))
    assert not wanted(lambda x: x + 1.0, np.ones(3, np.float32))
    assert not wanted(chain, np.ones((4_000_000, 10), np.float32))


CHILD = """
import os, sys, time
import numpy as np
import weft as tf
from weft.runtime import background
tf.config.set_background_compile("on")
background.LEAST_SECONDS, background.MOST_SHARE = 0.0, 1e9
v = tf.Variable(np.ones((8, 8), np.float32))

@tf.function
def step(x):
    for _ in range(12):
        x = tf.nn.softmax(tf.matmul(x, v))
    v.assign(v * 0.5)
    return tf.reduce_sum(x)

print(float(step(tf.ones((4, 8)))))
if sys.argv[1] == "fork":
    child = os.fork()
    value = float(step(tf.ones((4, 8))))
    if not child:
        sys.exit(value != 4.0)
    assert os.waitpid(child, 0)[1] == 0
    print(value)
"""


@pytest.mark.parametrize("how", ["exit", "fork"])
def test_a_process_may_end_or_fork_while_a_thread_compiles(how: str) -> None:
    if how == "fork" and not hasattr(os, "fork"):
        return
    environment = {**os.environ, "WEFT_CACHE_DIR": "off"}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", CHILD, how], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "" and set(done.stdout.split()) == {"4.0"}
