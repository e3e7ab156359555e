"""From a program to machine code. In: a `Program`; out: the address of its compiled step.

Kernels are compiled one by one and looked up by the hash of their text, first in this process, then in the cache on disk, so
equal kernels are compiled once wherever they occur. Compiled is a kernel's own LLVM text (`Program.llvm`); Numba is imported
only for a kernel that has none, or if ``config.kernels`` asks for it. Matrix products may be bound to a BLAS where there is
one. `step` is printed as LLVM text by `driver` and calls kernels by symbol.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from weft.codegen.program import KernelDecl, Program
from weft.graph.errors import UnimplementedError
from weft.graph.record import record, replace

from .clock import MARK_CLOCK
from .config import config
from .denormals import flushes_denormals
from .engine import compile_lock, compile_text, engine
from .host import machine_key
from .kernel_workers import Kernel, kernel_workers
from .object_code import compiled_object
from .source_version import printer_version
from .store import content_key, load_bytes, store_bytes
from .stored_step import STEP_SYMBOL, Routine, StoredStep, pack_step, unpack_step
from .team import team
from .team_retired import StepMemory

if TYPE_CHECKING:
    from .module_text import ModuleText


@record(eq=False)
class NativeStep:
    """A loaded step: ``int32 step(ptr p, ptr d, ptr effect)``. ``handle`` keeps its code; uses_blas: it calls a library.

    make_team: compiles or loads the same step for a team of threads that share the calls of these numbers; None if it cannot be
    shared. The second numbers are those of the calls that are cut into pieces.
    """

    address: int
    uses_blas: bool
    handle: Any
    make_team: Callable[[frozenset[int], frozenset[int]], TeamStep | None] = lambda calls, long: None


@record(eq=False)
class TeamStep:
    """A loaded step for a team. gathers: how many threads have a buffer each for a batch that it gathers; 0: it gathers none.
    memory: what must live as long as it is called."""

    address: int
    gathers: int
    memory: StepMemory


@record(frozen=False)
class Counters:
    """What compiling has cost this process: for tests, `explain` and the curious."""

    kernels_compiled: int = 0
    kernels_loaded: int = 0
    steps_compiled: int = 0
    seconds: float = 0.0


counters = Counters()


def compile_step(program: Program, clock: int = 0) -> NativeStep:
    """Compiles or loads every kernel that the step calls, and the step.

    clock: address of clock_gettime for a step that notes times into the table at the end of the pointer table, see `profiler`.
    Raises UnimplementedError naming the kernel if Numba cannot compile one: always a defect of the code generator.
    """
    start = time.perf_counter()
    build = _StepBuild(program)
    with compile_lock:
        address, handle = (None if clock else build.load()) or build.compile(clock)
        counters.seconds += time.perf_counter() - start
    return NativeStep(address, bool(build.routines), handle, functools.cache(lambda *calls: build.make_team(address, *calls)))


class _StepBuild:
    """A program on its way to machine code. routines: the BLAS routines that the step is bound to, by symbol."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._decls = {k.name: k for k in program.kernels}
        self._identities = [(b.kind, b.index) for b in program.buffers]
        self._flush = flushes_denormals(program)
        self._kernels: dict[str, Kernel] = {}
        self._found: dict[tuple[str, tuple[int, ...]], tuple[str, tuple[int, ...]]] = {}
        self._addresses: dict[str, int] = {}
        self.routines: dict[str, Routine] = {}

    @functools.cached_property
    def _module(self) -> ModuleText:
        from .module_text import ModuleText  # a step from the cache is not taken apart

        return ModuleText.split(self._program.source)

    @functools.cached_property
    def _key(self) -> str:
        """Of the whole step in the cache."""
        program = self._program
        facts = repr((program.kernels, self._identities, self._flush, config.kernels, self._library_dtypes()))
        texts = [text for _, text in sorted(program.llvm.items())]  # a stored program has them in another order
        return content_key("stored step", program.source, *texts, facts, printer_version(), machine_key())

    def _library_dtypes(self) -> tuple[str, ...]:
        """What `blas.contract_dtypes` says, as far as it matters: a program with kernels of its own looks for no library."""
        if all(k.contract is None or k.name in self._program.llvm for k in self._program.kernels):
            return ()
        from . import blas

        return blas.contract_dtypes()

    def load(self) -> tuple[int, Any] | None:
        """(address, what keeps it) of the step as an earlier process compiled it, or None."""
        data = load_bytes("steps", self._key)
        if data is None:
            return None
        stored = unpack_step(data)
        for routine in stored.routines:
            self._bind(routine)
        for symbol, code in stored.kernels.items():
            counters.kernels_loaded += symbol not in engine.addresses
            self._addresses[symbol] = engine.keep(code, symbol)
        return engine.load(stored.code, STEP_SYMBOL, self._addresses)

    def compile(self, clock: int) -> tuple[int, Any]:
        """(address, what keeps it) of the step, from kernels that are compiled where nobody has done so before."""
        from . import driver  # prints the step, which one from the cache does not need

        times = len(self._program.buffers) if clock else None
        text, _ = driver.print_step(self._module.step, self._resolve, times, self._flush)
        if clock:
            self._addresses[MARK_CLOCK] = clock
        kernels = list(self._kernels.values())
        self._addresses |= load_kernels(kernels)
        code = _step_code(text)
        objects = {k.symbol: load_bytes("objects", k.key) for k in kernels}
        whole = {symbol: data for symbol, data in objects.items() if data is not None}
        if not clock and len(whole) == len(objects):
            store_bytes("steps", self._key, pack_step(StoredStep(code, whole, list(self.routines.values()))))
        return engine.load(code, STEP_SYMBOL, self._addresses)

    def _resolve(self, name: str, pointers: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        """The symbol behind a call in the step's text, and which of the call's pointers it takes."""
        from .kernel_module import merge_pattern

        pattern = merge_pattern(tuple([self._identities[i] for i in pointers]))
        found = self._found.get((name, pattern))
        if found is None:
            found = self._found[name, pattern] = self._find(name, pattern)
        return found

    def _find(self, name: str, pattern: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        """The same for a kernel. pattern: which of the call's pointers are one buffer, see `kernel_module.merge_pattern`."""
        program, decl = self._program, self._decls[name]
        everything = tuple(range(len(pattern)))
        if decl.contract is not None and name in program.llvm:
            return self._want(describe_vectors(name, program.llvm[name], tidy=False)), everything
        if decl.contract is not None:
            symbol = self._bind((decl.contract.dtype, decl.contract.transpose_a, decl.contract.transpose_b))
            if symbol:
                return symbol, everything
        own = program.llvm.get(name, "") if config.kernels == "llvm" and pattern == tuple(range(len(pattern))) else ""
        kernel = describe_vectors(name, own) if own else describe_kernel(self._module, decl, pattern)
        return self._want(kernel), tuple(i for i, first in enumerate(pattern) if first == i)

    def _want(self, kernel: Kernel) -> str:
        self._kernels[kernel.symbol] = kernel
        return kernel.symbol

    def _bind(self, routine: Routine) -> str:
        """The symbol of a library's routine for a matrix product, or "" if there is none."""
        from . import blas  # own kernels do without

        bound = blas.bind_contract(*routine)
        if bound is None:
            return ""
        self.routines[bound[0]], self._addresses[bound[0]] = routine, bound[1]
        return bound[0]

    def make_team(self, alone: int, calls: frozenset[int], long: frozenset[int]) -> TeamStep | None:
        """The same step for a team of threads that share these calls, None if it cannot be shared. alone: the step's own
        address. long: calls that are cut into pieces."""
        from .plan_team import plan_team
        from .team_products import share_products  # prints products anew, so it brings the code generator along
        from .team_step import print_team_step

        with compile_lock:
            products = share_products(self._program, self._module.step)
            decls = self._decls | {name: replace(self._decls[name], split=p.split) for name, p in products.items()}
            columns = {name: p.columns for name, p in products.items()}
            plan = plan_team(self._module.step, decls, self._program.buffers, calls, long, columns)
            if plan is None:
                return None
            texts = {p.split.ranged: p.text for p in products.values()}

            def resolve_part(name: str, pointers: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
                if name not in texts:
                    return self._resolve(name, pointers)
                return self._want(describe_vectors(name, texts[name], tidy=False)), tuple(range(len(pointers)))

            text = print_team_step(plan, decls, resolve_part, self._flush)
            addresses = self._addresses | load_kernels(list(self._kernels.values()))
            address, memory = team.load(text, plan, alone, addresses)
            return TeamStep(address, 0 if plan.own is None else plan.own.threads, memory)


def _step_code(text: str) -> bytes:
    key = content_key("step", text, printer_version(), machine_key())
    code = load_bytes("objects", key)
    if code is None:
        counters.steps_compiled += 1
        code = compiled_object(key, lambda: text, vectorize=False, effort=0)  # it is run once per step, and is long
    return code


def describe_kernel(module: ModuleText, decl: KernelDecl, pattern: tuple[int, ...]) -> Kernel:
    """The kernel's symbol and key, which depend on all that its code depends on, without compiling it.

    pattern: which pointers are the same buffer, see `kernel_module.merge_pattern`.
    """
    text, constants = module.functions[decl.name], module.constants_of(decl.name)
    facts = repr((decl.name, decl.pointers, decl.integers, pattern))
    key = content_key("kernel", text, constants, facts, printer_version(), machine_key())
    symbol = f"{decl.name}_{key[:16]}"

    def lower() -> str:
        from . import frontend  # imports Numba, which only a cache miss should
        from .kernel_module import export_kernel

        try:
            lowered, name = frontend.lower_kernel(text, decl.name, constants, decl.pointers, decl.integers, f"<{decl.name}>")
        except Exception as error:  # Numba's own errors, and what its passes stumble over
            raise UnimplementedError(f"Numba could not compile the kernel {decl.name}: {error}\n\n{constants}\n{text}") from error
        return export_kernel(lowered, name, symbol, len(decl.pointers), decl.integers, pattern)

    return Kernel(symbol, key, lower)


def describe_vectors(name: str, text: str, *, tidy: bool = True) -> Kernel:
    """The same for a kernel with its own LLVM text. tidy: the text needs LLVM's first passes."""
    key = content_key("vectors", name, text, printer_version(), machine_key())
    symbol = f"{name}_{key[:16]}"
    def lower() -> str:
        from .kernel_module import name_kernel

        return name_kernel(text, symbol)

    return Kernel(symbol, key, lower, functools.partial(compile_text, vectorize=False, tidy=tidy))


def compile_early(decl: KernelDecl, text: str) -> None:
    """Begins with a kernel that a program being generated will want; for `codegen.generate` inside ``with kernel_workers``."""
    if config.kernels == "llvm" or decl.contract is not None:
        kernel = describe_vectors(decl.name, text, tidy=decl.contract is None)
        if kernel.symbol not in engine.addresses and load_bytes("objects", kernel.key) is None:
            kernel_workers.start(kernel)


def load_kernels(kernels: Sequence[Kernel]) -> dict[str, int]:
    """The addresses of the kernels by symbol, from this process, the cache on disk, or the compiler.

    While LLVM compiles some kernels in threads, Numba types the next one in this thread.
    """
    with kernel_workers:
        missing = []
        for kernel in kernels:
            if kernel.symbol in engine.addresses:
                continue
            code = load_bytes("objects", kernel.key)
            if code is None:
                missing.append(kernel)
                kernel_workers.start(kernel)
            else:
                counters.kernels_loaded += 1
                engine.keep(code, kernel.symbol)
        for kernel in missing:
            code = kernel_workers.finish(kernel)
            store_bytes("objects", kernel.key, code)
            engine.keep(code, kernel.symbol)
            counters.kernels_compiled += 1
    return {kernel.symbol: engine.addresses[kernel.symbol] for kernel in kernels}
