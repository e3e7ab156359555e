"""`weft.Module`, scopes, `weft.nest`, and small helpers of the top level."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import pytest

import weft as tf
from weft.graph.ir import ArrayType
from weft.tracer.trace import trace


class Dense(tf.Module):
    def __init__(self, inputs: int, outputs: int, name: str | None = None) -> None:
        super().__init__(name)
        self.w = tf.Variable(tf.ones([inputs, outputs]), name="w")
        self.b = tf.Variable(tf.zeros([outputs]), name="b", trainable=False)

    def __call__(self, x: Any) -> Any:
        return tf.nn.relu(x @ self.w + self.b)


class SequentialModule(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [Dense(3, 2), {"last": Dense(2, 1, name="last")}]
        self.shared = self.layers[0]
        self.scale = tf.Variable(2.0)

    def __call__(self, x: Any) -> Any:
        for layer in (self.layers[0], self.layers[1]["last"]):
            x = layer(x)
        return x * self.scale


def test_module_finds_its_variables() -> None:
    module = SequentialModule()
    assert len(module.variables) == 5 and len(module.trainable_variables) == 3 and len(module.non_trainable_variables) == 2
    assert [m.name for m in module.submodules] == ["dense", "last"]
    assert module.name == "sequential_module"
    assert float(module(tf.ones([1, 3]))[0, 0]) == 12.0


def test_module_trains_with_a_tape() -> None:
    module = Dense(2, 1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(module(tf.ones([1, 2])) ** 2)
    (gradient,) = tape.gradient(loss, module.trainable_variables)
    assert gradient.numpy().tolist() == [[4.0], [4.0]]


def test_module_name_must_be_an_identifier() -> None:
    with pytest.raises(ValueError, match="not a valid module name"):
        Dense(1, 1, name="my layer")


def test_scopes_mark_origins() -> None:
    def body(x: Any) -> Any:
        with tf.name_scope("outer") as scope:
            assert scope == "outer/"
            return tf.exp(x)

    (node,) = trace(body, [ArrayType(tf.float32, (2,))]).graph.outputs
    assert node.origins[0].layer == "outer"


def test_compatibility_scopes_do_nothing() -> None:
    with tf.device("/CPU:0"), tf.control_dependencies([tf.constant(1)]):
        assert tf.group(tf.no_op()) is None


def test_get_static_value() -> None:
    assert tf.get_static_value(tf.constant([1, 2])).tolist() == [1, 2]
    found = []

    def body(x: Any) -> Any:
        found.extend([tf.get_static_value(x), tf.get_static_value(tf.shape(x))])
        return x

    trace(body, [ArrayType(tf.float32, (2, 3))])
    assert found[0] is None and found[1].tolist() == [2, 3]


def test_nest_takes_structures_apart_and_puts_them_together() -> None:
    Pair = collections.namedtuple("Pair", "x y")
    tree = {"b": [1, (2, 3)], "a": Pair(4, 5)}
    assert tf.nest.flatten(tree) == [4, 5, 1, 2, 3]
    assert tf.nest.map_structure(lambda v: v + 1, tree) == {"b": [2, (3, 4)], "a": Pair(5, 6)}
    assert tf.nest.pack_sequence_as(tree, range(5)) == {"b": [2, (3, 4)], "a": Pair(0, 1)}
    assert tf.nest.is_nested([1]) and not tf.nest.is_nested(1) and not tf.nest.is_nested("ab")
    tf.nest.assert_same_structure([1, 2], [3, 4])
    with pytest.raises((TypeError, ValueError)):
        tf.nest.assert_same_structure([1, 2], [3, (4, 5)])


def test_is_tensor() -> None:
    assert tf.is_tensor(tf.constant(1)) and tf.is_tensor(tf.Variable(1.0))
    assert not tf.is_tensor(1) and not tf.is_tensor(np.ones(2)) and not tf.is_tensor([tf.constant(1)])


def test_second_order_gradients_through_composites() -> None:
    """Variance and softmax are several ops; their second derivatives must not lose a path."""
    x = tf.constant([1.0, 2.0, 4.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.nn.moments(x, axes=[0])[1]
        first = inner.gradient(y, x)
    hessian = outer.jacobian(first, x).numpy()
    np.testing.assert_allclose(hessian, 2 / 3 * (np.eye(3) - 1 / 3), atol=1e-6)


def test_dtype_names() -> None:
    assert tf.bool == "bool" and tf.double is tf.float64 and tf.half is tf.float16 and tf.newaxis is None
    assert tf.as_dtype("float32") is tf.float32 and tf.__version__


def test_the_cpu_is_the_only_device() -> None:
    assert [d.device_type for d in tf.config.list_physical_devices()] == ["CPU"]
    assert tf.config.list_physical_devices("GPU") == []
