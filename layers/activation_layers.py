"""Activation functions as layers. In: a tensor of any shape; out: a tensor of the same shape."""

from __future__ import annotations

from typing import Any

from weft.tracer import ops

from . import activations, constraints, initializers, regularizers
from .core import as_floating
from .input_spec import InputSpec
from .layer import Layer
from .serialization import public
from .shapes import Shape


class _Pointwise(Layer):
    """A layer whose output has the input's shape."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@public("keras.layers")
class Activation(_Pointwise):
    """Applies a function, given by name or as a function."""

    saved = ("activation",)

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(as_floating(self, inputs))


@public("keras.layers")
class ReLU(_Pointwise):
    """x above the threshold (at most ``max_value``), else ``negative_slope * (x - threshold)``."""

    saved = ("max_value", "negative_slope", "threshold")

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0.0:
            raise ValueError(f"max_value of a ReLU layer cannot be negative. Received: max_value={max_value}")
        if negative_slope is None or negative_slope < 0.0:
            raise ValueError(f"negative_slope of a ReLU layer cannot be negative. Received: negative_slope={negative_slope}")
        if threshold is None or threshold < 0.0:
            raise ValueError(f"threshold of a ReLU layer cannot be negative. Received: threshold={threshold}")
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: Any) -> Any:
        return activations.relu(as_floating(self, inputs), self.negative_slope, self.max_value, self.threshold)


@public("keras.layers")
class LeakyReLU(_Pointwise):
    """x where it is positive, else ``negative_slope * x``."""

    saved = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(
                f"negative_slope of a LeakyReLU layer cannot be negative. Received: negative_slope={negative_slope}"
            )
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Any:
        return activations.leaky_relu(as_floating(self, inputs), self.negative_slope)


@public("keras.layers")
class ELU(_Pointwise):
    """x where it is positive, else ``alpha * (exp(x) - 1)``."""

    saved = ("alpha",)

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        return activations.elu(as_floating(self, inputs), self.alpha)


@public("keras.layers")
class PReLU(_Pointwise):
    """x where it is positive, else ``alpha * x`` with a learned alpha per feature; it is shared along ``shared_axes``."""

    saved = ("alpha_initializer", "alpha_regularizer", "alpha_constraint", "shared_axes")

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = None if shared_axes is None else [shared_axes] if isinstance(shared_axes, int) else list(shared_axes)
        self.alpha: Any

    def build(self, input_shape: Shape) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            shape, self.alpha_initializer, name="alpha", regularizer=self.alpha_regularizer, constraint=self.alpha_constraint
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={i: n for i, n in enumerate(shape, 1) if n != 1})

    def call(self, inputs: Any) -> Any:
        x = as_floating(self, inputs)
        return activations.relu(x) - self.alpha * activations.relu(-x)


@public("keras.layers")
class Softmax(_Pointwise):
    """exp(x), scaled so that it sums to one along ``axis``. A boolean mask excludes positions."""

    saved = ("axis",)

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        x = as_floating(self, inputs)
        if mask is not None:
            x = x + (1.0 - ops.cast(mask, x.dtype)) * (x.dtype.min / 2)
        if isinstance(self.axis, (list, tuple)):
            if len(self.axis) > 1:
                return ops.exp(x - ops.reduce_logsumexp(x, axis=self.axis, keepdims=True))
            return activations.softmax(x, self.axis[0])
        return activations.softmax(x, self.axis)
