"""The summary of a model. In: a model; out: the text that Keras 3 prints, without colours."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from weft.layers.shapes import map_shapes, static
from weft.tracer import tree

from .text_table import draw_table


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Any = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Prints the table of layers and the totals.

    line_length: at most the terminal's width less 4 if None. positions: where columns end, as shares of the line. print_fn: gets
    the whole text instead of standard output. expand_nested: also the layers of models inside. layer_range: regular expressions
    for the first and the last layer to show.
    """
    import shutil  # with compression behind it, for those who print

    layers = list(getattr(model, "operations", None) or model.layers)
    linear = _is_linear(model)
    header, align, places, length = _columns(linear, positions, show_trainable)
    line_length = line_length or min(length, shutil.get_terminal_size().columns - 4)
    rows: list[list[str]] = []
    for layer in _chosen(layers, layer_range):
        rows.extend(_rows(layer, None if linear else model, expand_nested, show_trainable, 0))
    table = draw_table(header, rows, _widths(places, line_length), align, line_length)
    text = "\n".join([f'Model: "{model.name}"', *table, *_totals(model)]) + "\n"
    if print_fn is None:
        print(text, end="")
    else:
        print_fn(text)


def _columns(
    linear: bool, positions: Sequence[float] | None, show_trainable: bool
) -> tuple[list[str], list[str], list[float], int]:
    """Titles, alignments and ends of the columns, and how long a line is that has room for them."""
    header, align = ["Layer (type)", "Output Shape", "Param #"], ["left", "left", "right"]
    length, places = 88, list(positions or ([0.45, 0.80, 1.0] if linear else [0.3, 0.56, 0.74, 1.0]))
    if not linear:
        header.append("Connected to")
        align.append("left")
        length = 108
    if show_trainable:
        header.append("Trainable")
        align.append("center")
        length += 12
        places = [p * 0.90 for p in places] + [1.0]
    return header, align, places, length


def _widths(places: Sequence[float], line_length: int) -> list[int]:
    ends = [int(p * line_length) for p in places]
    widths = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    if min(widths) < 4:
        raise ValueError(f"The line is too short for the summary. Received: line_length={line_length}")
    return widths


def _is_linear(model: Any) -> bool:
    """Whether the calls form one chain without shared layers, so that the column of connections can be left out."""
    graph = model.__dict__.get("_graph")
    if graph is None:
        return True
    nodes = []
    for level in graph.by_depth.values():
        if len(level) > 1 or len(level[0].input_tensors) > 1:
            return False
        nodes.extend(level)
    return len({id(n.operation) for n in nodes}) == len(nodes)


def _chosen(layers: list[Any], layer_range: Sequence[str] | None) -> list[Any]:
    if layer_range is None:
        return layers
    if len(layer_range) != 2:
        raise ValueError(f"layer_range takes the names of the first and the last layer. Received: layer_range={layer_range}")
    first = [i for i, layer in enumerate(layers) if re.match(layer_range[0], layer.name)]
    last = [i for i, layer in enumerate(layers) if re.match(layer_range[1], layer.name)]
    if not first or not last:
        raise ValueError(f"No layer has such a name. Received: layer_range={layer_range}")
    return layers[min(*first, *last) : max(*first, *last) + 1]


def _rows(layer: Any, graph_model: Any, expand: bool, show_trainable: bool, level: int) -> list[list[str]]:
    prefix = f"{'   ' * level}└ " if level else ""
    kind = getattr(layer, "type_name", type(layer).__name__)
    row = [f"{prefix}{layer.name} ({kind})", _shape_text(layer), f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"]
    if graph_model is not None:
        row.append(_connections(layer, graph_model._graph))
    if show_trainable:
        row.append("-" if not getattr(layer, "weights", None) else "Y" if layer.trainable else "N")
    rows = [row]
    if expand:
        for inner in getattr(layer, "layers", ()):
            rows.extend(_rows(inner, graph_model, expand, show_trainable, level + 1))
    return rows


def _connections(layer: Any, graph: Any) -> str:
    found: list[str] = []
    for node in layer._inbound_nodes:
        if node in graph:
            histories = [t._keras_history for t in node.input_tensors]
            found.extend(f"{h.operation.name}[{h.node_index}][{h.tensor_index}]" for h in histories)
    return ", ".join(found) or "-"


def _tuple_text(shape: Any) -> str:
    return f"({', '.join(map(str, shape))})"


def _shape_text(layer: Any) -> str:
    """The output's shape: from the last symbolic call, else from the shapes the layer was built with."""
    if layer._inbound_nodes:
        shapes = tree.map_structure(lambda t: _tuple_text(static(t.shape)), layer._inbound_nodes[-1].outputs)
    elif getattr(layer, "_build_shapes", None) is None:
        return "?"
    else:
        args, kwargs = layer._build_shapes
        try:
            shapes = map_shapes(_tuple_text, layer.compute_output_shape(*args, **kwargs))
        except NotImplementedError:
            return "?"
    flat = tree.leaves_of(shapes)
    return flat[0] if len(flat) == 1 else str(shapes).replace("'", "")


def _count(variables: Sequence[Any]) -> tuple[int, int]:
    """Elements and bytes."""
    return sum(math.prod(v.shape) for v in variables), sum(math.prod(v.shape) * v.dtype.size for v in variables)


def _size_text(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def _totals(model: Any) -> list[str]:
    trainable, fixed = _count(model.trainable_weights), _count(model.non_trainable_weights)
    optimizer = getattr(model, "optimizer", None)
    built = bool(getattr(model, "compiled", False) and optimizer is not None and getattr(optimizer, "built", False))
    slots = _count(optimizer.variables) if built and optimizer is not None else (0, 0)
    parts = [
        ("Total", tuple(map(sum, zip(trainable, fixed, slots, strict=True)))),
        ("Trainable", trainable),
        ("Non-trainable", fixed),
        *([("Optimizer", slots)] if built else []),
    ]
    return [f" {what} params: {count:,} ({_size_text(size)})" for what, (count, size) in parts]
