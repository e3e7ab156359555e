"""The whole IR: types, interned nodes, graphs. In: ops applied to nodes; out: an immutable, typed expression graph.

Read this first. A `Node` is created only by `make`, which computes its type by the op's own rule and returns the node that
already exists if an equal one does. Equality is identity: common subexpressions merge by construction.
"""

from __future__ import annotations

import itertools
import struct
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from .dims import Dim, Shape, Size, product, shape_text
from .dtype import DType, as_dtype
from .origin import Origins, created_at, current_origins
from .record import field, record

if TYPE_CHECKING:
    from .op import Op


@record
class ArrayType:
    """Element type and shape of one array: ``f32[batch,64]``."""

    dtype: DType
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Size:
        """The number of elements."""
        return product(self.shape)

    @property
    def names(self) -> frozenset[str]:
        """Names of the symbolic sizes in the shape."""
        return frozenset(n for s in self.shape if isinstance(s, Dim) for n in s.names)

    def __str__(self) -> str:
        return f"{self.dtype.short}[{shape_text(self.shape)}]"


@record
class TupleType:
    """The type of a node with several results, taken apart by the op ``item``."""

    items: tuple[ArrayType, ...]

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.items))})"


@record
class TokenType:
    """The type of the token that keeps effects in program order."""

    def __str__(self) -> str:
        return "token"


Type = Union[ArrayType, TupleType, TokenType]


class Literal:
    """A constant's value: a read-only array, equal to another only if dtype, shape and bytes are."""

    __slots__ = ("_hash", "_key", "array")

    def __init__(self, array: Any) -> None:
        value = np.array(array, order="C", copy=True)
        value.setflags(write=False)
        self.array = value
        self._key = (value.dtype.str, value.shape, value.tobytes())
        self._hash = hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Literal({self.array!r})"


_uid = itertools.count()


@record(eq=False)
class VariableRef:
    """Stands for a variable in graphs. Identity is what counts; the storage belongs to the tracer's `Variable`.

    ``owner`` weakly refers to that `Variable`, for the run time to find the storage.
    """

    name: str
    type: ArrayType
    uid: int = field(default_factory=lambda: next(_uid))
    owner: Any = None


class Node:
    """One operation in a graph. Never construct it: call `make`, or the builders in ``build``."""

    __slots__ = ("__weakref__", "args", "attrs", "op", "origins", "own", "type")

    op: Op
    args: tuple[Node, ...]
    attrs: Mapping[str, Any]
    type: Any  # Type; Any spares every reader of .shape a cast
    origins: Origins
    own: bool
    """Whether it depends on an argument or a variable. Numbers and sizes do not: programs share them, so they have no origins."""

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def rank(self) -> int:
        return len(self.type.shape)

    def __repr__(self) -> str:
        return f"<Node {self.op.name}: {self.type}>"


class _Entry(weakref.ref[Node]):
    """Keeps the node findable while it is alive, and takes its key out of the table afterwards."""

    __slots__ = ("key",)
    key: Any


_table: dict[Any, _Entry] = {}
_lock = threading.RLock()


def _forget(entry: weakref.ref[Node]) -> None:
    key = entry.key  # type: ignore[attr-defined]  # it is an `_Entry`, as every reference in the table
    with _lock:
        if _table.get(key) is entry:
            del _table[key]


def make(op: Op, args: Sequence[Node] = (), attrs: Mapping[str, Any] | None = None) -> Node:
    """The node ``op(*args, **attrs)``, typed by the op's rule; the existing one if an equal node is alive.

    Raises what the rule raises: `ShapeError`, `DTypeError` or ValueError.
    """
    args = tuple(args)
    if attrs or op.attributes:
        attrs = op.canonical(attrs or {})
        key = (op.name, args, tuple([_attr_key(v) for v in attrs.values()]))
    else:
        attrs = {}
        key = (op.name, args, ())
    own = any(a.own for a in args) if args else op.own
    origins = current_origins() if own else ()
    with _lock:
        entry = _table.get(key)
        node = None if entry is None else entry()
        if node is None:
            node = object.__new__(Node)
            node.op, node.args, node.attrs, node.origins, node.own = op, args, attrs, origins, own
            node.type = op.infer(tuple([a.type for a in args]), attrs)
            _table[key] = entry = _Entry(node, _forget)
            entry.key = key
        elif origins and not set(origins) <= set(node.origins):
            node.origins = (*node.origins, *(o for o in origins if o not in node.origins))
    return node


