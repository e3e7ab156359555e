"""All layers, with initializers, regularizers, constraints, activations. In: settings; out: layer objects."""

from typing import TYPE_CHECKING

from weft.tracer.late_names import late_names

from .serialization import public_later

if TYPE_CHECKING:
    from . import activations, constraints, initializers, regularizers
    from .activation_layers import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
    from .core import Dense, Embedding, Identity, Lambda, Masking
    from .input_layer import Input, InputLayer
    from .input_spec import InputSpec
    from .layer import Layer
    from .merging import (
        Add,
        Average,
        Concatenate,
        Dot,
        Maximum,
        Minimum,
        Multiply,
        Subtract,
        add,
        average,
        concatenate,
        dot,
        maximum,
        minimum,
        multiply,
        subtract,
    )
    from .noise import ActivityRegularization, Dropout, GaussianDropout, GaussianNoise, SpatialDropout1D
    from .normalization import BatchNormalization, LayerNormalization, Normalization, UnitNormalization
    from .rescaling import Rescaling
    from .serialization import deserialize_object as deserialize
    from .serialization import serialize_object as serialize
    from .shaping import Flatten, Permute, RepeatVector, Reshape
    from .symbolic import KerasTensor

__all__ = [
    "ELU", "Activation", "ActivityRegularization", "Add", "Average", "BatchNormalization", "Concatenate", "Dense",
    "Dot", "Dropout", "Embedding", "Flatten", "GaussianDropout", "GaussianNoise", "Identity", "Input", "InputLayer",
    "InputSpec", "KerasTensor", "Lambda", "Layer", "LayerNormalization", "LeakyReLU", "Masking", "Maximum", "Minimum",
    "Multiply", "Normalization", "PReLU", "Permute", "ReLU", "RepeatVector", "Rescaling", "Reshape", "Softmax",
    "SpatialDropout1D", "Subtract", "UnitNormalization", "activations", "add", "average", "concatenate", "constraints",
    "deserialize", "dot", "initializers", "maximum", "minimum", "multiply", "regularizers", "serialize", "subtract",
]  # fmt: skip

_LATE = {
    "activation_layers": ("ELU", "Activation", "LeakyReLU", "PReLU", "ReLU", "Softmax"),
    "activations": (),
    "constraints": (),
    "core": ("Dense", "Embedding", "Identity", "Lambda", "Masking"),
    "initializers": (),
    "input_layer": ("Input", "InputLayer"),
    "input_spec": ("InputSpec",),
    "layer": ("Layer",),
    "merging": (
        "Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract", "add", "average", "concatenate",
        "dot", "maximum", "minimum", "multiply", "subtract",
    ),
    "noise": ("ActivityRegularization", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D"),
    "normalization": ("BatchNormalization", "LayerNormalization", "Normalization", "UnitNormalization"),
    "regularizers": (),
    "rescaling": ("Rescaling",),
    "serialization": ("deserialize_object as deserialize", "serialize_object as serialize"),
    "shaping": ("Flatten", "Permute", "RepeatVector", "Reshape"),
    "symbolic": ("KerasTensor",),
}  # fmt: skip

__getattr__, __dir__ = late_names(__name__, _LATE)


@public_later
def _load_all() -> None:
    for name in __all__:
        __getattr__(name)
