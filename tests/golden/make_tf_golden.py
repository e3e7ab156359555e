"""Writes tf_values.json and tf_signatures.json: ``python make_tf_golden.py`` where tensorflow-cpu is installed.

In: tf_expressions.txt; out: for every expression its value and the gradients of a weighted sum of it, and the parameter names of
every function in the mirrored namespaces. The tests read the two files and need no TensorFlow.
"""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
NAMESPACES = ("", "nn", "math", "random", "linalg", "debugging", "errors", "nest", "bitwise")
DIFFERENTIATED = "ABPMVSTZ"


def make_inputs() -> dict[str, np.ndarray]:
    """The inputs, rounded so that the file stays small."""
    random = np.random.default_rng(7)

    def floats(*shape: int) -> np.ndarray:
        return np.round(random.normal(size=shape), 2).astype(np.float32)

    labels = np.round(random.uniform(0.1, 1, (2, 4)), 2)
    shapes = {"A": (2, 3), "B": (2, 3), "M": (3, 4), "V": (3,), "S": (), "T": (2, 3, 4), "Z": (2, 4)}
    return {
        **{name: floats(*shape) for name, shape in shapes.items()},
        "P": np.abs(floats(2, 3)) + np.float32(0.25),
        "D": floats(2, 3).astype(np.float64),
        "Y": (labels / labels.sum(1, keepdims=True)).astype(np.float32),
        "I": random.integers(-4, 5, (2, 3), dtype=np.int32),
        "J": random.integers(1, 5, (2, 3), dtype=np.int32),
        "K": np.array([0, 2, 1, 2], np.int32),
        "L": np.array([[True, False, True], [False, True, True]]),
        "U": random.integers(0, 255, (2, 3), dtype=np.uint8),
    }


def read_expressions() -> list[str]:
    lines = (HERE / "tf_expressions.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def describe(value: Any) -> Any:
    """A leaf as JSON: dtype, shape and flat values; shapes as they are."""
    if value is None:
        return None
    if type(value).__name__ == "TensorShape":
        return {"sizes": [int(s) for s in value]}
    array = np.asarray(value)
    return {"dtype": str(array.dtype), "shape": list(array.shape), "values": array.reshape(-1).tolist()}


def weigh(tf: Any, leaves: list[Any]) -> Any:
    """A scalar that depends on every floating element differently."""
    total = tf.constant(0.0)
    for leaf in leaves:
        if hasattr(leaf, "dtype") and leaf.dtype == tf.float32:
            size = int(np.prod(leaf.shape))
            weights = tf.constant(np.linspace(0.5, 1.5, size).astype(np.float32).reshape(leaf.shape))
            total = total + tf.reduce_sum(leaf * weights)
    return total


def evaluate(tf: Any, expression: str, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    tensors = {name: tf.constant(array) for name, array in inputs.items()}
    with tf.GradientTape() as tape:
        watched = {name: tensors[name] for name in DIFFERENTIATED}
        for tensor in watched.values():
            tape.watch(tensor)
        leaves = tf.nest.flatten(eval(expression, {"tf": tf, "np": np, **tensors}))
        total = weigh(tf, leaves)
    gradients = tape.gradient(total, watched)
    found = {name: describe(tf.convert_to_tensor(g)) for name, g in gradients.items() if g is not None}
    return {"expression": expression, "leaves": [describe(leaf) for leaf in leaves], "gradients": found}


def signatures(tf: Any) -> dict[str, list[str] | None]:
    """Parameter names by dotted public name; None for what is no function."""
    out: dict[str, list[str] | None] = {}
    for namespace in NAMESPACES:
        module = getattr(tf, namespace) if namespace else tf
        for name in dir(module):
            value = getattr(module, name)
            if name.startswith("_") or inspect.ismodule(value):
                continue
            dotted = f"{namespace}.{name}".lstrip(".")
            try:
                out[dotted] = None if inspect.isclass(value) else list(inspect.signature(value).parameters)
            except (TypeError, ValueError):
                out[dotted] = None
    return out


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    inputs = make_inputs()
    cases = []
    for expression in read_expressions():
        try:
            cases.append(evaluate(tf, expression, inputs))
        except Exception as error:
            raise RuntimeError(f"TensorFlow does not evaluate {expression}") from error
    stored = {"tensorflow": tf.__version__, "inputs": {n: describe(a) for n, a in inputs.items()}}
    body = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "tf_values.json").write_text(json.dumps(stored)[:-1] + ',\n"cases": [\n' + body + "\n]}\n")
    names = signatures(tf)
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(names.items()))
    (HERE / "tf_signatures.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
