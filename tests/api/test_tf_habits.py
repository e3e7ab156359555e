"""Small things that programs written for TensorFlow and Keras expect: other names, attributes, arguments by position."""

from __future__ import annotations

from typing import Any

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
