"""The compiled steps of a model. In: a mode and a batch; out: one call that runs the whole step, for every batch size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import weft
from weft.graph.dims import Dim
from weft.graph.errors import ShapeError
from weft.graph.evaluate import solve_dims
from weft.layers.precision import floatx
from weft.runtime.concrete import ConcreteFunction
from weft.runtime.result_pool import new_result
from weft.tracer import tree
from weft.tracer.tensor import EagerTensor

from .batch_arrays import Layout, pack_x_y_sample_weight, take_apart
from .logs import StepLogs

if TYPE_CHECKING:
    from weft.runtime.batch_loop import BatchRun, RunResult

Arrays = list[np.ndarray]
Tails = list[tuple[int | None, ...]]
Step = Callable[[Arrays], Any]  # the arrays of a batch -> StepLogs (compiled) or what the step returned (eager)


class StepCache:
    """Steps by mode, structure, element types and shapes without the batch axis.

    The step is ``getattr(model, f"{mode}_step")``, traced once per kind of batch with a symbolic batch axis by `weft.function`.
    An axis whose size changes between batches (sequences of varying length) becomes symbolic as well.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._compiled: dict[Any, CompiledStep] = {}
        self._widest: dict[Any, Tails] = {}  # by kind of batch: shapes without batch axis, None where batches differ
        self._latest: tuple[str, Layout, CompiledStep] | None = None  # of the latest prediction: floatx, layout and step

    def __getstate__(self) -> dict[str, Any]:
        return {"_model": self._model, "_compiled": {}, "_widest": {}, "_latest": None}  # a copy traces its own

    def predict_again(self, x: Any, batch_size: int) -> Any:
        """The predictions for ``x``, if it is one batch of arrays like that of the latest prediction; else `NotImplemented`.

        The step itself compares, so that nothing of the general way is needed: `predict` on one sample takes a tenth of the time.
        """
        latest = self._latest
        if latest is None or latest[0] != floatx():
            return NotImplemented
        arrays = [x] if latest[1].structure is tree.LEAF else _matching_arrays(x, latest[1])
        if not arrays or any(a.__class__ is not np.ndarray or not a.ndim or not 0 < len(a) <= batch_size for a in arrays):
            return NotImplemented
        outputs = latest[2].concrete.run_again(arrays)
        return NotImplemented if outputs is None else latest[2].pack(outputs)

    def find(self, mode: str, layout: Layout, arrays: Arrays, eager: bool) -> Step:
        """The step for batches like this one."""
        method = getattr(self._model, f"{mode}_step")
        if eager:
            return _eager_step(method, layout)
        kind = (mode, layout, tuple(a.dtype.num for a in arrays), tuple(a.ndim for a in arrays), self._trained(mode))
        tails = [a.shape[1:] for a in arrays]
        step = self._compiled.get((kind, tuple(tails)))
        if step is None:
            step, traced = self._make(kind, method, layout, arrays)
            # Tracing may have built the model: the next call finds its weights under another key.
            for key in {kind, (*kind[:-1], self._trained(mode))}:
                self._compiled[(key, tuple(tails))] = self._compiled[(key, tuple(traced))] = step
                if traced != tails or key not in self._widest:
                    self._widest[key] = traced
        if mode == "predict" and isinstance(step, CompiledStep):
            self._latest = floatx(), layout, step
        return step

    def _trained(self, mode: str) -> tuple[int, ...]:
        """What a step depends on that ``trainable`` says: which weights are trained and penalised, which layers may adapt."""
        if mode == "predict":
            return ()
        adapting = [layer.trainable for layer in self._model._flatten_layers()] if mode == "train" else []
        return (*adapting, *(id(v) for v in self._model.trainable_weights))

    def _make(self, kind: Any, method: Any, layout: Layout, arrays: Arrays) -> tuple[CompiledStep, Tails]:
        """A step for batches of a new shape, and the shapes it was traced for: if possible of all batches of the kind so far."""
        tails: Tails = [a.shape[1:] for a in arrays]
        known = self._widest.get(kind, tails)
        wide = [tuple(a if a == b else None for a, b in zip(s, t, strict=True)) for s, t in zip(known, tails, strict=True)]
        if wide != tails:
            try:
                step = self._compiled.get((kind, tuple(wide))) or _compiled_step(method, kind[0], layout, arrays, wide)
                if step.takes(arrays):
                    return step, wide
            except Exception:  # what fails for sizes that are not known may do for these; if not, the error shall speak of these
                pass
        return _compiled_step(method, kind[0], layout, arrays, tails), tails


