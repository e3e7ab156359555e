"""Every layer compiled: output, gradients and updated state equal the eager ones; models too, with the same random draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import weft
from weft import keras
from weft.keras import layers
from weft.layers.serialization import find_object

CASES = json.loads((Path(__file__).parent.parent / "golden" / "layer_cases.json").read_text())
pytestmark = pytest.mark.compiles


def draw(shape, dtype, seed=0):
    generator = np.random.RandomState(seed)
    if dtype in ("uint8", "int32"):
        return generator.randint(0, 7, shape).astype(dtype)
    return generator.standard_normal(shape).astype(dtype)


@pytest.mark.heavy
@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_a_compiled_layer_and_its_gradients_equal_the_eager_ones(case):
    layer = find_object(case["class"]).from_config(case["config"])
    values = [weft.constant(draw(s, case.get("dtype", "float32"), i)) for i, s in enumerate(case["inputs"])]
    flag = {"training": case["training"]} if "training" in case else {}
    layer(values if len(values) > 1 else values[0])
    layer.set_weights([np.abs(draw(w.shape, "float32", 9)) + 0.1 for w in layer.weights])

    def step(*inputs):
        watched = [x for x in inputs if x.dtype.is_floating]
        with weft.GradientTape() as tape:
            tape.watch(watched)
            y = layer(list(inputs) if len(inputs) > 1 else inputs[0], **flag)
            loss = weft.reduce_sum(weft.square(weft.cast(y, "float32")))
        return y, tape.gradient(loss, [*layer.trainable_variables, *watched])

    results = []
    before = layer.get_weights()
    for run in (step, weft.function(step)):
        layer.set_weights(before)
        results.append(weft.nest.flatten([run(*values), layer.get_weights()]))
    for eager, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(np.asarray(compiled), np.asarray(eager), rtol=2e-5, atol=1e-5)


def test_model_trains_alike_with_the_same_draws():
    x, y = draw((90, 6), "float32"), np.arange(90) % 3
    seen = []
    for run_eagerly in (True, False):
        keras.utils.set_random_seed(5)
        model = keras.Sequential(
            [
                layers.Dense(8, use_bias=False, kernel_regularizer="l2"),  # a bias before BatchNormalization has gradient zero
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.Dropout(0.3),
                layers.GaussianNoise(0.1, seed=3),
                layers.LayerNormalization(),
                layers.Dense(3, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=run_eagerly)
        history = model.fit(x, y, batch_size=32, epochs=2, verbose=0)
        seen.append((history.history["loss"], model.get_weights(), model.predict(x, verbose=0)))
    np.testing.assert_allclose(seen[1][0], seen[0][0], rtol=1e-5)
    for compiled, eager in zip(seen[1][1], seen[0][1], strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(seen[1][2], seen[0][2], rtol=1e-4, atol=1e-5)


def test_embedding_index_out_of_range_names_the_layer():
    layer = layers.Embedding(4, 2, name="words")
    run = weft.function(lambda i: layer(i))
    np.testing.assert_array_equal(run(weft.constant([1, 3])).numpy(), layer(weft.constant([1, 3])).numpy())
    with pytest.raises(weft.errors.InvalidArgumentError, match="words"):
        run(weft.constant([1, 4]))


def test_multi_input_model_with_named_outputs():
    a, b = keras.Input((3,), name="a"), keras.Input((4,), dtype="int32", name="b")
    joined = layers.Concatenate()([layers.Dense(4)(a), layers.Flatten()(layers.Embedding(5, 2)(b))])
    model = keras.Model(
        {"a": a, "b": b}, {"one": layers.Dense(1, name="one")(joined), "two": layers.Dense(2, name="two")(joined)}
    )
    model.compile("sgd", {"one": "mse", "two": "mse"}, loss_weights={"one": 2.0, "two": 1.0})
    data = {"a": draw((20, 3), "float32"), "b": draw((20, 4), "int32") % 5}
    targets = {"one": draw((20, 1), "float32"), "two": draw((20, 2), "float32")}
    history = model.fit(data, targets, epochs=3, batch_size=8, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert {k: v.shape for k, v in model.predict(data, verbose=0).items()} == {"one": (20, 1), "two": (20, 2)}
