"""One harness for all layers: shapes, both ways of running, weights, settings, unknown batch size."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.graph.dims import Dim
from weft.graph.evaluate import evaluate
from weft.graph.ir import array_type
from weft.layers import Input, Layer, layer
from weft.layers.serialization import deserialize_object, find_object, serialize_object
from weft.tracer.trace import trace

CASES = json.loads((Path(__file__).parent.parent / "golden" / "layer_cases.json").read_text())
RANDOM = [
    {"name": "dropout_training", "class": "Dropout", "config": {"rate": 0.5, "seed": 3}, "inputs": [[6, 5]], "training": True},
    {
        "name": "noise_training",
        "class": "GaussianNoise",
        "config": {"stddev": 0.5, "seed": 3},
        "inputs": [[6, 5]],
        "training": True,
    },
    {
        "name": "gaussian_dropout_training",
        "class": "GaussianDropout",
        "config": {"rate": 0.3},
        "inputs": [[6, 5]],
        "training": True,
    },
    {
        "name": "spatial_dropout_training",
        "class": "SpatialDropout1D",
        "config": {"rate": 0.5},
        "inputs": [[3, 5, 2]],
        "training": True,
    },
]


def draw(shape, dtype):
    if dtype in ("uint8", "int32"):
        return np.random.RandomState(0).randint(0, 6, shape).astype(dtype)
    return np.random.RandomState(0).standard_normal(shape).astype(dtype)


def fed(values):
    return values if len(values) > 1 else values[0]


def check_layer(cls, config, shapes, dtype="float32", training=None):
    """Checks what every layer owes: see the functions below."""
    made = cls.from_config(config)
    values = [weft.constant(draw(s, dtype)) for s in shapes]
    flag = {} if training is None else {"training": training}
    check_symbolic(cls, config, shapes, dtype, made(fed(values), **flag))
    check_traced(made, values, flag, random=training is not None)
    check_config(made, values, flag)
    assert sum(int(np.prod(w.shape)) for w in made.weights) == made.count_params()
    assert len(made.weights) == len(made.trainable_weights) + len(made.non_trainable_weights)
    for w, value in zip(made.weights, made.get_weights(), strict=True):
        np.testing.assert_array_equal(w.numpy(), value)
    made.trainable = False
    assert made.trainable_weights == []


def check_symbolic(cls, config, shapes, dtype, real):
    """The inferred shape and dtype are those of the real output, with the batch size open."""
    inputs = [Input(s[1:], dtype=dtype) for s in shapes]
    symbolic = cls.from_config(config)(fed(inputs))
    assert symbolic.shape == (None, *real.shape[1:])
    assert symbolic.dtype == real.dtype


def check_traced(made, values, flag, random):
    """A trace with a symbolic batch size gives the eager output, also for another batch size."""
    types = [array_type(v.dtype, (Dim("batch"), *v.shape[1:])) for v in values]
    traced = trace(lambda *x: made(fed(list(x)), **flag), types)
    for count in {values[0].shape[0], 2}:
        arrays = [np.ascontiguousarray(v.numpy()[:count]) for v in values]
        before = {v.ref: v.storage.copy() for v in traced.variables}
        wanted = made(fed([weft.constant(a) for a in arrays]), **flag)
        outputs = evaluate(traced.graph, arrays, before).outputs
        if not random or getattr(made, "seed", None) is not None:
            np.testing.assert_allclose(outputs[0], wanted.numpy(), rtol=1e-6, atol=1e-6)


def check_config(made, values, flag):
    """Settings survive the way through JSON, a copy and a pickle; equal weights then give equal outputs."""
    config = json.loads(json.dumps(serialize_object(made)))
    again = deserialize_object(config)
    assert type(again) is type(made)
    assert json.loads(json.dumps(again.get_config())) == json.loads(json.dumps(made.get_config()))
    again(fed(values))
    again.set_weights(made.get_weights())
    wanted = made(fed(values)).numpy()
    np.testing.assert_array_equal(again(fed(values)).numpy(), wanted)
    np.testing.assert_array_equal(copy.deepcopy(made)(fed(values)).numpy(), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made))(fed(values)).numpy(), wanted)


@pytest.mark.parametrize("case", CASES + RANDOM, ids=[c["name"] for c in CASES + RANDOM])
def test_a_layer_keeps_every_promise(case):
    check_layer(find_object(case["class"]), case["config"], case["inputs"], case.get("dtype", "float32"), case.get("training"))


def test_every_public_layer_is_checked():
    import weft.layers as room

    checked = {c["class"] for c in CASES + RANDOM}
    classes = {n for n in room.__all__ if isinstance(getattr(room, n), type) and issubclass(getattr(room, n), Layer)}
    assert classes - checked == {"Layer", "InputLayer", "Lambda"}  # these three need arguments that are no data
    assert layer.Layer is Layer
