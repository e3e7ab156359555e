"""From process start to the first finished train step. In: peers' Python; out: seconds, with a cold and a warm cache for weft.

    python benchmarks/startup.py --peers /path/to/peers/bin/python --write

A process says when its first step is finished; what it needs to end is in the second column. As after an ordinary installation,
Python finds bytecode of all packages: a first round, which writes it, is not counted. "Cold" is weft's own cache.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from command_line import make_parser
from document import replace_part, table

MODEL = """
dense = keras.layers.Dense
model = keras.Sequential([keras.Input((784,)), dense(64, "relu"), dense(64, "relu"), dense(10)])
model.compile("rmsprop", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
x = numpy.random.default_rng(0).random((64, 784), numpy.float32)
y = numpy.zeros(64, numpy.int32)
model.train_on_batch(x, y)
"""
TORCH = """
import torch
linear, relu = torch.nn.Linear, torch.nn.ReLU
model = torch.nn.Sequential(linear(784, 64), relu(), linear(64, 64), relu(), linear(64, 10))
optimizer = torch.optim.RMSprop(model.parameters())
loss = torch.nn.functional.cross_entropy(model(torch.rand(64, 784)), torch.zeros(64, dtype=torch.long))
loss.backward()
optimizer.step()
"""
FINISHED = "import time\nprint(repr(time.time()))\n"
BACKENDS = "os.environ['KERAS_BACKEND'] = '{}'\nos.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\n"
KERAS = "import numpy, os\n" + BACKENDS + "import keras\n" + MODEL
WEFT = "import numpy\nfrom weft import keras\n" + MODEL


def seconds(python: str, program: str, cache: str) -> tuple[float, float]:
    """Wall-clock time until the first step was finished, and until the process had ended."""
    environment = {**os.environ, "WEFT_CACHE_DIR": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if python == sys.executable:
        environment["PYTHONPYCACHEPREFIX"] = f"{cache}-bytecode"  # a checkout has none of its own, or not for this text
    wall, started = time.time(), time.perf_counter()
    done = subprocess.run([python, "-c", program + FINISHED], check=True, env=environment, capture_output=True, text=True)
    return float(done.stdout.split()[-1]) - wall, time.perf_counter() - started


def report(times: dict[str, list[tuple[float, float]]]) -> str:
    """Medians of both times; ratios to weft's with a cache."""
    base = statistics.median(first for first, _ in times["weft, cached"])
    rows = []
    for name, values in times.items():
        first, whole = zip(*values, strict=True)
        middle = statistics.median(first)
        spread = f"{middle:.2f} ({min(first):.2f} … {max(first):.2f})"
        rows.append([name, spread, f"{statistics.median(whole):.2f}", f"{middle / base:.1f}"])
    return table(["", "first step finished, s (min … max)", "process ended, s", "first step ÷ weft's cached"], rows)


def main() -> None:
    arguments = make_parser(__doc__, peers="tensorflow, keras, jax, torch", rounds=5, part="the table").parse_args()
    folder = tempfile.mkdtemp(prefix="weft-startup-")
    programs = {"weft, cold cache": (sys.executable, WEFT), "weft, cached": (sys.executable, WEFT), "Python, NumPy": (
        sys.executable, "import numpy\n")}  # fmt: skip
    if arguments.peers:
        programs["Keras on TF"] = (arguments.peers, KERAS.format("tensorflow"))
        programs["Keras on JAX"] = (arguments.peers, KERAS.format("jax"))
        programs["torch eager"] = (arguments.peers, TORCH)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for counted in range(arguments.rounds + 1):
        for name, (python, program) in programs.items():
            cache = os.path.join(folder, "cache")
            if "cold" in name:
                shutil.rmtree(cache, ignore_errors=True)
            taken = seconds(python, program, cache)
            if counted:
                times[name].append(taken)
    shutil.rmtree(folder, ignore_errors=True)
    text = report(times)
    print(text)
    if arguments.write:
        replace_part("startup", text)


if __name__ == "__main__":
    main()