def _attr_key(value: Any) -> Any:
    """A key that tells 1, 1.0 and True apart, and 0.0 from -0.0."""
    if isinstance(value, float):
        return "float", struct.pack("<d", value)
    if isinstance(value, (bool, int)):
        return type(value).__name__, value
    if isinstance(value, tuple):
        return tuple(map(_attr_key, value))
    return value


@record(eq=False)
class Graph:
    """What a trace produced: inputs, outputs, the variables written at the end, and the last effect's token.

    inputs: ``parameter`` nodes in calling order. writes: (variable, its value after the call), in order of the first write.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    writes: tuple[tuple[VariableRef, Node], ...] = ()
    token: Node | None = None
    name: str = "graph"

    @property
    def roots(self) -> tuple[Node, ...]:
        """Everything that must be computed."""
        effects = () if self.token is None else (self.token,)
        return (*self.outputs, *(n for _, n in self.writes), *effects)

    def nodes(self) -> tuple[Node, ...]:
        """All nodes, inputs first, every node after its arguments."""
        return self._nodes

    @cached_property
    def _nodes(self) -> tuple[Node, ...]:
        return tuple(topological((*self.inputs, *self.roots)))

    def reads(self) -> tuple[VariableRef, ...]:
        """Variables whose value at the start is used, in order of first use."""
        return tuple(n.attrs["variable"] for n in self.nodes() if "variable" in n.attrs)

    def replace(self, replacement: Mapping[Node, Node]) -> Graph:
        """The same graph with nodes replaced (and everything that depends on them rebuilt)."""
        get = substitute(self.roots, replacement)
        return Graph(
            self.inputs,
            tuple(get[n] for n in self.outputs),
            tuple((v, get[n]) for v, n in self.writes),
            None if self.token is None else get[self.token],
            self.name,
        )


def topological(roots: Iterable[Node], known: Iterable[Node] = ()) -> list[Node]:
    """The nodes reachable from the roots, each after its arguments, in a fixed order. Does not recurse.

    known: nodes that are left out, and below which nothing is looked at.
    """
    order: list[Node] = []
    done = set(known)
    for root in roots:
        stack: list[tuple[Node, Iterator[Node]]] = []
        if root not in done:
            done.add(root)
            stack.append((root, iter(root.args)))
        while stack:
            node, rest = stack[-1]
            for arg in rest:
                if arg not in done:
                    done.add(arg)
                    stack.append((arg, iter(arg.args)))
                    break
            else:
                stack.pop()
                order.append(node)
    return order


def substitute(roots: Iterable[Node], replacement: Mapping[Node, Node]) -> dict[Node, Node]:
    """Maps every node below the roots to its rebuilt self; replaced nodes are not looked into."""
    from_old: dict[Node, Node] = dict(replacement)
    stack = list(roots)
    while stack:
        node = stack[-1]
        if node in from_old:
            stack.pop()
            continue
        missing = [a for a in node.args if a not in from_old]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        args = tuple(from_old[a] for a in node.args)
        from_old[node] = node if args == node.args else remake(node, args)
    return from_old


def remake(node: Node, args: Sequence[Node]) -> Node:
    """The node's op on other arguments, with the node's origins."""
    with created_at(node.origins):
        return make(node.op, args, node.attrs)


def array_type(dtype: Any, shape: Iterable[Size]) -> ArrayType:
    return ArrayType(as_dtype(dtype), tuple(shape))
