"""Where data enters a model. In: a shape without the batch axis; out: a symbolic tensor that stands for the data."""

from __future__ import annotations

from typing import Any

from weft.tracer.tensor import as_dtype

from .input_spec import InputSpec
from .layer import Layer
from .precision import floatx
from .serialization import public
from .symbolic import KerasTensor, record_call


@public("keras.layers")
class InputLayer(Layer):
    """The entry of a model. Give ``shape`` (without the batch axis), ``batch_shape`` (with it), or ``input_tensor``."""

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        input_dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            name=name, dtype=dtype or input_dtype or (input_tensor.dtype.name if input_tensor is not None else None)
        )
        self._batch_shape = _full_shape(shape, batch_size, kwargs.pop("batch_input_shape", batch_shape), input_tensor)
        if sparse or ragged:
            raise ValueError("Sparse and ragged inputs are not supported; pass dense arrays.")
        self.sparse, self.ragged, self.optional = sparse, ragged, optional
        self._dtype_name = as_dtype(dtype or input_dtype or floatx()).name
        self.built = True
        given = isinstance(input_tensor, KerasTensor)
        tensor = input_tensor if given else KerasTensor(self._batch_shape, self._dtype_name, self.name)
        self._tensor = record_call(self, (), {}, tensor)
        self.input_spec = InputSpec(shape=self._batch_shape, dtype=None, name=self.name)

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        return self._batch_shape

    @property
    def dtype(self) -> str:
        return self._dtype_name

    @property
    def input(self) -> Any:
        return self._tensor

    @property
    def output(self) -> Any:
        return self._tensor

    def call(self, *args: Any) -> Any:
        raise NotImplementedError(f"The input layer {self.name!r} cannot be called; use its output.")

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": list(self._batch_shape),
            "dtype": self._dtype_name,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
            "optional": self.optional,
        }


def _full_shape(shape: Any, batch_size: int | None, batch_shape: Any, tensor: Any) -> tuple[int | None, ...]:
    """The shape with the batch axis, from whatever was given of it."""
    if tensor is not None and batch_shape is None and shape is None:
        batch_shape = tuple(tensor.shape)
    if (shape is None) == (batch_shape is None):
        raise ValueError(f"Give either shape or batch_shape. Received: shape={shape}, batch_shape={batch_shape}")
    return _sizes(batch_shape if shape is None else (batch_size, *_sizes(shape)))


def _sizes(shape: Any) -> tuple[int | None, ...]:
    if isinstance(shape, int):
        raise ValueError(f"An input's shape is a tuple, for example ({shape},). Received: shape={shape}")
    sizes = tuple(None if s is None else int(s) for s in shape)
    if any(s is not None and s < 0 for s in sizes):
        raise ValueError(f"Sizes cannot be negative. Received: shape={sizes}")
    return sizes


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool = False,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
    ragged: bool = False,
) -> Any:
    """A symbolic tensor for data of this shape (without the batch axis; None where a size is not known)."""
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        input_tensor=tensor,
        optional=optional,
        name=name,
    )
    return layer.output
