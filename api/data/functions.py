"""Stages that call the user's function: map, filter, take_while, flat_map. In: a stage and a function; out: a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from weft.graph.dims import Dim
from weft.graph.ir import ArrayType
from weft.tracer import TensorSpec
from weft.tracer.trace import trace
from weft.tracer.tree import Structure

from .elements import Form, Row, call, form_of, take_apart
from .order import Selection
from .stage import UNKNOWN, Stage

Function = Callable[..., Any]


def form_of_result(function: Function, child: Stage) -> Form:
    """The form of ``function(element)``: by tracing it on the specs, or from the first element where tracing is impossible."""
    form = child.form
    try:
        return _trace_form(function, form)
    except Exception:  # whatever the function does with a traced tensor, it may do with a value
        for row in child.open():
            return form_of(*take_apart(call(function, row, child.structure)))
        raise


def _trace_form(function: Function, form: Form) -> Form:
    types = []
    for i, spec in enumerate(form.specs):
        shape = [Dim(f"size{i}_{axis}") if size is None else size for axis, size in enumerate(spec.shape)]
        types.append(ArrayType(spec.dtype, tuple(shape)))

    def apply_to(*leaves: Any) -> Any:
        element = form.structure.unflatten(leaves)
        result = function(*element) if type(element) is tuple else function(element)
        return tuple(result) if isinstance(result, list) else result

    traced = trace(apply_to, types, allow_creation=False, name=getattr(function, "__name__", "map"))
    if traced.static:
        raise TypeError("An element's components are tensors. Received: None or a string.")
    specs = [TensorSpec([s if isinstance(s, int) else None for s in n.type.shape], n.type.dtype) for n in traced.graph.outputs]
    return Form(traced.structure, tuple(specs))


class Map(Stage):
    """``function(element)`` for every element; a tuple's components are separate arguments."""

    def __init__(self, child: Stage, function: Function) -> None:
        self.child, self.function = child, function
        self._seen: Structure | None = None  # how the function's results were nested so far

    @cached_property
    def form(self) -> Form:
        return form_of_result(self.function, self.child)

    @property
    def cardinality(self) -> int:
        return self.child.cardinality

    @property
    def structure(self) -> Structure:
        return self.form.structure if self._seen is None else self._seen

    def open(self) -> Iterator[Row]:
        for row in self.child.open():
            out, structure = take_apart(call(self.function, row, self.child.structure))
            self._seen = self._seen or structure
            if structure != self._seen:
                raise TypeError(f"The function given to map must always return the same nesting. Received: {structure}.")
            yield out


class Filter(Selection):
    """The elements for which ``predicate`` holds; with ``stop`` only those before the first for which it does not."""

    def __init__(self, child: Stage, predicate: Function, stop: bool = False) -> None:
        super().__init__(child)
        self.predicate, self.stop = predicate, stop

    @property
    def cardinality(self) -> int:
        return UNKNOWN

    @property
    def source(self) -> None:
        return None

    def open(self) -> Iterator[Row]:
        for row in self.child.open():
            if bool(call(self.predicate, row, self.child.structure)):
                yield row
            elif self.stop:
                return


class FlatMap(Stage):
    """The elements of the data sets that ``function(element)`` gives: ``cycle`` of them at a time, ``block`` elements in turn.

    inner: takes what the function returned apart into a stage.
    """

    def __init__(self, child: Stage, function: Function, inner: Callable[[Any], Stage], cycle: int = 1, block: int = 1) -> None:
        self.child, self.function, self.inner, self.cycle, self.block = child, function, inner, cycle, block

    @cached_property
    def form(self) -> Form:
        for stage in self._stages():
            return stage.form
        raise ValueError("The element spec of flat_map is that of its first data set, and there is none.")

    def _stages(self) -> Iterator[Stage]:
        for row in self.child.open():
            stage = self.inner(call(self.function, row, self.child.structure))
            self.__dict__.setdefault("form", stage.form)
            yield stage

    def open(self) -> Iterator[Row]:
        stages = self._stages()
        active: list[Iterator[Row]] = []
        at = 0
        while True:
            while len(active) < self.cycle:
                stage = next(stages, None)
                if stage is None:
                    break
                active.append(stage.open())
            if not active:
                return
            at %= len(active)
            taken = 0
            for row in active[at]:
                yield row
                taken += 1
                if taken == self.block:
                    break
            if taken < self.block:
                active.pop(at)
            else:
                at += 1
