"""Keras 3's names for building and training models. In: ``from weft import keras``; out: ``keras.Sequential``, ..."""

from typing import TYPE_CHECKING

from weft.layers.initializers import Initializer
from weft.layers.input_layer import Input
from weft.layers.input_spec import InputSpec
from weft.layers.layer import Layer
from weft.layers.precision import DTypePolicy
from weft.layers.regularizers import Regularizer
from weft.layers.symbolic import KerasTensor
from weft.tracer import Variable
from weft.tracer.late_names import late_names

from . import layers, losses, metrics, models, optimizers
from .losses import Loss
from .metrics import Metric
from .models import Model, Sequential
from .optimizers import Optimizer

if TYPE_CHECKING:
    from . import (
        activations,
        backend,
        callbacks,
        config,
        constraints,
        datasets,
        initializers,
        ops,
        random,
        regularizers,
        saving,
        utils,
    )

__version__ = "3.15.1"  # the version of Keras whose behaviour is followed


def version() -> str:
    """The version of Keras whose behaviour is followed."""
    return __version__


__all__ = [
    "DTypePolicy", "Initializer", "Input", "InputSpec", "KerasTensor", "Layer", "Loss", "Metric", "Model", "Optimizer",
    "Regularizer", "Sequential", "Variable", "activations", "backend", "callbacks", "config", "constraints", "datasets",
    "initializers", "layers", "losses", "metrics", "models", "ops", "optimizers", "random", "regularizers", "saving",
    "utils", "version",
]  # fmt: skip

_LATE = (
    "activations", "backend", "callbacks", "config", "constraints", "datasets", "initializers", "ops", "random", "regularizers",
    "saving", "utils",
)  # fmt: skip

__getattr__, __dir__ = late_names(__name__, dict.fromkeys(_LATE, ()))
