"""What `compile` leaves behind. In: its arguments; out: the losses, metrics and compiled steps of one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.graph.record import field, record

from ..metrics import Mean
from .compile_loss import CompileLoss
from .step_cache import StepCache

if TYPE_CHECKING:
    from .compile_metrics import CompileMetrics


@record(frozen=False)
class CompiledState:
    """One object, so that a model's search for layers and metrics in its attributes passes it by."""

    steps: StepCache
    loss_tracker: Mean | None = None
    loss: CompileLoss | None = None
    metrics: CompileMetrics | None = None
    config: dict[str, Any] = field(default_factory=dict)

    def all_metrics(self) -> list[Any]:
        """Loss, metrics of `compile`, losses of single outputs."""
        own = [self.loss_tracker, self.metrics]
        return [m for m in own if m is not None] + (self.loss.metrics if self.loss is not None else [])
