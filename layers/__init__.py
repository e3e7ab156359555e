"""All layers, with initializers, regularizers, constraints, activations. In: settings; out: layer objects."""

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
