"""Keras' implicit dtypes. In: tensors, arrays, numbers; out: tensors of one dtype. weft's own functions never promote."""

from __future__ import annotations

from typing import Any

import numpy as np

import weft
from weft.layers.precision import floatx
from weft.tracer import Tensor, Variable

NUMBERS = (bool, int, float)


def is_tensor(x: Any) -> bool:
    """Whether the value is a tensor."""
    return isinstance(x, Tensor)


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """The value as a tensor; of that dtype if given. float64 arrays of Python numbers become floatx."""
    tensor = weft.convert_to_tensor(x)
    return tensor if dtype is None or tensor.dtype == dtype else weft.cast(tensor, dtype)


def to_float(x: Any) -> Any:
    """The value as a floating tensor: integers and booleans become floatx."""
    tensor = convert_to_tensor(x)
    return tensor if tensor.dtype.is_floating else weft.cast(tensor, floatx())


def result_dtype(*dtypes: Any) -> Any:
    """The dtype that all of these are cast to: the widest float, or the widest integer if there is no float."""
    kinds = [weft.as_dtype(d) for d in dtypes]
    floats = [d for d in kinds if d.is_floating]
    if floats:
        return max(floats, key=lambda d: d.size)
    return weft.as_dtype(np.result_type(*(d.np for d in kinds)))


def align(*values: Any) -> list[Any]:
    """All values as tensors of one dtype. Python numbers do not widen the tensors beside them."""
    fixed = [v.dtype if isinstance(v, (Tensor, Variable)) else weft.as_dtype(np.asarray(v).dtype) for v in values
             if not isinstance(v, NUMBERS) or isinstance(v, np.generic)]  # fmt: skip
    if not fixed:
        fixed = [weft.convert_to_tensor(v).dtype for v in values]
    target = result_dtype(*fixed)
    loose = [v for v in values if isinstance(v, NUMBERS)]
    if any(isinstance(v, float) for v in loose) and not target.is_floating:
        target = weft.as_dtype(floatx())
    elif target.is_bool and any(isinstance(v, int) and not isinstance(v, bool) for v in loose):
        target = weft.int32
    return [convert_to_tensor(v, target) if not isinstance(v, NUMBERS) else weft.constant(v, target) for v in values]
