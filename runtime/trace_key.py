"""What a trace is remembered by. In: the arguments of one call; out: a `Call`: hashable key, shapes and arrays of the tensors.

Tensors and arrays count by dtype and shape, Python numbers by type *and* value (floats by their bits, every NaN alike), other
values by equality if they are immutable, and objects by identity, held weakly.
"""

from __future__ import annotations

import enum
import inspect
import math
import re
import types
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from weft.graph.dtype import DType, as_dtype
from weft.graph.record import record
from weft.tracer import EagerTensor, TensorShape, TensorSpec, TracedTensor, Variable, tree

BY_VALUE = (str, bytes, complex, enum.Enum, range, frozenset, DType, TensorShape, TensorSpec, np.dtype)


class WeakKey:
    """An object as part of a key: equal only to the same, still living object."""

    __slots__ = ("_hash", "ref")

    def __init__(self, value: Any) -> None:
        self.ref = weakref.ref(value)
        self._hash = id(value)

    @property
    def dead(self) -> bool:
        return self.ref() is None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WeakKey) and (mine := self.ref()) is not None and mine is other.ref()

    def __repr__(self) -> str:
        value = self.ref()
        return "<dead object>" if value is None else f"<{type(value).__name__} at {id(value):#x}>"


@record
class Spec:
    """An argument given as a `TensorSpec`: no value, sizes may be unknown."""

    dtype: DType
    shape: tuple[Any, ...]


@record(frozen=False)
class Call:
    """One call, taken apart.

    key: everything but the sizes; shapes: of the tensor leaves, in order; arrays: their values (None for a `TensorSpec`);
    leaves: all leaves; dynamic: positions of the tensor leaves; structure: of (args, kwargs).
    names: of the positional parameters.
    """

    key: tuple[Any, ...]
    shapes: tuple[tuple[Any, ...], ...]
    arrays: list[Any]
    leaves: list[Any]
    dynamic: tuple[int, ...]
    structure: tree.Structure
    names: Callable[[int], list[str]]

    @property
    def dtypes(self) -> tuple[DType, ...]:
        return tuple(self.key[1][i][1] for i in self.dynamic)

    def paths(self) -> list[str]:
        """The leaves' names in messages: ``x``, ``batch['image']``."""
        return argument_paths(self.structure, self.names)


_POSITIONAL, _KEYWORD = re.compile(r"\[0\]\[(\d+)\]"), re.compile(r"\[1\]\['(\w+)'\]")


def argument_paths(structure: tree.Structure, names: Callable[[int], list[str]]) -> list[str]:
    """Names of the leaves of (args, kwargs)."""
    shown = names(len(structure.children[0].children))
    paths = [_POSITIONAL.sub(lambda m: shown[int(m[1])], path, count=1) for path in structure.paths()]
    return [_KEYWORD.sub(lambda m: m[1], path, count=1) for path in paths]


def describe_call(args: tuple[Any, ...], kwargs: dict[str, Any], names: Callable[[int], list[str]], context: Any) -> Call:
    """Takes the arguments apart. Raises TypeError for one that cannot be part of a key, naming its place."""
    leaves, structure = tree.flatten((args, kwargs))
    keys: list[Any] = []
    shapes: list[tuple[Any, ...]] = []
    arrays: list[Any] = []
    dynamic: list[int] = []
    for i, leaf in enumerate(leaves):
        array = tensor_value(leaf)
        if array is not None:
            keys.append(("tensor", array.dtype if isinstance(array, Spec) else as_dtype(array.dtype), len(array.shape)))
            shapes.append(tuple(array.shape))
            arrays.append(None if isinstance(array, Spec) else array)
            dynamic.append(i)
        else:
            try:
                keys.append(static_key(leaf))
            except TypeError as error:
                raise TypeError(f"The argument {argument_paths(structure, names)[i]} of a compiled function {error}") from None
    return Call((structure, tuple(keys), context), tuple(shapes), arrays, leaves, tuple(dynamic), structure, names)


def plain_call(args: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Any]] | None:
    """(key, arrays) of a call whose arguments are all tensors or arrays, the usual case; None for any other."""
    key: list[Any] = []
    arrays: list[Any] = []
    for a in args:
        if a.__class__ is EagerTensor:
            array = a._array
        elif a.__class__ is np.ndarray:
            array = a
        else:
            return None
        key.append(array.dtype)
        key.append(array.shape)
        arrays.append(array)
    return tuple(key), arrays


