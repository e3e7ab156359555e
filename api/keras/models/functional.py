"""Models made of symbolic tensors. In: inputs and outputs, single or nested; out: a model that repeats the calls between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.layers.input_layer import InputLayer
from weft.layers.input_spec import InputSpec
from weft.layers.layer import Layer
from weft.layers.serialization import public
from weft.layers.shapes import static
from weft.layers.symbolic import KerasTensor
from weft.layers.tracking import unique
from weft.tracer import ops, tree

from .function_graph import FunctionGraph
from .model import Model


@public("keras")
class Functional(Model):
    """``Model(inputs, outputs)``: inputs and outputs keep the structure they were given in."""

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        trainable = kwargs.pop("trainable", True)
        Model.__init__(self, name=name, **kwargs)
        for what, value in (("inputs", inputs), ("outputs", outputs)):
            for tensor in tree.leaves_of(value):
                if not isinstance(tensor, KerasTensor):
                    raise ValueError(f"All {what} of a model must be symbolic tensors (keras.Input). Received: {tensor!r}")
        self._inputs_struct, self._outputs_struct = inputs, outputs
        self.inputs, self.outputs = tree.leaves_of(inputs), tree.leaves_of(outputs)
        self._graph = FunctionGraph(self.inputs, self.outputs)
        self._check_names()
        self._specs = _specs(inputs)
        self.input_names = [t._keras_history.operation.name for t in self.inputs]
        self.output_names = [t._keras_history.operation.name for t in self.outputs]
        self.autocast = False  # every input is cast to the dtype it was declared with
        self.built = True
        if not trainable:
            self.trainable = False

    def _check_names(self) -> None:
        seen: dict[str, Any] = {}
        for operation in self._graph.operations:
            if seen.setdefault(operation.name, operation) is not operation:
                raise ValueError(
                    f"The name {operation.name!r} is used {2} times in the model. All operation names should be unique."
                )

    @property
    def operations(self) -> list[Any]:
        """Layers and operations on symbolic tensors, in order."""
        return list(self._graph.operations)

    @property
    def layers(self) -> list[Any]:
        """The layers between inputs and outputs, the input layers included, as Keras orders them."""
        return [op for op in self._graph.operations if isinstance(op, Layer)]

    def _layers_among(self, owned: list[Any]) -> list[Any]:
        graph = self.__dict__.get("_graph")
        attached = super()._layers_among(owned)
        return attached if graph is None else unique([*self.layers, *attached])

    @property
    def input(self) -> Any:
        return self._inputs_struct

    @property
    def output(self) -> Any:
        return self._outputs_struct

    @property
    def input_shape(self) -> Any:
        """The shape of the input, or a list of them."""
        return _single([static(t.shape) for t in self.inputs])

    @property
    def output_shape(self) -> Any:
        """The shape of the output, or a list of them."""
        return _single([static(t.shape) for t in self.outputs])

    @property
    def input_spec(self) -> Any:
        """What the inputs must look like; checked at every call."""
        return self.__dict__.get("_specs")

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        raise AttributeError("The input_spec of a functional model follows from its inputs and cannot be set.")

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args and "_graph" in self.__dict__:
            args = (self._by_position(args[0]), *args[1:])
        return super().__call__(*args, **kwargs)

    def _by_position(self, inputs: Any) -> Any:
        """The inputs in the model's own structure: a dictionary is matched by name, a lone tensor stands for a list of one."""
        struct = self._inputs_struct
        if isinstance(inputs, Mapping) and not isinstance(struct, Mapping):
            names = {t.name: t for t in self.inputs}
            missing = [n for n in names if n not in inputs]
            if missing:
                raise ValueError(
                    f"The model {self.name!r} needs the input {missing[0]!r}. Its inputs: {list(names)}. Received: {list(inputs)}"
                )
            picked = [inputs[n] for n in names]
            return picked[0] if isinstance(struct, KerasTensor) else picked
        if isinstance(struct, Mapping) and isinstance(inputs, (list, tuple)) and len(inputs) == len(struct):
            return dict(zip(struct, inputs, strict=True))
        if isinstance(struct, Mapping) and isinstance(inputs, Mapping):
            return {n: inputs[n] for n in struct if n in inputs}  # further entries are not the model's business
        if isinstance(struct, (list, tuple)) and len(struct) == 1 and not isinstance(inputs, (list, tuple, Mapping)):
            return [inputs]
        lone = isinstance(struct, KerasTensor) and isinstance(inputs, (list, tuple)) and len(inputs) == 1
        if lone and len(getattr(inputs[0], "shape", ())) == len(struct.shape):
            return inputs[0]
        return inputs

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        values = [self._fit(x, t) for x, t in zip(tree.leaves_of(inputs), self.inputs, strict=True)]
        outputs = self._graph.run(values)
        if len(outputs) == 1 and isinstance(self._outputs_struct, (list, tuple)):
            return outputs[0]  # ``Model([x], [y])`` gives what ``Model(x, y)`` gives
        return tree.pack_sequence_as(self._outputs_struct, outputs)

    @staticmethod
    def _fit(x: Any, declared: KerasTensor) -> Any:
        """The value with the declared dtype, and without (or with) a last axis of size 1 if that makes the ranks equal."""
        if x.dtype is not declared.dtype:
            x = ops.cast(x, declared.dtype)
        rank, wanted = len(x.shape), len(declared.shape)
        if rank == wanted + 1 and x.shape[-1] == 1:
            return ops.squeeze(x, axis=-1)
        if rank == wanted - 1 and declared.shape[-1] == 1:
            return ops.expand_dims(x, -1)
        return x

    def get_config(self) -> dict[str, Any]:
        """The layers and calls as data."""
        if type(self).get_config is not Functional.get_config or not _is_plain(type(self)):
            return Model.get_config(self)
        from .functional_config import write_config  # for those who save

        return write_config(self)


def _is_plain(cls: type) -> bool:
    """Whether the class can be built from inputs and outputs alone."""
    return cls is Functional or "__init__" not in getattr(cls, "_wrapped_class", cls).__dict__


def _specs(struct: Any) -> list[InputSpec] | InputSpec | None:
    """The specification of each input; None for a deeper structure with names."""
    if isinstance(struct, KerasTensor):
        return _spec(struct)
    if isinstance(struct, Mapping):
        plain = all(isinstance(t, KerasTensor) for t in struct.values())
        return [_spec(struct[name], name) for name in sorted(struct)] if plain else None
    return [_spec(t) for t in tree.leaves_of(struct)]


def _spec(tensor: KerasTensor, name: str | None = None) -> InputSpec:
    layer = tensor._keras_history.operation
    optional = isinstance(layer, InputLayer) and layer.optional
    sizes = static(tensor.shape)
    return InputSpec(shape=(None, *sizes[1:]), allow_last_axis_squeeze=True, name=name or layer.name, optional=optional)


def _single(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values

