"""The recording interpreter. In: ops on traced tensors; out: nodes, and the variables' values at every point of the program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from weft.graph.build import constant, dim_value, read
from weft.graph.dims import Dim
from weft.graph.dtype import DType
from weft.graph.evaluate import evaluate
from weft.graph.ir import ArrayType, Graph, Node, TupleType, VariableRef, make, topological
from weft.graph.op import REGISTRY, Attrs, Op
from weft.graph.origin import created_at

from .arguments import convert_arguments, refuse_leaked
from .checked import Checked, plain_attrs
from .context import init_scope, state
from .convert import convert_to_tensor
from .eager import record, require_eager
from .errors import InaccessibleTensorError, VariableCreationError
from .indexing import index_by_ops
from .origin import user_origins
from .tensor import EagerTensor, Tensor, TracedTensor

CREATED_AGAIN = (
    "A function only supports singleton variables created on the first call. Make sure the Variable is only created once or "
    "created outside the function."
)


class Trace:
    """One graph in the making.

    inputs: parameter nodes. values: arrays for them, or None; needed when a new variable's initial value depends on an input.
    """

    recording = True

    def __init__(self, name: str, inputs: Sequence[Node], values: Sequence[np.ndarray] | None, allow_creation: bool) -> None:
        self.name = name
        self.inputs = tuple(inputs)
        self.values = values
        self.allow_creation = allow_creation
        self.token: Node | None = None
        self.writes: dict[VariableRef, Node] = {}
        self.created: list[Any] = []
        self.variables: dict[VariableRef, Any] = {}  # read or written, in order
        self._current: dict[VariableRef, TracedTensor] = {}
        self._captured: dict[int, tuple[EagerTensor, Node]] = {}

    # -- ops ---------------------------------------------------------------------------------------------------------

    def apply(self, op: Op, args: Sequence[Any], attrs: Attrs) -> Any:
        tensors, decider = convert_arguments(op, args)
        if decider is not None:
            return decider.__weft_apply__(op, args, attrs)
        return self.compute(op, tensors, attrs)

    def compute(self, op: Op, tensors: Sequence[Any], attrs: Attrs, origins: Any = None) -> Any:
        """`apply` on arguments that are tensors already. origins: default the user's current line."""
        nodes = [self.node_of(t) for t in tensors]
        with created_at(user_origins() if origins is None else origins):
            if op.family == "effect":
                start = make(REGISTRY["token"]) if self.token is None else self.token
                self.token = make(op, (start, *nodes), plain_attrs(attrs))
                return None
            node = make(op, nodes, plain_attrs(attrs))
            out = self._wrap(node)
        if state.tapes:
            checked = Checked(op, node.attrs, tuple(n.type for n in nodes), node.type)
            if checked.floating:
                record(checked, tensors, out)
        return out

    def apply_size(self, size: Dim, dtype: DType) -> TracedTensor:
        """A symbolic size as a scalar tensor."""
        with created_at(user_origins()):
            return TracedTensor(dim_value(size, dtype), self)

    def index(self, x: Any, key: Any) -> Any:
        return index_by_ops(convert_to_tensor(x), key)

    def node_of(self, tensor: Any) -> Node:
        """The tensor's node here: its own, or a constant for an eager tensor. `InaccessibleTensorError` for another trace's."""
        if isinstance(tensor, TracedTensor):
            if tensor._trace is not self:
                raise refuse_leaked(tensor)
            return tensor._node
        known = self._captured.get(id(tensor))
        if known is None:
            with created_at(user_origins()):
                known = self._captured[id(tensor)] = (tensor, constant(require_eager(tensor)._array))
        return known[1]

    def _wrap(self, node: Node) -> Any:
        if isinstance(node.type, TupleType):
            item = REGISTRY["item"]
            return tuple([TracedTensor(make(item, (node,), {"index": i}), self) for i in range(len(node.type.items))])
        return TracedTensor(node, self)

    @contextmanager
    def dry_run(self) -> Iterator[None]:
        """Effects and assignments inside are forgotten."""
        before = self.token, dict(self.writes), dict(self._current)
        try:
            yield
        finally:
            self.token, self.writes, self._current = before

    # -- variables ---------------------------------------------------------------------------------------------------

    def read(self, variable: Any) -> TracedTensor:
        known = self._current.get(variable.ref)
        if known is None:
            with created_at(user_origins()):
                known = self._current[variable.ref] = TracedTensor(read(variable.ref), self)
            self.variables[variable.ref] = variable
        return known

    def write(self, variable: Any, value: Any) -> None:
        node = self.node_of(value)
        self.variables[variable.ref] = variable
        self._current[variable.ref] = TracedTensor(node, self)  # a new tensor, so that no gradient flows through the assignment
        self.writes[variable.ref] = node

    def create(self, variable: Any, initial_value: Any, dtype: DType | None) -> np.ndarray:
        """The new variable exists at once: its initial value is computed now, from ``values`` if it depends on an input."""
        if not self.allow_creation:
            raise VariableCreationError(CREATED_AGAIN)
        self.created.append(variable)
        if callable(initial_value):
            try:
                with init_scope():
                    return require_eager(convert_to_tensor(initial_value(), dtype))._array
            except InaccessibleTensorError:
                initial_value = initial_value()  # it looks at a traced tensor: record it and compute it below
        value = convert_to_tensor(initial_value, dtype)
        return value._array if isinstance(value, EagerTensor) else self._evaluate(value)

    def _evaluate(self, value: Tensor) -> np.ndarray:
        """The value that a traced tensor has in this call."""
        node = self.node_of(value)
        if self.values is not None:
            graph, arrays = Graph(self.inputs, (node,)), self.values
        else:
            reached = topological([node])
            used = [repr(n.attrs["name"]) for n in self.inputs if n in reached]
            if used or any(_mentions_size(n) for n in reached):
                what = f"the argument {', '.join(used)}" if used else "a size"
                raise VariableCreationError(
                    f"The initial value of a variable depends on {what} that is not known yet, so the creation could not be "
                    "lifted out of the function. Call the function once with values, or create the variable outside."
                )
            graph, arrays = Graph((), (node,)), ()
        storages = {ref: variable.storage for ref, variable in self.variables.items()}
        return evaluate(graph, arrays, storages).outputs[0]

    def close(self) -> None:
        """Lets go of everything, so that a traced tensor that leaked keeps nothing else alive."""
        self._current.clear()
        self._captured.clear()
        self.variables.clear()
        self.created.clear()
        self.writes.clear()
        self.values = self.token = None


def _mentions_size(node: Node) -> bool:
    return (isinstance(node.type, ArrayType) and bool(node.type.names)) or isinstance(node.attrs.get("size"), Dim)
