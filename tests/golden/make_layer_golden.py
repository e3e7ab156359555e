"""Makes the golden numbers of the layer tests with real Keras. In: layer_cases.json; out: layers.npz, layers.json, summaries.txt.

Run it where Keras 3 and JAX are installed:  KERAS_BACKEND=jax COLUMNS=80 python tests/golden/make_layer_golden.py
"""

from __future__ import annotations

import json
from pathlib import Path

import jax
import keras
import numpy as np

HERE = Path(__file__).parent
ACTIVATIONS = {
    "linear": {}, "relu": {}, "relu6": {}, "leaky_relu": {}, "softmax": {}, "log_softmax": {}, "elu": {"alpha": 0.7},
    "celu": {"alpha": 0.7}, "selu": {}, "softplus": {}, "softsign": {}, "soft_shrink": {}, "hard_shrink": {},
    "tanh_shrink": {}, "sparse_plus": {}, "sparse_sigmoid": {}, "squareplus": {}, "silu": {}, "gelu": {}, "tanh": {},
    "hard_tanh": {}, "sigmoid": {}, "hard_sigmoid": {}, "hard_silu": {}, "log_sigmoid": {}, "exponential": {},
    "mish": {}, "glu": {}, "threshold": {"threshold": 0.5, "default_value": -2.0},
}  # fmt: skip
REGULARIZERS = [
    ("L1", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {"l1": 0.1, "l2": 0.2}),
    ("OrthogonalRegularizer", {"mode": "columns"}),
]
CONSTRAINTS = [
    ("MaxNorm", {"max_value": 1.0}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("MinMaxNorm", {"min_value": 0.5, "rate": 0.8}),
]


def draw(shape: list[int], dtype: str, seed: int) -> np.ndarray:
    """Inputs and weights; the tests draw the same ones."""
    generator = np.random.RandomState(seed)
    if dtype == "uint8":
        return generator.randint(0, 256, shape).astype(dtype)
    if dtype == "int32":
        return generator.randint(0, 7, shape).astype(dtype)
    return generator.standard_normal(shape).astype(dtype)


def run_case(case: dict, arrays: dict, texts: dict) -> None:
    layer = getattr(keras.layers, case["class"]).from_config({**case["config"], "name": case["name"]})
    dtype = case.get("dtype", "float32")
    inputs = [draw(s, dtype, 10 + i) for i, s in enumerate(case["inputs"])]
    fed = inputs if len(inputs) > 1 else inputs[0]
    layer(fed)
    layer.set_weights([np.abs(draw(w.shape, "float32", 50 + i)) + 0.1 for i, w in enumerate(layer.weights)])
    layer(fed)
    losses = [float(v) for v in layer.losses]
    training = {"training": case["training"]} if "training" in case else {}
    state = [v.value for v in layer.non_trainable_variables]

    def total(trainable: list, x: object) -> tuple:
        y, after = layer.stateless_call(trainable, state, x, **training)
        projection = np.cos(np.arange(y.size, dtype="float32")).reshape(y.shape)
        return (y * projection).sum(), (y, after)

    trainable = [v.value for v in layer.trainable_variables]
    x = [jax.numpy.asarray(v) for v in inputs] if len(inputs) > 1 else jax.numpy.asarray(fed)
    name = case["name"]
    if dtype == "float32":
        (grads, dx), (y, after) = jax.grad(total, argnums=(0, 1), has_aux=True)(trainable, x)
        for i, g in enumerate(dx if len(inputs) > 1 else [dx]):
            arrays[f"{name}/input_gradient{i}"] = np.asarray(g)
    else:
        grads, (y, after) = jax.grad(total, has_aux=True)(trainable, x)
    arrays[f"{name}/output"] = np.asarray(y)
    for i, g in enumerate(grads):
        arrays[f"{name}/gradient{i}"] = np.asarray(g)
    for i, (v, new) in enumerate(zip(layer.non_trainable_variables, after, strict=True)):
        if "seed" not in v.path:
            arrays[f"{name}/state{i}"] = np.asarray(new)
    arrays[f"{name}/losses"] = np.asarray(losses, "float32")
    shapes = [(None, *s[1:]) for s in case["inputs"]]
    spec = layer.compute_output_shape(shapes if len(shapes) > 1 else shapes[0])
    config = {k: v for k, v in layer.get_config().items() if k not in ("dtype", "name")}
    texts[name] = {
        "config": config,
        "weights": [[w.name, list(w.shape), w.trainable] for w in layer.weights],
        "shape": list(spec),
    }


def run_functions(arrays: dict) -> None:
    x = np.linspace(-6, 6, 48, dtype="float32").reshape(6, 8)
    for name, arguments in ACTIVATIONS.items():
        arrays[f"activation/{name}"] = np.asarray(getattr(keras.activations, name)(jax.numpy.asarray(x), **arguments))
    w = draw([4, 3], "float32", 3)
    for name, arguments in REGULARIZERS:
        arrays[f"regularizer/{name}"] = np.asarray(getattr(keras.regularizers, name)(**arguments)(jax.numpy.asarray(w)))
    for name, arguments in CONSTRAINTS:
        arrays[f"constraint/{name}"] = np.asarray(getattr(keras.constraints, name)(**arguments)(jax.numpy.asarray(w)))


def summaries() -> str:
    """The texts of several summaries; ``tests/layers/test_summary.py`` builds the same models."""
    layers, out = keras.layers, []

    def show(model: keras.Model, **arguments: object) -> None:
        model.summary(print_fn=lambda text, **_: out.append(text), **arguments)

    keras.utils.clear_session()
    m = keras.Sequential(
        [keras.Input((784,)), layers.Dense(64, activation="relu"), layers.Dropout(0.2), layers.Dense(10, activation="softmax")],
        name="digits",
    )
    show(m)
    show(m, line_length=45)
    show(m, show_trainable=True)
    a, b = keras.Input((8,), name="a_rather_long_input_name_for_the_table"), keras.Input((4,), name="b")
    z = layers.Concatenate()([layers.Dense(3, name="d")(a), layers.Dense(3, name="e")(b)])
    z = layers.BatchNormalization()(z)
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(5)], name="inner")
    f = keras.Model([a, b], [layers.Dense(2, name="out")(inner(z)), layers.Dense(1, name="out2")(z)], name="two_ways")
    show(f)
    show(f, expand_nested=True)
    inner.trainable = False
    show(f, show_trainable=True, line_length=100)
    show(keras.Sequential([layers.Dense(3), layers.Dense(2)], name="unbuilt"))
    x = keras.Input((4,), name="inp")
    show(keras.Model(x, layers.Dense(4, name="dd")(x) + x * 2.0, name="operators"))
    shared = layers.Dense(4, name="shared")
    show(keras.Model(x, shared(shared(x)), name="sharing"))
    return "\f".join(out)


def main() -> None:
    arrays: dict = {}
    texts: dict = {}
    for case in json.loads((HERE / "layer_cases.json").read_text()):
        run_case(case, arrays, texts)
    run_functions(arrays)
    np.savez_compressed(HERE / "layers.npz", **arrays)
    functions = {"activations": ACTIVATIONS, "regularizers": REGULARIZERS, "constraints": CONSTRAINTS}
    (HERE / "layers.json").write_text(
        json.dumps({"cases": texts, "functions": functions, "keras": keras.__version__}, indent=1)
    )
    (HERE / "summaries.txt").write_text(summaries())


if __name__ == "__main__":
    main()
