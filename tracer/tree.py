"""Nested structures. In: lists, tuples, dicts, dataclasses; out: their leaves in a fixed order and a hashable `Structure`.

None and strings are leaves. Dicts are walked in sorted key order (insertion order if keys cannot be sorted), so two dicts with
the same keys have equal structures whatever the order in which they were filled.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from weft.graph.record import record

from .tensor_shape import TensorShape


class Structure:
    """The shape of a tree. Leaves are `LEAF`. kind: the container's class; keys: names of the children, () for sequences."""

    __slots__ = ("_hash", "children", "count", "extra", "keys", "kind")

    def __init__(self, kind: Any, keys: tuple[Any, ...], children: tuple[Structure, ...], extra: Any = None) -> None:
        self.kind = kind
        self.keys = keys
        self.children = children
        self.extra = extra  # what else rebuilding needs; no part of equality
        self.count: int = sum(c.count for c in children)
        self._hash = hash((kind, keys, children))

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Structure)
            and self._hash == other._hash
            and self.kind is other.kind
            and self.keys == other.keys
            and self.children == other.children
        )

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        if self is LEAF:
            return "*"
        name = self.kind.__name__
        names = self.keys or range(len(self.children))
        return f"{name}({', '.join(f'{k}: {c!r}' for k, c in zip(names, self.children))})"

    def __reduce__(self) -> Any:
        return (_leaf, ()) if self is LEAF else (Structure, (self.kind, self.keys, self.children, self.extra))

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The tree of this shape with these leaves, in the order of `flatten`."""
        return _build(self, iter(leaves))

    def paths(self) -> list[str]:
        """A Python expression tail for every leaf: ``[0]['a']``, ``.field``."""
        return list(_paths(self, ""))


class _Leaf:
    """The kind of `LEAF`."""


LEAF = Structure(_Leaf, (), ())
LEAF.count = 1


def _leaf() -> Structure:
    return LEAF


@record
class _Container:
    """How one class of containers is taken apart and put together. ``take`` returns (keys, children, extra)."""

    take: Callable[[Any], tuple[tuple[Any, ...], Sequence[Any], Any]]
    build: Callable[[Structure, list[Any]], Any]
    path: str  # "[{!r}]" or ".{}"
    kind: Any


def _take_dict(tree: Mapping[Any, Any]) -> tuple[tuple[Any, ...], list[Any], Any]:
    try:
        keys = tuple(sorted(tree))
    except TypeError:
        keys = tuple(sorted(tree, key=lambda k: (type(k).__name__, repr(k))))
    order = tuple(tree)
    return keys, [tree[k] for k in keys], (None if order == keys else order, getattr(tree, "default_factory", None))


def _build_dict(structure: Structure, children: list[Any]) -> Any:
    items: dict[Any, Any] = dict(zip(structure.keys, children))
    order, factory = structure.extra or (None, None)
    if order is not None:
        items = {k: items[k] for k in order}
    if structure.kind is defaultdict:
        return defaultdict(factory, items)
    return items if structure.kind is dict else structure.kind(items)


_LIST = _Container(lambda t: ((), t, None), lambda s, c: c, "[{!r}]", list)
_TUPLE = _Container(lambda t: ((), t, None), lambda s, c: tuple(c), "[{!r}]", tuple)
_containers: dict[type, _Container | None] = {
    list: _LIST,
    tuple: _TUPLE,
    dict: _Container(_take_dict, _build_dict, "[{!r}]", dict),
    OrderedDict: _Container(_take_dict, _build_dict, "[{!r}]", OrderedDict),
    defaultdict: _Container(_take_dict, _build_dict, "[{!r}]", defaultdict),
    TensorShape: None,
}


def register(kind: type, take: Callable[[Any], Sequence[Any]], build: Callable[[list[Any]], Any]) -> None:
    """Makes a class a container: ``take(instance)`` gives the children, ``build(children)`` an instance."""
    _containers[kind] = _Container(lambda t: ((), take(t), None), lambda s, c: build(c), "[{!r}]", kind)


def _container_of(kind: type) -> _Container | None:
    """The container record of a class; None for leaves. Found once per class."""
    found: _Container | None = None
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        names = tuple(kind._fields)
        found = _Container(lambda t: (names, tuple(t), None), lambda s, c: kind(*c), ".{}", kind)
    elif issubclass(kind, list):
        found = _LIST
    elif issubclass(kind, tuple):
        found = _TUPLE
    elif issubclass(kind, Mapping):
        found = _containers[dict]
    elif hasattr(kind, "__dataclass_fields__"):
        import dataclasses  # whoever has one has imported it

        names = tuple(f.name for f in dataclasses.fields(kind) if f.init)  # type: ignore[arg-type]  # it is a dataclass
        found = _Container(lambda t: (names, [getattr(t, n) for n in names], None), _build_dataclass, ".{}", kind)
    _containers[kind] = found
    return found


def _build_dataclass(structure: Structure, children: list[Any]) -> Any:
    return structure.kind(**dict(zip(structure.keys, children)))


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves, left to right, and the structure that `Structure.unflatten` rebuilds the tree with."""
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> Structure:
    kind = tree.__class__
    container = _containers[kind] if kind in _containers else _container_of(kind)
    if container is None:
        leaves.append(tree)
        return LEAF
    keys, children, extra = container.take(tree)
    return Structure(container.kind, keys, tuple([_flatten(c, leaves) for c in children]), extra)


def _build(structure: Structure, leaves: Iterator[Any]) -> Any:
    if structure is LEAF:
        try:
            return next(leaves)
        except StopIteration:
            raise ValueError("There are fewer leaves than the structure needs.") from None
    children = [_build(c, leaves) for c in structure.children]
    container = _containers[structure.kind] if structure.kind in _containers else _container_of(structure.kind)
    assert container is not None
    return container.build(structure, children)


def _paths(structure: Structure, prefix: str) -> Iterator[str]:
    if structure is LEAF:
        yield prefix
        return
    container = _containers[structure.kind] if structure.kind in _containers else _container_of(structure.kind)
    assert container is not None
    for key, child in zip(structure.keys or range(len(structure.children)), structure.children):
        yield from _paths(child, prefix + container.path.format(key))


def leaves_of(tree: Any) -> list[Any]:
    """Just the leaves."""
    return flatten(tree)[0]


def map_structure(function: Callable[..., Any], *trees: Any) -> Any:
    """The tree of ``function(leaf, ...)`` over trees of one structure; ValueError if they differ."""
    if not trees:
        raise ValueError("map_structure needs at least one structure.")
    leaves, structure = flatten(trees[0])
    columns = [leaves]
    for other in trees[1:]:
        more, same = flatten(other)
        if same != structure:
            raise ValueError(f"The structures differ: {structure!r} and {same!r}.")
        columns.append(more)
    return structure.unflatten([function(*parts) for parts in zip(*columns)])


def assert_same_structure(a: Any, b: Any) -> None:
    """ValueError unless both trees have one structure."""
    first, second = flatten(a)[1], flatten(b)[1]
    if first != second:
        raise ValueError(f"The two structures don't have the same nested structure. First: {first!r}, second: {second!r}.")


def pack_sequence_as(tree: Any, leaves: Sequence[Any]) -> Any:
    """The leaves in the structure of the tree; ValueError if their number differs."""
    structure = flatten(tree)[1]
    if structure.count != len(leaves):
        raise ValueError(f"The structure has {structure.count} leaves. Received: {len(leaves)}.")
    return structure.unflatten(leaves)
