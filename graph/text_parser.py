"""Reading the text form, which ``text`` describes. In: text written by `text.to_text` or by hand; out: the `Graph`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .build import _parameter_ids, constant
from .dims import parse_size
from .dtype import BY_SHORT, DType
from .ir import ArrayType, Graph, Literal, Node, TokenType, TupleType, Type, VariableRef, make
from .op import REGISTRY, Op
from .origin import Origin, Origins, created_at

TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>"(?:\\.|[^"\\])*") | (?P<node>%\d+) | (?P<variable>@[\w./:~-]*[\w./~-]) | (?P<graph>&\d+) | (?P<hash>\$[0-9a-f]+)
    | (?P<bits>0x[0-9a-f]+)
    | (?P<float>-?(?:\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+|(?:inf|nan)(?![\w*+])))
    | (?P<size>-?\w+(?:[*+]-?\w+)*)
    | (?P<mark>[()\[\]<>,=:?])
    )""",
    re.VERBOSE,
)
ORIGIN = re.compile(r"(.*?):(\d+)(?: (.*))?")
WORDS = {"True": True, "False": False, "None": None}


def parse(text: str, literals: Mapping[str, np.ndarray] | None = None) -> Graph:
    """The graph that the text describes; its last one if there are several, which it may call.

    literals: the constants that the text names by hash. ValueError, with the line, for text that is not in the notation, for an
    unknown op, and for a node whose stated type is not what the op's rule gives. Variables and inputs are new ones.
    """
    reader = _Reader(literals or {})
    for number, line in enumerate(text.splitlines(), 1):
        try:
            reader.read_line(line)
        except (ValueError, TypeError, KeyError, IndexError, StopIteration) as error:
            raise ValueError(f"Line {number} of the graph text cannot be read: {error}. Received: {line.strip()}") from error
    return reader.finish()


