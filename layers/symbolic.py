"""Tensors without values, for building models. In: calls on what `Input` returns; out: `KerasTensor` and the calls recorded.

Every tensor knows the call it came from, so that a model can be read off backwards from its outputs. Calls of layers are recorded
as they are; any other operation on a symbolic tensor becomes a call of a small `Operation`.

Unknown sizes are `Dim` inside and None outside. All tensors share the name "batch" for the first axis and one name per further
axis, which is enough for shapes to be inferred; when the model runs, every shape is checked again with the real sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from weft.tracer import tree
from weft.tracer.apply import REGISTRY, apply
from weft.tracer.indexing import index_by_ops
from weft.tracer.tensor import ArrayType, Tensor, as_dtype
from weft.tracer.tensor_shape import Dim, TensorShape
from weft.tracer.trace import trace

from .call_context import inferring
from .naming import auto_name
from .shapes import static


class KerasHistory(NamedTuple):
    """Where a symbolic tensor comes from: output ``tensor_index`` of call ``node_index`` of ``operation``."""

    operation: Any
    node_index: int
    tensor_index: int


class SymbolicShape(TensorShape):
    """The shape of a symbolic tensor: unknown sizes are `Dim`, print as None and equal None."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (tuple, list)) and static(self) == static(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(static(self))

    def __repr__(self) -> str:
        return str(static(self))

    def __getitem__(self, key: Any) -> Any:
        found = tuple.__getitem__(self, key)
        return SymbolicShape.of(found) if isinstance(key, slice) else found


class KerasTensor(Tensor):
    """A tensor that has a shape and a dtype but no value yet. shape: sizes, None where unknown."""

    _keras_history: KerasHistory

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None) -> None:
        sizes = tuple(_named(i, s) for i, s in enumerate(shape))
        self._type = ArrayType(as_dtype(dtype), sizes)
        self._name = name or auto_name("keras_tensor")

    @property
    def type(self) -> ArrayType:
        return self._type

    @property
    def shape(self) -> Any:
        """The sizes; those that are not known yet print as None and equal None."""
        return SymbolicShape.of(self._type.shape)

    @property
    def name(self) -> str:
        return self._name

    def __weft_apply__(self, op: Any, args: Any, attrs: Any) -> Any:
        return Operation(op, attrs)(*args)

    def __getitem__(self, key: Any) -> Any:
        return index_by_ops(self, key)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError(f"A symbolic tensor has no values; call the model on data to get some. Received: {self!r}")

    def numpy(self) -> Any:
        return self.__array__()

    def __bool__(self) -> bool:
        raise TypeError(f"A symbolic tensor has no value, so it cannot decide an `if`. Received: {self!r}")

    def __iter__(self) -> Any:
        raise TypeError(f"A symbolic tensor cannot be iterated over; use weft.unstack or slices. Received: {self!r}")

    def __len__(self) -> int:
        size = static(self._type.shape)[0] if self._type.shape else None
        if size is None:
            raise TypeError(f"A symbolic tensor has no length before the model runs. Received: {self!r}")
        return size

    def __contains__(self, item: Any) -> bool:
        raise TypeError(f"A symbolic tensor has no values to look through. Received: {self!r}")

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        shape, kind = static(self._type.shape), self.dtype.name
        return f"<KerasTensor shape={shape}, dtype={kind}, sparse=False, ragged=False, name={self.name}>"

    __str__ = __repr__


def _named(axis: int, size: Any) -> Any:
    return Dim("batch" if axis == 0 else f"size{axis}") if size is None else size


class Node:
    """One recorded call: an operation, its arguments, and the tensors it gave."""

    def __init__(self, operation: Any, args: Any, kwargs: Any, outputs: Any) -> None:
        self.operation, self.args, self.kwargs, self.outputs = operation, args, kwargs, outputs
        self.input_tensors = [x for x in tree.leaves_of((args, kwargs)) if isinstance(x, KerasTensor)]
        self.output_tensors = [x for x in tree.leaves_of(outputs) if isinstance(x, KerasTensor)]
        self._plain = (
            not kwargs and len(args) == 1 and isinstance(args[0], KerasTensor) and not isinstance(operation, Operation)
        )
        index = len(operation._inbound_nodes)
        for i, tensor in enumerate(self.output_tensors):
            tensor._keras_history = KerasHistory(operation, index, i)
        operation._inbound_nodes.append(self)

    @property
    def inputs(self) -> Any:
        """The only input tensor, or the list of them."""
        return self.input_tensors[0] if len(self.input_tensors) == 1 else self.input_tensors

    @property
    def is_input(self) -> bool:
        return not self.input_tensors

    def run(self, values: Mapping[int, Any], sizes: Mapping[str, Any]) -> Any:
        """Calls the operation on the values of its tensors (by id)."""
        if self._plain:
            return self.operation(values[id(self.args[0])])
        args, kwargs = tree.map_structure(
            lambda x: values[id(x)] if isinstance(x, KerasTensor) else x, (self.args, self.kwargs)
        )
        if isinstance(self.operation, Operation):
            return self.operation.run(args, sizes)
        return self.operation(*args, **kwargs)


