"""Matrix products of the libraries in torch, one thread. In: JSON lines with a product; out: JSON lines with seconds.

MKL's ``sgemm`` is called directly. oneDNN's inner product has no symbol of its own there, so it is called as torch's operator,
which takes 20 to 35 microseconds: ``call`` is what the smallest product takes, nearly all of it this way to oneDNN. Nothing is
packed ahead. The least CPU time of many repetitions counts. ONEDNN_VERBOSE=1 and MKL_VERBOSE=1 show what is called.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

Run = Callable[[], object]
SMALLEST = {"m": 4, "n": 4, "k": 4, "form": "nn"}
SECONDS = 0.01  # per library and request


def mkl_gemm() -> Callable[..., None]:
    """``sgemm`` of the library that torch carries; torch calls it for its own products."""
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    return library.sgemm_


def arrays(m: int, n: int, k: int, form: str) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(k, m) if form[0] == "t" else (m, k)).astype(np.float32)
    b = rng.normal(size=(n, k) if form[1] == "t" else (k, n)).astype(np.float32)
    return torch.from_numpy(a), torch.from_numpy(b)


def with_mkl(gemm: Callable[..., None], m: int, n: int, k: int, form: str) -> Run:
    """The product in MKL's column order: the transposes multiply in the other order."""
    a, b = arrays(m, n, k, form)
    out = torch.empty(m, n)
    sizes = [ctypes.byref(ctypes.c_int(v)) for v in (n, m, k)]
    flags = [ctypes.byref(ctypes.c_char(f.encode())) for f in reversed(form)]
    one, zero = ctypes.byref(ctypes.c_float(1)), ctypes.byref(ctypes.c_float(0))
    (pa, la), (pb, lb), (po, lo) = ((ctypes.c_void_p(t.data_ptr()), ctypes.byref(ctypes.c_int(t.shape[1]))) for t in (a, b, out))
    gemm(*flags, *sizes, one, pb, lb, pa, la, zero, po, lo)
    expected = (a.T if form[0] == "t" else a) @ (b.T if form[1] == "t" else b)
    assert torch.allclose(out, expected, atol=1e-2)
    keep = a, b, out
    return lambda: (gemm(*flags, *sizes, one, pb, lb, pa, la, zero, po, lo), keep)


def with_onednn(m: int, n: int, k: int, form: str) -> Run:
    a, b = arrays(m, n, k, form)
    weight = b if form[1] == "t" else b.T
    operator = torch.ops.mkldnn._linear_pointwise.default
    return lambda: operator(a, weight, None, "none", [], "")


def least_seconds(run: Run) -> float:
    """CPU time of one run, at best."""
    run()
    start = time.thread_time()
    run()
    count = max(1, int(1e-3 / max(time.thread_time() - start, 1e-6)))
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end or best == float("inf"):
        start = time.thread_time()
        for _ in range(count):
            run()
        best = min(best, (time.thread_time() - start) / count)
    return best


def main() -> None:
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    gemm, smallest = mkl_gemm(), with_onednn(**SMALLEST)
    print(json.dumps({"name": f"torch {torch.__version__}"}), flush=True)
    ready: dict[str, dict[str, Run]] = {}
    for line in sys.stdin:
        product = json.loads(line)
        if line not in ready:
            ready[line] = {"mkl": with_mkl(gemm, **product)}
            if product["form"][0] == "n":
                ready[line]["onednn"] = with_onednn(**product)
        answer = {name: least_seconds(run) for name, run in ready[line].items()}
        print(json.dumps({**answer, "call": least_seconds(smallest)}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("MKL_NUM_THREADS", "1")
    main()
