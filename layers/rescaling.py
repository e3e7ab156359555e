"""Fixed preparation of inputs inside the model. In: raw numbers of any dtype; out: floating numbers of the same shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from weft.tracer import ops

from .layer import Layer
from .serialization import public
from .shapes import Shape


@public("keras.layers")
class Rescaling(Layer):
    """``x * scale + offset``; integers are cast first. scale, offset: numbers, or lists along the last axis."""

    saved = ("scale", "offset")

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset

    def call(self, inputs: Any) -> Any:
        x = inputs if inputs.dtype.name == self.compute_dtype else ops.cast(inputs, self.compute_dtype)
        return x * self._number(self.scale) + self._number(self.offset)

    def _number(self, value: Any) -> Any:
        return float(value) if np.ndim(value) == 0 else ops.constant(np.asarray(value, self.compute_dtype))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
