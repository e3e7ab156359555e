"""The rest of Keras' old backend module. In: dtypes, names; out: settings and standard names of dtypes."""

from __future__ import annotations

from typing import Any

import weft
from weft.layers.naming import auto_name

from .config import backend, epsilon, floatx, image_data_format, set_epsilon, set_floatx, set_image_data_format
from .utils import clear_session, is_keras_tensor

__all__ = [
    "backend", "clear_session", "epsilon", "floatx", "get_uid", "image_data_format", "is_float_dtype", "is_int_dtype",
    "is_keras_tensor", "set_epsilon", "set_floatx", "set_image_data_format", "standardize_dtype",
]  # fmt: skip


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
