"""One trace of a function, callable by itself. In: a trace and the arguments it was made for; out: a `ConcreteFunction`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from weft.graph import passes
from weft.graph.errors import DTypeError
from weft.graph.evaluate import evaluate
from weft.graph.ir import ArrayType, Graph
from weft.graph.text import to_text
from weft.tracer import EagerTensor, TensorSpec, convert_to_tensor, executing_eagerly, tree, watching
from weft.tracer.trace import Traced

from .compiler import Compiled, compile_graph, plan_graph
from .config import config
from .dispatch import match_sizes
from .executable import CompiledStep
from .trace_key import Baked, Call, static_key, tensor_value
from .update_lock import UpdateLock

if TYPE_CHECKING:
    from pathlib import Path

    from .background import BackgroundCompile
    from .function import Function
    from .guards import Watch
    from .memory import MemoryReport


class ConcreteFunction:
    """A function traced for one combination of argument types; sizes may be symbolic.

    Compiling happens at the first call. Attributes: ``graph`` (as traced), ``name``, ``inputs`` and ``outputs`` (types),
    ``variables``, ``structured_input_signature``, ``structured_outputs``.
    """

    def __init__(self, function: Function, call: Call, types: tuple[ArrayType, ...], traced: Traced) -> None:
        self.name = function.__name__
        self.types = types
        self.traced = traced
        self.graph: Graph = traced.graph
        self._function = function
        self._structure = call.structure
        self._paths = call.paths()
        self._dynamic = call.dynamic
        self._leaves = [TensorSpec(t.shape, t.dtype) for t in types]
        dynamic = set(call.dynamic)
        self._static = {i: Baked(leaf) for i, leaf in enumerate(call.leaves) if i not in dynamic}
        self._lock = threading.Lock()
        self._compiled: Compiled | None = None
        self._job: BackgroundCompile | None = None
        self._tried_job = False

    @property
    def compiled(self) -> Compiled:
        """The program and its executable, made at first use."""
        if self._compiled is None:
            with self._lock:
                if self._compiled is None:
                    job, self._job = self._job, None  # if it failed, the next call compiles at once and fails by itself
                    self._compiled = compile_graph(self.graph) if job is None else job.wait()
        return self._compiled

    def _compiled_soon(self, arrays: Sequence[np.ndarray]) -> Compiled | None:
        """What `compiled` is, or None while a thread still compiles it."""
        with self._lock:
            if not self._tried_job and self._compiled is None:
                self._tried_job = True
                if config.background_compile != "off":
                    from .background import start_compile  # for those who ask for it

                    self._job = start_compile(self.graph, arrays)
            job = self._job
        return None if job is not None and not job.ready() else self.compiled

    @cached_property
    def _updating(self) -> UpdateLock | None:
        """What is held while the variables are updated by other means than the compiled step."""
        written = {ref for ref, _ in self.graph.writes}
        if not written:
            return None
        calls_back = any(n.op.family == "effect" for n in self.graph.nodes())
        return UpdateLock([v._storage for v in self.variables], [v.ref in written for v in self.variables], calls_back)

    @property
    def inputs(self) -> list[ArrayType]:
        return list(self.types)

    @property
    def outputs(self) -> list[ArrayType]:
        return [n.type for n in self.graph.outputs]

    @property
    def variables(self) -> tuple[Any, ...]:
        """The variables that the trace reads or writes."""
        return tuple(self.traced.variables)

    @property
    def trainable_variables(self) -> tuple[Any, ...]:
        return tuple(v for v in self.variables if v.trainable)

    @cached_property
    def structured_input_signature(self) -> Any:
        """(args, kwargs) with a `TensorSpec` for every tensor and the value of everything else."""
        leaves = {i: baked.value for i, baked in self._static.items()}
        for i, position in enumerate(self._dynamic):
            leaves[position] = self._leaves[i]
        return self._structure.unflatten([leaves[i] for i in range(len(leaves))])

    @property
    def structured_outputs(self) -> Any:
        """The result's structure with a `TensorSpec` for every tensor."""
        return self.traced.pack([TensorSpec(n.shape, n.dtype) for n in self.graph.outputs])

    @property
    def source(self) -> Path:
        """Path of the generated Python module."""
        return self.compiled.source_path

    def text(self, *, optimized: bool = True) -> str:
        """The graph as text, after the passes or as traced."""
        return to_text(passes.optimize(self.graph) if optimized else self.graph)

    def memory(self, *, kind: Callable[[Any], str] | None = None, **sizes: int) -> MemoryReport:
        """What one step needs, known before the first: ``print(concrete.memory(batch=64))``.

        kind: what a variable is listed as, by default "parameters" if it is trainable. sizes: the symbolic sizes by name;
        ValueError if one is missing.
        """
        from .memory import default_kind, report_memory
        from .team_memory import team_bytes  # prints the step for a team of threads, which running it may not need

        program, variables, _ = plan_graph(self.graph)
        return report_memory(program, variables, sizes, kind or default_kind, team_bytes)

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The flat, fast way: input arrays of exactly the traced dtypes and matching shapes to output arrays."""
        if self._function.jit_compile is False:
            return self._interpret(arrays)
        compiled = self._compiled or self._compiled_soon(arrays)
        return self._run_early(arrays) if compiled is None else compiled.run(arrays)

    def _run_early(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """A call while a thread compiles."""
        job, started = self._job, time.perf_counter()
        try:
            return self._interpret(arrays)
        finally:
            if job is not None:
                job.note_call(time.perf_counter() - started)

    def run_again(self, arrays: Sequence[Any]) -> list[np.ndarray] | None:
        """`run` on arrays like the latest call's; None, with nothing done, for anything else and before there is machine code."""
        compiled = self._compiled
        return None if compiled is None or self._function.jit_compile is False else compiled.run_again(arrays)

    def direct_call(self, watches: Sequence[Watch], note: Callable[[bool], None]) -> Callable[[tuple[Any, ...]], Any] | None:
        """Machine code for calls like the latest one, see `direct_call`; None where it cannot be had."""
        compiled = self._compiled
        if compiled is None or not isinstance(compiled.executable, CompiledStep):
            return None
        from .direct_call import Repeated, make_direct_call  # for functions that are called again and again

        return make_direct_call(Repeated(compiled.executable, self.traced, compiled.written, watches, note))

    def call_again(self, args: Sequence[Any]) -> Any:
        """Runs on tensors or arrays like the latest call's and rebuilds the result; `NotImplemented` for anything else."""
        if watching():
            return NotImplemented
        outputs = self.run_again([a._array if a.__class__ is EagerTensor else a for a in args])
        return NotImplemented if outputs is None else self.traced.pack([EagerTensor(a) for a in outputs])

    def call_flat(self, tensors: Sequence[Any], arrays: Sequence[np.ndarray]) -> Any:
        """Runs on matching arrays (``tensors`` are the same values as the caller gave them) and rebuilds the result."""
        if watching():
            from .differentiate import record_call  # most functions hold the tapes that watch them

            return self.traced.pack(record_call(self, tensors, arrays))
        return self.traced.pack([EagerTensor(a) for a in self.run(arrays)])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls with the traced arguments' structure; Python values may only be the traced ones.

        Raises ValueError for another shape, `DTypeError` for another dtype, TypeError for other Python values.
        """
        if not executing_eagerly():
            args, kwargs = self._fill_static(args, kwargs)
            return self._function.python_function(*args, **kwargs)
        bound = self._function.binder.bind(*self._fill_static(args, kwargs))
        leaves, structure = tree.flatten(bound)
        if structure != self._structure:
            raise TypeError(f"{self.name} was traced for arguments of another structure: {self}. Received: {args} {kwargs}.")
        for i, baked in self._static.items():
            if static_key(leaves[i]) != baked.key:
                raise TypeError(f"{self.name}: {self._paths[i]} must be {baked.value!r}, as traced. Received: {leaves[i]!r}.")
        tensors = [self._check(leaves[i], t, self._paths[i]) for i, t in zip(self._dynamic, self.types, strict=True)]
        arrays = [t._array for t in tensors]
        if match_sizes(self.types, tuple(a.shape for a in arrays)) is None:
            shapes = ", ".join(str(a.shape) for a in arrays)
            raise ValueError(
                f"The input is not compatible with the shape this function was traced with: {self}. Received: {shapes}."
            )
        return self.call_flat(tensors, arrays)

    def _fill_static(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Python arguments that were fixed by the trace may be left out."""
        traced_args, traced_kwargs = self.structured_input_signature
        if len(args) < len(traced_args):
            names = self._function.binder.names(len(traced_args))
            missing = {n: v for n, v in zip(names, traced_args, strict=True) if n not in names[: len(args)] and n not in kwargs}
            kwargs = {**missing, **traced_kwargs, **kwargs}
        return args, kwargs

    def _check(self, value: Any, type: ArrayType, path: str) -> EagerTensor:
        if isinstance(value, TensorSpec):
            raise TypeError(f"{self.name} is missing the argument {path}.")
        array = tensor_value(value)
        tensor = value if isinstance(value, EagerTensor) else convert_to_tensor(value, None if array is not None else type.dtype)
        if tensor.dtype is not type.dtype:
            raise DTypeError(
                f"cannot compute {self.name} as input {path} was expected to be a {type.dtype.name} tensor "
                f"but is a {tensor.dtype.name} tensor"
            )
        if len(tensor.shape) != type.rank:
            raise ValueError(
                f"The input {path} is not compatible with the shape this function was traced with: {type}. "
                f"Received: {tuple(tensor.shape)}."
            )
        return tensor

    def _interpret(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs the graph with the NumPy kernels."""
        outputs = self._evaluate(arrays) if self._updating is None else self._updating.hold(self._evaluate, arrays)
        return [np.array(a, order="C") for a in outputs]  # an output may be an input, which is the caller's

    def _evaluate(self, arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        owners = {v.ref: v for v in self.variables}
        result = evaluate(self.graph, arrays, {r: owners[r]._storage.copy() for r in self.graph.reads()})
        for ref, value in result.writes:
            owners[ref].assign(value)
        return result.outputs

    def __repr__(self) -> str:
        return f"<ConcreteFunction {self}>"

    def __str__(self) -> str:
        shown: dict[int, Any] = {i: repr(baked.value) for i, baked in self._static.items()}
        for i, position in enumerate(self._dynamic):
            shown[position] = self.types[i]
        arguments = ", ".join(f"{path}: {shown[i]}" for i, path in enumerate(self._paths))
        results = ", ".join(str(t) for t in self.outputs)
        return f"{self.name}({arguments}) -> ({results})"
