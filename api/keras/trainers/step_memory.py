"""What a model's step needs in memory. In: a model and data as `fit` takes them; out: a report, before anything has run."""

from __future__ import annotations

from typing import Any

from weft.runtime.dispatch import match_sizes
from weft.runtime.memory import MemoryReport, default_kind

MODES = ("train", "test", "predict")


def report_step_memory(model: Any, mode: str, x: Any, y: Any, sample_weight: Any, batch_size: int | None) -> MemoryReport:
    """The report for batches of this size (32 by default; a data set's own), by kinds of variables as Keras has them.

    Traces the step, which builds the model, but runs and compiles nothing. ValueError for an unknown mode.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be 'train', 'test' or 'predict'. Received: {mode!r}")
    concrete, arrays = model.concrete_step(mode, x, y, sample_weight)
    cut = not hasattr(x, "element_spec") and hasattr(x, "__len__")
    size = min(batch_size or 32, len(arrays[0])) if cut else len(arrays[0])
    sizes = match_sizes(concrete.types, tuple((size, *a.shape[1:]) for a in arrays)) or {}
    kinds = _kinds(model)
    report: MemoryReport = concrete.memory(kind=lambda v: kinds.get(id(v)) or default_kind(v), **sizes)
    return report


def _kinds(model: Any) -> dict[int, str]:
    """What each of the model's variables is, by identity."""
    groups = {
        "metric states": [v for metric in model.metrics for v in metric.variables],
        "optimizer slots": [] if model.optimizer is None else model.optimizer.variables,
        "other weights": model.non_trainable_weights,
        "parameters": model.trainable_weights,
    }
    return {id(v): kind for kind, variables in groups.items() for v in variables}
