"""Functional models as data, in Keras' form. In: a model, or the dictionary; out: the dictionary, or a model with new weights."""

from __future__ import annotations

from typing import Any

from weft.graph.dims import parse_size
from weft.graph.op import REGISTRY
from weft.layers.serialization import custom_object_scope, deserialize_object, serialize_object
from weft.layers.shapes import static
from weft.layers.symbolic import KerasTensor, Operation
from weft.tracer import tree


def write_config(model: Any) -> dict[str, Any]:
    """``name``, ``trainable``, ``layers`` with their calls, ``input_layers`` and ``output_layers``."""
    index = _saved_indices(model)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": [_write_operation(op, model, index) for op in model.operations],
        "input_layers": tree.map_structure(lambda t: _write_tensor(t, index), model._inputs_struct),
        "output_layers": tree.map_structure(lambda t: _write_tensor(t, index), model._outputs_struct),
    }


def _first_index(operation: Any) -> int:
    """Calls of a nested functional model count from 1: in Keras its own construction is call 0."""
    return 1 if hasattr(operation, "_inputs_struct") else 0


def _saved_indices(model: Any) -> dict[tuple[int, int], int]:
    """(operation, call) -> its number among the calls that belong to the model."""
    index: dict[tuple[int, int], int] = {}
    for operation in model.operations:
        number = _first_index(operation)
        for i, node in enumerate(operation._inbound_nodes):
            if node in model._graph:
                index[id(operation), i] = number
                number += 1
    return index


def _write_tensor(tensor: KerasTensor, index: dict[tuple[int, int], int]) -> list[Any]:
    history = tensor._keras_history
    return [history.operation.name, index[id(history.operation), history.node_index], history.tensor_index]


def _write_operation(operation: Any, model: Any, index: dict[tuple[int, int], int]) -> dict[str, Any]:
    def write(value: Any) -> Any:
        if isinstance(value, KerasTensor):
            place = {
                "shape": list(static(value.shape)),
                "dtype": value.dtype.name,
                "keras_history": _write_tensor(value, index),
            }
            return {"class_name": "__keras_tensor__", "config": place}
        if isinstance(value, (list, tuple)):
            return [write(v) for v in value]
        if isinstance(value, dict):
            return {k: write(v) for k, v in value.items()}
        return serialize_object(value.numpy() if hasattr(value, "numpy") else value)

    if isinstance(operation, Operation):
        config: dict[str, Any] = {
            "module": "weft",
            "class_name": "Operation",
            "registered_name": None,
            "config": {"name": operation.name, "op": operation.op.name, "attributes": write_attributes(operation)},
        }
    else:
        config = serialize_object(operation)
    calls = [n for n in operation._inbound_nodes if n in model._graph and not n.is_input]
    nodes = [{"args": [write(a) for a in n.args], "kwargs": write(dict(n.kwargs))} for n in calls]
    return {**config, "name": operation.name, "inbound_nodes": nodes}


def write_attributes(operation: Operation) -> dict[str, Any]:
    """The operation's attributes as JSON-able data."""
    out: dict[str, Any] = {}
    for name, value in operation.attrs.items():
        out[name] = _write_attribute(value)
    return out


def _write_attribute(value: Any) -> Any:
    if isinstance(value, tuple):
        return {"class_name": "__tuple__", "config": [_write_attribute(v) for v in value]}
    if hasattr(value, "substitute"):
        return {"class_name": "__size__", "config": str(value)}
    return serialize_object(value)


def _read_attribute(value: Any) -> Any:
    if isinstance(value, dict) and value.get("class_name") == "__tuple__":
        return tuple(_read_attribute(v) for v in value["config"])
    if isinstance(value, dict) and value.get("class_name") == "__size__":
        return parse_size(value["config"])
    return value


def read_config(cls: Any, config: dict[str, Any], custom_objects: Any = None) -> Any:
    """The model that `write_config` described."""
    with custom_object_scope(custom_objects or {}):
        operations = {data["name"]: _read_operation(data) for data in config["layers"]}
        waiting = {data["name"]: list(data.get("inbound_nodes", ())) for data in config["layers"]}
        while any(waiting.values()):
            called = [_call_ready(operations, name, calls) for name, calls in waiting.items() if calls]
            if not any(called):
                raise ValueError(f"The calls of these layers depend on each other: {[n for n, c in waiting.items() if c]}.")
        inputs = _read_places(config["input_layers"], operations)
        outputs = _read_places(config["output_layers"], operations)
    extra = {k: v for k, v in config.items() if k not in ("layers", "input_layers", "output_layers", "name", "trainable")}
    return cls(inputs=inputs, outputs=outputs, name=config["name"], trainable=config.get("trainable", True), **extra)


def _read_operation(data: dict[str, Any]) -> Any:
    if data["class_name"] == "Operation":
        settings = data["config"]
        if settings["op"] not in REGISTRY:
            raise ValueError(f"There is no op called {settings['op']!r}.")
        attributes = {k: _read_attribute(v) for k, v in settings["attributes"].items()}
        return Operation(REGISTRY[settings["op"]], attributes, settings["name"])
    return deserialize_object(data)


class _NotYet(Exception):
    """A tensor that a call needs has not been made yet."""


def _call_ready(operations: dict[str, Any], name: str, calls: list[Any]) -> bool:
    """Repeats the layer's calls as far as their inputs exist; whether there was one."""
    done = 0
    for call in list(calls):
        try:
            args = [_read_value(a, operations) for a in call["args"]]
            kwargs = {k: _read_value(v, operations) for k, v in call.get("kwargs", {}).items()}
        except _NotYet:
            break
        operations[name](*args, **kwargs)
        calls.pop(0)
        done += 1
    return done > 0


def _find(place: Any, operations: dict[str, Any]) -> Any:
    name, node, tensor = place
    operation = operations[name]
    node -= _first_index(operation)
    if node >= len(operation._inbound_nodes):
        raise _NotYet
    return operation._inbound_nodes[node].output_tensors[tensor]


def _read_value(value: Any, operations: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return _find(value["config"]["keras_history"], operations)
        if "class_name" in value and "config" in value:
            return deserialize_object(value)
        return {k: _read_value(v, operations) for k, v in value.items()}
    return [_read_value(v, operations) for v in value] if isinstance(value, list) else value


def _read_places(value: Any, operations: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {k: _read_places(v, operations) for k, v in value.items()}
    if len(value) == 3 and isinstance(value[0], str) and isinstance(value[1], int):
        return _find(value, operations)
    return [_read_places(v, operations) for v in value]
