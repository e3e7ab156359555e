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

from weft.tracer import tree

from ..callbacks import CallbackList
from ..callbacks.callback_list import BatchHook
from .array_pass import ArrayPass, Arrays, part_of
from .data_sources import Batch
from .epoch_loop import EpochLoop
from .step_cache import CompiledStep, Step

SECONDS = 0.05  # how long the run time's loop may stay away
STOP = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}
DATA = {"train": "training", "test": "evaluation", "predict": "prediction"}


def run_epoch(model: Any, loop: EpochLoop, mode: str, hooks: CallbackList) -> Any:
    """All batches of an epoch of "train" or "test"; returns what the last step returned, None if there was no batch."""
    begin, end, wanted = hooks.batch_hooks(mode)
    whole = loop.array_epoch()
    if whole is None:
        return _run_batches(model, loop.epoch(), mode, begin, end, loop.source.uniform)
    step = _native_step(model, mode, whole, wanted and model.steps_per_execution == 1)
    if step is None:
        results = _run_batches(model, whole.batches(), mode, begin, end, uniform=True)
    else:
        results = _run_pass(model, step, whole, mode, begin, end, 0.0 if wanted else SECONDS)
    loop.end_array_epoch(whole)
    return results


def _native_step(model: Any, mode: str, whole: ArrayPass, one_by_one: bool) -> CompiledStep | None:
    """The compiled step, if it shall run many batches at once."""
    step = None if one_by_one else model._step(mode, whole.layout, whole.example())
    return step if isinstance(step, CompiledStep) else None


def run_predictions(model: Any, loop: EpochLoop, hooks: CallbackList) -> Any:
    """The outputs for all samples, nested as the model's outputs are; None if there was no batch."""
    begin, end, wanted = hooks.batch_hooks("predict")
    whole = loop.array_epoch()
    if whole is None:
        return _collect(model, loop.epoch(), begin, end, loop.source.uniform)
    step = _native_step(model, "predict", whole, wanted or whole.full_batches < 2)
    outputs = None if step is None else step.make_outputs(whole.samples)
    if step is None or outputs is None:
        predictions = _collect(model, whole.batches(), begin, end, uniform=True)
    else:
        predictions = step.pack(_predict_pass(model, step, whole, outputs, end))
    loop.end_array_epoch(whole)
    return predictions


def _collect(model: Any, batches: Iterator[Batch], begin: BatchHook | None, end: BatchHook | None, uniform: bool) -> Any:
    """The outputs of all batches, one call each, joined."""
    parts: list[list[np.ndarray]] = []
    structure: Any = None
    told = 0

    def joined(columns: list[list[np.ndarray]]) -> Any:
        return structure.unflatten([_joined(column) for column in zip(*columns, strict=True)])

    def tell(last: int, _: Any) -> None:
        nonlocal told
        recent, told = parts[told:], len(parts)  # of all batches since the last time
        if end is not None:
            end(last, {"outputs": joined(recent)})

    def keep(outputs: Any) -> None:
        nonlocal structure
        leaves, structure = tree.flatten(outputs)
        parts.append(leaves)

    _run_batches(model, batches, "predict", begin, None if end is None else tell, uniform, keep)
    return None if structure is None else joined(parts)


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
    size, stop = model.steps_per_execution, STOP[mode]
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
                end(last, results)
            if getattr(model, stop):
                break
    if end is not None and (last + 1) % size:
        end(_numbered(last + 1, size), results)
    return results


def _run_pass(
    model: Any, step: CompiledStep, whole: ArrayPass, mode: str, begin: BatchHook | None, end: BatchHook | None, seconds: float
) -> Any:
    """Full batches in the run time's loop, which may stay away for so many seconds; the very first alone: the bar times it."""
    size, stop = model.steps_per_execution, STOP[mode]
    total, done, results = whole.total_batches, 0, None
    while done < total:
        if begin is not None and done % size == 0:
            begin(done)
        if done < whole.full_batches:
            run = step.run_many(whole.run(done), None, seconds if step.started else 0.0, size)
            done += run.done
            if run.error is not None:
                raise _located(run.error, done, mode)
            results = step.results(run.outputs)
        else:
            results = _call(step, whole.batch(done), done, mode)
            done += 1
        if done % size and done < total:
            continue  # the smaller batch belongs to the same execution
        if end is not None:
            end(_numbered(done, size), results)
        if getattr(model, stop):
            break
    return results


def _predict_pass(model: Any, step: CompiledStep, whole: ArrayPass, outputs: Arrays, end: BatchHook | None) -> Arrays:
    """All predictions, written by the run time's loop where they belong."""
    size, every, done = whole.size, model.steps_per_execution, 0
    while done < whole.total_batches and not (done and model.stop_predicting):
        if done < whole.full_batches:
            into = part_of(outputs, done * size, whole.full_batches * size)
            run = step.run_many(whole.run(done), into, SECONDS if step.started else 0.0, every)
            done += run.done
            if run.error is not None:
                raise _located(run.error, done, "predict")
        else:
            for output, part in zip(outputs, _call(step.run, whole.batch(done), done, "predict"), strict=True):
                output[done * size :] = part
            done += 1
        if end is not None:
            end(_numbered(done, every), None)
    return outputs if done == whole.total_batches else part_of(outputs, 0, done * size)


def _call(step: Any, arrays: list[np.ndarray], number: int, mode: str) -> Any:
    try:
        return step(arrays)
    except Exception as error:  # passed on
        raise _located(error, number, mode) from None


def _located(error: BaseException, number: int, mode: str) -> BaseException:
    error.add_note(f"In batch {number} of the {DATA[mode]} data.")
    return error


def _numbered(done: int, size: int) -> int:
    """The number Keras gives the last of so many batches: an execution that the data did not fill counts as full."""
    return math.ceil(done / size) * size - 1


def _joined(parts: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.asarray(parts[0]) if len(parts) == 1 else np.concatenate([np.atleast_1d(p) for p in parts])
