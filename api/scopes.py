"""TensorFlow's scopes and grouping functions, which need no counterpart here: ops run on the CPU, in program order."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np

from weft.graph.dims import Dim
from weft.tracer import EagerTensor, convert_to_tensor, known_sizes, layer_scope


@contextmanager
def name_scope(name: str) -> Iterator[str]:
    """Inside, ops are marked with the name in errors and dumps."""
    with layer_scope(name):
        yield f"{name}/"


def device(device_name: Any) -> AbstractContextManager[None]:
    """Accepted for compatibility: everything runs on the CPU."""
    return nullcontext()


def control_dependencies(control_inputs: Any) -> AbstractContextManager[None]:
    """Accepted for compatibility: assignments, prints and assertions always happen in program order."""
    return nullcontext()


def group(*inputs: Any, **kwargs: Any) -> None:
    """Accepted for compatibility: its arguments have happened already, or will in program order."""


def no_op(name: str | None = None) -> None:
    """Does nothing."""


def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """The tensor's elements as an array if they are known while tracing, else None."""
    x = convert_to_tensor(tensor)
    if isinstance(x, EagerTensor):
        return x.numpy()
    sizes = known_sizes(x)
    if sizes is None or any(isinstance(s, Dim) for s in sizes):
        return None
    return np.array(sizes, x.dtype.np).reshape(x.type.shape)


def get_logger() -> logging.Logger:
    """weft's logger, so that a program may set its level: with "ERROR" frequent retracing is not reported."""
    return logging.getLogger("weft")