def tensor_value(leaf: Any) -> Any:
    """The array behind a tensor argument, a `Spec` for a TensorSpec, None for anything else."""
    if isinstance(leaf, EagerTensor):
        return leaf._array
    if isinstance(leaf, (np.ndarray, np.generic)):
        if leaf.dtype.kind not in "fiub":
            raise TypeError(f"Arrays of dtype {leaf.dtype} cannot be arguments of a compiled function; use numbers or bools.")
        return np.asarray(leaf)
    if isinstance(leaf, TensorSpec):
        if leaf.shape.rank is None:
            raise ValueError(f"The rank of a compiled function's argument must be known. Received: {leaf}.")
        return Spec(leaf.dtype, tuple(leaf.shape))
    return None


def static_key(leaf: Any) -> Any:
    """The key of a value that the trace bakes in."""
    if leaf is None or isinstance(leaf, bool):
        return "value", type(leaf), leaf
    if isinstance(leaf, int):
        return "value", type(leaf), int(leaf)
    if isinstance(leaf, float):
        return "value", type(leaf), "nan" if math.isnan(leaf) else leaf.hex()
    if isinstance(leaf, BY_VALUE):
        return "value", type(leaf), leaf
    if isinstance(leaf, Variable):
        return "variable", WeakKey(leaf)
    if isinstance(leaf, types.MethodType):
        return "method", WeakKey(leaf.__func__), WeakKey(leaf.__self__)
    if isinstance(leaf, TracedTensor):
        raise TypeError("is a tensor of another trace that has ended; return it from that function instead.")
    if isinstance(leaf, weakref.ref):
        raise TypeError("is a weak reference; pass the object itself.")
    return object_key(leaf)


def object_key(leaf: Any) -> Any:
    if type(leaf).__hash__ is None and isinstance(leaf, (set, bytearray, slice, memoryview)):
        raise TypeError(f"has the unhashable type {type(leaf).__name__}. Received: {leaf!r}. Pass a tuple, frozenset or tensors.")
    try:
        return "object", WeakKey(leaf)
    except TypeError:
        try:
            hash(leaf)
        except TypeError:
            raise TypeError(f"has the unhashable type {type(leaf).__name__}. Received: {leaf!r}.") from None
        return "value", type(leaf), leaf


class Baked:
    """A Python value that a trace was made for; an object is not kept alive by it."""

    __slots__ = ("_value", "key")

    def __init__(self, value: Any) -> None:
        self.key = static_key(value)
        self._value = None if self.key[0] == "object" else value

    @property
    def value(self) -> Any:
        """The value; None if it was an object that is gone."""
        return self.key[1].ref() if self.key[0] == "object" else self._value


def has_dead_object(key: tuple[Any, ...]) -> bool:
    """Whether the key can never match again."""
    return any(isinstance(part, WeakKey) and part.dead for leaf in key[1] for part in leaf)


class ArgumentBinder:
    """Brings every way of passing the same arguments into one form, like a call would."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.signature = inspect.signature(function)
        kinds = [p.kind for p in self.signature.parameters.values()]
        plain = all(k in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for k in kinds)
        self._plain_count = len(kinds) if plain else -1

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional arguments with defaults filled in, and the keyword-only rest in sorted order. TypeError as a call's."""
        if not kwargs and len(args) == self._plain_count:
            return args, {}
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(
                f"Binding inputs to tf.function failed due to `{error}`. Received args: {args} and kwargs: {dict(kwargs)} "
                f"for signature: {self.signature}."
            ) from None
        bound.apply_defaults()
        return bound.args, dict(sorted(bound.kwargs.items()))

    def names(self, count: int) -> list[str]:
        """Parameter names of the first ``count`` positional arguments."""
        out: list[str] = []
        for p in self.signature.parameters.values():
            if p.kind is inspect.Parameter.VAR_POSITIONAL:
                out += [f"{p.name}[{i}]" for i in range(count - len(out))]
            elif p.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
                out.append(p.name)
        return out[:count]
