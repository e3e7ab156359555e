"""The run time's few settings. In: the environment; out: the `Config` object behind ``weft.config``.

``WEFT_CACHE_DIR`` names the folder of the cache on disk; empty or ``off`` keeps everything in memory.
"""

from __future__ import annotations

import os

from weft.graph.record import field, record


def default_cache_dir() -> str | None:
    """What ``WEFT_CACHE_DIR`` says, else ``weft`` in the user's cache folder; None: no cache on disk."""
    chosen = os.environ.get("WEFT_CACHE_DIR")
    if chosen is not None:
        return None if chosen.strip().lower() in ("", "off") else os.path.expanduser(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return os.path.join(base or os.path.join(os.path.expanduser("~"), ".cache"), "weft")


KERNELS = ("llvm", "numba")
BACKGROUND = ("off", "stateless", "on")


@record(frozen=False)
class Config:
    """The settings, read whenever something is compiled or called.

    cache_dir: where compiled steps are kept, None for memory only. cache_bytes: the oldest entries above this total are deleted.
    use_blas: an installed BLAS may compute matrix products; without it they are compiled loops.
    own_contractions: matrix products get micro-kernels for their shape; without it, all go to the BLAS or to compiled loops.
    kernels: "llvm" compiles a kernel's LLVM text if it has one, in milliseconds; "numba" compiles every kernel's Python text.
    flush_denormals: whether steps count denormal numbers as zero; None: those that update floating-point variables.
    intra_op_threads: how many threads may share one step, 1 to switch them off; 0: the physical cores of this process.
    inter_op_threads: TensorFlow's setting, kept for programs that read it: a step's calls run one after the other.
    team_delay: seconds after a step's first call before its form for several threads is compiled, in the background; 0: at once.
    result_pool_bytes: memory of large results that nobody uses any more is kept for later ones, up to so many bytes.
    background_compile: which functions run their first calls in NumPy while a thread compiles them, where that takes long: "off",
    none, so that all calls give the same bits; "stateless", those that write no variable; "on", all, train steps too.
    run_functions_eagerly: compiled functions run their Python code op by op, for debugging.
    """

    cache_dir: str | os.PathLike[str] | None = field(default_factory=default_cache_dir)
    cache_bytes: int = 512 * 1024 * 1024
    use_blas: bool = True
    own_contractions: bool = True
    kernels: str = "llvm"
    flush_denormals: bool | None = None
    intra_op_threads: int = 0
    inter_op_threads: int = 0
    team_delay: float = 0.1
    result_pool_bytes: int = 256 * 1024 * 1024
    background_compile: str = "off"
    run_functions_eagerly: bool = False


config = Config()
