"""Models that are a plain stack of layers. In: layers, the first perhaps with its input's shape; out: a model."""

from __future__ import annotations

from typing import Any

from weft.layers.input_layer import InputLayer
from weft.layers.layer import Layer
from weft.layers.serialization import deserialize_object, public, serialize_object
from weft.layers.shapes import is_shape
from weft.layers.symbolic import KerasTensor

from .functional import Functional
from .model import Model


@public("keras")
class Sequential(Model):
    """``Sequential([Dense(64), Dense(10)])``: each layer takes the output of the one before.

    With `Input` (or ``input_shape=``) at the front it is built at once, otherwise by its first call.
    """

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        self._stack: list[Layer] = []
        self._functional: Functional | None = None
        self._entry_dtype: str | None = None
        if isinstance(layers, Layer):
            raise TypeError(f"Sequential takes a list of layers. Received: {layers!r}")
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Puts a layer (or what `Input` gives) on top of the stack."""
        if not self._stack and getattr(layer, "_input_shape_arg", None) is not None:
            self._stack.append(InputLayer(batch_shape=layer._input_shape_arg))
        if isinstance(layer, KerasTensor) and isinstance(layer._keras_history.operation, InputLayer):
            layer = layer._keras_history.operation
        self._check(layer)
        self._stack.append(layer)
        self._functional = None
        self.built = False
        if rebuild:
            self._rebuild()

    def _check(self, layer: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(f"Only layers can be added to a Sequential model. Received: {layer!r} (of type {type(layer)})")
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(
                f"All layers added to a Sequential model should have unique names. Name '{layer.name}' is already the name of a "
                "layer in this model. Update the `name` argument to pass a unique name."
            )
        if isinstance(layer, InputLayer) and self._stack:
            if isinstance(self._stack[0], InputLayer):
                raise ValueError(
                    f"Sequential model '{self.name}' has already been configured to use input shape "
                    f"{self._stack[0].batch_shape}. You cannot add a different Input layer to it."
                )
            raise ValueError(
                f"An Input must come first in a Sequential model. Received: {layer.name!r} as layer {len(self._stack)}"
            )

    def pop(self, rebuild: bool = True) -> Layer:
        """Takes the last layer off and returns it."""
        if not self.layers:
            raise TypeError(f"There are no layers in the model {self.name!r}.")
        layer = self._stack.pop()
        self._functional = None
        self.built = False
        if rebuild:
            self._rebuild()
        return layer

    def _rebuild(self) -> None:
        if len(self._stack) > 1:
            first = self._stack[0]
            if isinstance(first, InputLayer):
                self.build(first.batch_shape)
            elif isinstance(first, (Functional, Sequential)) and first.built and is_shape(first.input_shape):
                self.build(first.input_shape)

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights of all layers for an input of this shape, with the batch axis."""
        if not self._stack:
            raise ValueError(f"Sequential model {self.name} cannot be built because it has no layers. Call `model.add(layer)`.")
        if input_shape is None and isinstance(self._stack[0], InputLayer):
            input_shape = self._stack[0].batch_shape
        if not is_shape(input_shape):
            raise ValueError(f"A Sequential model takes one tensor. Received: input_shape={input_shape}")
        first = self._stack[0]
        if not isinstance(first, InputLayer):
            dtype = self._entry_dtype or first.compute_dtype
            self._stack.insert(0, InputLayer(batch_shape=(None, *tuple(input_shape)[1:]), dtype=dtype))
        elif first.batch_shape != tuple(input_shape):
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured to use input shape {first.batch_shape}. You cannot "
                f"build it with input_shape {tuple(input_shape)}"
            )
        inputs = x = self._stack[0].output
        for layer in self._stack[1:]:
            x = layer(x)
        self._functional = Functional(inputs, x, name=self.name)

    def _build_from(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._stack:
            self.build()
        x = args[0] if args else next(iter(kwargs.values()))
        dtype = x.dtype
        self._entry_dtype = None if dtype.is_floating else dtype.name
        if isinstance(self._stack[0], InputLayer):
            self.build(self._stack[0].batch_shape)
        else:
            Layer._build_from(self, args, kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args and self._functional is not None:
            args = (self._functional._by_position(args[0]), *args[1:])
        return super().__call__(*args, **kwargs)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if self._functional is None:
            for layer in self.layers:
                inputs = layer(inputs)
            return inputs
        return self._functional.call(inputs)

    def _is_ready(self, x: Any) -> bool:
        return hasattr(x, "type")  # the functional model inside casts to the dtype of the input layer

    @property
    def layers(self) -> list[Any]:
        """The layers, without the input layer."""
        return self._stack[1:] if self._stack and isinstance(self._stack[0], InputLayer) else list(self._stack)

    def _inside(self, what: str) -> Any:
        if self._functional is None:
            raise AttributeError(
                f"The model {self.name!r} has no {what} yet because it is not built: give the first layer its input's shape "
                "(keras.Input), call build(input_shape), or call the model on data."
            )
        return getattr(self._functional, what)

    @property
    def input_spec(self) -> Any:
        functional = self.__dict__.get("_functional")  # an unfinished model has none, and no attribute is looked up for it
        return None if functional is None else functional.input_spec

    @property
    def input_shape(self) -> Any:
        return self._inside("input_shape")

    @property
    def output_shape(self) -> Any:
        return self._inside("output_shape")

    @property
    def inputs(self) -> Any:
        return self._inside("inputs")

    @property
    def outputs(self) -> Any:
        return self._inside("outputs")

    @property
    def input(self) -> Any:
        return self._inside("input")

    @property
    def output(self) -> Any:
        return self._inside("output")

    @property
    def input_names(self) -> Any:
        return self._inside("input_names")

    @property
    def output_names(self) -> Any:
        return self._inside("output_names")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The output's shape, layer by layer."""
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The stack as data, with the input's shape if it is known."""
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype_policy.name,
            "layers": [serialize_object(layer) for layer in self._stack],
        }
        if self._functional is not None:
            config["build_input_shape"] = list(self._stack[0].batch_shape)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model with the same stack, and new weights."""
        if "layers" not in config or "name" not in config:
            raise ValueError(f"The configuration of a Sequential model needs 'name' and 'layers'. Received: {sorted(config)}")
        model = cls(name=config["name"], trainable=config.get("trainable", True))
        for data in config["layers"]:
            model.add(deserialize_object(data, custom_objects), rebuild=False)
        model._rebuild()
        if model._functional is None and config.get("build_input_shape"):
            model.build(tuple(config["build_input_shape"]))
        return model
