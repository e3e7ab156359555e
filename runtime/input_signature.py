"""A function's declared argument types. In: (nested) TensorSpecs and a call's arguments; out: the arguments, converted."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weft.tracer import Tensor, TensorSpec, convert_to_tensor, tree

from .trace_key import ArgumentBinder


class InputSignature:
    """The specs of a function's leading parameters. TypeError if they do not fit the function."""

    def __init__(self, specs: Sequence[Any], binder: ArgumentBinder, name: str) -> None:
        if not isinstance(specs, (tuple, list)):
            raise TypeError(f"input_signature must be either a tuple or a list, got {type(specs)}.")
        self.specs = tuple(specs)
        self.name = name
        self._leaves, self._structure = tree.flatten(self.specs)
        if not all(isinstance(s, TensorSpec) for s in self._leaves):
            raise TypeError(f"input_signature must be a possibly nested sequence of TensorSpec objects, got {specs}.")
        self._check_parameters(binder)

    def _check_parameters(self, binder: ArgumentBinder) -> None:
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = list(binder.signature.parameters.values())
        if any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
            return
        named = [p for p in parameters if p.kind in positional]
        if parameters and len(self.specs) in (len(named) - 1,) and parameters[0].name in ("self", "cls"):
            return  # a method: the instance is bound later
        if len(self.specs) > len(named):
            raise TypeError(f"input_signature contains {len(self.specs) - len(named)} extra type constraints for {self.name}.")
        missing = [p.name for p in named[len(self.specs) :] if p.default is inspect.Parameter.empty]
        if missing:
            raise TypeError(f"input_signature missing type constraint for {', '.join(missing)} of {self.name}.")

    def without_self(self, binder: ArgumentBinder) -> InputSignature:
        """The same for a bound method, whose binder no longer knows the instance."""
        return InputSignature(self.specs, binder, self.name)

    def convert(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments as tensors of the declared dtypes. TypeError ("Can not cast") for one that does not fit."""
        given, rest = args[: len(self.specs)], args[len(self.specs) :]
        try:
            leaves = leaves_up_to(self._structure, given)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{self.name}: the arguments do not have the structure of the input_signature: {error}") from None
        converted = [self._cast(value, spec) for value, spec in zip(leaves, self._leaves, strict=True)]
        return (*self._structure.unflatten(converted), *rest)

    def _cast(self, value: Any, spec: TensorSpec) -> Any:
        if not isinstance(value, (Tensor, TensorSpec)):
            try:
                array = np.asarray(value, spec.dtype.np) if isinstance(value, np.ndarray) else value
                value = convert_to_tensor(array, spec.dtype)
            except (TypeError, ValueError):
                raise TypeError(f"{self.name}: Can not cast {value!r} to {spec}.") from None
        if value.dtype != spec.dtype or not spec.shape.is_compatible_with(value.shape):
            shown = TensorSpec(value.shape, value.dtype)
            raise TypeError(f"{self.name}: Can not cast {shown} to {spec}.")
        return value

    def shapes(self, actual: tuple[tuple[Any, ...], ...]) -> tuple[tuple[Any, ...], ...]:
        """The declared shapes; for tensors beyond the signature (defaults) the actual ones."""
        declared = [tuple(s.shape) if s.shape.rank is not None else None for s in self._leaves]
        return tuple(d if d is not None else a for d, a in zip([*declared, *[None] * len(actual)], actual, strict=False))


def leaves_up_to(structure: tree.Structure, value: Any) -> list[Any]:
    """The parts of the value at the structure's leaves, whatever they are themselves. ValueError if it has another structure."""
    if structure is tree.LEAF:
        return [value]
    if structure.keys:
        children = _children_by_name(structure, value)
    else:
        children = list(value)
    if len(children) != len(structure.children):
        raise ValueError(f"expected {len(structure.children)} elements, got {len(children)}")
    return [leaf for s, v in zip(structure.children, children, strict=True) for leaf in leaves_up_to(s, v)]


def _children_by_name(structure: tree.Structure, value: Any) -> list[Any]:
    """The values of a dictionary, or of an object's fields, in the structure's order."""
    mapping = isinstance(value, Mapping)
    unknown = [k for k in value if k not in structure.keys] if mapping else []
    if unknown:
        raise ValueError(f"expected the keys {list(structure.keys)}, got {unknown[0]!r}, too")
    try:
        return [value[k] if mapping else getattr(value, k) for k in structure.keys]
    except (KeyError, AttributeError) as error:
        raise ValueError(f"expected the keys {list(structure.keys)}, got {value!r}") from error
