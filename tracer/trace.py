"""Tracing. In: a Python function and the types of its tensors; out: `Traced`, a graph and how its results are packed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from weft.graph.build import parameter
from weft.graph.dtype import DType
from weft.graph.ir import ArrayType, Graph, Node
from weft.graph.record import record

from .context import interpreting, state
from .convert import convert_to_tensor
from .origin import traceback_origin
from .recording import Trace
from .tensor import Tensor, TracedTensor
from .tensor_shape import TensorShape
from .tensor_spec import TensorSpec
from .tree import LEAF, Structure, flatten

STATIC = (str, bytes, DType, TensorShape, TensorSpec, type(None))


@record(eq=False)
class Traced:
    """What a trace produced.

    graph: its outputs are the tensors among the result's leaves, in order. structure: the shape of the whole result. static: leaf
    number -> value for leaves that are no tensors (None, strings). variables: read or written, in order of first use, held
    strongly. created: variables that the call created.
    """

    graph: Graph
    structure: Structure
    static: dict[int, Any]
    variables: tuple[Any, ...]
    created: tuple[Any, ...]

    def pack(self, outputs: Sequence[Any]) -> Any:
        """The function's result with these values for the graph's outputs."""
        static = self.static
        if self.structure is LEAF and not static:
            return outputs[0]
        rest = iter(outputs)
        return self.structure.unflatten([static[i] if i in static else next(rest) for i in range(self.structure.count)])


def trace(
    function: Callable[..., Any],
    types: Sequence[ArrayType],
    names: Sequence[str] | None = None,
    values: Sequence[np.ndarray] | None = None,
    allow_creation: bool = True,
    name: str | None = None,
) -> Traced:
    """Runs ``function`` on one traced tensor per type and records what it does.

    types: shapes may hold `Dim`. names: of the parameters, for dumps. values: arrays of the current call, for variables whose
    initial value depends on an argument. allow_creation: whether variables may be created.

    Any exception leaves with its own type, with a note naming the user's line, and leaves no state behind: variables written
    by the function, also inside `init_scope`, have their old values. Raises TypeError if the result holds something that is
    neither tensor, number nor None.
    """
    title = name or str(getattr(function, "__name__", "function"))
    labels = names or [f"x{i}" for i in range(len(types))]
    inputs = tuple(parameter(t, label) for t, label in zip(types, labels, strict=True))
    recording = Trace(title, inputs, values, allow_creation)
    before, state.journal = state.journal, {}
    try:
        with interpreting(recording):
            result = function(*(TracedTensor(node, recording) for node in inputs))
            traced = _finish(recording, result)
    except BaseException as error:  # passed on
        for variable, old in state.journal.values():
            variable.store(old)
        state.journal = before
        _add_location(error, title)
        raise
    finally:
        recording.close()
    journal, state.journal = state.journal, before
    if before is not None:
        for key, entry in journal.items():
            before.setdefault(key, entry)
    return traced


def _finish(recording: Trace, result: Any) -> Traced:
    leaves, structure = flatten(result)
    static: dict[int, Any] = {}
    outputs: list[Node] = []
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, STATIC):
            static[i] = leaf
        else:
            outputs.append(recording.node_of(_as_tensor(leaf, structure, i, recording.name)))
    graph = Graph(recording.inputs, tuple(outputs), tuple(recording.writes.items()), recording.token, recording.name)
    return Traced(graph, structure, static, tuple(recording.variables.values()), tuple(recording.created))


def _as_tensor(leaf: Any, structure: Structure, i: int, name: str) -> Tensor:
    if isinstance(leaf, Tensor):
        return leaf
    try:
        tensor = convert_to_tensor(leaf)
    except (TypeError, ValueError):
        tensor = None
    if not isinstance(tensor, Tensor):
        raise TypeError(
            "To be compatible with tf.function, Python functions must return zero or more Tensors, numbers or None values. "
            f"Received: {leaf!r} of type {type(leaf).__name__} at result{structure.paths()[i]} of '{name}'."
        )
    return tensor


def _add_location(error: BaseException, title: str) -> None:
    """Notes the user's line once; errors that name it already, and interrupts, stay as they are."""
    where = traceback_origin(error.__traceback__)
    if where is None or not isinstance(error, Exception) or where.full in str(error):
        return
    note = f"while tracing '{title}': {where.full}"
    if not any("while tracing" in n for n in getattr(error, "__notes__", ())):
        error.add_note(note)
