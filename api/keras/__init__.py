"""Keras 3's names for building and training models. In: ``from weft import keras``; out: ``keras.Sequential``, ..."""

from typing import TYPE_CHECKING

from weft.layers.serialization import public_later
from weft.tracer.late_names import late_names

if TYPE_CHECKING:
    from weft.layers.initializers import Initializer
    from weft.layers.input_layer import Input
    from weft.layers.input_spec import InputSpec
    from weft.layers.layer import Layer
    from weft.layers.precision import DTypePolicy
    from weft.layers.regularizers import Regularizer
    from weft.layers.symbolic import KerasTensor
    from weft.layers.weight import KerasVariable as Variable

    from . import (
        activations,
        backend,
        callbacks,
        config,
        constraints,
        datasets,
        initializers,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        random,
        regularizers,
        saving,
        utils,
    )
    from .losses.loss import Loss
    from .metrics.metric import Metric
    from .models.model import Model
    from .models.sequential import Sequential
    from .optimizers.optimizer import Optimizer

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

_MODULES = (
    "activations", "backend", "callbacks", "config", "constraints", "datasets", "initializers", "layers", "losses", "metrics",
    "models", "ops", "optimizers", "random", "regularizers", "saving", "utils",
)  # fmt: skip
_LATE = dict.fromkeys(_MODULES, ()) | {
    "losses.loss": ("Loss",),
    "metrics.metric": ("Metric",),
    "models.model": ("Model",),
    "models.sequential": ("Sequential",),
    "optimizers.optimizer": ("Optimizer",),
    "weft.layers.initializers": ("Initializer",),
    "weft.layers.input_layer": ("Input",),
    "weft.layers.input_spec": ("InputSpec",),
    "weft.layers.layer": ("Layer",),
    "weft.layers.precision": ("DTypePolicy",),
    "weft.layers.regularizers": ("Regularizer",),
    "weft.layers.symbolic": ("KerasTensor",),
    "weft.layers.weight": ("KerasVariable as Variable",),
}

__getattr__, __dir__ = late_names(__name__, _LATE)


@public_later
def _load_public() -> None:
    for name in ("losses", "metrics", "models", "optimizers"):
        package = __getattr__(name)
        for inside in package.__all__:
            getattr(package, inside)
