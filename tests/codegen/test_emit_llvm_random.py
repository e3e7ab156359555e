"""Random numbers from LLVM text are those of the Python text: every distribution, type and length."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from weft.codegen.emit_llvm_random import random_llvm
from weft.codegen.emit_python_random import random_text
from weft.graph.dtype import as_dtype
from weft.runtime import prelude_python
from weft.runtime.engine import compile_text, engine
from weft.runtime.kernel_module import name_kernel

CASES: list[tuple[str, str, dict[str, Any]]] = [
    *((d, t, {}) for d in ("uniform", "normal", "truncated_normal") for t in ("float32", "float64")),
    ("int", "int32", {"low": -5, "high": 17}),
    ("int", "int64", {"low": 3, "high": 1 << 40}),
    ("int", "int8", {"low": -128, "high": 127}),
]


@pytest.mark.parametrize("distribution,name,attrs", CASES)
def test_same_numbers_as_the_python_text(distribution: str, name: str, attrs: dict[str, Any]) -> None:
    dtype = as_dtype(name)
    symbol = f"test_random_{distribution}_{name}"
    text = name_kernel(random_llvm(distribution, dtype, attrs), symbol)
    address = engine.keep(compile_text(text, vectorize=False), symbol)
    draw = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)
    scope = dict(prelude_python.PRELUDE)
    exec(random_text(distribution, dtype, attrs), scope)
    key = np.array([0x0123456789ABCDEF, 0xFEDCBA9876543210], np.uint64)
    for n in (0, 1, 3, 31, 32, 33, 64, 65, 130):
        out, plain = np.full(n + 70, 77, dtype.np), np.full(n + 70, 77, dtype.np)
        assert draw(key.ctypes.data, out.ctypes.data, n) == 0
        with np.errstate(all="ignore"):
            scope["KERNEL"](key, plain, n)
        np.testing.assert_array_equal(out[n:], 77)  # nothing is written behind the end
        if distribution in ("uniform", "int"):
            np.testing.assert_array_equal(out[:n], plain[:n])
        else:
            np.testing.assert_allclose(out[:n], plain[:n], rtol=1e-6 if name == "float32" else 1e-14)
