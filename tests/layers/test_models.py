"""Models: functional, sequential, subclassed, nested; structure of inputs and outputs; settings, copies, weights."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import weft
from weft import keras
from weft.keras import layers
from weft.layers import precision


def x_of(*shape):
    return np.random.RandomState(1).standard_normal(shape).astype("float32")


def two_way_model():
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    joined = layers.Concatenate(name="joined")([layers.Dense(4, name="left")(a), layers.Dense(4, name="right")(b)])
    return keras.Model([a, b], {"score": layers.Dense(1, name="score")(joined), "kind": layers.Dense(5, name="kind")(joined)})


def test_sequential_with_input_is_built_at_once():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)])
    assert model.built
    assert model.input_shape == (None, 4)
    assert model.output_shape == (None, 2)
    assert [tuple(w.shape) for w in model.weights] == [(4, 3), (3,), (3, 2), (2,)]
    assert model.count_params() == 23
    assert [layer.name for layer in model.layers] == [layer.name for layer in model.layers if "input" not in layer.name]


def test_sequential_grows_layer_by_layer():
    model = keras.Sequential()
    model.add(keras.Input((4,)))
    assert model.weights == []
    model.add(layers.Dense(3))
    assert len(model.weights) == 2
    model.add(layers.Dense(2))
    assert len(model.weights) == 4
    model.pop()
    assert len(model.weights) == 2
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize("spelling", [{"input_shape": (2, 3)}, {"batch_input_shape": (None, 2, 3)}, {"input_shape": [2, 3]}])
def test_first_layer_may_tell_the_input_shape(spelling):
    model = keras.Sequential([layers.Flatten(**spelling), layers.Dense(2)])
    assert model.input_shape == (None, 2, 3)
    assert model.count_params() == 14


def test_input_dim_of_dense():
    assert keras.Sequential([layers.Dense(2, input_dim=5), layers.Dense(1)]).input_shape == (None, 5)


def test_sequential_is_built_by_its_first_call():
    model = keras.Sequential([layers.Dense(3), layers.Dense(2)])
    assert not model.built
    assert model.weights == []
    assert model(x_of(5, 4)).shape == (5, 2)
    assert model.built
    assert model.input_shape == (None, 4)
    assert model(x_of(2, 4)).shape == (2, 2)


def test_sequential_of_integers_keeps_large_numbers_apart():
    model = keras.Sequential([layers.Lambda(lambda x: x - 2**24)])
    assert model(np.array([[2**24 + 1]], "int32")).numpy().tolist() == [[1]]


def test_sequential_build_by_hand():
    model = keras.Sequential([layers.Dense(3)])
    model.build((None, 4))
    assert model.count_params() == 15
    with pytest.raises(ValueError, match="already been configured"):
        model.build((None, 5))


def test_functional_layers_and_weights_have_keras_order():
    model = two_way_model()
    assert [layer.name for layer in model.layers] == ["a", "b", "left", "right", "joined", "kind", "score"]
    assert [w.path for w in model.weights] == [
        "left/kernel",
        "left/bias",
        "right/kernel",
        "right/bias",
        "kind/kernel",
        "kind/bias",
        "score/kernel",
        "score/bias",
    ]
    assert model.input_names == ["a", "b"]
    assert model.output_names == ["kind", "score"]


def test_inputs_by_list_and_by_name_agree():
    model, a, b = two_way_model(), x_of(4, 3), x_of(4, 2)
    by_list = model([a, b])
    by_name = model({"b": b, "a": a, "unused": np.zeros(3)})
    assert set(by_list) == {"score", "kind"}
    np.testing.assert_array_equal(by_list["score"].numpy(), by_name["score"].numpy())
    assert by_list["kind"].shape == (4, 5)
    with pytest.raises(ValueError, match="needs the input 'b'"):
        model({"a": a})


def test_inputs_declared_by_dictionary():
    ins = {"one": keras.Input((2,), name="one"), "two": keras.Input((2,), name="two")}
    model = keras.Model(ins, layers.Subtract()([ins["one"], ins["two"]]))
    one, two = x_of(3, 2), x_of(3, 2) * 2
    np.testing.assert_allclose(model({"two": two, "one": one}).numpy(), one - two)
    with pytest.raises(ValueError, match='Missing data for input "two"'):
        model({"one": one})


def test_operators_and_functions_on_symbolic_tensors():
    x = keras.Input((4,))
    y = weft.reshape((x * 2.0 + 1.0)[:, :2], (-1, 1, 2)) - weft.reduce_mean(x, axis=1)[:, weft.newaxis, weft.newaxis]
    model = keras.Model(x, y)
    value = x_of(3, 4)
    wanted = (value * 2 + 1)[:, :2].reshape(-1, 1, 2) - value.mean(axis=1)[:, None, None]
    np.testing.assert_allclose(model(value).numpy(), wanted, rtol=1e-6)
    assert model.output_shape == (None, 1, 2)
    again = keras.Model.from_config(json.loads(json.dumps(model.get_config())))
    np.testing.assert_array_equal(again(value).numpy(), model(value).numpy())


def test_shared_layer_is_counted_once():
    shared = layers.Dense(4)
    x = keras.Input((4,))
    model = keras.Model(x, shared(shared(x)))
    assert len(model.weights) == 2
    value = x_of(2, 4)
    np.testing.assert_allclose(model(value).numpy(), shared(shared(value)).numpy())


def test_inner_outputs_make_another_model():
    x = keras.Input((4,))
    hidden = layers.Dense(3, activation="relu")(x)
    whole = keras.Model(x, layers.Dense(2)(hidden))
    features = keras.Model(whole.input, whole.layers[1].output)
    assert features(x_of(2, 4)).shape == (2, 3)
    assert features.weights[0] is whole.weights[0]
    tail = keras.Model(hidden, whole.output)
    value = x_of(2, 4)
    np.testing.assert_allclose(tail(features(value)).numpy(), whole(value).numpy(), rtol=1e-6)


def test_nested_models():
    inner = keras.Sequential([layers.Dense(3), layers.Dropout(0.5)], name="inner")
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(1)(inner(x)))
    assert len(model.weights) == 4
    assert model.get_layer("inner") is inner
    again = keras.Model.from_config(json.loads(json.dumps(model.get_config())))
    again.set_weights(model.get_weights())
    value = x_of(3, 4)
    np.testing.assert_array_equal(again(value).numpy(), model(value).numpy())
    assert keras.Sequential([inner, layers.Dense(2)]).output_shape == (None, 2)


class Small(keras.Model):
    """A subclassed model with layers in attributes, a list and a dictionary."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.first = layers.Dense(units)
        self.stack = [layers.Dense(units) for _ in range(2)]
        self.heads = {"a": layers.Dense(1), "b": layers.Dense(2)}
        self.drop = layers.Dropout(0.5)

    def call(self, x, training=None):
        x = self.drop(self.first(x), training=training)
        for layer in self.stack:
            x = layer(x)
        return {name: head(x) for name, head in self.heads.items()}


