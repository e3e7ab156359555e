"""Callbacks by Keras' names. In: what happens during fit, evaluate and predict; out: bars, files, changed learning rates, ..."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.tracer.late_names import late_names

from .callback import Callback
from .callback_list import CallbackList
from .history import History
from .progress import ProgbarLogger

if TYPE_CHECKING:
    from .csv_logger import CSVLogger
    from .early_stopping import EarlyStopping
    from .lambda_callback import LambdaCallback
    from .learning_rate import LearningRateScheduler, ReduceLROnPlateau
    from .monitor import MonitorCallback
    from .terminate_on_nan import TerminateOnNaN

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "MonitorCallback",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]

_LATE = {
    "csv_logger": ("CSVLogger",),
    "early_stopping": ("EarlyStopping",),
    "lambda_callback": ("LambdaCallback",),
    "learning_rate": ("LearningRateScheduler", "ReduceLROnPlateau"),
    "monitor": ("MonitorCallback",),
    "terminate_on_nan": ("TerminateOnNaN",),
}

__getattr__, __dir__ = late_names(__name__, _LATE)
