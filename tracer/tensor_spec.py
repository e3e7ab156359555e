"""`TensorSpec`: the dtype and shape a function accepts. In: shape, dtype, name; out: a hashable description."""

from __future__ import annotations

from typing import Any

from weft.graph.dtype import DType, as_dtype, float32

from .tensor_shape import TensorShape


class TensorSpec:
    """Describes a tensor: ``TensorSpec([None, 784], float32)`` takes any number of rows.

    shape: sizes, None for "any", or a `Dim` for "any, but the same wherever this name stands". dtype: default float32.
    """

    __slots__ = ("dtype", "name", "shape")

    def __init__(self, shape: Any = None, dtype: Any = float32, name: str | None = None) -> None:
        self.shape = TensorShape(shape)
        self.dtype: DType = as_dtype(dtype)
        self.name = name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """The spec that only tensors like this one satisfy."""
        return cls(tensor.shape, tensor.dtype, name)

    @classmethod
    def from_spec(cls, spec: TensorSpec, name: str | None = None) -> TensorSpec:
        return cls(spec.shape, spec.dtype, name or spec.name)

    def is_compatible_with(self, value: Any) -> bool:
        """True if a tensor (or another spec) has this dtype and a shape that fits."""
        return self.dtype is as_dtype(value.dtype) and self.shape.is_compatible_with(value.shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and (self.shape, self.dtype, self.name) == (other.shape, other.dtype, other.name)

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self.shape}, dtype={self.dtype!r}, name={self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorSpec, (self.shape, self.dtype, self.name)