def test_subclassed_model_tracks_its_layers():
    model = Small()
    assert model.weights == []
    out = model(x_of(2, 4))
    assert {k: tuple(v.shape) for k, v in out.items()} == {"a": (2, 1), "b": (2, 2)}
    assert len(model.weights) == 10
    assert len(model.layers) == 6
    model.stack.append(layers.Dense(3))
    model(x_of(2, 4))
    assert len(model.weights) == 12


def test_subclassed_model_builds_without_data():
    model = Small()
    model.build((None, 4))
    assert len(model.weights) == 10
    assert model.built
    fresh = Small.from_config(model.get_config())
    assert fresh.units == 3
    fresh(x_of(1, 4))
    assert len(fresh.weights) == 10


def test_subclassed_model_inside_a_functional_one():
    x = keras.Input((4,))
    model = keras.Model(x, Small()(x)["b"])
    assert model(x_of(3, 4)).shape == (3, 2)
    assert len(model.trainable_weights) == 10


def test_subclass_that_hands_tensors_to_the_constructor():
    class Own(keras.Model):
        def extra(self):
            return "kept"

    x = keras.Input((4,))
    model = Own(x, layers.Dense(2)(x))
    assert isinstance(model, Own)
    assert model.extra() == "kept"
    assert model(x_of(3, 4)).shape == (3, 2)
    assert model.layers[0].name == model.input_names[0]

    class Made(keras.Model):
        def __init__(self):
            inputs = keras.Input((4,))
            super().__init__(inputs=inputs, outputs=layers.Dense(2)(inputs))

    assert Made()(x_of(3, 4)).shape == (3, 2)


