"""The op record and its registry. In: one `define` call per op, in ``ops/``; out: everything the project knows about that op.

Read this second. What differs between kinds of ops (shape rule, legality of fusion, data for the code generator) belongs to the
family, see ``families``. No pass and no printer tests an op's name: it asks the family or a declared property.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, dataclass_transform

import numpy as np

from .dims import Shape, Size
from .dtype import DType
from .errors import DTypeError, ShapeError
from .ir import Node, Type
from .record import field, record

Types = tuple[Any, ...]  # of ArrayType, but for the few ops that take tuples or tokens
Attrs = Mapping[str, Any]
GradientRule = Callable[[Any, Node, Any], Sequence["Node | None"]]  # (builder, node, gradient; of a tuple node a tuple)


@record
class Sample:
    """Arguments the generated tests call the op with: arrays, attributes, and whether the gradient is checked there."""

    args: tuple[Any, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    differentiable: bool = True


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=False)
class Record:
    """A frozen record whose fields are the annotations of its classes, given by keyword; ``...`` never is a default.

    As a frozen dataclass, but defining the dozen families this way costs a tenth of the time, which every import would pay.
    """

    defaults: ClassVar[dict[str, Any]] = {}
    """Of all fields; ``...`` marks a required one."""

    def __init_subclass__(cls) -> None:
        own = {n: cls.__dict__.get(n, ...) for n, t in cls.__annotations__.items() if not str(t).startswith("ClassVar")}
        cls.defaults = {**cls.defaults, **own}

    def __init__(self, **facts: Any) -> None:
        values = {**self.defaults, **facts}
        wrong = [n for n, v in values.items() if v is ... or n not in self.defaults]
        if wrong:
            fields = ", ".join(self.defaults)
            raise TypeError(f"{type(self).__name__} has the fields {fields}. Missing or unknown: {', '.join(wrong)}.")
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"Records do not change. Received: {name} = {value!r}.")


class Op(Record):
    """One operation; subclasses are the families.

    name: in the text form, lower_case. params: names of the tensor arguments, TensorFlow's where it has the op.
    public: dotted names under ``weft`` that a generated function gets, e.g. ``("exp", "math.exp")``; empty for internal ops.
    attributes: attribute names with defaults; a value of ``...`` means required.
    gradient: ``rule(o, node, g)`` returns, per argument, the gradient or None, built with the ops of ``o``. It may leave
    broadcasting undone: the reverse walk sums the result to the argument's shape. None: no gradient flows.
    samples: arguments for the generated tests. doc: the public docstring.
    """

    family: ClassVar[str] = "abstract"

    name: str
    params: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = {}
    gradient: GradientRule | None = None
    samples: Callable[[], Sequence[Sample]] = tuple
    doc: str = ""

    @property
    def own(self) -> bool:
        """Of an op without arguments: whether its value comes with a call, as an argument's or a variable's does."""
        return False

    def canonical(self, attrs: Attrs) -> Attrs:
        """The attributes in declared order with defaults filled in; TypeError for unknown or missing ones."""
        declared = self.attributes
        if len(attrs) == len(declared) and tuple(attrs) == tuple(declared):
            return attrs
        if any(k not in declared for k in attrs):
            unknown = sorted(set(attrs) - set(declared))
            raise TypeError(f"{self.name} has no attribute {', '.join(unknown)}. It has: {', '.join(declared) or 'none'}.")
        out = {**declared, **attrs}
        if ... in out.values():
            missing = [k for k, v in out.items() if v is ...]
            raise TypeError(f"{self.name} needs the attribute {', '.join(missing)}.")
        return out

    def infer(self, types: Types, attrs: Attrs) -> Type:
        """The result's type. Raises `ShapeError` or `DTypeError` naming the rule and what was received."""
        raise NotImplementedError

    def evaluate(self, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
        """The NumPy kernel: the eager path and the oracle. Arguments have the inferred types and are never written."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<Op {self.name}>"


REGISTRY: dict[str, Op] = {}


def define(op: Op) -> Op:
    """Registers the op under its name and returns it. ValueError if the name is taken."""
    if op.name in REGISTRY:
        raise ValueError(f"The op {op.name!r} is defined twice.")
    REGISTRY[op.name] = op
    return op


def require_kind(op: Op, types: Types, kinds: str) -> None:
    """DTypeError unless every argument's dtype is of one of NumPy's kinds (``f`` float, ``i``/``u`` integer, ``b`` bool)."""
    for t in types:
        if t.dtype.kind not in kinds:
            words = {"f": "floating", "i": "integer", "u": "unsigned integer", "b": "bool"}
            allowed = ", ".join(words[k] for k in kinds)
            raise DTypeError(f"{op.name} takes {allowed} tensors. Received: {received(op, types)}.")


def require_same_dtype(op: Op, types: Types) -> DType:
    """The common dtype; DTypeError if there are several, because weft never promotes between tensors."""
    first = types[0].dtype
    if any(t.dtype is not first for t in types):
        raise DTypeError(
            f"{op.name} needs tensors of one dtype; weft does not promote between tensors, use cast. "
            f"Received: {received(op, types)}."
        )
    return first


def received(op: Op, types: Types) -> str:
    """``x: float32 (2, 3), y: int32 (3,)`` for messages."""
    names = op.params if len(op.params) == len(types) else tuple(f"argument {i}" for i in range(len(types)))
    pairs = zip(names, types, strict=True)
    return ", ".join(f"{n}: {t.dtype.name} ({', '.join(map(str, t.shape))}{',' * (t.rank == 1)})" for n, t in pairs)


class DimConflict(ShapeError):
    """Two sizes met that are not known to be equal, at least one of them symbolic. The tracer may unify or pin them."""

    def __init__(self, message: str, a: Size, b: Size) -> None:
        super().__init__(message)
        self.sizes = (a, b)


def broadcast_shapes(shapes: Sequence[Shape], describe: Callable[[], str]) -> Shape:
    """The shape after NumPy broadcasting. `ShapeError` (or `DimConflict` if a symbolic size is involved) if there is none."""
    longest = max(shapes, key=len, default=())
    out = list(longest)
    for shape in shapes:
        if shape is longest:
            continue
        for i, size in enumerate(shape, len(out) - len(shape)):
            have = out[i]
            if size == have or size == 1:
                continue
            if have == 1:
                out[i] = size
                continue
            message = f"Shapes cannot be broadcast together: {have} against {size} on axis {i}. Received: {describe()}."
            if isinstance(size, int) and isinstance(have, int):
                raise ShapeError(message)
            raise DimConflict(message, have, size)
    return tuple(out)
