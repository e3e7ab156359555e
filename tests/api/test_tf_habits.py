"""Small things that programs written for TensorFlow and Keras expect: other names, attributes, arguments by position."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import weft as tf
from weft import keras


def test_bool_tensors_multiply_as_masks() -> None:
    a = tf.constant([True, True, False])
    assert (a * [True, False, True]).numpy().tolist() == [True, False, False]
    assert (True * a).dtype == tf.bool
    with pytest.raises(TypeError):
        tf.multiply(a, a)


def test_short_names_of_losses_and_metrics() -> None:
    assert keras.losses.mse is keras.losses.MSE is keras.metrics.mse is keras.losses.mean_squared_error
    assert keras.losses.KLD is keras.losses.kullback_leibler_divergence is tf.losses.kl_divergence
    assert keras.losses.logcosh is keras.losses.log_cosh
    with pytest.raises(AttributeError):
        _ = keras.losses.bce


def test_errors_have_a_message() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.debugging.assert_positive(tf.constant(-1.0), "must be positive")
    assert "must be positive" in caught.value.message and caught.value.op is None


def test_old_names_of_data() -> None:
    assert tf.data.experimental.AUTOTUNE == tf.data.AUTOTUNE
    assert int(tf.data.experimental.cardinality(tf.data.Dataset.range(3))) == 3


def test_cosine_decay_with_restarts() -> None:
    """Numbers of Keras."""
    steps = [0, 1, 4, 5, 7, 12, 25]
    schedule = keras.optimizers.schedules.CosineDecayRestarts
    found = [float(schedule(0.1, 5)(s)) for s in steps]
    assert found == pytest.approx([0.1, 0.09045085, 0.00954915, 0.1, 0.09045085, 0.02061073, 0.05], rel=1e-5)
    found = [float(schedule(0.1, 5, t_mul=1.0, m_mul=0.5, alpha=0.1)(s)) for s in steps]
    assert found == pytest.approx([0.1, 0.09140577, 0.01859423, 0.055, 0.03945288, 0.02472644, 0.0128125], rel=1e-5)


def test_decay_of_keras_2_is_ignored() -> None:
    with pytest.warns(UserWarning, match="decay is ignored"):
        keras.optimizers.SGD(0.1, decay=1e-6)


def test_arguments_by_position() -> None:
    layer = keras.layers.LayerNormalization(-1, 1e-6, False)
    assert not layer.center and layer.scale
    assert keras.regularizers.l1_l2().get_config() == {"l1": 0.0, "l2": 0.0}
    assert keras.ops.logical_and(x1=True, x2=[True, False]).numpy().tolist() == [True, False]


def test_attributes_of_dtypes() -> None:
    assert tf.int8.limits == (0, 127) and tf.float32.limits == (0, 1)
    assert tf.float32.is_numeric and not tf.bool.is_numeric and not tf.float64.is_complex
    assert tf.float32.is_compatible_with("float32") and tf.float32.real_dtype is tf.float32


def test_demands_on_shapes() -> None:
    shape = tf.TensorShape([2, None])
    assert shape.with_rank_at_least(2) is shape and shape.with_rank_at_most(3) is shape
    shape.assert_has_rank(2)
    shape.assert_same_rank([1, 1])
    demands: list[Any] = [
        lambda: shape.with_rank_at_least(3), lambda: shape.with_rank_at_most(1), lambda: shape.assert_has_rank(1),
        lambda: shape.assert_same_rank([1]), shape.assert_is_fully_defined,
    ]  # fmt: skip
    for demand in demands:
        with pytest.raises(ValueError):
            demand()


@pytest.mark.parametrize("eager", [True, pytest.param(False, marks=pytest.mark.compiles)])
def test_rows_of_variables_are_written_by_index_vectors(eager: bool) -> None:
    variable = tf.Variable(tf.zeros([3, 2]))

    def write(row: Any) -> Any:
        variable.scatter_nd_update([[row]], [[1.0, 2.0]])
        variable.scatter_nd_add([[0, 0], [row, 1]], [5.0, 5.0])
        variable.scatter_nd_sub([[0]], [[1.0, 1.0]])

    (write if eager else tf.function(write))(tf.constant(2))
    assert variable.numpy().tolist() == [[4.0, -1.0], [0.0, 0.0], [1.0, 7.0]]


def test_variables_by_keras_constructor() -> None:
    assert keras.Variable(1).dtype == tf.int32 and keras.Variable(1.0).dtype == tf.float32
    made = keras.Variable("ones", (2, 3), name="w")
    assert made.numpy().tolist() == [[1.0] * 3] * 2 and made.name == made.path == "w"
    assert keras.Variable(initializer=keras.initializers.Constant(2), shape=(1,), dtype="int32").numpy().tolist() == [2]
    assert keras.Variable(tf.constant([1, 2]), trainable=False).dtype == tf.int32
    layer = keras.layers.Dense(1)
    layer.build((None, 2))
    assert isinstance(layer.kernel, keras.Variable) and layer.kernel.name == "kernel"
    with pytest.raises(ValueError, match="needs a shape"):
        keras.Variable("zeros")


def test_first_lines_of_programs_that_look_for_gpus() -> None:
    for gpu in tf.config.experimental.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.set_visible_devices([], "GPU")
    with pytest.raises(ValueError, match="CPU must stay"):
        tf.config.set_visible_devices([], "CPU")
    assert [d.name for d in tf.config.list_logical_devices()] == ["/device:CPU:0"]
    assert tf.config.get_visible_devices() == tf.config.list_physical_devices()
    assert not tf.test.is_gpu_available() and tf.test.gpu_device_name() == ""
    tf.config.experimental.enable_op_determinism()
    before = tf.get_logger().level
    tf.get_logger().setLevel("ERROR")
    tf.get_logger().setLevel(before)
    tf.autograph.set_verbosity(0)

    @tf.autograph.experimental.do_not_convert
    def double(x: Any) -> Any:
        return x * 2

    assert double(2) == 4


K = keras.backend
X = [[1.0, -2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda: K.mean(K.square(tf.constant(X)), axis=-1), [2.5, 12.5]),
        (lambda: K.mean(K.equal(X, [[1.0, 2.0], [3.0, 4.0]])), 0.75),
        (lambda: K.sum(X, axis=0, keepdims=True), [[4.0, 2.0]]),
        (lambda: K.max(K.abs(tf.constant(X))), 4.0),
        (lambda: K.any(K.greater(X, 3.0), axis=1), [False, True]),
        (lambda: K.argmax(tf.constant(X)), [0, 1]),
        (lambda: K.clip(tf.constant(X), 0, None), [[1.0, 0.0], [3.0, 4.0]]),
        (lambda: K.clip(K.flatten(tf.constant(X)), K.epsilon(), 1.0)[2:], [1.0, 1.0]),
        (lambda: K.concatenate([X, X]), [[1.0, -2.0, 1.0, -2.0], [3.0, 4.0, 3.0, 4.0]]),
        (lambda: K.dot(tf.constant(X), K.ones((2, 1))), [[-1.0], [7.0]]),
        (lambda: K.batch_flatten(tf.ones([2, 1, 2])), [[1.0, 1.0], [1.0, 1.0]]),
        (lambda: K.expand_dims(tf.constant([1.0])), [[1.0]]),
        (lambda: K.permute_dimensions(tf.constant(X), (1, 0)), [[1.0, 3.0], [-2.0, 4.0]]),
        (lambda: K.repeat_elements([1, 2], 2, 0), [1, 1, 2, 2]),
        (lambda: K.relu(tf.constant([-1.0, 9.0]), alpha=0.5, max_value=6.0), [-0.5, 6.0]),
        (lambda: K.switch(True, lambda: 1.0, lambda: 2.0), 1.0),
        (lambda: K.l2_normalize(tf.constant([3.0, 4.0])), [0.6, 0.8]),
        (lambda: K.binary_crossentropy(tf.constant([1.0, 0.0]), tf.constant([0.5, 0.5])), [0.6931472, 0.6931472]),
        (lambda: K.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]), [0.6931472]),
        (lambda: K.sparse_categorical_crossentropy([1], [[0.5, 0.5]]), [0.6931472]),
        (lambda: K.cast(K.one_hot([1], 2), "int32"), [[0, 1]]),
        (lambda: K.get_value(K.update_add(K.variable([1]), [2.0])), [3.0]),
        (lambda: K.zeros((2,)) + K.squeeze([[1.0, 2.0]], 0), [1.0, 2.0]),
        (lambda: K.std([1.0, 3.0]) + K.var([1.0, 3.0]) + K.prod([2.0, 3.0]) + K.min([5.0, 6.0]), 13.0),
        (lambda: K.softmax(tf.constant([0.0, 0.0])), [0.5, 0.5]),
    ],
)
def test_functions_of_the_old_backend(value: Any, expected: Any) -> None:
    """Numbers of Keras' own backend on TensorFlow."""
    np.testing.assert_allclose(value(), expected, rtol=1e-6)


def test_facts_and_random_numbers_of_the_old_backend() -> None:
    x = K.variable(X)
    assert (K.int_shape(x), K.ndim(x), K.dtype(x), K.count_params(x)) == ((2, 2), 2, "float32", 4)
    K.set_value(x, [[0, 0], [0, 0]])
    assert K.eval(K.sum(x)) == 0.0 and K.eye(2).numpy().tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert [f((3,)).shape for f in (K.random_normal, K.random_uniform, K.truncated_normal)] == [(3,)] * 3


@pytest.mark.parametrize("argument", [{"a": 1}, {"a": 1, "b": [[1.0]], "c": 2}, {"a": 1, "b": []}, [1], 1])
def test_arguments_of_another_structure_than_the_input_signature_are_a_type_error(argument: Any) -> None:
    specs = {"a": tf.TensorSpec([], tf.int32), "b": [tf.TensorSpec([1], tf.float32)]}
    function = tf.function(lambda d: d["a"], input_signature=[specs])
    with pytest.raises(TypeError, match="structure of the input_signature"):
        function(argument)
