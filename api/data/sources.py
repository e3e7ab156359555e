"""Where elements come from. In: arrays, generators, numbers, other data sets; out: stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from weft.graph.dtype import DType
from weft.graph.errors import InvalidArgumentError
from weft.tracer import TensorSpec, tree

from .elements import Form, Row, as_component, form_of, take_apart
from .stage import INFINITE, UNKNOWN, Arrays, Stage


def slice_arrays(value: Any) -> Arrays:
    """The stage of the slices along the first axis. ValueError for scalars or different lengths."""
    arrays, structure = take_apart(value)
    if not arrays:
        raise ValueError("A data set needs at least one component. Received: an empty structure.")
    if any(a.ndim == 0 for a in arrays):
        raise ValueError("Only tensors with a first axis can be sliced. Received: a scalar; use from_tensors.")
    lengths = [len(a) for a in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(f"All components must have the same first dimension. Received: {lengths}.")
    return Arrays(arrays, Form(structure, tuple(TensorSpec(s.shape[1:], s.dtype) for s in form_of(arrays, structure).specs)))


class Single(Stage):
    """One element."""

    def __init__(self, value: Any) -> None:
        self.row, structure = take_apart(value)
        self._form = form_of(self.row, structure)

    @property
    def form(self) -> Form:
        return self._form

    @property
    def cardinality(self) -> int:
        return 1

    def open(self) -> Iterator[Row]:
        yield self.row


class Count(Stage):
    """``start, start + step, ...`` up to but without ``stop``; None: without end."""

    def __init__(self, start: int, stop: int | None, step: int, dtype: DType) -> None:
        self.start, self.stop, self.step, self.dtype = start, stop, step, dtype

    @property
    def form(self) -> Form:
        return Form(tree.flatten(0)[1], (TensorSpec([], self.dtype),))

    @property
    def cardinality(self) -> int:
        return INFINITE if self.stop is None else len(range(self.start, self.stop, self.step))

    def open(self) -> Iterator[Row]:
        value = self.start
        while self.stop is None or (value < self.stop if self.step > 0 else value > self.stop):
            yield (np.array(value, self.dtype.np),)
            value += self.step


class Generated(Stage):
    """What a Python generator yields; the function is called again for every pass."""

    def __init__(self, generator: Callable[..., Any], args: tuple[Any, ...], form: Form) -> None:
        self.generator, self.args, self._form = generator, args, form

    @property
    def form(self) -> Form:
        return self._form

    def open(self) -> Iterator[Row]:
        for value in iter(self.generator(*self.args)):
            yield self._checked(value)

    def _checked(self, value: Any) -> Row:
        """The components in the dtypes of the signature; TypeError if nesting, dtype or shape is another one."""
        try:
            leaves = list(_leaves_like(self._form.structure, value))
        except (TypeError, KeyError, AttributeError, ValueError):
            raise TypeError(f"The generator must yield elements nested like {self._form.nested}. Received: {value!r}.") from None
        row = []
        for leaf, spec in zip(leaves, self._form.specs, strict=True):
            array = as_component(leaf, None if hasattr(leaf, "dtype") and not isinstance(leaf, np.ndarray) else spec.dtype)
            if not spec.shape.is_compatible_with(array.shape):
                raise InvalidArgumentError(
                    f"The generator yielded an element of shape {array.shape} where the shape {spec.shape} was expected."
                )
            row.append(array if array.dtype == spec.dtype.np else array.astype(spec.dtype.np))
        return tuple(row)


def _leaves_like(structure: tree.Structure, value: Any) -> Iterator[Any]:
    """What stands in the value where the structure has leaves: a list may be a leaf, or stand for a tuple."""
    if structure is tree.LEAF:
        yield value
        return
    if not structure.keys:
        parts = list(value)
    elif isinstance(value, Mapping):
        parts = [value[key] for key in structure.keys]
    else:
        parts = [getattr(value, key) for key in structure.keys]
    for child, part in zip(structure.children, parts, strict=True):
        yield from _leaves_like(child, part)


class Zipped(Stage):
    """One element of each stage side by side, until the shortest ends."""

    def __init__(self, stages: list[Stage], outer: tree.Structure) -> None:
        self.stages, self.outer = stages, outer

    @property
    def structure(self) -> tree.Structure:
        parts = [s.structure for s in self.stages]
        return tree.flatten(self.outer.unflatten([p.unflatten([0] * p.count) for p in parts]))[1]

    @property
    def form(self) -> Form:
        forms = [s.form for s in self.stages]
        nested = self.outer.unflatten([f.structure.unflatten([0] * f.structure.count) for f in forms])
        return Form(tree.flatten(nested)[1], tuple(spec for f in forms for spec in f.specs))

    @property
    def cardinality(self) -> int:
        counts = [s.cardinality for s in self.stages]
        finite = [c for c in counts if c >= 0]
        return UNKNOWN if UNKNOWN in counts else min(finite) if finite else INFINITE

    def open(self) -> Iterator[Row]:
        for rows in zip(*(s.open() for s in self.stages), strict=False):
            yield tuple(component for row in rows for component in row)
