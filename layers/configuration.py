"""Settings of a layer as data. In: a layer; out: the dictionary its class can be built from again.

A class either names the attributes to save in ``saved``, or defines ``get_config`` itself, or leaves it to its constructor's
arguments, which are remembered.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from . import activations
from .precision import DTypePolicy
from .serialization import deserialize_object, known_settings, serialize_object


class Configurable:
    """What can be described by ``get_config`` and rebuilt by ``from_config``."""

    saved: ClassVar[tuple[str, ...]] = ()
    _constructor: tuple[tuple[Any, ...], dict[str, Any]]

    def base_config(self) -> dict[str, Any]:
        """Settings that every object of the family has."""
        return {}

    def get_config(self) -> dict[str, Any]:
        """The arguments that build an equal object, as JSON-able data.

        NotImplementedError if the constructor took something that cannot be saved and the class does not define get_config.
        """
        config = self.base_config()
        named = [n for cls in reversed(type(self).__mro__) for n in cls.__dict__.get("saved", ())]
        for name in named:
            value = getattr(self, name)
            config[name] = activations.serialize(value) if name == "activation" else serialize_object(value)
        if not named and not self._has_plain_constructor():
            return self._constructor_config(config)
        return config

    def _has_plain_constructor(self) -> bool:
        """Whether the constructor is the family's own, so that `base_config` says all."""
        owner = next(cls for cls in type(self).__mro__ if "__init__" in cls.__dict__)
        return owner is object or "base_config" in owner.__dict__

    def _constructor_config(self, base: dict[str, Any]) -> dict[str, Any]:
        """The arguments of the constructor, with the base settings it would also take."""
        args, kwargs = self._constructor
        signature = inspect.signature(type(self).__init__)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        is_open = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
        config = {k: v for k, v in base.items() if is_open or k in signature.parameters}
        for name, parameter in list(signature.parameters.items())[1:]:
            value = bound.arguments.get(name)
            if parameter.kind is parameter.VAR_KEYWORD:
                config.update({k: v for k, v in (value or {}).items() if k not in base})
            elif parameter.kind is not parameter.VAR_POSITIONAL and name not in base:
                config[name] = value
        try:
            return {k: v.name if isinstance(v, DTypePolicy) else serialize_object(v) for k, v in config.items()}
        except TypeError as error:
            raise NotImplementedError(
                f"The class {type(self).__name__} must define get_config(self), because its constructor took something that "
                f"cannot be saved as data: {error}"
            ) from error

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An object with these settings. TypeError if they do not fit its constructor."""
        config = known_settings(config)
        try:
            return cls(**config)
        except TypeError:
            if not any(isinstance(v, dict) and "class_name" in v for v in config.values()):
                raise
        return cls(**{k: deserialize_object(v) for k, v in config.items()})
