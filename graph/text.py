"""Graphs as text. In: a `Graph`; out: the notation that dumps, errors, golden tests and bug reports use, and its fingerprint.

::

    variable @dense/kernel: f32[784,64]

    graph step(%0):
      %0: f32[batch,784] = parameter(name="x")
      %1: f32[784,64] = read(variable=@dense/kernel)
      %2: f32[batch,64] = matmul(%0, %1)  # train.py:12 dense_1
      %3: f32[batch,64] = maximum(%2, 0.0)  # train.py:12 dense_1
      return %3
      write @dense/kernel = %1

Scalar constants stand where they are used: ``0.0`` has the dtype of the first other argument, ``f32(0.0)`` says its own. Array
constants of at most 16 elements are spelled out, constants of equal elements as that element, others by the hash of their
content (``$1f2e...``); `literals` gives the arrays. Attributes at their default, ``uid`` and a type equal to the node's are
not shown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .conditions import constant_value
from .dims import Dim, Size
from .dtype import BY_SHORT, DType
from .ir import ArrayType, Graph, Literal, Node, VariableRef, _attr_key

__all__ = ["fingerprint", "graph_tree", "literals", "to_text"]

SPELLED_OUT = 16  # elements
SHOWN_ORIGINS = 3
RESERVED = frozenset((*BY_SHORT, "True", "False", "None", "inf", "nan"))


def to_text(graph: Graph, origins: bool = True) -> str:
    """The graph in weft's notation, the same text for the same graph. origins: end lines with where they come from.

    `text_parser.parse` is the inverse, given `literals` of the graph if it holds large constants.
    """
    return _Printer(graph, origins).text()


def literals(graph: Graph) -> dict[str, np.ndarray]:
    """The large constants that the text names by hash."""
    found = {}
    for part in graph_tree(graph):
        for node in part.nodes():
            for value in node.attrs.values():
                if isinstance(value, Literal) and not _is_spelled_out(value.array):
                    found[content_hash(value.array)] = value.array
    return found


def fingerprint(graph: Graph) -> str:
    """64 hex digits that are equal for graphs that compute the same in the same way.

    Taken over the canonical text with every constant's content. Uids, the names of graph and variables, and origins do not count;
    but the origins of nodes that can fail do, because compiled code that is stored under the fingerprint names them.
    TypeError if an attribute has no text (a Python function, say), because then nothing stands for its content.
    """
    printer = _Printer(graph, origins=False, anonymous=True)
    text = printer.text()
    if printer.unreadable:
        raise TypeError(f"This graph has no fingerprint: {printer.unreadable[0]} has no text form.")
    return hashlib.sha256(text.encode()).hexdigest()


def graph_tree(graph: Graph) -> Iterator[Graph]:
    """The graph and every graph that its nodes hold, inner ones first, each once."""
    done: set[int] = set()

    def visit(part: Graph) -> Iterator[Graph]:
        if id(part) in done:
            return
        done.add(id(part))
        for node in part.nodes():
            for value in node.attrs.values():
                if isinstance(value, Graph):
                    yield from visit(value)
        yield part

    return visit(graph)


def content_hash(array: np.ndarray, digits: int = 16) -> str:
    """The first digits of the SHA-256 of dtype, shape and bytes."""
    sha = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()[:digits]


def element_text(value: Any) -> str:
    """One array element, so that reading it gives the same bits."""
    dtype = value.dtype
    if dtype.kind == "b":
        return str(bool(value))
    if dtype.kind in "iu":
        return str(int(value))
    for text in (str(value), repr(float(value))):
        if dtype.type(text).tobytes() == value.tobytes():
            return text if any(c in text for c in ".en") else f"{text}.0"
    return f"0x{int(value.view(f'u{dtype.itemsize}')):x}"  # a NaN with a payload


def size_text(size: Size) -> str:
    """A size as an attribute: ``batch*28``; in angle brackets if it could be taken for something else."""
    text = str(size)
    return f"<{text}>" if isinstance(size, Dim) and text in RESERVED else text


def _is_spelled_out(array: np.ndarray) -> bool:
    return array.size <= SPELLED_OUT or _is_uniform(array)


def _is_uniform(array: np.ndarray) -> bool:
    """Whether all elements have the same bits."""
    if array.size == 0:
        return False
    bits = array.reshape(-1).view(f"u{array.dtype.itemsize}")
    return bool((bits == bits[0]).all())


class _Printer:
    """Writes one graph with all it holds. anonymous: leaves out names, writes full hashes."""

    def __init__(self, graph: Graph, origins: bool, anonymous: bool = False) -> None:
        self.parts = list(graph_tree(graph))
        self.origins = origins
        self.anonymous = anonymous
        self.labels: dict[VariableRef, str] = {}
        self.subgraphs = {id(part): f"&{i}" for i, part in enumerate(self.parts[:-1])}
        self.unreadable: list[str] = []

    def text(self) -> str:
        blocks = [self.graph_text(part) for part in self.parts]
        variables = [self.declaration(v, label) for v, label in self.labels.items()]
        return "\n\n".join([*(["\n".join(variables)] if variables else []), *blocks]) + "\n"

    def declaration(self, variable: VariableRef, label: str) -> str:
        name = "" if self.anonymous or label == f"@{variable.name}" else f" = {quoted(variable.name)}"
        return f"variable {label}: {variable.type}{name}"

    def graph_text(self, graph: Graph) -> str:
        numbers: dict[Node, str] = {}
        lines = []
        for node in graph.nodes():
            if not _is_inline(node):
                numbers[node] = f"%{len(numbers)}"
                lines.append(f"  {numbers[node]}: {node.type} = {self.call(node, numbers)}{self.comment(node)}")
        show = [f"return {self.operands(graph.outputs, numbers)}".rstrip()]
        show += [f"write {self.variable(v)} = {self.operand(n, None, numbers)}" for v, n in graph.writes]
        if graph.token is not None:
            show.append(f"effects {numbers[graph.token]}")
        name = "graph" if self.anonymous else graph.name
        name = name if re.fullmatch(r"[A-Za-z_]\w*", name) else quoted(name)
        label = f"{self.subgraphs[id(graph)]} " if id(graph) in self.subgraphs else ""
        return "\n".join([f"graph {label}{name}({self.operands(graph.inputs, numbers)}):", *lines, *(f"  {s}" for s in show)])

    def operands(self, nodes: tuple[Node, ...], numbers: Mapping[Node, str]) -> str:
        return ", ".join(self.operand(n, None, numbers) for n in nodes)

    def call(self, node: Node, numbers: Mapping[Node, str]) -> str:
        implied = next((a.dtype for a in node.args if a in numbers and isinstance(a.type, ArrayType)), None)
        parts = [self.operand(a, implied, numbers) for a in node.args]
        for name, value in node.attrs.items():
            if isinstance(value, Literal) and value.array.shape == node.type.shape and value.array.dtype == node.dtype.np:
                parts.append(self.literal(value))
            elif not self.is_implied(node, name, value):
                parts.append(f"{name}={self.value(value, node)}")
        return f"{node.op.name}({', '.join(parts)})"

    def is_implied(self, node: Node, name: str, value: Any) -> bool:
        if name == "uid" or (name == "type" and value == node.type):
            return True
        default = node.op.attributes.get(name, ...)
        return default is not ... and _attr_key(default) == _attr_key(value)

    def operand(self, node: Node, implied: DType | None, numbers: Mapping[Node, str]) -> str:
        if node in numbers:
            return numbers[node]
        array = constant_value(node)
        assert array is not None
        text = element_text(array[()])
        return text if node.dtype is implied else f"{node.dtype.short}({text})"

    def literal(self, value: Literal) -> str:
        array = value.array
        if _is_uniform(array):
            return element_text(array.reshape(-1)[0])
        if array.size <= SPELLED_OUT:
            return f"[{', '.join(element_text(e) for e in array.reshape(-1))}]"
        return f"${content_hash(array, 64 if self.anonymous else 16)}"

    def value(self, value: Any, node: Node) -> str:
        if value is None or isinstance(value, (bool, np.bool_)):
            return str(value)
        if isinstance(value, (int, np.integer, Dim)):
            return size_text(value if isinstance(value, Dim) else int(value))
        if isinstance(value, (float, np.floating)):
            return repr(float(value))
        if isinstance(value, str):
            return quoted(value)
        if isinstance(value, tuple):
            return f"({', '.join(self.value(v, node) for v in value)}{',' * (len(value) == 1)})"
        if isinstance(value, DType):
            return value.short
        if isinstance(value, VariableRef):
            return self.variable(value)
        if isinstance(value, Graph) and id(value) in self.subgraphs:
            return self.subgraphs[id(value)]
        if isinstance(value, ArrayType):
            return str(value)
        self.unreadable.append(f"the attribute {value!r} of {node.op.name}")
        return f"?{quoted(repr(value))}"

    def variable(self, variable: VariableRef) -> str:
        if variable not in self.labels:
            plain = re.sub(r"[^\w./:-]", "_", variable.name) or "_"
            label = f"@{len(self.labels)}" if self.anonymous else f"@{plain}"
            taken = set(self.labels.values())
            tries = iter(range(1, len(taken) + 2))
            while label in taken:
                label = f"@{plain}~{next(tries)}"
            self.labels[variable] = label
        return self.labels[variable]

    def comment(self, node: Node) -> str:
        if self.anonymous and node.origins and can_fail(node):
            return f"  # {'; '.join(map(str, node.origins))}"
        if not (self.origins and node.origins):
            return ""
        return f"  # {'; '.join(map(str, node.origins[:SHOWN_ORIGINS]))}"


def quoted(text: str) -> str:
    """The text as JSON writes it."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    import json  # four modules, which few texts need

    return json.dumps(text)


def can_fail(node: Node) -> bool:
    """Whether running the node may raise an error that names the user's line."""
    return node.op.family in ("effect", "gather") or bool(getattr(node.op, "check", ""))


def _is_inline(node: Node) -> bool:
    """Scalar constants are written where they are used."""
    return constant_value(node) is not None and not node.type.shape
