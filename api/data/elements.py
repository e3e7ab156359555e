"""Elements of a data set. In: what users pass and functions return; out: flat tuples of arrays, and how they were nested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weft.graph.dtype import DType
from weft.graph.errors import InvalidArgumentError
from weft.graph.record import record
from weft.tracer import EagerTensor, Tensor, TensorShape, TensorSpec, Variable, convert_to_tensor, tree

Row = tuple[np.ndarray, ...]  # the components of one element, in the order of the structure's leaves


@record
class Form:
    """What all elements of a data set have in common: how they are nested, and the spec of every component."""

    structure: tree.Structure
    specs: tuple[TensorSpec, ...]

    @property
    def nested(self) -> Any:
        """The specs, nested as the elements are."""
        return self.structure.unflatten(self.specs)

    def batched(self, size: int | None) -> Form:
        """The form of batches of ``size`` elements; None if the last one may be smaller."""
        return Form(self.structure, tuple(TensorSpec(TensorShape([size]).concatenate(s.shape), s.dtype) for s in self.specs))

    def unbatched(self) -> Form:
        """The form of single slices. ValueError if a component has no first axis."""
        if any(s.shape.rank == 0 for s in self.specs):
            raise ValueError(f"Only data sets whose elements have a first axis can be unbatched. Received: {self.nested}.")
        return Form(self.structure, tuple(TensorSpec(s.shape[1:], s.dtype) for s in self.specs))


def take_apart(value: Any) -> tuple[Row, tree.Structure]:
    """The components of an element as arrays. Tuples and dicts are structure; lists become tensors, as in TensorFlow."""
    leaves, structure = tree.flatten(_without_lists(value))
    return tuple(as_component(leaf) for leaf in leaves), structure


def _without_lists(value: Any) -> Any:
    if isinstance(value, list):
        return convert_to_tensor(value)
    if isinstance(value, Mapping):
        return {k: _without_lists(v) for k, v in value.items()}
    if isinstance(value, tuple):
        parts = [_without_lists(v) for v in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def as_component(value: Any, dtype: DType | None = None) -> np.ndarray:
    """One component as a read-only array. TypeError for what is no tensor, such as None or a string."""
    if isinstance(value, (Tensor, Variable)) and not isinstance(value, (EagerTensor, Variable)):
        raise TypeError(f"A data set holds values, and a traced tensor has none. Received: {value!r}.")
    tensor = convert_to_tensor(value, dtype)
    return tensor._array


def wrap(row: Row, structure: tree.Structure) -> Any:
    """The element as users see it: tensors, nested."""
    return structure.unflatten([EagerTensor(a) for a in row])


def call(function: Any, row: Row, structure: tree.Structure) -> Any:
    """The function applied to an element; a tuple's components are separate arguments."""
    element = wrap(row, structure)
    return function(*element) if type(element) is tuple else function(element)


def form_of(row: Row, structure: tree.Structure) -> Form:
    """The form of a data set whose elements all look like this one."""
    return Form(structure, tuple(TensorSpec(a.shape, EagerTensor(a).dtype) for a in row))


def stack_rows(rows: Sequence[Row]) -> Row:
    """A batch. InvalidArgumentError naming the component if the shapes differ."""
    out = []
    for i, parts in enumerate(zip(*rows, strict=True)):
        first = parts[0]
        for j, part in enumerate(parts):
            if part.shape != first.shape or part.dtype != first.dtype:
                raise InvalidArgumentError(
                    f"Cannot batch tensors with different shapes in component {i}. First element had shape {list(first.shape)} "
                    f"and element {j} had shape {list(part.shape)}."
                )
        out.append(np.stack(parts) if first.ndim else np.array(parts, first.dtype))
    return tuple(out)
