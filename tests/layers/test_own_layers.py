"""Layers that users write: building, tracking, losses, metrics, dtypes, settings."""

from __future__ import annotations

import numpy as np
import pytest

import weft
from weft import keras
from weft.keras import layers


class SimpleDense(layers.Layer):
    """As in the course notes."""

    def __init__(self, units=4):
        super().__init__()
        self.units = units

    def build(self, input_shape):
        self.W = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return weft.matmul(inputs, self.W) + self.b


def test_course_notes_layer():
    layer = SimpleDense(3)
    assert not layer.built
    assert layer(np.ones((2, 5))).shape == (2, 3)
    assert layer.built
    assert [tuple(w.shape) for w in layer.weights] == [(5, 3), (3,)]
    assert SimpleDense.from_config(layer.get_config()).units == 3
    assert layer(keras.Input((5,))).shape == (None, 3)


def test_several_arguments_build_with_named_shapes():
    class Pair(layers.Layer):
        def build(self, left_shape, right_shape):
            self.seen = (left_shape, right_shape)

        def call(self, left, right, scale=1.0):
            return left + right * scale

    layer = Pair()
    out = layer(np.ones((2, 3)), right=np.ones((2, 1)), scale=2.0)
    assert layer.seen == ((2, 3), (2, 1))
    assert out.numpy().max() == 3


def test_list_and_dictionary_inputs_build_with_structures():
    class Any(layers.Layer):
        def build(self, input_shape):
            self.seen = input_shape

        def call(self, inputs):
            return next(iter(inputs.values())) if isinstance(inputs, dict) else inputs[0]

    by_list, by_name = Any(), Any()
    by_list([np.ones((2, 3)), np.ones((2, 1))])
    by_name({"a": np.ones((2, 3)), "b": np.ones((2, 1))})
    assert by_list.seen == [(2, 3), (2, 1)]
    assert by_name.seen == {"a": (2, 3), "b": (2, 1)}


def test_variables_in_attributes_and_containers_are_tracked_in_order():
    class Holder(layers.Layer):
        def __init__(self):
            super().__init__()
            self.fixed = weft.Variable(1.0, trainable=False)
            self.free = weft.Variable(2.0)
            self.many = [weft.Variable(3.0), {"x": weft.Variable(4.0)}]
            self.again = self.free

        def call(self, x):
            return x * self.free

    layer = Holder()
    assert [float(v) for v in layer.trainable_weights] == [2.0, 3.0, 4.0]
    assert [float(v) for v in layer.non_trainable_weights] == [1.0]
    assert [float(v) for v in layer.weights] == [2.0, 3.0, 4.0, 1.0]


def test_gradients_reach_weights_in_lists():
    class Stack(layers.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [SimpleDense(3), SimpleDense(2)]

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return x

    layer = Stack()
    with weft.GradientTape() as tape:
        loss = weft.reduce_sum(layer(np.ones((2, 5))))
    gradients = tape.gradient(loss, layer.trainable_weights)
    assert [tuple(g.shape) for g in gradients] == [(5, 3), (3,), (3, 2), (2,)]


def test_added_losses_are_those_of_the_last_call():
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(0.5 * weft.reduce_sum(x))
            return x

    inner = Penalty()
    model = keras.Sequential([inner, layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.1), kernel_initializer="ones")])
    model(np.ones((2, 3)))
    model(np.ones((4, 3)))
    assert [round(float(v), 5) for v in model.losses] == [6.0, 0.3]
    assert [round(float(v), 5) for v in inner.losses] == [6.0]
    model.layers[1].trainable = False
    assert len(model.losses) == 1


def test_metrics_inside_are_state_but_no_weights():
    class Counting(layers.Layer):
        def __init__(self):
            super().__init__()
            self.mean = keras.metrics.Mean(name="mean")

        def call(self, x):
            self.mean.update_state(weft.reduce_mean(x))
            return x

    layer = Counting()
    layer(np.full((2, 2), 3.0))
    assert float(layer.mean.result()) == 3.0
    assert layer.weights == []
    assert len(layer.variables) == len(layer.mean.variables) > 0


