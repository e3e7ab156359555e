"""Makes the golden numbers of keras.ops with real Keras. In: ops_expressions.txt; out: ops.npz.

Run it where Keras 3 and JAX are installed:  KERAS_BACKEND=jax python tests/golden/make_ops_golden.py
"""

from __future__ import annotations

from pathlib import Path

import jax.numpy
import numpy as np
from keras import ops

HERE = Path(__file__).parent


def values() -> dict[str, np.ndarray]:
    """The tensors that the expressions name; the test draws the same ones."""
    generator = np.random.RandomState(0)
    floats = {name: generator.standard_normal((3, 4)).astype("float32") for name in ("x", "y")}
    integers = {"i": generator.randint(-3, 6, (3, 4)).astype("int32"), "u": generator.randint(0, 6, (3, 4)).astype("uint8")}
    return {**floats, **integers, "t": generator.standard_normal((2, 3, 4)).astype("float32")}


def main() -> None:
    names = {k: jax.numpy.asarray(v) for k, v in values().items()}
    lines = (HERE / "ops_expressions.txt").read_text().splitlines()
    np.savez_compressed(HERE / "ops.npz", **{line: np.asarray(eval(line, {"ops": ops, **names})) for line in lines})


if __name__ == "__main__":
    main()
