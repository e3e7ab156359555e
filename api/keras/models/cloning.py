"""Copies of models with new weights. In: a model; out: a model of the same structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft.layers.input_layer import InputLayer
from weft.tracer import tree

from .functional import Functional
from .model import Model
from .sequential import Sequential


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A model with the same layers and settings, and newly drawn weights.

    clone_function: makes the copy of each layer that is no input; default ``layer.__class__.from_config(layer.get_config())``.
    """
    if not isinstance(model, (Functional, Sequential)) or type(model).__name__ not in ("Functional", "Sequential"):
        if clone_function is not None or input_tensors is not None:
            raise ValueError(
                "A subclassed model is cloned by its configuration only, without clone_function and input_tensors."
            )
        return type(model).from_config(model.get_config())
    copy = clone_function or _copy_layer
    if isinstance(model, Sequential):
        stack = [_copy_layer(x) if isinstance(x, InputLayer) else _copy(x, copy, recursive) for x in model._stack]
        if input_tensors is not None:
            stack = [input_tensors, *(x for x in stack if not isinstance(x, InputLayer))]
        clone = Sequential(stack, name=model.name, trainable=model.trainable)
        if clone._functional is None and model._functional is not None:
            clone.build(model.input_shape)
        return clone
    return _clone_functional(model, copy, recursive, input_tensors)


def _copy_layer(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


def _copy(layer: Any, copy: Callable[[Any], Any], recursive: bool) -> Any:
    if isinstance(layer, Model):
        return clone_model(layer, clone_function=copy if recursive else None)
    return copy(layer)


def _clone_functional(model: Any, copy: Callable[[Any], Any], recursive: bool, input_tensors: Any) -> Any:
    """Repeats the calls on copies of the layers."""
    copies: dict[int, Any] = {}
    given = (
        tree.leaves_of(input_tensors)
        if input_tensors is not None
        else [_copy_layer(t._keras_history.operation).output for t in model.inputs]
    )
    known = {id(t): new for t, new in zip(model.inputs, given, strict=True)}
    for node in model._graph.nodes:
        operation = node.operation
        if id(operation) not in copies:
            copies[id(operation)] = operation.copy() if hasattr(operation, "copy") else _copy(operation, copy, recursive)
        args, kwargs = tree.map_structure(lambda x: known.get(id(x), x), (node.args, node.kwargs))
        outputs = copies[id(operation)](*args, **kwargs)
        known.update((id(t), new) for t, new in zip(node.output_tensors, tree.leaves_of(outputs), strict=True))
    inputs, outputs = tree.map_structure(lambda t: known[id(t)], (model._inputs_struct, model._outputs_struct))
    return Functional(inputs, outputs, name=model.name, trainable=model.trainable)