def test_inputs_are_cast_to_the_layers_dtype():
    class Same(layers.Layer):
        def call(self, x):
            return x

    assert Same()(np.ones((2, 2), "float64")).dtype == "float32"
    assert Same()(np.ones((2, 2), "int64")).dtype == "int64"
    assert Same(dtype="float64")(np.ones((2, 2), "float32")).dtype == "float64"
    assert Same(autocast=False)(np.ones((2, 2), "float64")).dtype == "float64"
    assert Same()([[1.0, 2.0]]).shape == (1, 2)
    assert layers.Dense(2, dtype="float64")(np.ones((2, 2), "uint8")).dtype == "float64"


def test_names_count_up_and_start_again():
    keras.utils.clear_session()
    assert [layers.Dense(1).name, layers.Dense(1).name, layers.ReLU().name, SimpleDense().name] == [
        "dense",
        "dense_1",
        "re_lu",
        "simple_dense",
    ]
    keras.utils.clear_session()
    assert layers.Dense(1).name == "dense"


def test_weight_paths_name_the_layers_around():
    class Outer(layers.Layer):
        def __init__(self):
            super().__init__(name="outer")
            self.inner = layers.Dense(2, name="inner")

        def call(self, x):
            return self.inner(x)

    layer = Outer()
    layer(np.ones((1, 2)))
    assert [w.path for w in layer.weights] == ["outer/inner/kernel", "outer/inner/bias"]
    assert [w.name for w in layer.weights] == ["kernel", "bias"]
    assert layer.inner.path == "outer/inner"


def test_registered_classes_and_functions_can_be_saved():
    @keras.saving.register_keras_serializable(package="Mine")
    class Doubled(layers.Layer):
        def call(self, x):
            return x * 2.0

    @keras.saving.register_keras_serializable(package="Mine")
    def steep(x):
        return weft.sigmoid(x * 3.0)

    model = keras.Sequential([keras.Input((2,)), Doubled(), layers.Dense(2, activation=steep), layers.Lambda(steep)])
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    x = np.ones((1, 2), "float32")
    np.testing.assert_array_equal(again(x).numpy(), model(x).numpy())


def test_custom_objects_in_a_scope():
    class Tripled(layers.Layer):
        def call(self, x):
            return x * 3.0

    config = layers.serialize(Tripled())
    with pytest.raises(ValueError, match="no class or function called 'Tripled'"):
        layers.deserialize(config)
    assert isinstance(layers.deserialize(config, {"Tripled": Tripled}), Tripled)
    with keras.saving.custom_object_scope({"Tripled": Tripled}):
        assert isinstance(layers.deserialize(config), Tripled)


def test_constant_arrays_as_initializers():
    kernel = np.arange(6.0).reshape(2, 3)
    layer = layers.Dense(
        3, kernel_initializer=keras.initializers.Constant(kernel), bias_initializer=lambda shape, dtype: np.ones(shape)
    )
    np.testing.assert_allclose(layer(np.ones((1, 2))).numpy(), [[4.0, 6.0, 8.0]])


def test_deferred_values_stay_out_of_the_batch_statistics():
    layer = layers.BatchNormalization()
    layer(keras.Input((3,)))
    layer(keras.Input((3,)), training=True)
    assert not layer.moving_mean.numpy().any()
    layer.trainable = False
    layer(np.ones((4, 3), "float32"), training=True)
    assert not layer.moving_mean.numpy().any()


def test_normalization_adapts():
    data = np.random.RandomState(0).normal(3.0, 2.0, (200, 3)).astype("float32")
    layer = layers.Normalization()
    layer.adapt(data)
    out = layer(data).numpy()
    np.testing.assert_allclose(out.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(axis=0), 1, atol=1e-5)
    again = layers.Normalization()
    again.adapt(weft.data.Dataset.from_tensor_slices(data).batch(64))
    np.testing.assert_allclose(again(data).numpy(), out, atol=1e-5)


def test_build_from_a_class_beside_layer_runs_once():
    class Counts:
        times = 0

        def build(self, input_shape):
            Counts.times += 1

    class Mixed(Counts, layers.Layer):
        def call(self, x):
            return x

    layer = Mixed()
    layer(np.ones((1, 2)))
    layer(np.ones((1, 2)))
    assert Counts.times == 1


def test_call_may_be_a_traced_function_without_building_twice():
    class Inner(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, kernel_initializer="ones")

        @weft.function
        def call(self, x, training=None):
            return self.dense(x) * (2.0 if training else 1.0)

    layer = Inner()
    assert layer(keras.Input((3,))).shape == (None, 2)
    assert len(layer.weights) == 2
