"""What real Keras is given, and how its results are written. In: nothing; out: arrays, the same in every run, and `plain`."""

import numpy as np

rng = np.random.default_rng(20)


def plain(value):
    """Numbers and lists that JSON can hold; float32 in its short form."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)) and not all(isinstance(v, (int, float)) for v in value):
        return [plain(v) for v in value]
    array = np.asarray(value)
    return short(array) if array.dtype == np.float32 else array.tolist()


def short(array):
    """Nested lists of the shortest decimals that give these float32 numbers back."""
    return [short(part) for part in array] if array.ndim else float(str(array))


def floats(*shape):
    return rng.normal(size=shape).astype("float32")


def probabilities(*shape):
    e = np.exp(floats(*shape))
    return (e / e.sum(-1, keepdims=True)).astype("float32")


def one_hot(classes, n):
    return np.eye(n, dtype="float32")[classes]


NUMBERS = (floats(6, 3), floats(6, 3))
POSITIVE = (np.abs(floats(6, 3)), np.abs(floats(6, 3)))
BINARY = (rng.integers(0, 2, (6, 3)).astype("float32"), rng.random((6, 3)).astype("float32"))
BINARY_LOGITS = (BINARY[0], floats(6, 3))
CLASSES = rng.integers(0, 4, 6)
PROBABILITIES = probabilities(6, 4)
LOGITS = floats(6, 4)
SPARSE = (CLASSES, PROBABILITIES)
ONE_HOT = (one_hot(CLASSES, 4), PROBABILITIES)
SIGNS = (np.sign(floats(6, 3)), floats(6, 3))
WEIGHTS = np.array([1, 0, 2, 0.5, 1, 3], "float32")
UNNORMALISED = np.array([[0.2, 0.2, 0.1], [1.0, 0.0, 0.0], [0.0, 0.9, 0.3]], "float32")