def _matching_arrays(x: Any, layout: Layout) -> Arrays | None:
    """The arrays of a list, tuple or dictionary that is laid out like this; None for anything else."""
    values = x.values() if x.__class__ is dict else x if x.__class__ in (list, tuple) else ()
    if not all(v.__class__ is np.ndarray or v.__class__ is EagerTensor for v in values):
        return None  # numbers, or more nesting: taking those apart may cost more than it saves
    found, arrays = take_apart(pack_x_y_sample_weight(x))
    return [a._array if a.__class__ is EagerTensor else a for a in arrays] if found == layout else None


class CompiledStep:
    """A traced step. Called with the arrays of a batch it gives `StepLogs`, or the packed arrays of predictions."""

    def __init__(self, concrete: ConcreteFunction, predicts: bool) -> None:
        self.run: Callable[[Arrays], Arrays] = concrete.run
        self.pack: Callable[[Any], Any] = concrete.traced.pack
        self.concrete = concrete
        self.started = False  # whether it has run in the native loop
        self._predicts = predicts

    def __call__(self, arrays: Arrays) -> Any:
        outputs = self.run(arrays)
        return self.pack(outputs) if self._predicts else StepLogs(self.pack, outputs)

    def takes(self, arrays: Arrays) -> bool:
        """Whether the arrays fit, for every size of batch: no other axis may be tied to the batch axis."""
        types = [n.type for n in self.concrete.graph.inputs]
        if any(isinstance(size, Dim) and "batch" in size.names for t in types for size in t.shape[1:]):
            return False
        try:
            solve_dims(types, [a.shape for a in arrays])
        except ShapeError:
            return False
        return True

    def run_many(self, run: BatchRun, into: Arrays | None, seconds: float, every: int) -> RunResult:
        """Many batches in one native call, see `weft.runtime.executable.Executable`."""
        result = self.concrete.compiled.run_many(run, into, seconds, every)
        self.started = True
        return result

    def make_outputs(self, samples: int) -> Arrays | None:
        """Arrays for the outputs of so many samples, None if the native loop cannot write them: not one row per sample, or
        copies of something else."""
        types = self.concrete.outputs
        tails = [[s for s in t.shape[1:] if isinstance(s, int)] for t in types]
        rows = all(t.rank == 1 + len(tail) and t.shape[0] == Dim("batch") for t, tail in zip(types, tails))
        if not rows or not self.concrete.compiled.executable.streams:
            return None
        return [new_result([samples, *tail], t.dtype.np) for t, tail in zip(types, tails)]

    def results(self, outputs: Arrays) -> StepLogs:
        """What the last of many batches gave."""
        return StepLogs(self.pack, outputs)


def _compiled_step(method: Any, mode: str, layout: Layout, arrays: Arrays, tails: Tails) -> CompiledStep:
    def step(data: Any) -> Any:
        return method(data)

    step.__name__ = step.__qualname__ = f"{mode}_step"
    specs = [weft.TensorSpec([Dim("batch"), *tail], weft.as_dtype(a.dtype)) for tail, a in zip(tails, arrays, strict=True)]
    return CompiledStep(weft.function(step).get_concrete_function(layout.fill(specs)), mode == "predict")


def _eager_step(method: Any, layout: Layout) -> Step:
    def step(batch: Arrays) -> Any:
        result = method(layout.fill([weft.constant(a) for a in batch]))
        if isinstance(result, dict):
            return result
        return tree.map_structure(lambda t: t.numpy() if isinstance(t, EagerTensor) else t, result)

    return step
