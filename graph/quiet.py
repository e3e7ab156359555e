"""Arithmetic without warnings. In: a NumPy function and its arguments; out: its result, with infinities and NaN made silently.

TensorFlow computes ``1 / 0`` and ``log(-1)`` without a word, and so does compiled code. ``np.errstate`` costs more than a small
ufunc, so each thread keeps one context in which NumPy's warnings are switched off and runs kernels inside it.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

import numpy as np


class _Quiet(threading.local):
    def __init__(self) -> None:
        context = contextvars.copy_context()
        context.run(np.seterr, all="ignore")
        self.run = context.run


_quiet = _Quiet()


def quietly(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """``function(*args, **kwargs)`` with NumPy's floating-point warnings off. The function must be pure."""
    try:
        return _quiet.run(function, *args, **kwargs)
    except RuntimeError:  # the context is already entered: a finaliser or a signal handler computes inside a kernel
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)
