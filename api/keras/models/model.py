"""`Model`: a layer that can be trained. In: layers as attributes and a ``call``, or symbolic inputs and outputs; out: a model.

Training itself (compile, fit, evaluate, predict) comes from ``trainers``; this file says what a model is made of.
"""

from __future__ import annotations

from typing import Any

from weft.layers.layer import Layer
from weft.layers.naming import near_matches
from weft.layers.serialization import deserialize_object, public, serialize_object
from weft.layers.shapes import as_shapes, map_shapes
from weft.layers.symbolic import KerasTensor, infer_outputs

from ..trainers.trainer import Trainer


def is_functional_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a constructor's arguments are symbolic inputs and outputs."""
    return len(args) >= 2 or (len(args) == 1 and "outputs" in kwargs) or ("inputs" in kwargs and "outputs" in kwargs)


@public("keras")
class Model(Trainer, Layer):
    """A group of layers with training. Three ways to make one:

    ``Model(inputs, outputs)`` from symbolic tensors, `Sequential` from a list, or a subclass with layers as attributes and a
    ``call(self, inputs, training=None)``.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and is_functional_call(args, kwargs):
            return super().__new__(_functional_class(), *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if is_functional_call(args, kwargs) and not isinstance(self, functional := _functional_class()):
            cls = type(self)  # a subclass that hands inputs and outputs to super().__init__
            self.__class__ = type(cls.__name__, (cls, functional), {"__module__": cls.__module__, "_wrapped_class": cls})
            functional.__init__(self, *args, **kwargs)
            return
        if args:
            raise TypeError(f"{type(self).__name__} takes symbolic inputs and outputs, or only keywords. Received: {args}")
        Layer.__init__(self, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"Model {type(self).__name__} does not have a `call()` method implemented.")

    # -- building ------------------------------------------------------------------------------------------------------------

    def build(self, input_shape: Any = None) -> None:
        """Makes all weights for inputs of this shape (with the batch axis), by tracing ``call``."""
        if input_shape is None:
            raise ValueError(
                f"build() of model {self.name!r} needs the shape of the inputs, with the batch axis. Received: None"
            )
        inputs = map_shapes(lambda s: KerasTensor(s, self.compute_dtype), as_shapes(input_shape))
        infer_outputs(self.call, (inputs,), {})

    def _build_from(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if type(self).build is Model.build:
            self.built = True  # the layers inside build themselves in the call that follows
        else:
            super()._build_from(args, kwargs)

    # -- the layers ----------------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Any]:
        """The layers directly inside, in the order in which they were attached."""
        return list(self._layers_inside)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """The layer of this name, or at this place. ValueError, with the near matches, if there is none."""
        if (name is None) == (index is None):
            raise ValueError(f"Give either the name or the index of a layer. Received: name={name!r}, index={index!r}")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"Was asked to retrieve layer at index {index} but model only has {len(layers)} layers.")
            return layers[index]
        found = next((layer for layer in layers if layer.name == name), None)
        if found is None:
            raise ValueError(f"No such layer: {name}. {near_matches(str(name), [layer.name for layer in layers])}")
        return found

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Prints a table of the layers with their output shapes and numbers of parameters."""
        from .summary import print_summary  # for those who print

        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    # -- description ---------------------------------------------------------------------------------------------------------

    def to_json(self, **kwargs: Any) -> str:
        """The structure as JSON text, for `model_from_json`; without weights."""
        import json  # for those who save

        return json.dumps(serialize_object(self), **kwargs)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model of this class with these settings, and new weights."""
        if {"name", "layers", "input_layers", "output_layers"} <= set(config):
            from .functional_config import read_config  # for those who load

            return read_config(cls, config, custom_objects)
        return super().from_config(config)


def model_from_json(text: str, custom_objects: Any = None) -> Any:
    """The model that `Model.to_json` described, with new weights."""
    import json  # for those who load

    return deserialize_object(json.loads(text), custom_objects)


def _functional_class() -> Any:
    """What is made of symbolic inputs and outputs; its file needs this one first."""
    from .functional import Functional

    return Functional
