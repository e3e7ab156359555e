"""From a program to machine code. In: a `Program`; out: the address of its compiled step.

Kernels are compiled one by one and looked up by the hash of their text, first in this process, then in the cache on disk, so
equal kernels are compiled once wherever they occur. Compiled is a kernel's own LLVM text (`Program.llvm`); Numba is imported
only for a kernel that has none, or if ``config.kernels`` asks for it. Matrix products may be bound to a BLAS where there is
one. `step` is printed as LLVM text by `driver` and calls kernels by symbol.
"""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from weft import codegen
from weft.codegen.program import KernelDecl, Program
from weft.graph.errors import UnimplementedError
from weft.graph.record import record, replace

from . import blas, driver
from .config import config
from .denormals import flushes_denormals
from .engine import compile_lock, compile_text, engine, machine_key
from .kernel_module import export_kernel, merge_pattern, name_kernel
from .module_text import ModuleText
from .object_code import compiled_object
from .store import content_key, load_bytes, store_bytes
from .team import team
from .team_step import plan_team, print_team_step

_OWN_FILES = (
    "frontend.py", "kernel_module.py", "pointer_type.py", "prelude_numba.py", "emit_arithmetic.py", "vector_math.py", "engine.py",
    "driver.py",
)  # fmt: skip
_MATHEMATICS = ("llvm_code.py", "llvm_formulas.py", "llvm_integers.py", "vector_math.py", "vector_math_special.py")  # codegen's


@record(eq=False)
class NativeStep:
    """A loaded step: ``int32 step(ptr p, ptr d, ptr effect)``. ``handle`` keeps its code; uses_blas: it calls a library.

    make_team: compiles or loads the same step for a team of threads and returns its address, 0 if it cannot be shared.
    """

    address: int
    uses_blas: bool
    handle: Any
    make_team: Callable[[], int] = lambda: 0


@record(frozen=False)
class Counters:
    """What compiling has cost this process: for tests, `explain` and the curious."""

    kernels_compiled: int = 0
    kernels_loaded: int = 0
    kernels_shared: int = 0
    steps_compiled: int = 0
    seconds: float = 0.0


counters = Counters()


@functools.cache
def _compiler_version() -> str:
    """A hash of the files that turn kernel text into machine code."""
    folder = Path(__file__).parent
    paths = [folder / name for name in _OWN_FILES] + [Path(codegen.__file__).parent / name for name in _MATHEMATICS]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


@record(eq=False)
class Kernel:
    """One kernel wanted by a step: its symbol, the key of its object code, how to get LLVM text and object code of that."""

    symbol: str
    key: str
    lower: Callable[[], str]
    compile: Callable[[str], bytes] = compile_text


