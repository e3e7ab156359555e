"""Compiled contraction kernels for tests. In: a `Product`; out: a function over NumPy arrays."""

from __future__ import annotations

import ctypes
import itertools
import mmap
from collections.abc import Callable

import numpy as np

from weft.codegen.contract_kernel import print_contract
from weft.codegen.contract_product import Product
from weft.codegen.target import Target
from weft.runtime.engine import compile_text, engine
from weft.runtime.machine import cache_bytes, vector_bytes, vector_registers

KINDS = {"f32": np.float32, "f64": np.float64}
_count = itertools.count()


def host() -> Target:
    """This machine, as the run time sees it."""
    return Target(vector_bytes(), vector_registers(), *cache_bytes()[:2])


def narrow() -> Target:
    """A machine with the smallest vectors and caches, so that blocks are many: its code runs everywhere."""
    return Target(16, 16, 4 * 1024, 16 * 1024)


def compile_product(product: Product, target: Target) -> Callable[..., None]:
    """``run(a, b, c, sizes, *own)``: sizes are batch, m, n, k, stride_a, stride_b; own: the epilogue's arrays."""
    kernel = print_contract(product, target)
    symbol = f"contract_test_{next(_count)}"
    address, handle = engine.load(compile_text(kernel.text.replace("KERNEL", symbol), vectorize=False, tidy=False), symbol)
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * kernel.pointers, *[ctypes.c_int64] * 6)(address)
    guard = np.full(kernel.work + 64, 0xAB, np.uint8)

    def run(a: np.ndarray, b: np.ndarray, c: np.ndarray, sizes: tuple[int, ...], *own: np.ndarray) -> None:
        assert handle is not None
        pointers = [x.ctypes.data for x in (a, b, c, guard, *own)]
        assert function(*pointers, *sizes) == 0
        assert (guard[kernel.work :] == 0xAB).all(), "the kernel wrote behind its scratch memory"

    return run


def operands(
    short: str, flags: tuple[bool, bool], sizes: tuple[int, int, int], batch: int = 1, shared: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """a and b as stored, and a @ b in float64."""
    m, n, k = sizes
    rng = np.random.default_rng(m * 31 + n * 7 + k)
    a = rng.normal(size=(batch, k, m) if flags[0] else (batch, m, k)).astype(KINDS[short])
    b = rng.normal(size=(1 if shared else batch, *((n, k) if flags[1] else (k, n)))).astype(KINDS[short])
    left = a.swapaxes(1, 2) if flags[0] else a
    right = b.swapaxes(1, 2) if flags[1] else b
    return a, b, left.astype(np.longdouble) @ right.astype(np.longdouble)


def fenced(array: np.ndarray) -> np.ndarray:
    """A copy whose last element is the last before memory that nobody may touch."""
    size = -(-array.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, size + mmap.PAGESIZE)
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    fence = ctypes.addressof(ctypes.c_char.from_buffer(pages)) + size
    assert protect(fence, mmap.PAGESIZE, 0) == 0, ctypes.get_errno()
    out = np.frombuffer(pages, np.uint8, array.nbytes, size - array.nbytes).view(array.dtype).reshape(array.shape)
    out[...] = array
    return out
