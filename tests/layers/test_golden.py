"""Every layer and function against real Keras: outputs, gradients, state, losses, settings; see make_layer_golden.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.layers import activations, constraints, regularizers
from weft.layers.serialization import find_object

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = json.loads((GOLDEN / "layer_cases.json").read_text())
TEXTS = json.loads((GOLDEN / "layers.json").read_text())
ARRAYS = np.load(GOLDEN / "layers.npz")


def draw(shape, dtype, seed):
    """The inputs and weights that the golden script used."""
    generator = np.random.RandomState(seed)
    if dtype == "uint8":
        return generator.randint(0, 256, shape).astype(dtype)
    if dtype == "int32":
        return generator.randint(0, 7, shape).astype(dtype)
    return generator.standard_normal(shape).astype(dtype)


def prepared(case):
    layer = find_object(case["class"]).from_config({**case["config"], "name": case["name"]})
    inputs = [weft.constant(draw(s, case.get("dtype", "float32"), 10 + i)) for i, s in enumerate(case["inputs"])]
    fed = inputs if len(inputs) > 1 else inputs[0]
    layer(fed)
    layer.set_weights([np.abs(draw(w.shape, "float32", 50 + i)) + 0.1 for i, w in enumerate(layer.weights)])
    return layer, inputs, fed


def close(actual, name, rtol=2e-5, atol=2e-6):
    np.testing.assert_allclose(np.asarray(actual), ARRAYS[name], rtol=rtol, atol=atol, err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_layer_equals_keras(case):
    name = case["name"]
    layer, inputs, fed = prepared(case)
    training = {"training": case["training"]} if "training" in case else {}
    with weft.GradientTape(persistent=True) as tape:
        tape.watch([x for x in inputs if x.dtype.is_floating])
        y = layer(fed, **training)
        projection = np.cos(np.arange(int(np.prod(y.shape)), dtype="float32")).reshape(y.shape)
        total = weft.reduce_sum(weft.cast(y, "float32") * projection)
    close(y, f"{name}/output")
    assert y.dtype == ARRAYS[f"{name}/output"].dtype
    for i, gradient in enumerate(tape.gradient(total, layer.trainable_variables)):
        close(weft.convert_to_tensor(gradient), f"{name}/gradient{i}", atol=2e-5)
    if inputs[0].dtype.is_floating:
        for i, gradient in enumerate(tape.gradient(total, inputs)):
            close(gradient, f"{name}/input_gradient{i}", atol=2e-5)
    for i, variable in enumerate(layer.non_trainable_variables):
        close(variable, f"{name}/state{i}")
    losses = sorted(float(v) for v in layer.losses)
    np.testing.assert_allclose(losses, np.sort(ARRAYS[f"{name}/losses"]), rtol=2e-5)


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_layer_is_described_as_in_keras(case):
    layer, _, _ = prepared(case)
    text = TEXTS["cases"][case["name"]]
    assert [[w.name, list(w.shape), w.trainable] for w in layer.weights] == text["weights"]
    ours = json.loads(json.dumps({k: v for k, v in layer.get_config().items() if k not in ("dtype", "name")}))
    newer = {"quantization_config", "renorm", "renorm_clipping", "renorm_momentum", "rms_scaling"}  # not part of this surface
    theirs = {k: v for k, v in text["config"].items() if k not in newer}
    assert {k: plain(v) for k, v in ours.items()} == {k: plain(v) for k, v in theirs.items()}
    shapes = [(None, *s[1:]) for s in case["inputs"]]
    assert list(layer.compute_output_shape(shapes if len(shapes) > 1 else shapes[0])) == text["shape"]


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_settings_written_by_keras_are_understood(case):
    layer, _, fed = prepared(case)
    again = find_object(case["class"]).from_config({**TEXTS["cases"][case["name"]]["config"], "name": case["name"]})
    again(fed)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(fed).numpy(), layer(fed).numpy())


def plain(value):
    """An initializer's configuration without what differs by version."""
    if isinstance(value, dict) and "class_name" in value:
        drop = ("input_axes", "output_axes")
        return {
            "class_name": value["class_name"],
            "module": value["module"],
            "config": {k: pytest.approx(v) if isinstance(v, float) else v for k, v in value["config"].items() if k not in drop},
        }
    return value


@pytest.mark.parametrize("name", sorted(TEXTS["functions"]["activations"]))
def test_activation_equals_keras(name):
    x = np.linspace(-6, 6, 48, dtype="float32").reshape(6, 8)
    arguments = TEXTS["functions"]["activations"][name]
    close(activations.get(name)(weft.constant(x), **arguments), f"activation/{name}", rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "source"), [("regularizer", regularizers), ("constraint", constraints)])
def test_functions_of_weights_equal_keras(kind, source):
    w = weft.constant(draw([4, 3], "float32", 3))
    for name, arguments in TEXTS["functions"][f"{kind}s"]:
        close(source.get({"class_name": name, "config": arguments})(w), f"{kind}/{name}")
