"""Objects as plain data. In: layers, initializers, functions; out: JSON-able dictionaries, and the objects built back from them.

A name found in a configuration is only ever a key into the registry below or into the caller's ``custom_objects``: nothing is
imported and no attribute is looked up because a file says so.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from weft.tracer.tensor import DType

from .naming import near_matches, to_snake_case

T = TypeVar("T")

_builtin: dict[str, Any] = {}  # class or function name -> object
_modules: dict[Any, str] = {}  # object -> the public module it is written under
_loaders: list[Callable[[], None]] = []  # import what is known but has not been imported
_SECOND = ("keras.initializers", "keras.losses")  # a plain name that layers or metrics have as well means theirs
_custom: dict[str, Any] = {}  # registered name -> the user's object
_custom_names: dict[Any, str] = {}


class _Scope(threading.local):
    objects: Mapping[str, Any] = {}


_scope = _Scope()


def public(module: str) -> Callable[[T], T]:
    """A decorator: the class or function is one of weft's own, known under this public module."""

    def decorate(target: T) -> T:
        name = target.__name__  # type: ignore[attr-defined]  # a class or function
        if name not in _builtin or module not in _SECOND:
            _builtin[name] = target
        _builtin[f"{module}.{name}"] = target  # losses and metrics share names
        _modules[target] = module
        return target

    return decorate


def public_later(load: Callable[[], None]) -> Callable[[], None]:
    """A decorator: the function imports files with public classes; it is called before a name is said to be unknown."""
    _loaders.append(load)
    return load


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """A decorator for user classes and functions that configurations may mention."""

    def decorate(target: T) -> T:
        registered = f"{package}>{name or target.__name__}"  # type: ignore[attr-defined]  # as above
        _custom[registered] = target
        _custom_names[target] = registered
        return target

    return decorate


@contextmanager
def custom_object_scope(objects: Mapping[str, Any]) -> Iterator[None]:
    """Inside, these names are also understood in configurations and string arguments."""
    before, _scope.objects = _scope.objects, {**_scope.objects, **objects}
    try:
        yield
    finally:
        _scope.objects = before


def get_custom_objects() -> dict[str, Any]:
    """The user's registered objects by registered name; changing it changes the registry."""
    return _custom


def find_custom(name: str) -> Any | None:
    """The user's object of this name, from a scope or from the registry; None if there is none."""
    if name in _scope.objects:
        return _scope.objects[name]
    if name in _custom:
        return _custom[name]
    return next((target for key, target in _custom.items() if key.split(">")[-1] == name), None)


def serialize_object(value: Any) -> Any:
    """The value as JSON-able data: numbers and strings as they are, objects as ``{"module", "class_name", "config", ...}``."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, DType):
        return value.name
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    if isinstance(value, (list, tuple)):
        return [serialize_object(v) for v in value]
    if isinstance(value, dict):
        return {k: serialize_object(v) for k, v in value.items()}
    if hasattr(value, "get_config"):
        return _serialize_instance(value)
    if callable(value) and hasattr(value, "__name__"):
        return _serialize_function(value)
    raise TypeError(f"The configuration holds a value that cannot be saved. Received: {value!r} of type {type(value).__name__}")


def _serialize_instance(value: Any) -> dict[str, Any]:
    cls = type(value)
    config = {
        "module": _modules.get(cls),
        "class_name": cls.__name__,
        "config": value.get_config(),
        "registered_name": None if cls in _modules else _custom_names.get(cls, cls.__name__),
    }
    build_config = value.get_build_config() if hasattr(value, "get_build_config") else None
    if build_config:
        config["build_config"] = serialize_object(build_config)
    return config


def _serialize_function(value: Any) -> Any:
    if value in _modules:
        return value.__name__
    name = _custom_names.get(value, value.__name__)
    return {"module": "builtins", "class_name": "function", "config": value.__name__, "registered_name": name}


def deserialize_object(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The inverse of `serialize_object`. ValueError, with near matches, for a class that is not known."""
    if custom_objects:
        with custom_object_scope(custom_objects):
            return deserialize_object(config)
    if isinstance(config, list):
        return [deserialize_object(v) for v in config]
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {k: deserialize_object(v) for k, v in config.items()}
    if config["class_name"] == "__numpy__":
        return np.asarray(config["config"]["value"], config["config"]["dtype"])
    if config["class_name"] == "function":
        return find_object(config.get("registered_name") or config["config"])
    name = config.get("registered_name") or f"{config.get('module')}.{config['class_name']}"
    cls = find_object(name, config["class_name"])
    instance = cls.from_config(config["config"]) if hasattr(cls, "from_config") else cls(**config["config"])
    build_config = config.get("build_config")
    if build_config and hasattr(instance, "build_from_config") and not getattr(instance, "built", True):
        instance.build_from_config(build_config)
    return instance