def compile_step(program: Program, clock: int = 0) -> NativeStep:
    """Compiles or loads every kernel that the step calls, and the step.

    clock: address of clock_gettime for a step that notes times into the table at the end of the pointer table, see `profiler`.
    Raises UnimplementedError naming the kernel if Numba cannot compile one: always a defect of the code generator.
    """
    start = time.perf_counter()
    module = ModuleText.split(program.source)
    decls = {k.name: k for k in program.kernels}
    identities = [(b.kind, b.index) for b in program.buffers]
    imports: dict[str, int] = {}
    kernels: dict[str, Kernel] = {}
    flush = flushes_denormals(program)

    def resolve(name: str, pointers: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        if decls[name].contract is not None and name in program.llvm:
            product = describe_vectors(name, program.llvm[name], tidy=False)
            kernels[product.symbol] = product
            return product.symbol, tuple(range(len(pointers)))
        bound = _bound_contract(decls[name])
        if bound is not None:
            imports[bound[0]] = bound[1]
            return bound[0], tuple(range(len(pointers)))
        pattern = merge_pattern(tuple(identities[i] for i in pointers))
        own = program.llvm.get(name, "") if config.kernels == "llvm" and pattern == tuple(range(len(pattern))) else ""
        kernel = describe_vectors(name, own) if own else describe_kernel(module, decls[name], pattern)
        kernels[kernel.symbol] = kernel
        return kernel.symbol, tuple(i for i, first in enumerate(pattern) if first == i)

    with compile_lock:
        text, _ = driver.print_step(module.step, resolve, len(program.buffers) if clock else None, flush)
        uses_blas = bool(imports)
        if clock:
            imports[driver.CLOCK] = clock
        imports |= load_kernels(list(kernels.values()))
        address, handle = _load_driver(text, imports)
        counters.seconds += time.perf_counter() - start

    @functools.cache
    def make_team() -> int:
        from .team_products import share_products  # prints products anew, so it brings the code generator along

        with compile_lock:
            products = share_products(program, module.step)
            splits = {name: replace(decls[name], split=p.split) for name, p in products.items()}
            plan = plan_team(module.step, decls | splits, identities)
            if plan is None:
                return 0
            texts = {p.split.ranged: p.text for p in products.values()}

            def resolve_part(name: str, pointers: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
                if name not in texts:
                    return resolve(name, pointers)
                product = describe_vectors(name, texts[name], tidy=False)
                kernels[product.symbol] = product
                return product.symbol, tuple(range(len(pointers)))

            text = print_team_step(plan, decls | splits, resolve_part, flush)
            addresses = imports | load_kernels(list(kernels.values()))
            return team.load(text, plan, address, addresses)

    return NativeStep(address, uses_blas, handle, make_team)


def _load_driver(text: str, imports: dict[str, int]) -> tuple[int, Any]:
    key = content_key("step", text, _compiler_version(), machine_key())
    code = load_bytes("objects", key)
    if code is None:
        counters.steps_compiled += 1
        code = compiled_object(key, lambda: text, vectorize=False)
    return engine.load(code, driver.STEP_SYMBOL, imports)


def _bound_contract(decl: KernelDecl) -> tuple[str, int] | None:
    """(symbol, address) of a library's routine for a matrix product, or None."""
    c = decl.contract
    return None if c is None else blas.bind_contract(c.dtype, c.transpose_a, c.transpose_b)


def describe_kernel(module: ModuleText, decl: KernelDecl, pattern: tuple[int, ...]) -> Kernel:
    """The kernel's symbol and key, which depend on all that its code depends on, without compiling it.

    pattern: which pointers are the same buffer, see `kernel_module.merge_pattern`.
    """
    text, constants = module.functions[decl.name], module.constants_of(decl.name)
    facts = repr((decl.name, decl.pointers, decl.integers, pattern))
    key = content_key("kernel", text, constants, facts, _compiler_version(), machine_key())
    symbol = f"{decl.name}_{key[:16]}"

    def lower() -> str:
        from . import frontend  # imports Numba, which only a cache miss should

        try:
            lowered, name = frontend.lower_kernel(text, decl.name, constants, decl.pointers, decl.integers, f"<{decl.name}>")
        except Exception as error:
            raise UnimplementedError(f"Numba could not compile the kernel {decl.name}: {error}\n\n{constants}\n{text}") from error
        return export_kernel(lowered, name, symbol, len(decl.pointers), decl.integers, pattern)

    return Kernel(symbol, key, lower)


def describe_vectors(name: str, text: str, *, tidy: bool = True) -> Kernel:
    """The same for a kernel with its own LLVM text. tidy: the text needs LLVM's first passes."""
    key = content_key("vectors", name, text, _compiler_version(), machine_key())
    symbol = f"{name}_{key[:16]}"
    return Kernel(symbol, key, lambda: name_kernel(text, symbol), functools.partial(compile_text, vectorize=False, tidy=tidy))


def load_kernels(kernels: Sequence[Kernel]) -> dict[str, int]:
    """The addresses of the kernels by symbol, from this process, the cache on disk, or the compiler.

    While LLVM optimises one kernel in a thread (it releases the GIL), Numba types the next one in this thread.
    """
    missing = []
    for kernel in kernels:
        if kernel.symbol in engine.addresses:
            counters.kernels_shared += 1
            continue
        code = load_bytes("objects", kernel.key)
        if code is None:
            missing.append(kernel)
        else:
            counters.kernels_loaded += 1
            engine.keep(code, kernel.symbol)
    if missing:
        with ThreadPoolExecutor(1) as pool:
            jobs = [(kernel, pool.submit(kernel.compile, kernel.lower())) for kernel in missing]
            for kernel, job in jobs:
                code = job.result()
                store_bytes("objects", kernel.key, code)
                engine.keep(code, kernel.symbol)
                counters.kernels_compiled += 1
    return {kernel.symbol: engine.addresses[kernel.symbol] for kernel in kernels}
