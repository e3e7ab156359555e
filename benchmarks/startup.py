"""From process start to the first finished train step. In: peers' Python; out: seconds, with a cold and a warm cache for weft.

    python benchmarks/startup.py --peers /path/to/peers/bin/python
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

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
KERAS = "import numpy, os\nos.environ['KERAS_BACKEND'] = '{}'\nos.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'\nimport keras\n" + MODEL
WEFT = "import numpy\nfrom weft import keras\n" + MODEL


def seconds(python: str, program: str, environment: dict[str, str]) -> float:
    """Wall-clock time of a whole process."""
    started = time.perf_counter()
    subprocess.run([python, "-c", program], check=True, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="Python of an environment with tensorflow, keras, jax, torch")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cache = tempfile.mkdtemp(prefix="weft-startup-")
    programs = {"weft, cold cache": (sys.executable, WEFT), "weft, cached": (sys.executable, WEFT)}
    if arguments.peers:
        programs["Keras on TF"] = (arguments.peers, KERAS.format("tensorflow"))
        programs["Keras on JAX"] = (arguments.peers, KERAS.format("jax"))
        programs["torch eager"] = (arguments.peers, TORCH)
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(arguments.rounds):
        for name, (python, program) in programs.items():
            if "cold" in name:
                shutil.rmtree(cache, ignore_errors=True)
            times[name].append(seconds(python, program, {"WEFT_CACHE_DIR": cache}))
    base = statistics.median(times["weft, cached"])
    print("| | seconds (min … max) | time ÷ weft's cached |\n|---|---|---|")
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"| {name} | {middle:.2f} ({min(values):.2f} … {max(values):.2f}) | {middle / base:.1f} |")
    shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main()