NEWER_SETTINGS = {  # settings of newer Keras versions -> the values that change nothing
    "quantization_config": (None,),
    "rms_scaling": (False,),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "renorm_momentum": (0.99,),
    "input_axes": (None,),
    "output_axes": (None,),
}


def known_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without settings that only newer Keras versions know, where they change nothing."""
    return {k: v for k, v in config.items() if v not in NEWER_SETTINGS.get(k, ())}


def find_object(name: str, fallback: str | None = None) -> Any:
    """The class or function of this name, registered or with its module, or else of the plain name: the user's own first."""
    keys = [name] if fallback is None else [name, fallback]
    found = next((f for f in map(find_custom, keys) if f is not None), None)
    found = _find_builtin(keys) if found is None else found
    if found is not None:
        return found
    plain = [n for n in (*_builtin, *_custom, *_scope.objects) if "." not in n]
    raise ValueError(
        f"There is no class or function called {keys[-1]!r}. {near_matches(keys[-1], plain)} "
        "Register your own with keras.saving.register_keras_serializable() or pass custom_objects={...}."
    )


def _find_builtin(keys: list[str]) -> Any | None:
    """The first of the names that weft itself knows; files that may define it are imported."""
    found = _builtin.get(keys[0])
    if found is None or (_modules[found] in _SECOND and "." not in keys[0]):
        for load in _loaders:
            load()
    return next((_builtin[key] for key in keys if key in _builtin), None)


def resolve(kind: str, table: Mapping[str, Any], base: type | None, identifier: Any) -> Any:
    """What string arguments mean: None, an object, its configuration, or a name in ``table`` (a class is instantiated).

    Raises ValueError with the near matches if nothing of that kind has the name.
    """
    if identifier is None or (base is not None and isinstance(identifier, base)):
        return identifier
    if isinstance(identifier, dict):
        return deserialize_object(identifier)
    if isinstance(identifier, str):
        found = find_custom(identifier)
        found = table.get(identifier) if found is None else found
        if found is None:
            raise ValueError(f"There is no {kind} called {identifier!r}. {near_matches(identifier, table)}")
        return found() if isinstance(found, type) else found
    if isinstance(identifier, type) and base is not None and issubclass(identifier, base):
        return identifier()
    if callable(identifier):
        return identifier
    found = f"{identifier!r} of type {type(identifier).__name__}"
    raise ValueError(f"The argument for the {kind} must be a name, an object or a function. Received: {found}")


class NameTable(Mapping[str, Any]):
    """The objects of a module by the names that strings may give them.

    names: of classes, which are also known in snake_case, and of functions. aliases: other names. Of one name's meanings the
    last group's counts. Names are only looked up in the module when they are asked for, so that it may load them late.
    """

    def __init__(self, module: str, *groups: Iterable[str] | Mapping[str, str]) -> None:
        self._module, self._groups = module, groups

    @cached_property
    def _names(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for group in self._groups:
            part = dict(group) if isinstance(group, Mapping) else {name: name for name in group}
            for name in () if isinstance(group, Mapping) else list(part):
                part.setdefault(to_snake_case(name), name)
            found |= part
        return found

    def __getitem__(self, name: str) -> Any:
        return getattr(sys.modules[self._module], self._names[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
