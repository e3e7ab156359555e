"""A program made callable. In: a `Program` and the storages of its variables; out: `Executable`, arrays in, fresh arrays out.

Compiled mode runs machine code without the GIL; python mode runs the same module un-jitted, line by line under pdb if one likes.
Both write variables in place, leave them untouched if a check fails, and raise the same errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from weft.codegen.program import Port, Program
from weft.graph.record import replace

from . import failures
from .entry import MISMATCH
from .frame import Binding, Frame, Layout
from .jit import compile_step
from .update_lock import UpdateLock

if TYPE_CHECKING:
    from .batch_loop import BatchRun, RunResult


class Executable(Protocol):
    """``executable(inputs)`` returns the program's outputs as fresh arrays.

    Raises the error of the check that failed (a class of `weft.graph.errors`), what an effect raised, or `ShapeError` and
    `DTypeError` for inputs that do not fit.
    """

    program: Program

    @property
    def streams(self) -> bool:
        """Whether `run_many` can write all outputs into arrays: none is a copy of another buffer."""
        ...

    def __call__(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]: ...

    def run_again(self, inputs: Sequence[Any]) -> list[np.ndarray] | None:
        """As a call, if the inputs are arrays like those of the latest call; None, with nothing done, for anything else."""
        ...

    def run_many(
        self, run: BatchRun, into: Sequence[np.ndarray] | None = None, seconds: float | None = None, every: int = 1
    ) -> RunResult:
        """Runs the step once per batch of the run, as so many calls would, bit for bit, but in one.

        into: an array per output with room for all batches; each batch is written behind the one before. None: the outputs are
        those of the last batch. seconds: stop after about so long, at a multiple of ``every`` batches, but not before the first.
        Raises ShapeError and DTypeError for a run that does not fit; what a batch raises is left in the result.
        """
        ...


def build(program: Program, variables: Sequence[np.ndarray], mode: str = "compiled") -> Executable:
    """Makes a program callable on these storages, one per ``program.variables``, in order.

    variables: C-contiguous arrays whose memory stays where it is; the executable keeps them alive. mode: "compiled" or "python".
    Raises `ShapeError` for storages that do not fit and ValueError for an unknown mode.
    """
    if mode == "compiled":
        return CompiledStep(program, variables)
    if mode == "python":
        from .interpreted import InterpretedStep  # brings the plain Python functions along, which compiled steps do not need

        return InterpretedStep(program, variables)
    raise ValueError(f'mode is "compiled" or "python". Received: {mode!r}')


class CompiledStep:
    """A program as machine code. Several threads may call it: each call takes a frame of its own from a pool."""

    def __init__(self, program: Program, variables: Sequence[np.ndarray]) -> None:
        self.program = program
        self._layout = Layout(program, variables)
        self._step = compile_step(program)
        self.free: list[Frame] = []  # frames that no call uses now, the latest last
        self._count = len(program.inputs)
        written = [v.written for v in program.variables]
        self.updating = UpdateLock(variables, written, bool(program.effects)) if any(written) else None
        self.streams = self._plain = self._layout.plain_results
        self.repeats = self._plain and not program.effects
        """Whether its calls can be made directly: all results are arrays made for the caller, and nothing calls back."""

    def __call__(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        outputs = self.run_again(inputs)
        if outputs is not None:
            return outputs
        frame = self._take_frame()
        try:
            arrays = self._layout.prepare(inputs)
            binding = frame.bind(arrays)
            outputs = binding.make_outputs()
            return self._finish(frame, binding, self._run(binding, (*arrays, *outputs)), outputs)
        finally:
            self.free.append(frame)

    def run_again(self, inputs: Sequence[Any]) -> list[np.ndarray] | None:
        frame = self._take_frame()
        binding = frame.current
        try:
            if binding is None or len(inputs) != self._count:
                return None
            outputs = binding.make_outputs()
            code = self._run(binding, (*inputs, *outputs))
            if code == 0 and self._plain:
                return outputs
            return None if code == MISMATCH else self._finish(frame, binding, code, outputs)
        finally:
            self.free.append(frame)

    def _take_frame(self) -> Frame:
        try:
            return self.free.pop()
        except IndexError:
            return Frame(self._layout, self._step, self._run_effect)

    def run_many(
        self, run: BatchRun, into: Sequence[np.ndarray] | None = None, seconds: float | None = None, every: int = 1
    ) -> RunResult:
        from .batch_loop import RunResult, fit_outputs, run_batches  # whoever made the run has imported it

        run = replace(run, sources=self._layout.prepare(run.sources))
        run.check()
        frame = self._take_frame()
        try:
            binding = frame.bind([a[: run.size] for a in run.sources])
            if into is not None:
                fit_outputs(self._layout, binding, into, run.count)
            outputs = binding.make_outputs() if into is None else list(into)
            spread = into is not None
            steps = partial(run_batches, self._layout, binding, run, outputs, spread=spread, seconds=seconds, every=every)
            done, code = steps() if self.updating is None else self.updating.hold(steps)
            if code:
                return RunResult(done, outputs, self._failure(frame, code))
            return RunResult(done, self._results(binding, outputs) if into is None else outputs)
        finally:
            self.free.append(frame)

    def _run(self, binding: Binding, arrays: tuple[np.ndarray, ...]) -> int:
        if self.updating is None:
            return binding.call(arrays)
        code: int = self.updating.hold(binding.call, arrays)
        return code

    def _finish(self, frame: Frame, binding: Binding, code: int, outputs: list[np.ndarray]) -> list[np.ndarray]:
        """The results of a step that returned this code; raises what made it fail."""
        if code != 0:
            raise self._failure(frame, code)
        return self._results(binding, outputs)

    def _results(self, binding: Binding, outputs: list[np.ndarray]) -> list[np.ndarray]:
        """The program's outputs from the arrays made for the caller, and copies of the others."""
        return [
            outputs[r] if r >= 0 else self._copy(binding, port)
            for r, port in zip(self._layout.results, self.program.outputs, strict=True)
        ]

    def _copy(self, binding: Binding, port: Port) -> np.ndarray:
        return binding.read(self._layout, port.buffer, failures.shape_of(port.shape, binding.dims))

    def raise_failure(self, code: int) -> None:
        """Raises what a step without effects that returned this code stands for."""
        raise failures.failed_check(self.program, code)

    def _failure(self, frame: Frame, code: int) -> BaseException:
        error, frame.error = frame.error, None
        return failures.failed_check(self.program, code) if error is None else error

    def _run_effect(self, frame: Frame, index: int) -> None:
        binding = frame.latest
        assert binding is not None
        decl = self.program.effects[index]
        shapes = [failures.shape_of(s, binding.dims) for s in decl.shapes]
        arrays = [binding.read(self._layout, b, s) for b, s in zip(decl.buffers, shapes)]
        failures.run_effect(self.program, index, arrays)
