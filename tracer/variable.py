"""`Variable`: state that outlives a step. In: an initial value; out: storage at a fixed address, snapshots, assignments."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from weft.graph.dtype import DType, as_dtype
from weft.graph.ir import ArrayType, VariableRef

from .blocks import aligned_copy
from .context import state
from .convert import convert_to_tensor
from .errors import AssignShapeError
from .operators import Operators
from .tensor import DTYPES, EagerTensor, numpy_text
from .tensor_shape import TensorShape


class VariableReference(VariableRef):
    """A variable's identity in graphs, and its hashable stand-in for users: ``v.ref()`` is ``v.ref``."""

    def __call__(self) -> VariableReference:
        return self

    def deref(self) -> Any:
        """The variable; None once it is gone."""
        return self.owner()


class Variable(Operators):
    """A mutable array of one dtype and shape.

    initial_value: anything `convert_to_tensor` takes, or a function without arguments that returns it. dtype: default that of the
    value. shape: if given, the value must have it. name: without one, ``"Variable"``.

    Eager reads hand out snapshots: a tensor read before an assignment keeps the old value. While a function is traced, reads and
    assignments become part of the graph in program order. The storage's address never changes, so that compiled steps can hold
    it; code that writes `storage` itself must call `mark_written` afterwards.
    """

    __slots__ = ("__dict__", "__weakref__", "_name", "_snapshot", "constraint", "dtype", "ref", "storage", "trainable")

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        validate_shape: bool = True,
        name: str | None = None,
        dtype: Any = None,
        constraint: Any = None,
        shape: Any = None,
        **ignored: Any,
    ) -> None:
        unknown = set(ignored) - _DISTRIBUTION_ARGUMENTS
        if unknown:
            raise TypeError(f"Variable got an unexpected keyword argument {sorted(unknown)[0]!r}.")
        if initial_value is None:
            raise ValueError("A Variable must be created with an initial_value. Received: None")
        self._name = name or "Variable"
        self.trainable = trainable is None or bool(trainable)
        self.constraint = constraint
        value = state.interpreter.create(self, initial_value, None if dtype is None else as_dtype(dtype))
        if shape is not None and not TensorShape(shape).is_compatible_with(value.shape):
            raise ValueError(
                f"In this variable creation, the initial value's shape ({value.shape}) is not compatible with the explicitly "
                f"supplied `shape` argument ({TensorShape(shape)})."
            )
        self._adopt(value)

    def _adopt(self, value: np.ndarray) -> None:
        self.dtype: DType = DTYPES[value.dtype]
        self.storage = aligned_copy(value)
        self._snapshot: EagerTensor | None = None
        self.ref = VariableReference(self._name, ArrayType(self.dtype, value.shape), owner=weakref.ref(self))

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return f"{self._name}:0"

    @property
    def _storage(self) -> np.ndarray:
        return self.storage

    @property
    def type(self) -> ArrayType:
        return self.ref.type

    @property
    def shape(self) -> TensorShape:
        return TensorShape.of(self.storage.shape)

    @property
    def ndim(self) -> int:
        return self.storage.ndim

    @property
    def device(self) -> str:
        return "/job:localhost/replica:0/task:0/device:CPU:0"

    def get_shape(self) -> TensorShape:
        return self.shape

    # -- reading -------------------------------------------------------------------------------------------------------

    def value(self) -> Any:
        """The value now, as a tensor that later assignments do not change."""
        tensor = state.interpreter.read(self)
        if state.tapes:
            tensor = state.tapes[-1].fresh_read(self, tensor)
            for tape in state.tapes:
                tape.on_read(self, tensor)
        return tensor

    read_value = value

    def __weft_tensor__(self) -> Any:
        return self.value()

    def snapshot(self) -> EagerTensor:
        """The stored value as an eager tensor; the same object until the next assignment."""
        found = self._snapshot
        if found is None:
            found = self._snapshot = EagerTensor(self.storage.copy())
        return found

    def numpy(self) -> Any:
        """A copy of the stored value. NotImplementedError while a function is traced, where the value is not known."""
        if state.interpreter.recording:
            raise NotImplementedError("numpy() is only available when eager execution is enabled, not inside a traced function.")
        return self.snapshot().numpy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.value().__array__(dtype, copy)

    # -- writing -------------------------------------------------------------------------------------------------------

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Sets the variable. ValueError if the shape differs, ValueError/TypeError if a tensor has another dtype."""
        tensor = self._checked(convert_to_tensor(value, self.dtype))
        state.interpreter.write(self, tensor)
        return self if read_value else None

    def assign_add(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Adds ``delta`` in place."""
        delta = self._checked(convert_to_tensor(delta, self.dtype))
        return self.assign(state.interpreter.read(self) + delta, read_value=read_value)

    def assign_sub(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Subtracts ``delta`` in place."""
        delta = self._checked(convert_to_tensor(delta, self.dtype))
        return self.assign(state.interpreter.read(self) - delta, read_value=read_value)

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Sets the rows or elements that the index vectors name."""
        return self._scattered("tensor_scatter_nd_update", indices, updates)

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Adds to the rows or elements that the index vectors name."""
        return self._scattered("tensor_scatter_nd_add", indices, updates)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        """Subtracts from the rows or elements that the index vectors name."""
        return self._scattered("tensor_scatter_nd_sub", indices, updates)

    def _scattered(self, function: str, indices: Any, updates: Any) -> Any:
        from . import ops  # most variables are written whole

        value = getattr(ops, function)(state.interpreter.read(self), indices, convert_to_tensor(updates, self.dtype))
        return self.assign(value)

    def _checked(self, tensor: Any) -> Any:
        shape = tuple(tensor.shape)
        if shape != self.storage.shape:
            raise AssignShapeError(
                f"Cannot assign value to variable '{self.name}': Shape mismatch. The variable shape {self.shape}, and the "
                f"assigned value shape {tensor.shape} are incompatible."
            )
        return tensor

    def store(self, array: np.ndarray) -> None:
        """Copies the array into the storage, which keeps its address. The array must never be written afterwards."""
        self._snapshot = None  # Ctrl-C may come between the next two
        np.copyto(self.storage, array)
        self._snapshot = EagerTensor(array)

    def mark_written(self) -> None:
        """To be called by whoever wrote the storage directly: the next read takes a new snapshot."""
        self._snapshot = None

    # -- Python's protocols --------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        from .sliced import slice_of_variable  # most variables are read whole

        return slice_of_variable(self, key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value())

    def __len__(self) -> int:
        return len(self.value())

    def __bool__(self) -> bool:
        return bool(self.value())

    def __float__(self) -> float:
        return float(self.value())

    def __int__(self) -> int:
        return int(self.value())

    def __index__(self) -> int:
        return self.value().__index__()

    def __contains__(self, item: Any) -> bool:
        return item in self.value()

    def __format__(self, spec: str) -> str:
        return format(self.value(), spec) if spec else str(self)

    def __repr__(self) -> str:
        head = f"<tf.Variable '{self.name}' shape={self.shape} dtype={self.dtype.name}"
        return f"{head}>" if state.interpreter.recording else f"{head}, numpy={numpy_text(self.storage)}>"

    def __deepcopy__(self, memo: Any) -> Variable:
        out = _restore(type(self), self._name, self.trainable, self.constraint, self.storage)
        memo[id(self)] = out
        return out

    def __copy__(self) -> Variable:
        return self.__deepcopy__({})

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self._name, self.trainable, self.constraint, self.storage.copy())

    __hash__ = Operators.__hash__


_DISTRIBUTION_ARGUMENTS = {
    "caching_device", "variable_def", "import_scope", "synchronization", "aggregation", "experimental_enable_variable_lifting",
}


def _restore(cls: type[Variable], name: str, trainable: bool, constraint: Any, value: np.ndarray) -> Variable:
    out = cls.__new__(cls)
    out._name, out.trainable, out.constraint = name, trainable, constraint
    out._adopt(value)
    return out
