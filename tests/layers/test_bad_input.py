"""What goes wrong is said clearly: where, what was expected, what came, and what to do."""

from __future__ import annotations

import numpy as np
import pytest

import weft
from weft import keras
from weft.keras import layers
from weft.layers.precision import get_policy


def test_wrong_width_names_the_layer():
    layer = layers.Dense(2, name="head")
    layer(np.ones((3, 4), "float32"))
    with pytest.raises(ValueError, match=r"Input 0 of layer 'head' .* axis -1 of input shape to have value 4.*\(3, 5\)"):
        layer(np.ones((3, 5), "float32"))
    with pytest.raises(ValueError, match="expected min_ndim=2, found ndim=1"):
        layer(np.ones((4,), "float32"))


def test_wrong_width_of_a_model():
    model = keras.Sequential([keras.Input((4,), name="pixels"), layers.Dense(2)], name="net")
    with pytest.raises(ValueError, match=r"Input 0 with name 'pixels' of layer 'net' .*shape=\(None, 4\).*shape=\(3, 5\)"):
        model(np.ones((3, 5), "float32"))
    x = keras.Input((4,))
    with pytest.raises(ValueError, match="axis -1"):
        model.layers[0](keras.Input((7,)))
    with pytest.raises(ValueError, match="expects 1 input"):
        keras.Model(x, layers.Dense(1)(x))([np.ones((2, 4)), np.ones((2, 4))])


def test_wrong_width_inside_a_trace():
    layer = layers.Dense(2, name="head")
    layer(np.ones((3, 4), "float32"))
    with pytest.raises(ValueError, match="layer 'head'"):
        weft.tracer.trace.trace(lambda x: layer(x), [weft.constant(np.ones((3, 5), "float32")).type])


def test_before_build():
    layer, model = layers.Dense(2), keras.Sequential([layers.Dense(2)])
    with pytest.raises(ValueError, match="isn't built"):
        layer.count_params()
    with pytest.raises(AttributeError, match=r"no attribute 'kernel'\. The layer is not built yet"):
        _ = layer.kernel
    with pytest.raises(ValueError, match="not built yet"):
        model.set_weights([np.ones((2, 2))])
    with pytest.raises(AttributeError, match="not built"):
        _ = model.output_shape
    with pytest.raises(ValueError, match="no layers"):
        keras.Sequential([])(np.ones((2, 2)))


def test_set_weights_changes_nothing_if_a_shape_is_wrong():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2), layers.Dense(3)])
    before = model.get_weights()
    bad = [w + 1 for w in before]
    bad[3] = np.zeros(4)
    with pytest.raises(ValueError, match=r"has shape \(3,\).*shape \(4,\)"):
        model.set_weights(bad)
    with pytest.raises(ValueError, match="length 2, but the layer was expecting 4"):
        model.set_weights(before[:2])
    for now, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, was)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: layers.Dense(2, activation="rellu"), "no activation called 'rellu'. Did you mean 'relu"),
    (lambda: layers.Dense(2, kernel_initializer="glorotuniform_"), "Did you mean 'glorot_uniform"),
    (lambda: layers.Dense(2, kernel_regularizer="l3"), "no regularizer called 'l3'"),
    (lambda: layers.Dense(2, bias_constraint="maxnorms"), "Did you mean 'max_norm"),
    (lambda: layers.Dense(0), "positive integer number of units"),
    (lambda: layers.Dense(2, unitz=3), "unexpected keyword argument 'unitz'"),
    (lambda: layers.Dense(2, name="a/b"), "holds no slash"),
    (lambda: layers.Dropout(1.5), "between 0 and 1"),
    (lambda: layers.Dropout(0.5, seed="x"), "seed must be an integer"),
    (lambda: layers.Reshape((-1, -1)), "Only one size"),
    (lambda: layers.Permute((1, 3)), "once each"),
    (lambda: layers.ReLU(max_value=-1.0), "cannot be negative"),
    (lambda: keras.Input(5), "is a tuple"),
    (lambda: keras.Input(), "either shape or batch_shape"),
    (lambda: get_policy("mixed_float16"), "Mixed precision is not supported"),
    (lambda: keras.initializers.VarianceScaling(scale=0), "scale must be positive"),
    (lambda: keras.regularizers.L2(float("nan")), "finite"),
    (lambda: keras.utils.to_categorical([0, 5], 3), "numbers from 0 to 5"),
    (lambda: keras.utils.set_random_seed(-1), "0 to 2"),
])  # fmt: skip
def test_bad_settings(make, message):
    with pytest.raises((ValueError, TypeError), match=message.replace("(", r"\(").replace(".", r"\.")):
        make()


