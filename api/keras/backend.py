"""Keras' old backend module. In: dtypes, names, tensors; out: settings, standard names of dtypes, and the functions of
`backend_functions`."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.naming import auto_name
from weft.tracer.late_names import late_names

from .config import backend, epsilon, floatx, image_data_format, set_epsilon, set_floatx, set_image_data_format
from .utils import clear_session, is_keras_tensor

__all__ = [
    "backend", "clear_session", "epsilon", "floatx", "get_uid", "image_data_format", "is_float_dtype", "is_int_dtype",
    "is_keras_tensor", "set_epsilon", "set_floatx", "set_image_data_format", "standardize_dtype",
]  # fmt: skip

_FUNCTIONS = (
    "abs", "all", "any", "argmax", "argmin", "batch_flatten", "binary_crossentropy", "cast", "categorical_crossentropy",
    "clip", "concatenate", "constant", "cos", "count_params", "cumprod", "cumsum", "dot", "dtype", "elu", "equal", "eval",
    "exp", "expand_dims", "eye", "flatten", "gather", "get_value", "greater", "greater_equal", "hard_sigmoid", "int_shape",
    "l2_normalize", "less", "less_equal", "log", "max", "maximum", "mean", "min", "minimum", "ndim", "not_equal", "one_hot",
    "ones", "ones_like", "permute_dimensions", "pow", "prod", "random_normal", "random_uniform", "relu", "repeat_elements",
    "reshape", "reverse", "round", "set_value", "shape", "sigmoid", "sign", "sin", "softmax", "softplus", "softsign",
    "sparse_categorical_crossentropy", "sqrt", "square", "squeeze", "stack", "std", "stop_gradient", "sum", "switch", "tanh",
    "tile", "transpose", "truncated_normal", "update", "update_add", "update_sub", "var", "variable", "zeros", "zeros_like",
)  # fmt: skip

__getattr__, __dir__ = late_names(__name__, {"weft.keras.backend_functions": _FUNCTIONS})


def standardize_dtype(dtype: Any) -> str:
    """The dtype's name, "float32"; floatx for None. ValueError for what is no dtype of weft."""
    try:
        return floatx() if dtype is None else weft.as_dtype(dtype).name
    except TypeError as error:
        raise ValueError(str(error)) from error


def is_float_dtype(dtype: Any) -> bool:
    """Whether it is a floating dtype."""
    return weft.as_dtype(dtype).is_floating


def is_int_dtype(dtype: Any) -> bool:
    """Whether it is a signed or unsigned integer dtype."""
    return weft.as_dtype(dtype).is_integer


def get_uid(prefix: str = "") -> int:
    """A running number for this prefix, from 1."""
    name = auto_name(f"uid_{prefix}")
    return 1 if name == f"uid_{prefix}" else int(name.rsplit("_", 1)[1]) + 1