def test_training_flag_reaches_inner_layers():
    class Probe(layers.Layer):
        def call(self, x, training=None):
            return x + (1.0 if training else 0.0)

    inner = keras.Sequential([keras.Input((2,)), Probe()])
    x = keras.Input((2,))
    model = keras.Model(x, inner(x))
    zero = np.zeros((1, 2), "float32")
    assert model(zero).numpy().max() == 0
    assert model(zero, training=True).numpy().max() == 1
    assert model(zero, training=False).numpy().max() == 0
    fixed = keras.Model(x, Probe()(x, training=True))
    assert fixed(zero).numpy().max() == 1


def test_freezing_a_model_freezes_its_layers():
    model = two_way_model()
    model.get_layer("left").trainable = False
    assert len(model.trainable_weights) == 6
    assert len(model.non_trainable_weights) == 2
    model.trainable = False
    assert model.trainable_weights == []
    assert not model.get_layer("kind").trainable
    model.trainable = True
    assert len(model.trainable_weights) == 8


def test_settings_survive_json():
    model = two_way_model()
    again = keras.models.model_from_json(model.to_json())
    assert json.loads(again.to_json()) == json.loads(model.to_json())
    again.set_weights(model.get_weights())
    a, b = x_of(4, 3), x_of(4, 2)
    np.testing.assert_array_equal(again([a, b])["kind"].numpy(), model([a, b])["kind"].numpy())


@pytest.mark.parametrize("built", [True, False])
def test_sequential_settings_survive_json(built):
    model = keras.Sequential(
        [layers.Dense(3, activation="relu", kernel_regularizer="l2"), layers.Dropout(0.2), layers.Dense(2)]
    )
    if built:
        model.build((None, 4))
    again = keras.models.model_from_json(model.to_json())
    assert again.built == built
    assert again.get_config() == model.get_config()


def test_clone_has_new_weights():
    for model in (two_way_model(), keras.Sequential([keras.Input((3,)), layers.Dense(2)])):
        copy = keras.models.clone_model(model)
        assert type(copy) is type(model)
        assert [w.shape for w in copy.weights] == [w.shape for w in model.weights]
        assert not {id(w) for w in copy.weights} & {id(w) for w in model.weights}
        assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    wider = keras.models.clone_model(model, clone_function=lambda layer: layers.Dense(7))
    assert wider.output_shape == (None, 7)


def test_models_can_be_pickled():
    for model in (two_way_model(), keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.BatchNormalization()])):
        again = pickle.loads(pickle.dumps(model))
        for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        values = [x_of(2, *t.shape[1:]) for t in model.inputs]
        ours, theirs = (weft.nest.flatten(m(values if len(values) > 1 else values[0])) for m in (again, model))
        np.testing.assert_array_equal(ours[0].numpy(), theirs[0].numpy())


def test_float64_model_computes_in_float64():
    model = keras.Sequential([keras.Input((3,), dtype="float64"), layers.Dense(2, dtype="float64")])
    assert model(x_of(2, 3)).dtype == "float64"
    precision.set_floatx("float64")
    try:
        assert keras.Sequential([layers.Dense(2)])(x_of(2, 3)).dtype == "float64"
    finally:
        precision.set_floatx("float32")


@pytest.mark.compiles
def test_weights_made_inside_a_traced_step():
    model = keras.Sequential([layers.Dense(3), layers.BatchNormalization()])

    @weft.function
    def step(x):
        return weft.reduce_sum(model(x, training=True))

    step(weft.constant(x_of(4, 2)))
    assert len(model.weights) == 6
    assert model.layers[1].moving_mean.numpy().any()