SHOWN_NAMES = {  # Keras' names of the operators
    "mul": "multiply",
    "sub": "subtract",
    "div": "true_divide",
    "neg": "negative",
    "floordiv": "floor_divide",
    "pow": "power",
    "abs": "absolute",
    "slice": "get_item",
}


class Operation:
    """An op of weft applied to symbolic tensors outside any layer: ``x + 1``, ``weft.reduce_mean(x)``."""

    def __init__(self, op: Any, attrs: Mapping[str, Any], name: str | None = None) -> None:
        self.op, self.attrs = op, dict(attrs)
        shown = SHOWN_NAMES.get(op.name, op.name)
        self.name = auto_name(shown) if name is None else name
        self.type_name = "".join(part.capitalize() for part in shown.split("_"))
        self._inbound_nodes: list[Node] = []
        self.built = True

    def __call__(self, *args: Any) -> Any:
        outputs = infer_outputs(lambda *a: apply(self.op, a, **self.attrs), args, {})
        return record_call(self, args, {}, outputs)

    def run(self, args: Any, sizes: Mapping[str, Any]) -> Any:
        """The op on real tensors; sizes in the attributes are replaced by the real ones."""
        return apply(self.op, args, **{k: _resolve(v, sizes) for k, v in self.attrs.items()})

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"_inbound_nodes": self._inbound_nodes}
        return _operation, (self.op.name, self.attrs, self.name), state

    def copy(self) -> Operation:
        """The same operation without its calls."""
        return Operation(self.op, self.attrs, self.name)

    def count_params(self) -> int:
        """0: an operation has no weights."""
        return 0

    def __repr__(self) -> str:
        return f"<Operation {self.op.name}, name={self.name}>"


def _operation(op: str, attrs: Mapping[str, Any], name: str) -> Operation:
    return Operation(REGISTRY[op], attrs, name)


def _resolve(value: Any, sizes: Mapping[str, Any]) -> Any:
    if isinstance(value, Dim):
        if not value.names <= set(sizes):
            raise ValueError(
                f"The size {value} differs between the model's inputs; put the operation into a layer of your own."
            )
        return value.substitute(sizes)
    return tuple(_resolve(v, sizes) for v in value) if isinstance(value, tuple) else value


def any_symbolic(args: Any, kwargs: Any) -> bool:
    """Whether a `KerasTensor` is among the arguments."""
    if len(args) == 1 and isinstance(args[0], Tensor) and not kwargs:
        return isinstance(args[0], KerasTensor)
    return any(isinstance(x, KerasTensor) for x in tree.leaves_of((args, kwargs)))


def infer_outputs(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What the function gives for symbolic tensors, by tracing it with their shapes; nothing of the trace is kept."""
    leaves = {id(x): x for x in tree.leaves_of((args, kwargs)) if isinstance(x, KerasTensor)}
    result: list[Any] = []

    def run(*traced: Any) -> Any:
        values = dict(zip(leaves, traced, strict=True))
        inner_args, inner_kwargs = tree.map_structure(lambda x: values.get(id(x), x), (tuple(args), dict(kwargs)))
        outputs = function(*inner_args, **inner_kwargs)
        result.append(tree.map_structure(_describe, outputs))
        return [x for x in tree.leaves_of(outputs) if isinstance(x, Tensor)]

    with inferring():
        trace(run, [x.type for x in leaves.values()], names=[x.name for x in leaves.values()])
    return result[-1]


def _describe(value: Any) -> Any:
    return KerasTensor(value.shape, value.dtype) if isinstance(value, Tensor) else value


def record_call(operation: Any, args: Any, kwargs: Any, outputs: Any) -> Any:
    """Remembers the call, and returns its outputs, now with their history."""
    # An operation that hands its input through must still give a tensor of its own.
    outputs = tree.map_structure(lambda x: KerasTensor(x.type.shape, x.dtype) if hasattr(x, "_keras_history") else x, outputs)
    Node(operation, args, kwargs, outputs)
    return outputs