def test_wrong_shapes_while_calling():
    with pytest.raises(ValueError, match="total size of the tensor must be unchanged"):
        layers.Reshape((5,))(np.ones((2, 4)))
    with pytest.raises(ValueError, match="matching shapes except for the concatenation axis"):
        layers.Concatenate()([np.ones((2, 3, 1)), np.ones((2, 4, 1))])
    with pytest.raises(ValueError, match="incompatible shapes"):
        layers.Add()([np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(ValueError, match="exactly 2 inputs"):
        layers.Subtract()([np.ones((2, 3))] * 3)
    with pytest.raises(ValueError, match="list of inputs"):
        layers.Add()(np.ones((2, 3)))
    with pytest.raises(ValueError, match="last axis of the input of Dense must have a known size"):
        layers.Dense(2)(keras.Input((None,)))


def test_embedding_index_out_of_range():
    layer = layers.Embedding(4, 2)
    with pytest.raises(weft.errors.InvalidArgumentError):
        layer(np.array([[1, 4]]))


def test_model_structure():
    x, y = keras.Input((2,), name="x"), keras.Input((2,), name="y")
    with pytest.raises(ValueError, match="depends on the input 'y'"):
        keras.Model(x, layers.Add()([x, y]))
    with pytest.raises(ValueError, match="symbolic tensors"):
        keras.Model(x, np.ones((2, 2)))
    with pytest.raises(ValueError, match="should be unique"):
        keras.Model(x, layers.Dense(2, name="twin")(layers.Dense(2, name="twin")(x)))
    with pytest.raises(ValueError, match="unique names"):
        keras.Sequential([layers.Dense(2, name="twin"), layers.Dense(2, name="twin")])
    with pytest.raises(ValueError, match="Only layers can be added"):
        keras.Sequential([3])
    model = keras.Model(x, layers.Dense(2, name="output_layer")(x))
    with pytest.raises(ValueError, match="Did you mean 'output_layer'"):
        model.get_layer("outputlayer")
    with pytest.raises(ValueError, match="only has 2 layers"):
        model.get_layer(index=5)


def test_symbolic_tensors_have_no_values():
    x = keras.Input((2,))
    with pytest.raises(TypeError, match="no value"):
        bool(x)
    with pytest.raises(ValueError, match="no values"):
        np.asarray(x)


def test_unfinished_classes():
    class NoCall(layers.Layer):
        pass

    class NoSuper(layers.Layer):
        def __init__(self):
            pass

        def call(self, x):
            return x

    class Unsaveable(layers.Layer):
        def __init__(self, thing):
            super().__init__()
            self.thing = thing

    with pytest.raises(NotImplementedError, match="must define call"):
        NoCall()(np.ones((1, 1)))
    with pytest.raises(RuntimeError, match=r"forgot to call `super\(\).__init__\(\)`"):
        NoSuper()(np.ones((1, 1)))
    with pytest.raises(NotImplementedError, match="must define get_config"):
        Unsaveable(object()).get_config()
    with pytest.raises(NotImplementedError, match="does not have a `call"):
        keras.Model()(np.ones((1, 1)))


def test_unknown_class_in_a_configuration():
    with pytest.raises(ValueError, match="no class or function called 'Denze'\\. Did you mean 'Dense'"):
        layers.deserialize({"class_name": "Denze", "config": {"units": 2}})
