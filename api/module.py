"""`Module`: an object that finds its variables. In: attributes; out: the variables and modules below them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from weft.tracer import Variable, layer_scope


class Module:
    """Base class for objects that hold variables: in attributes, lists, tuples, dicts and other modules.

    name: a valid Python name; by default the class's name in lower case with underscores.
    """

    def __init__(self, name: str | None = None) -> None:
        chosen = _snake_case(type(self).__name__) if name is None else name
        if not chosen.isidentifier():
            raise ValueError(f"{chosen!r} is not a valid module name. Module names must be valid Python identifiers.")
        self._name = chosen

    @property
    def name(self) -> str:
        return self._name

    @property
    def name_scope(self) -> AbstractContextManager[None]:
        """Inside, ops are marked as belonging to this module in errors and dumps."""
        return layer_scope(self.name)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All variables at or below this module, those of its own attributes first."""
        return tuple(v for v in _flatten(self) if isinstance(v, Variable))

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """The variables that gradients are taken of."""
        return tuple(v for v in self.variables if v.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Variable, ...]:
        """The other variables."""
        return tuple(v for v in self.variables if not v.trainable)

    @property
    def submodules(self) -> tuple[Any, ...]:
        """All modules below this one."""
        return tuple(m for m in _flatten(self) if not isinstance(m, Variable))

    @classmethod
    def with_name_scope(cls, method: Callable[..., Any]) -> Callable[..., Any]:
        """Decorates a method so that its ops are marked as belonging to the module."""

        def wrapped(self: Module, *args: Any, **kwargs: Any) -> Any:
            with self.name_scope:
                return method(self, *args, **kwargs)

        wrapped.__name__, wrapped.__doc__ = method.__name__, method.__doc__
        return wrapped


def _snake_case(name: str) -> str:
    return re.sub(r"((?<=[a-z0-9])[A-Z]|(?!^)[A-Z](?=[a-z]))", r"_\1", name).lower()


def _is_module(value: Any) -> bool:
    return isinstance(value, Module) or (hasattr(value, "trainable_variables") and hasattr(value, "submodules"))


def _flatten(root: Module) -> list[Any]:
    """Variables and modules below the root, breadth first, attributes in the order of their names, each once."""
    found: list[Any] = []
    seen = {id(root)}
    level: list[Any] = [root]
    while level:
        below: list[Any] = []
        for module in level:
            for _, value in sorted(vars(module).items()):
                for leaf in _leaves(value):
                    if id(leaf) not in seen:
                        seen.add(id(leaf))
                        found.append(leaf)
                        if not isinstance(leaf, Variable):
                            below.append(leaf)
        level = below
    return found


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Variable) or _is_module(value):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, Mapping):
        for _, item in sorted(value.items(), key=lambda pair: str(pair[0])):
            yield from _leaves(item)
