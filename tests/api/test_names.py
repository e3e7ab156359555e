"""The public names against a stored table made from real TensorFlow, and what ``import weft`` may cost."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import weft

TABLE: dict[str, list[str] | None] = json.loads((Path(__file__).parents[1] / "golden" / "tf_signatures.json").read_text())
NAMESPACES = ("", "nn", "math", "random", "linalg", "debugging", "nest", "bitwise")
# Parameters that mean nothing here: devices, storage layouts, sparse and ragged tensors, distribution.
LEFT_OUT = {"layout", "grad_a", "grad_b", "bad_indices_policy", "validate_indices", "infer_shape", "check_types"}
# Names and parameters of ours that TensorFlow lacks.
OWN_NAMES = {"floordiv", "logical_xor"}
OWN_PARAMETERS = {"nn.elu": {"alpha"}}
RENAMED = {"as_dtype", "custom_gradient"}  # one positional parameter under another name


def public_names(namespace: str) -> list[str]:
    module = getattr(weft, namespace) if namespace else weft
    return [n for n in module.__all__ if not inspect.ismodule(getattr(module, n))]


def dotted(namespace: str) -> list[str]:
    return [f"{namespace}.{n}".lstrip(".") for n in public_names(namespace) if n not in OWN_NAMES]


def find(name: str) -> Any:
    value: Any = weft
    for part in name.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("name", [n for space in NAMESPACES for n in dotted(space)])
def test_name_and_parameters_are_tensorflows(name: str) -> None:
    assert name in TABLE, f"TensorFlow has no {name}"
    theirs = TABLE[name]
    if theirs is None or not inspect.isfunction(find(name)):
        return
    ours = list(inspect.signature(find(name)).parameters)
    if "args" in theirs or "kwargs" in theirs:
        return
    expected = [p for p in theirs if p not in LEFT_OUT]
    if name in RENAMED:
        assert len(ours) == len(expected) == 1
        return
    assert [p for p in ours if p not in LEFT_OUT | OWN_PARAMETERS.get(name, set())] == expected


WANTED = [
    "constant", "Variable", "convert_to_tensor", "Tensor", "TensorSpec", "TensorShape", "float16", "float32", "float64", "int8",
    "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "zeros", "ones", "fill", "range", "eye",
    "zeros_like", "ones_like", "cast", "shape", "reshape", "transpose", "expand_dims", "squeeze", "concat", "stack", "split",
    "gather", "one_hot", "where", "matmul", "add", "subtract", "multiply", "divide", "pow", "maximum", "minimum", "equal",
    "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "logical_not", "abs", "exp",
    "sqrt", "square", "tanh", "sigmoid", "reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod", "reduce_any",
    "reduce_all", "argmax", "argmin", "clip_by_value", "clip_by_global_norm", "cumsum", "stop_gradient", "identity", "print",
    "GradientTape", "function", "Module", "data", "config", "errors", "keras", "debug", "newaxis", "add_n", "linspace",
    "executing_eagerly", "custom_gradient", "init_scope", "name_scope", "math.log", "nn.relu", "nn.leaky_relu", "nn.elu",
    "nn.selu", "nn.gelu", "nn.softplus", "nn.softmax", "nn.log_softmax", "nn.sigmoid", "nn.tanh", "nn.silu",
    "nn.softmax_cross_entropy_with_logits", "nn.sparse_softmax_cross_entropy_with_logits",
    "nn.sigmoid_cross_entropy_with_logits", "nn.dropout", "random.set_seed", "random.normal", "random.uniform",
    "random.truncated_normal", "random.Generator", "data.Dataset", "data.AUTOTUNE", "errors.InvalidArgumentError",
    "errors.OutOfRangeError", "errors.NotFoundError", "errors.UnimplementedError", "errors.OpError", "keras.Sequential",
    "keras.Model", "optimizers.Adam", "losses.MeanSquaredError", "zeros_initializer", "random_normal_initializer",
]  # fmt: skip


@pytest.mark.parametrize("name", WANTED)
def test_promised_name_exists(name: str) -> None:
    assert find(name) is not None or name == "newaxis"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = weft.no_such_name


def test_dir_lists_the_lazy_names() -> None:
    assert {"keras", "debug", "function", "zeros"} <= set(dir(weft))


def test_every_public_function_has_a_docstring() -> None:
    names = [n for space in NAMESPACES for n in dotted(space)]
    assert [n for n in names if callable(find(n)) and not inspect.getdoc(find(n))] == []


def test_aliases_are_one_function() -> None:
    assert weft.exp is weft.math.exp
    assert weft.reduce_mean is weft.math.reduce_mean
    assert weft.nn.softmax is weft.math.softmax


def test_import_is_light() -> None:
    """Neither Numba nor Keras is loaded by ``import weft``."""
    code = "import sys, weft; print([m for m in sys.modules if m.split('.')[0] in ('numba', 'llvmlite') or m == 'weft.keras'])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_from_weft_import_keras() -> None:
    namespace: dict[str, Any] = {}
    exec("from weft import keras", namespace)
    assert namespace["keras"] is importlib.import_module("weft.keras")
