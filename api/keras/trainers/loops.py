"""Running steps over data. In: a model's steps, batches, callbacks' hooks; out: the results of the last step, or all predictions.

Whole arrays and a compiled step meet in the run time's loop over many batches, which comes back to Python about twenty times
a second: for the bar, for Ctrl-C and for ``stop_training``. Callbacks that want every batch, data sets and eager steps get a
loop in Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from weft.graph.errors import ShapeError
from weft.tracer import tree

from ..callbacks import CallbackList
from ..callbacks.callback_list import BatchHook
from .array_pass import ArrayPass, part_of
from .data_sources import Batch
from .epoch_loop import EpochLoop
from .step_cache import CompiledStep, Step

SECONDS = 0.05  # how long the run time's loop may stay away
STOP = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}
DATA = {"train": "training", "test": "evaluation", "predict": "prediction"}


def run_epoch(model: Any, loop: EpochLoop, mode: str, hooks: CallbackList) -> Any:
    """All batches of an epoch of "train" or "test"; returns what the last step returned, None if there was no batch."""
    begin, end, wanted = hooks.batch_hooks(mode)
    whole = None if wanted else loop.whole_pass()
    if whole is None:
        return _run_batches(model, loop.epoch(), mode, begin, end, loop.source.uniform)
    step = model._step(mode, whole.layout, whole.batch(0))
    if not isinstance(step, CompiledStep):
        return _run_batches(model, whole.batches(), mode, begin, end, uniform=True)
    return _run_pass(model, step, whole, mode, end)


def run_predictions(model: Any, loop: EpochLoop, hooks: CallbackList) -> Any:
    """The outputs for all samples, nested as the model's outputs are; None if there was no batch."""
    begin, end, wanted = hooks.batch_hooks("predict")
    whole = None if wanted else loop.whole_pass()
    if whole is not None and whole.full_batches > 1:
        step = model._step("predict", whole.layout, whole.batch(0))
        outputs = _predict_pass(model, step, whole, end) if isinstance(step, CompiledStep) else None
        if outputs is not None:
            return outputs
    parts: list[list[np.ndarray]] = []
    structure = None

    def keep(outputs: Any) -> None:
        nonlocal structure
        leaves, structure = tree.flatten(outputs)
        parts.append(leaves)

    batches = loop.epoch() if whole is None else whole.batches()
    _run_batches(model, batches, "predict", begin, end, loop.source.uniform, keep)
    return None if structure is None else structure.unflatten([_joined(column) for column in zip(*parts, strict=True)])


def _run_batches(
    model: Any,
    batches: Iterator[Batch],
    mode: str,
    begin: BatchHook | None,
    end: BatchHook | None,
    uniform: bool,
    keep: Callable[[Any], None] | None = None,
) -> Any:
    """One call of the step per batch."""
    step: Step | None = None
    size, stop, predicts = model.steps_per_execution, STOP[mode], mode == "predict"
    results, last = None, -1
    kind: Any = None  # of the batch before
    for last, (layout, arrays) in enumerate(batches):
        if begin is not None and last % size == 0:
            begin(last)
        if step is None or not uniform:
            before, kind = kind, (layout, [(a.shape[1:], a.dtype) for a in arrays])
            if kind != before:
                step = model._step(mode, layout, arrays)
        results = _call(step, arrays, last, mode)
        if keep is not None:
            keep(results)
        if (last + 1) % size == 0:
            if end is not None:
                end(last, {"outputs": results} if predicts else results)
            if getattr(model, stop):
                break
    if end is not None and (last + 1) % size:
        end(_numbered(last + 1, size), {"outputs": results} if predicts else results)
    return results


def _run_pass(model: Any, step: CompiledStep, whole: ArrayPass, mode: str, end: BatchHook | None) -> Any:
    """Full batches in the run time's loop; the first ones by themselves, because the bar times them and they may compile."""
    size, stop = model.steps_per_execution, STOP[mode]
    total = math.ceil(whole.samples / whole.size)
    done, results = 0, None
    while done < total and not (done and getattr(model, stop)):
        if size <= done < whole.full_batches:
            run = step.run_many(whole.run(done), None, SECONDS, size)
            done += run.done
            if run.error is not None:
                raise _located(run.error, done, mode)
            results = step.results(run.outputs)
        else:
            results = _call(step, whole.batch(done), done, mode)
            done += 1
            if done % size and done < total:
                continue
        if end is not None:
            end(_numbered(done, size), results)
    return results


def _predict_pass(model: Any, step: CompiledStep, whole: ArrayPass, end: BatchHook | None) -> Any:
    """All predictions, written by the run time's loop where they belong; None if outputs are not one row per sample."""
    size = whole.size
    first = _call(step.run, whole.batch(0), 0, "predict")
    if any(o.ndim == 0 or len(o) != size for o in first):
        return None
    outputs = [np.empty((whole.samples, *o.shape[1:]), o.dtype) for o in first]
    for output, part in zip(outputs, first, strict=True):
        output[:size] = part
    done = 1
    if end is not None:
        end(_numbered(1, model.steps_per_execution), None)
    while done < whole.full_batches:
        into = part_of(outputs, done * size, whole.full_batches * size)
        try:
            run = step.run_many(whole.run(done), into, SECONDS, 1)
        except ShapeError:  # outputs that are views of inputs or variables
            return None
        done += run.done
        if run.error is not None:
            raise _located(run.error, done, "predict")
        if end is not None:
            end(done - 1, None)
        if model.stop_predicting:
            return step.pack(part_of(outputs, 0, done * size))
    if done * size < whole.samples:
        for output, part in zip(outputs, _call(step.run, whole.batch(done), done, "predict"), strict=True):
            output[done * size :] = part
        if end is not None:
            end(done, None)
    return step.pack(outputs)


def _call(step: Any, arrays: list[np.ndarray], number: int, mode: str) -> Any:
    try:
        return step(arrays)
    except Exception as error:
        raise _located(error, number, mode) from None


def _located(error: BaseException, number: int, mode: str) -> BaseException:
    error.add_note(f"In batch {number} of the {DATA[mode]} data.")
    return error


def _numbered(done: int, size: int) -> int:
    """The number Keras gives the last of so many batches: an execution that the data did not fill counts as full."""
    return math.ceil(done / size) * size - 1


def _joined(parts: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.asarray(parts[0]) if len(parts) == 1 else np.concatenate([np.atleast_1d(p) for p in parts])
