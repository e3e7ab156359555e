"""What happens in one step. In: a batch, a model's forward pass, what `compile` was given; out: updated weights and metrics."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import weft
from weft.tracer import tree

from ..metrics import Mean
from .batch_arrays import unpack_x_y_sample_weight
from .compiled_state import CompiledState


class TrainingSteps:
    """`train_step`, `test_step`, `predict_step` and what they are made of; each may be overridden."""

    compiled = False
    optimizer: Any = None
    loss: Any = None
    _compiled_state: CompiledState | None = None

    # Metrics

    @property
    def _loss_tracker(self) -> Mean | None:
        return self._compiled_state.loss_tracker if self._compiled_state else None

    @property
    def metrics(self) -> list[Any]:
        """The loss, the metrics of `compile` (as one), the losses of single outputs, and the model's own metrics."""
        own = self._compiled_state.all_metrics() if self._compiled_state else []
        inside = self._metrics_inside() if hasattr(self, "_metrics_inside") else []
        return [*own, *inside]

    def _all_metrics(self) -> list[Any]:
        """`metrics`, with those of `compile` one by one."""
        of_compile = self._compiled_state.metrics if self._compiled_state else None
        return [inner for m in self.metrics for inner in (of_compile.metrics if of_compile and m is of_compile else [m])]

    def _named_metrics(self) -> list[tuple[str, Any]]:
        """The metrics one by one, each with the name of its value in results."""
        of_compile = self._compiled_state.metrics if self._compiled_state else None
        named: list[tuple[str, Any]] = []
        for metric in self.metrics:
            if of_compile is not None and metric is of_compile:
                named += zip(of_compile.full_names, of_compile.metrics, strict=False)
            else:
                named.append((metric.name, metric))
        return named

    @property
    def metrics_names(self) -> list[str]:
        """The names of the numbers that `evaluate` returns, in its order."""
        of_compile = self._compiled_state.metrics if self._compiled_state else None
        listed = [n for m in self.metrics for n in (of_compile.full_names if of_compile and m is of_compile else [m.name])]
        return in_order(listed, self._first_names())

    def _first_names(self) -> list[str]:
        """Names that come first in lists of results: the loss and the metrics, by the names they were given."""
        return [m.name for m in self._all_metrics()] or ["loss"]

    def reset_metrics(self) -> None:
        """Forgets what all metrics have seen."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """Every metric's present value by name, as tensors."""
        results: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            results.update(value if isinstance(value, dict) else {metric.name: value})
        return results

    # One step, to be overridden

    def train_step(self, data: Any) -> dict[str, Any]:
        """One training step on one batch: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``. Returns the metrics by name."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with weft.GradientTape() as tape:
            y_pred = self(x, training=True)  # type: ignore[operator]  # a model is a layer
            loss = self._compute_loss(x, y, y_pred, sample_weight, True)
        self._track_loss(loss, x)
        trained = self.trainable_weights  # type: ignore[attr-defined]  # a layer's
        if trained:
            gradients = tape.gradient(loss, trained)
            self.optimizer.apply_gradients(zip(gradients, trained, strict=True))
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """One evaluation step on one batch, as in `train_step`. Returns the metrics by name."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)  # type: ignore[operator]  # a model is a layer
        self._track_loss(self._compute_loss(x, y, y_pred, sample_weight, False), x)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """The predictions for one batch."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self(x, training=False)  # type: ignore[operator]  # a model is a layer

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of one batch: that of `compile` plus all added losses. ValueError if there is none."""
        state = self._compiled_state
        parts = []
        if state is not None and state.loss is not None:
            if y is None:
                raise ValueError("The loss given to compile() needs targets. Received: y=None")
            total = state.loss(y, y_pred, sample_weight)
            parts = [] if total is None else [total]
        for added in self.losses:  # type: ignore[attr-defined]  # a layer's
            parts.append(weft.reduce_sum(added))
        if not parts:
            raise ValueError("No loss to compute. Provide a `loss` argument in `compile()`.")
        return sum(parts[1:], parts[0])

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Updates the metrics of `compile` with one batch and returns all results by name."""
        state = self._compiled_state
        if state is not None and state.metrics is not None:
            state.metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        if "training" in inspect.signature(self.compute_loss).parameters:
            return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)

    def _track_loss(self, loss: Any, x: Any) -> None:
        tracker = self._loss_tracker
        if tracker is not None:
            first = next(t for t in tree.leaves_of(x) if t is not None)
            tracker.update_state(loss, sample_weight=weft.shape(first)[0])


def in_order(names: list[str], first: list[str]) -> list[str]:
    """The names as Keras lists results: those in ``first`` in that order, the others sorted."""
    known = [n for n in dict.fromkeys(first) if n in names]
    return known + sorted(n for n in names if n not in known)
