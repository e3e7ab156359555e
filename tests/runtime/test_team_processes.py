"""The team of threads in processes that fork and end: each process has a team of its own, and none hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.compiles

SCRIPT = f"""
import sys, os
sys.path.insert(0, {str(Path(__file__).parent)!r})
from team_models import Model, all_calls
from weft.runtime import frame
from weft.runtime.config import config
from weft.runtime.team import team
frame.choose_calls = all_calls
config.team_delay = 0
"""


def run_script(text: str) -> str:
    """Runs it in a process of its own, which must end by itself and say nothing on stderr."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT + text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork here.")
def test_a_fork_between_steps() -> None:
    """Parent and child both go on with a team of their own."""
    out = run_script("""
import numpy as np
expected = Model(1)
want = expected.run(6)
model = Model(3)
model.run(3)
child = os.fork()
assert team.size == (1 if child == 0 else 3)
config.intra_op_threads = 3
model.run(2)
last = model.run(1)
good = all(np.array_equal(a, b) for a, b in zip(last[1:], want[1:])) and team.size == 3
if child == 0:
    os._exit(0 if good else 3)
_, status = os.waitpid(child, 0)
print(good, os.waitstatus_to_exitcode(status))
""")
    assert out.split() == ["True", "0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork here.")
def test_a_fork_inside_a_step() -> None:
    """A print that forks: the step goes on in both processes, with the arrays that it has, and so does the next."""
    out = run_script("""
import numpy as np, weft
config.intra_op_threads = 2
children = []
class Forking:
    def write(self, text):
        if text.strip() and not children:
            children.append(os.fork())
    def flush(self):
        pass
told, sys.stdout = sys.stdout, Forking()
x, total = np.eye(64, dtype=np.float32), weft.Variable(np.zeros((64, 64), np.float32))
@weft.function
def step(x):
    for _ in range(3):
        x = weft.matmul(x, x + 1.0)
        x = x / weft.reduce_max(x)
        weft.print(weft.reduce_sum(x), output_stream=sys.stdout)
    total.assign_add(x)
    return x
first, second = step(x).numpy(), step(x).numpy()
good = np.array_equal(first, second) and np.array_equal(total.numpy(), first + second)
if children == [0]:
    os._exit(0 if good else 3)
print(good, os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]), file=told)
""")
    assert out.split() == ["True", "0"]


def test_the_interpreter_ends() -> None:
    assert run_script("Model(4).run(5); print(team.size)").split() == ["4"]


def test_the_interpreter_ends_while_a_daemon_computes() -> None:
    out = run_script("""
import threading, time
model = Model(3)
model.run(1)
threading.Thread(target=model.run, args=(100000,), daemon=True).start()
time.sleep(0.3)
print(team.size)
""")
    assert out.split() == ["3"]


def test_the_interpreter_ends_while_a_team_is_compiled() -> None:
    for pause in ("0", "0.06"):
        out = run_script(f"config.team_delay = 0.05\nimport time\nModel(2).run(2)\ntime.sleep({pause})\nprint(1)")
        assert out.split() == ["1"]
