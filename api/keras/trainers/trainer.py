"""`compile`, `fit`, `evaluate` and `predict`. In: a model's forward pass and data; out: trained weights, metrics, predictions.

The whole of `train_step` (forward, loss, backward, optimizer, metrics) is traced by `weft.function` and runs as one compiled
call, with a symbolic batch axis; with ``run_eagerly=True`` the same code runs op by op.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import weft
from weft.runtime.config import config as settings
from weft.tracer.tensor import EagerTensor

from .. import optimizers
from ..metrics import Mean
from .batch_arrays import (
    class_weights_as_sample_weights,
    pack_x_y_sample_weight,
    split_validation,
    take_apart,
    to_arrays,
    unpack_x_y_sample_weight,
)
from .compile_loss import CompileLoss
from .compiled_state import CompiledState
from .data_sources import make_source
from .logs import read_logs
from .step_cache import Step, StepCache
from .target_checks import check_targets
from .training_steps import TrainingSteps, in_order

if TYPE_CHECKING:
    from weft.runtime.memory import MemoryReport

    from ..callbacks import CallbackList
    from ..callbacks.history import History
    from .compile_metrics import CompileMetrics
    from .epoch_loop import EpochLoop


class Trainer(TrainingSteps):
    """The training half of a model; the other half is a layer with ``__call__``, ``trainable_weights`` and ``losses``."""

    stop_training = False
    stop_evaluating = False
    stop_predicting = False
    run_eagerly = False
    jit_compile: Any = True
    steps_per_execution = 1
    history: History | None = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Says how the model is to be trained.

        optimizer: name or object. loss: name, `losses.Loss`, function of (y_true, y_pred), or a list or dictionary of them per
        output. loss_weights: factors per output.
        metrics, weighted_metrics: lists of names, objects or functions, per output if there are several; only the latter see
        sample weights.
        run_eagerly: run the steps op by op. steps_per_execution: batches between two calls of callbacks' batch hooks.
        jit_compile, auto_scale_loss: accepted for compatibility; steps are compiled unless ``run_eagerly``, and there is no
        mixed precision.

        Raises ValueError for unknown names, with the near matches.
        """
        if not isinstance(steps_per_execution, int) or isinstance(steps_per_execution, bool) or steps_per_execution < 1:
            raise ValueError(f"steps_per_execution must be a positive integer. Received: {steps_per_execution!r}")
        named = getattr(self, "_outputs_struct", None)  # outputs in a dictionary go by its keys
        names = sorted(named) if isinstance(named, dict) else getattr(self, "output_names", None)
        config = {
            "optimizer": optimizer, "loss": loss, "loss_weights": loss_weights, "metrics": metrics,
            "weighted_metrics": weighted_metrics, "run_eagerly": run_eagerly, "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }  # fmt: skip
        found = optimizers.get(optimizer)
        state = CompiledState(
            StepCache(self),
            Mean(name="loss"),
            None if loss is None else CompileLoss(loss, loss_weights, names),
            _compile_metrics(metrics, weighted_metrics, names),
            config,
        )
        self.optimizer, self.loss, self._compiled_state = found, loss, state
        self.run_eagerly = bool(run_eagerly)
        self.jit_compile = jit_compile
        self.steps_per_execution = steps_per_execution
        self.stop_training = False
        self.compiled = True

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile`; empty before."""
        return dict(self._compiled_state.config) if self.compiled and self._compiled_state else {}

    # Whole loops

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Trains for ``epochs`` epochs (numbered from ``initial_epoch``) and returns the `History` of the metrics.

        x, y: arrays, lists or dictionaries of arrays with equally many samples; or x alone: a `weft.data.Dataset`, `PyDataset` or
        generator of (x, y) or (x, y, sample_weight) batches.
        batch_size: 32 by default. verbose: 0 silent, 1 (or "auto") a progress bar, 2 a line per epoch.
        validation_split: the last fraction of the arrays is set aside; validation_data: (x, y), (x, y, weights) or a data set.
        shuffle: a new order each epoch; "batch": only within each batch. class_weight: weight of each class number.
        validation_freq: validate every so many epochs, or after the listed ones.

        Interrupted (Ctrl-C), it leaves the weights of the last full step. Raises ValueError for data that does not fit.
        """
        from ..callbacks.history import History

        self._require_compiled("fit")
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_validation(x, y, sample_weight, validation_split)
        check_targets(y, self._compiled_state.loss if self._compiled_state else None)
        rng = _shuffler() if shuffle else None
        source = make_source(
            x, y, sample_weight, batch_size=batch_size, steps=steps_per_epoch, rng=rng, shuffle=shuffle, class_weight=class_weight
        )
        loop = _make_loop(source, steps_per_epoch)
        validation = self._validation_loop(validation_data, validation_batch_size or batch_size, validation_steps)
        hooks = self._callback_list(callbacks, verbose, epochs, loop.num_batches, True)
        self.stop_training = False
        history = next(c for c in hooks.callbacks if isinstance(c, History))
        self._build_optimizer()
        hooks.on_train_begin()
        logs = self._train(loop, range(initial_epoch, epochs), hooks, validation, validation_freq)
        if self.optimizer is not None and epochs > 0:
            self.optimizer.finalize_variable_values(self.trainable_weights)  # type: ignore[attr-defined]  # from optimizers.get
        hooks.on_train_end(logs)
        return history

    def _train(
        self, loop: EpochLoop, epochs: range, hooks: CallbackList, validation: EpochLoop | None, validation_freq: Any
    ) -> dict[str, Any] | None:
        """Runs epochs until the data ends or a callback stops them, and returns the logs of the last one."""
        from .loops import run_epoch

        logs: dict[str, Any] | None = None
        for epoch in epochs:
            self.reset_metrics()
            hooks.on_epoch_begin(epoch)
            results = run_epoch(self, loop, "train", hooks)
            if results is None:
                if epoch == epochs.start:
                    raise ValueError("There must be at least one batch. Received: data that yields none")
                break
            logs = read_logs(results)
            if validation is not None and _is_due(epoch, validation_freq):
                val_logs = self._evaluate(validation, hooks)
                logs.update({f"val_{name}": value for name, value in val_logs.items()})
            hooks.on_epoch_end(epoch, dict(logs))
            if self.stop_training:
                break
        return logs

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss and metrics on data, in inference mode: a list in the order of ``metrics_names``, a number if there is only
        the loss, or a dictionary by name if ``return_dict``. Arguments as in `fit`; steps: stop after so many batches.
        """
        self._require_compiled("evaluate")
        check_targets(y, self._compiled_state.loss if self._compiled_state else None)
        source = make_source(x, y, sample_weight, batch_size=batch_size, steps=steps)
        loop = _make_loop(source, steps)
        logs = self._evaluate(loop, self._callback_list(callbacks, verbose, 1, loop.num_batches, False))
        return logs if return_dict else self._as_list(logs)

    def _evaluate(self, loop: EpochLoop, hooks: CallbackList) -> dict[str, Any]:
        from .loops import run_epoch

        self.stop_evaluating = False
        hooks.on_test_begin()
        self.reset_metrics()
        results = run_epoch(self, loop, "test", hooks)
        if results is None:
            raise ValueError("There must be at least one batch to evaluate. Received: data that yields none")
        logs = read_logs(results)
        hooks.on_test_end(logs)
        return logs

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The model's outputs for all samples as NumPy arrays, batch by batch, in inference mode."""
        if verbose == 0 and callbacks is None and steps is None:
            again = self._predict_again(x, 32 if batch_size is None else batch_size)
            if again is not NotImplemented:
                return again
        from .loops import run_predictions

        loop = _make_loop(make_source(x, batch_size=batch_size, steps=steps), steps)
        hooks = self._callback_list(callbacks, verbose, 1, loop.num_batches, False)
        self.stop_predicting = False
        hooks.on_predict_begin()
        outputs = run_predictions(self, loop, hooks)
        if outputs is None:
            raise ValueError("There must be at least one batch to predict. Received: data that yields none")
        hooks.on_predict_end()
        return outputs

    def _predict_again(self, x: Any, batch_size: Any) -> Any:
        """The predictions for arrays that are one batch like the latest one; `NotImplemented` for anything else."""
        state = self._compiled_state
        if state is None or batch_size.__class__ is not int or self.run_eagerly or settings.run_functions_eagerly:
            return NotImplemented
        self.stop_predicting = False
        return state.steps.predict_again(x._array if x.__class__ is EagerTensor else x, batch_size)

    def _step(self, mode: str, layout: Any, arrays: list[np.ndarray]) -> Step:
        if self._compiled_state is None:
            self._compiled_state = CompiledState(StepCache(self))
        eager = self.run_eagerly or settings.run_functions_eagerly
        return self._compiled_state.steps.find(mode, layout, arrays, eager)

    def _validation_loop(self, data: Any, batch_size: int | None, steps: int | None) -> EpochLoop | None:
        if data is None:
            return None
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        if y is not None:
            check_targets(y, self._compiled_state.loss if self._compiled_state else None)
        whole = not (isinstance(data, (list, tuple)) or hasattr(x, "__array__") or isinstance(x, dict))
        source = make_source(x, y, sample_weight, batch_size=None if whole else batch_size, steps=steps)
        return _make_loop(source, steps, anew=True)

    def _callback_list(self, callbacks: Any, verbose: Any, epochs: int, steps: int | None, history: bool) -> CallbackList:
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"verbose must be 0, 1, 2 or 'auto'. Received: {verbose!r}")
        from ..callbacks import CallbackList

        if isinstance(callbacks, CallbackList):
            return callbacks
        return CallbackList(
            callbacks, add_history=history, add_progbar=verbose != 0, model=self, verbose=verbose, epochs=epochs, steps=steps
        )

    # Single batches

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One training step; returns the loss and metrics of this batch as `evaluate` does."""
        self._require_compiled("train_on_batch")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("Only one of class_weight and sample_weight can be given. Received: both")
            sample_weight = class_weights_as_sample_weights(to_arrays(y, "y"), class_weight)
        self._build_optimizer()
        return self._on_batch("train", x, y, sample_weight, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """One evaluation step; returns the loss and metrics of this batch as `evaluate` does."""
        self._require_compiled("test_on_batch")
        return self._on_batch("test", x, y, sample_weight, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        again = self._predict_again(x, 1 << 62)
        if again is not NotImplemented:
            return again
        layout, arrays = take_apart(pack_x_y_sample_weight(to_arrays(x, "x")))
        return self._step("predict", layout, arrays)(arrays)

    def _on_batch(self, mode: str, x: Any, y: Any, sample_weight: Any, return_dict: bool) -> Any:
        check_targets(y, self._compiled_state.loss if self._compiled_state else None)
        source = make_source(x, y, sample_weight, batch_size=2**62)
        layout, arrays = next(source.batches())
        step = self._step(mode, layout, arrays)
        self.reset_metrics()
        logs = read_logs(step(arrays))
        return logs if return_dict else self._as_list(logs)

    def memory(
        self, x: Any, y: Any = None, batch_size: int | None = None, sample_weight: Any = None, mode: str = "train"
    ) -> MemoryReport:
        """The bytes one step needs, by what they are for, known before the first one; `print` it for a table.

        x, y, sample_weight, batch_size: as for `fit`; of the data only dtypes and shapes count. mode: "train", "test" or
        "predict". Builds and traces, but runs and compiles nothing.
        """
        if mode != "predict":
            self._require_compiled("memory")
        from .step_memory import report_step_memory

        return report_step_memory(self, mode, x, y, sample_weight, batch_size)

    def concrete_step(self, mode: str, x: Any, y: Any = None, sample_weight: Any = None) -> tuple[Any, list[np.ndarray]]:
        """The compiled step that serves one batch, and the batch's arrays, for tools that look inside.

        mode: "train", "test" or "predict". Returns a `weft.runtime.concrete.ConcreteFunction`.
        """
        if mode == "train":
            self._build_optimizer()
        layout, arrays = next(make_source(x, y, sample_weight, batch_size=2**62).batches())
        if self._compiled_state is None:
            self._compiled_state = CompiledState(StepCache(self))
        step: Any = self._compiled_state.steps.find(mode, layout, arrays, False)
        return step.concrete, arrays

    # Small things

    def _as_list(self, logs: dict[str, Any]) -> Any:
        values = [logs[name] for name in in_order(list(logs), self._first_names())]
        return values[0] if len(values) == 1 else values

    def _require_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(f"You must call `compile()` before calling `{method}()`.")

    def _build_optimizer(self) -> None:
        """Makes the slots before the step is traced, if the model is built."""
        if self.optimizer is None or self.optimizer.built or not getattr(self, "built", False):
            return
        trained = self.trainable_weights  # type: ignore[attr-defined]  # a layer's
        if trained:
            self.optimizer.build(trained)


def _is_due(epoch: int, frequency: Any) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    if isinstance(frequency, (list, tuple, set, range)):
        return epoch + 1 in frequency
    raise ValueError(f"validation_freq must be an integer or a list of epochs. Received: {frequency!r}")


def _shuffler() -> np.random.Generator:
    """Random orders that follow weft's global seed."""
    key = weft.random.get_global_generator().next_key().numpy()
    return np.random.Generator(np.random.PCG64(key.tolist()))


def _make_loop(source: Any, steps: int | None, anew: bool = False) -> EpochLoop:
    from .epoch_loop import EpochLoop  # single batches are trained on without loops, bars and callbacks

    return EpochLoop(source, steps, anew)


def _compile_metrics(metrics: Any, weighted_metrics: Any, names: Any) -> CompileMetrics | None:
    if metrics is None and weighted_metrics is None:
        return None
    from .compile_metrics import CompileMetrics  # with metrics of all kinds behind it

    return CompileMetrics(metrics, weighted_metrics, names)
