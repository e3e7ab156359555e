"""Layers that only move elements. In: a tensor; out: the same elements under another shape. The batch axis is never touched."""

from __future__ import annotations

import math
from typing import Any

from weft.tracer import ops

from .input_spec import InputSpec
from .layer import Layer
from .precision import image_data_format
from .serialization import public
from .shapes import Shape


@public("keras.layers")
class Flatten(Layer):
    """All axes but the batch axis as one. data_format: ``channels_first`` moves the channels last before."""

    _keeps_dtype = True
    saved = ("data_format",)

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format or image_data_format()
        if self.data_format not in ("channels_last", "channels_first"):
            raise ValueError(f"data_format must be channels_last or channels_first. Received: data_format={data_format!r}")
        self.input_spec = InputSpec(min_ndim=1)
        self.autocast = False

    def call(self, inputs: Any) -> Any:
        rank = len(inputs.shape)
        if self.data_format == "channels_first" and rank > 1:
            inputs = ops.transpose(inputs, (0, *range(2, rank), 1))
        width = 1
        for size in tuple(inputs.shape)[1:]:
            width = width * size
        return ops.reshape(inputs, (inputs.shape[0], width))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        rest = input_shape[1:]
        return input_shape[0], None if None in rest else math.prod(rest)  # type: ignore[arg-type]  # without None


@public("keras.layers")
class Reshape(Layer):
    """The elements of each sample under the shape ``target_shape``; one size may be -1."""

    _keeps_dtype = True
    saved = ("target_shape",)

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        sizes = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        if sum(s == -1 for s in sizes) > 1:
            raise ValueError(f"Only one size of target_shape may be -1. Received: target_shape={sizes}")
        self.target_shape = tuple(int(s) for s in sizes)
        self.autocast = False

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        rest, target = input_shape[1:], self.target_shape
        if None in rest:
            return input_shape[0], *(None if s == -1 else s for s in target)
        total, known = math.prod(rest), math.prod(s for s in target if s != -1)  # type: ignore[arg-type]  # no None
        if (known == 0 or total % known) if -1 in target else total != known:
            raise ValueError(
                f"The total size of the tensor must be unchanged. Received: input_shape={rest}, target_shape={target} "
                f"in layer {self.name!r}"
            )
        return input_shape[0], *(total // known if s == -1 else s for s in target)

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(inputs.shape.as_list())
        if -1 not in self.target_shape:
            return ops.reshape(inputs, (inputs.shape[0], *self.target_shape))
        total, known = 1, math.prod(s for s in self.target_shape if s != -1)
        for size in tuple(inputs.shape)[1:]:
            total = total * size
        return ops.reshape(inputs, (inputs.shape[0], *(total // known if s == -1 else s for s in self.target_shape)))


@public("keras.layers")
class Permute(Layer):
    """The axes in another order; ``dims`` counts from 1 and leaves out the batch axis."""

    _keeps_dtype = True
    saved = ("dims",)

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(f"dims must name the axes 1 to {len(self.dims)} once each. Received: dims={dims}")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)
        self.autocast = False

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape[0], *(input_shape[d] for d in self.dims)

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, (0, *self.dims))


@public("keras.layers")
class RepeatVector(Layer):
    """Every row ``n`` times: (batch, features) becomes (batch, n, features)."""

    _keeps_dtype = True
    saved = ("n",)

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int):
            raise TypeError(f"RepeatVector takes an integer. Received: n={n!r} of type {type(n).__name__}")
        self.n = n
        self.input_spec = InputSpec(ndim=2)
        self.autocast = False

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape[0], self.n, input_shape[1]

    def call(self, inputs: Any) -> Any:
        batch, width = tuple(inputs.shape)
        return ops.broadcast_to(ops.expand_dims(inputs, 1), (batch, self.n, width))
