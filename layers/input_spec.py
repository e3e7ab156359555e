"""What a layer accepts. In: an `InputSpec` and the tensors of a call; out: nothing, or a ValueError with what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.tracer import tree

from .shapes import Shape, static


class InputSpec:
    """Rank, dtype, shape or single axes that a layer expects of one input; None means anything.

    axes: axis → size. allow_last_axis_squeeze: a last axis of size 1 may be missing or additional.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = dtype
        self.shape: Shape | None = None if shape is None else tuple(shape)
        self.ndim = ndim if shape is None else len(tuple(shape))
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(k): v for k, v in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name, self.optional = name, optional

    def get_config(self) -> dict[str, Any]:
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {n: getattr(self, n) for n in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        return cls(**config)

    def __repr__(self) -> str:
        shown = {
            "shape": self.shape,
            "ndim": self.ndim,
            "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim,
            "axes": self.axes,
        }
        return f"InputSpec({', '.join(f'{k}={v}' for k, v in shown.items() if v)})"

    def problem(self, shape: Shape, dtype: Any) -> str | None:
        """What is wrong with an input of this shape and dtype, or None."""
        if self.ndim is not None and len(shape) != self.ndim and not self.allow_last_axis_squeeze:
            return f"expected ndim={self.ndim}, found ndim={len(shape)}. Full shape received: {shape}"
        if self.max_ndim is not None and len(shape) > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={len(shape)}"
        if self.min_ndim is not None and len(shape) < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={len(shape)}. Full shape received: {shape}"
        if self.dtype is not None and dtype != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={getattr(dtype, 'name', dtype)}"
        for axis, size in self.axes.items():
            if size is not None and shape[axis] not in (size, None):
                return f"expected axis {axis} of input shape to have value {size}, but received input with shape {shape}"
        if self.shape is not None and not self._fits(shape):
            return f"expected shape={self.shape}, found shape={shape}"
        return None

    def fits(self, tensor: Any) -> bool:
        """Whether the tensor is what the spec asks for."""
        return self.problem(tensor.shape, tensor.dtype) is None

    def _fits(self, shape: Shape) -> bool:
        wanted = self.shape or ()
        if self.allow_last_axis_squeeze and len(shape) != len(wanted):
            shape = shape[:-1] if shape and shape[-1] == 1 else shape
            wanted = wanted[:-1] if wanted and wanted[-1] == 1 else wanted
        if len(shape) != len(wanted):
            return False
        return all(w is None or s is None or w == s for w, s in zip(wanted, shape, strict=True))


def check_inputs(spec: Any, inputs: Any, layer_name: str) -> None:
    """ValueError unless the inputs (a tensor or a structure of tensors) meet the spec (one or a structure of `InputSpec`)."""
    specs = tree.leaves_of(spec)
    if isinstance(inputs, Mapping) and specs and all(getattr(s, "name", None) for s in specs):
        missing = [s.name for s in specs if s.name not in inputs and not s.optional]
        if missing:
            raise ValueError(
                f'Missing data for input "{missing[0]}". You passed a data dictionary with keys {list(inputs)}. '
                f"Expected the following keys: {[s.name for s in specs]}"
            )
        inputs = [inputs.get(s.name) for s in specs]
    flat = tree.leaves_of(inputs)
    if len(flat) != len(specs):
        raise ValueError(
            f'Layer "{layer_name}" expects {len(specs)} input(s), but it received {len(flat)} input tensors. '
            f"Inputs received: {[getattr(x, 'shape', x) for x in flat]}"
        )
    for i, (x, one) in enumerate(zip(flat, specs, strict=True)):
        if one is None or (x is None and one.optional):
            continue
        if not hasattr(x, "shape"):
            raise ValueError(
                f"Inputs to a layer should be tensors. Received: {x!r} (of type {type(x)}) for layer {layer_name!r}."
            )
        problem = one.problem(static(x.shape), x.dtype)
        if problem is not None:
            named = f" with name '{one.name}'" if one.name else ""
            raise ValueError(f"Input {i}{named} of layer '{layer_name}' is incompatible with the layer: {problem}")