class _Line:
    """The tokens of one line, and where we are in it."""

    def __init__(self, line: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        self.position = 0
        self.comment = ""
        position = 0
        while rest := line[position:].strip():
            if rest.startswith("#"):
                self.comment = rest[1:].strip()
                break
            found = TOKEN.match(line, position)
            if found is None:
                raise ValueError(f"{rest[:20]!r} is no word of the notation")
            kind = str(found.lastgroup)
            self.tokens.append((kind, found.group(kind)))
            position = found.end()

    @property
    def kind(self) -> str:
        return self.tokens[self.position][0] if self.position < len(self.tokens) else "end"

    @property
    def next(self) -> str:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    def following(self) -> str:
        """The token after the next one."""
        return self.tokens[self.position + 1][1] if self.position + 1 < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        text = self.next
        if not text or (expected is not None and text != expected):
            raise ValueError(f"expected {expected or 'more'}, found {text or 'the end'}")
        self.position += 1
        return text

    def accept(self, text: str) -> bool:
        found = self.next == text
        self.position += found
        return found

    def elements(self, close: str) -> Iterator[None]:
        """Yields once before each element of a comma-separated list, and takes the closing mark."""
        first = True
        while not self.accept(close):
            if not first:
                self.take(",")
                if self.accept(close):
                    return
            first = False
            yield


class _Reader:
    """Builds the graphs while the lines come in."""

    def __init__(self, literals: Mapping[str, np.ndarray]) -> None:
        self.literals = literals
        self.variables: dict[str, VariableRef] = {}
        self.graphs: dict[str, Graph] = {}
        self.label = ""
        self.name: str | None = None
        self.readers = {
            "variable": self.read_variable,
            "graph": self.read_graph,
            "return": self.read_return,
            "write": self.read_write,
            "effects": self.read_effects,
        }

    def read_line(self, text: str) -> None:
        line = _Line(text)
        if line.kind == "end":
            return
        if line.kind == "node":
            self.read_node(line)
        else:
            self.readers.get(line.take(), self.reject)(line)
        if line.kind != "end":
            raise ValueError(f"{line.next} is left over")

    def reject(self, line: _Line) -> None:
        raise ValueError("a line starts with variable, graph, return, write, effects or %")

    def read_variable(self, line: _Line) -> None:
        label = line.take()
        line.take(":")
        kind = self.array_type(line)
        name = json.loads(line.take()) if line.accept("=") else label[1:]
        self.variables[label] = VariableRef(name, kind)

    def read_graph(self, line: _Line) -> None:
        self.close_graph()
        self.label = line.take() if line.kind == "graph" else ""
        self.name = json.loads(line.take()) if line.kind == "string" else line.take()
        line.take("(")
        self.input_names = [line.take() for _ in line.elements(")")]
        line.take(":")
        self.nodes: dict[str, Node] = {}
        self.outputs: list[Node] = []
        self.writes: list[tuple[VariableRef, Node]] = []
        self.token: Node | None = None

    def close_graph(self) -> None:
        if self.name is None:
            return
        inputs = tuple(self.nodes[n] for n in self.input_names)
        self.graphs[self.label] = Graph(inputs, tuple(self.outputs), tuple(self.writes), self.token, self.name)
        self.name = None

    def finish(self) -> Graph:
        try:
            self.close_graph()
            return self.graphs[""]
        except KeyError as error:
            raise ValueError(f"The text holds no complete graph: {error.args[0] or 'the main one'} is missing.") from None

    def read_return(self, line: _Line) -> None:
        while line.kind != "end":
            self.outputs.append(self.operand(line))
            if line.kind != "end":
                line.take(",")

    def read_write(self, line: _Line) -> None:
        variable = self.variables[line.take()]
        line.take("=")
        self.writes.append((variable, self.operand(line)))

    def read_effects(self, line: _Line) -> None:
        self.token = self.nodes[line.take()]

    def read_node(self, line: _Line) -> None:
        number = line.take()
        line.take(":")
        stated = self.node_type(line)
        line.take("=")
        name = line.take()
        if name not in REGISTRY:
            raise ValueError(f"there is no op called {name!r}")
        with created_at(read_origins(line.comment)):
            node = self.call(REGISTRY[name], stated, line)
        if node.type != stated:
            raise ValueError(f"{name} gives {node.type}, the text says {stated}")
        self.nodes[number] = node

    def call(self, op: Op, stated: Type, line: _Line) -> Node:
        line.take("(")
        args: list[Node | str] = []
        implied: DType | None = None  # of the first argument that is a number of a line
        attrs: dict[str, Any] = {}
        for _ in line.elements(")"):
            if line.following() == "=":
                name = line.take()
                line.take("=")
                attrs[name] = self.value(line)
            elif "value" in op.attributes and not op.params:
                attrs["value"] = self.literal(line, stated)
            else:
                numbered = line.kind == "node"
                args.append(arg := self.argument(line))
                if implied is None and numbered and isinstance(arg, Node) and isinstance(arg.type, ArrayType):
                    implied = arg.dtype
        nodes = [a if isinstance(a, Node) else constant(element(a, implied)) for a in args]
        return make(op, nodes, self.implied_attrs(op, stated) | attrs)

    @staticmethod
    def implied_attrs(op: Op, stated: Type) -> dict[str, Any]:
        """What the text leaves out: a type like the node's own, and what tells one input from another."""
        attrs: dict[str, Any] = {}
        if op.attributes.get("type") is ...:
            attrs["type"] = stated
        if "uid" in op.attributes:
            attrs["uid"] = next(_parameter_ids)
        return attrs

    def argument(self, line: _Line) -> Node | str:
        """A node, or the text of a number whose dtype the other arguments decide."""
        if line.kind == "node" or line.following() == "(":
            return self.operand(line)
        return line.take()

    def operand(self, line: _Line) -> Node:
        if line.kind == "node":
            return self.nodes[line.take()]
        dtype = BY_SHORT[line.take()]
        line.take("(")
        array = element(line.take(), dtype)
        line.take(")")
        return constant(array)

    def literal(self, line: _Line, stated: Type) -> Literal:
        assert isinstance(stated, ArrayType)
        shape = tuple(int(str(s)) for s in stated.shape)
        if line.kind == "hash":
            array = self.literals[line.take()[1:]]
        elif line.accept("["):
            array = np.array([element(line.take(), stated.dtype) for _ in line.elements("]")], stated.dtype.np).reshape(shape)
        else:
            array = np.full(shape, element(line.take(), stated.dtype))
        return Literal(array)

    def value(self, line: _Line) -> Any:
        kind, text = line.kind, line.take()
        if kind == "string":
            return json.loads(text)
        if kind == "float":
            return float(text)
        if kind == "variable":
            return self.variables[text]
        if kind == "graph":
            return self.graphs[text]
        if text == "(":
            return tuple([self.value(line) for _ in line.elements(")")])
        if text == "<":
            size = parse_size(line.take())
            line.take(">")
            return size
        if text == "?":
            raise ValueError("an attribute that was printed with ? cannot be read back")
        return self.word(text, line)

    def word(self, text: str, line: _Line) -> Any:
        if text in WORDS:
            return WORDS[text]
        if text in BY_SHORT:
            return self.array_type(line, text) if line.next == "[" else BY_SHORT[text]
        return parse_size(text)

    def node_type(self, line: _Line) -> Type:
        if line.accept("token"):
            return TokenType()
        if line.accept("("):
            return TupleType(tuple([self.array_type(line) for _ in line.elements(")")]))
        return self.array_type(line)

    @staticmethod
    def array_type(line: _Line, short: str | None = None) -> ArrayType:
        dtype = BY_SHORT[short or line.take()]
        line.take("[")
        return ArrayType(dtype, tuple([parse_size(line.take()) for _ in line.elements("]")]))


def element(text: str, dtype: DType | None) -> Any:
    """The NumPy scalar that an element's text stands for."""
    if dtype is None:
        raise ValueError(f"the number {text} needs its dtype, as in f32({text})")
    if text in ("True", "False"):
        return dtype.np.type(text == "True")
    if text.startswith("0x"):
        return np.array(int(text, 16), f"u{dtype.size}").view(dtype.np)[()]
    return dtype.np.type(text) if dtype.is_floating else dtype.np.type(int(text))


def read_origins(comment: str) -> Origins:
    """``train.py:12 dense_1; train.py:14`` as origins; anything else is an ordinary comment."""
    found = [ORIGIN.fullmatch(part) for part in comment.split("; ")]
    return tuple(Origin(m[1], int(m[2]), layer=m[3] or "") for m in found if m)
