"""From a traced graph to something that runs. In: a graph as traced; out: a `Compiled`: program and executable.

The only place where the stages meet: look the graph up in the cache, else optimise it and generate code, then bind the program to
the variables' storage.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from weft import codegen
from weft.codegen import Program, order_variables
from weft.codegen.program import KernelDecl
from weft.graph import passes
from weft.graph.ir import Graph, VariableRef
from weft.graph.record import record, replace
from weft.graph.text import fingerprint

from . import cache
from .entry import begin_entry, end_entry
from .executable import Executable, build
from .jit import compile_early
from .kernel_workers import kernel_workers
from .machine import detect_target

if TYPE_CHECKING:
    from pathlib import Path

    from .batch_loop import BatchRun, RunResult

VARIABLE_ORDER = "variables"  # key in Program.notes: positions among the traced graph's variables


@record(frozen=False, eq=False)
class Compiled:
    """One graph, ready to run.

    graph: as traced. program: the generated module and its tables. executable: call it with the input arrays. cached: the
    program came from the disk, so neither the passes nor the code generator ran. seconds: what building it took.
    """

    graph: Graph
    program: Program
    executable: Executable
    written: tuple[Any, ...]
    cached: bool
    seconds: float

    @property
    def source_path(self) -> Path:
        """The file with the generated module."""
        from .interpreted import module_path  # brings the plain Python functions along, which compiled steps do not need

        return module_path(self.program)

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs the step. Variables are updated; if a check fails, its exception is raised and they are as before."""
        outputs: list[np.ndarray] = self._note_writes(self.executable, arrays)
        return outputs

    def run_again(self, arrays: Sequence[Any]) -> list[np.ndarray] | None:
        """`run` on arrays like the latest call's; None, with nothing done, for anything else."""
        outputs: list[np.ndarray] | None = self._note_writes(self.executable.run_again, arrays)
        return outputs

    def run_many(
        self, run: BatchRun, into: Sequence[np.ndarray] | None = None, seconds: float | None = None, every: int = 1
    ) -> RunResult:
        """Runs the step once per batch of the run in one native call, see `executable.Executable`."""
        result: RunResult = self._note_writes(self.executable.run_many, run, into, seconds, every)
        return result

    def _note_writes(self, call: Callable[..., Any], *args: Any) -> Any:
        """What the call returns. However it ends, the variables are read anew afterwards: what Ctrl-C interrupts was applied."""
        try:
            return call(*args)
        finally:
            try:
                for variable in self.written:
                    variable.mark_written()
            except BaseException:  # Ctrl-C in between
                for variable in self.written:
                    variable.mark_written()
                raise


def compile_graph(graph: Graph, *, python: bool = False) -> Compiled:
    """Compiles the graph, or loads what an earlier process compiled.

    python: run the generated module un-jitted, for stepping through it with a debugger.
    Raises `UnimplementedError` naming op and user line for what cannot be compiled.
    """
    started = time.perf_counter()
    with kernel_workers:
        program, used, cached = plan_graph(graph, None if python else compile_early)
        executable = build(program, [v._storage for v in used], mode="python" if python else "compiled")
        end_entry()
    written = tuple(v for v, d in zip(used, program.variables, strict=True) if d.written)
    return Compiled(graph, program, executable, written, cached, time.perf_counter() - started)


def plan_graph(graph: Graph, watch: Callable[[KernelDecl, str], None] | None = None) -> tuple[Program, list[Any], bool]:
    """The graph's program, the variables it uses in the program's order, and whether the program came from the disk.

    Nothing is compiled yet, but all memory is planned. watch: see `codegen.generate`.
    """
    refs = order_variables(graph)
    key = _program_key(graph)
    program = cache.load_program(key)
    cached = program is not None
    if program is None:
        if watch is not None:
            begin_entry()
        optimized = passes.optimize(graph)
        program = codegen.generate(optimized, detect_target(), watch)
        order = [refs.index(r) for r in order_variables(optimized)]
        program = replace(program, notes={**program.notes, VARIABLE_ORDER: order})
        cache.store_program(key, program)
    return program, [owner_of(refs[i]) for i in program.notes[VARIABLE_ORDER]], cached


_keys: weakref.WeakKeyDictionary[Graph, str] = weakref.WeakKeyDictionary()


def _program_key(graph: Graph) -> str:
    """What the graph's program is stored under."""
    text = _keys.get(graph)
    if text is None:
        text = _keys[graph] = fingerprint(graph)
    return f"{text}-{detect_target()}"


def is_stored(graph: Graph) -> bool:
    """Whether an earlier process, or this one, has planned the graph already."""
    return cache.has_program(_program_key(graph))


def owner_of(ref: VariableRef) -> Any:
    """The variable behind the reference; RuntimeError if it is gone."""
    owner = ref.owner() if isinstance(ref.owner, weakref.ref) else ref.owner
    if owner is None:
        raise RuntimeError(f"The variable {ref.name!r} that a compiled function uses no longer exists; keep a reference to it.")
    return owner
