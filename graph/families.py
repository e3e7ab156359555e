"""The families of ops. In: an op's few own facts; out: shape and dtype rule, NumPy kernel, and the data a code generator needs.

| family      | an op of it supplies                                  | generated code                                 |
|-------------|-------------------------------------------------------|------------------------------------------------|
| source      | nothing to compute from                               | constants, inputs, sizes, index ramps          |
| elementwise | one scalar expression                                 | fused with anything of its iteration space     |
| reduce      | start value and combine expression                    | ends a fused chain                             |
| layout      | an affine index map                                   | vanishes into the reader's index, or one copy  |
| contract    | which axes are multiplied and summed                  | matrix product, or plain loops                 |
| gather      | kernel and check (gather, scatter_add)                | indexed copy or accumulation                   |
| row         | phases over the last axis (softmax, cross-entropy)    | one pass-wise loop per row                     |
| scan        | combine expression along one axis (cumsum)            | a sequential loop                              |
| random      | a distribution over counter-based bits                | one Philox block per four numbers              |
| effect      | what happens outside (print, assert)                  | a call back into Python, in program order      |
| control     | a sub-graph (call) or a projection (item)             | inlined                                        |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from . import scalar
from .dims import Shape, Size
from .dtype import DType, bool_
from .errors import DTypeError, ShapeError
from .ir import ArrayType, Type
from .op import Attrs, Op, Types, broadcast_shapes, received, require_kind, require_same_dtype
from .quiet import quietly
from .record import record


class Source(Op):
    """No tensor arguments: constant, parameter, read, dim_value, iota, token."""

    family: ClassVar[str] = "source"
    rule: Callable[[Attrs], Type]
    compute: Callable[..., Any] | None = None

    @property
    def own(self) -> bool:
        return self.compute is None

    def infer(self, types: Types, attrs: Attrs) -> Type:
        return self.rule(attrs)

    def evaluate(self, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
        assert self.compute is not None, f"{self.name} has no value of its own"
        return self.compute(**attrs)


class Elementwise(Op):
    """One scalar expression, applied with NumPy broadcasting.

    expr: Python syntax over ``a, b, c``, the attributes' names and the functions of `scalar.FUNCTIONS`; number literals take the
    dtype of ``a`` (of ``b`` if the first argument is a mask). numpy: a faster or exacter NumPy kernel than the derived one.
    kinds: allowed dtypes. result: "same", "bool", or the name of the attribute that holds the dtype (cast).
    masks: how many leading arguments are bool masks (where). check: a condition (same syntax) under which the element is an
    error, with ``error`` the exception class and ``message`` its text; it applies to value arguments of the dtype kinds
    ``check_kinds`` only (integers divide by zero, floats do not).
    """

    family: ClassVar[str] = "elementwise"
    expr: str
    kinds: str = "fiu"
    result: str = "same"
    masks: int = 0
    numpy: Callable[..., Any] | None = None
    check: str = ""
    error: type[Exception] | None = None
    message: str = ""
    check_kinds: str = "fiub"

    def infer(self, types: Types, attrs: Attrs) -> Type:
        masks = self.masks
        if masks and any(not t.dtype.is_bool for t in types[:masks]):
            raise DTypeError(f"{self.name} needs a bool condition. Received: {received(self, types)}.")
        model = types[masks]
        dtype, shape = model.dtype, model.shape
        if dtype.kind not in self.kinds:
            require_kind(self, types[masks:], self.kinds)
        same = True
        for t in types:
            if t is not model:
                if t.dtype is not dtype:
                    require_same_dtype(self, types[masks:])
                same = same and t.shape == shape
        if not same:
            shape = broadcast_shapes([t.shape for t in types], lambda: received(self, types))
        out = self.result_dtype(dtype, attrs)
        return model if same and out is dtype else ArrayType(out, shape)

    def result_dtype(self, dtype: DType, attrs: Attrs) -> DType:
        if self.result == "same":
            return dtype
        return bool_ if self.result == "bool" else attrs[self.result]

    def evaluate(self, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
        return scalar.evaluate_elementwise(self, arrays, attrs)


class Reduce(Op):
    """Combines the elements along ``axes`` (sorted, non-negative): attributes ``axes`` and ``keepdims``.

    start: the value of an empty reduction, as a function of the dtype; None if empty is an error. combine: expression over
    ``acc`` and ``a``. ufunc: NumPy's reduction ``f(array, axis=..., keepdims=...)``. index: the result is the position of the
    winner along the single axis (argmax, argmin), of dtype ``attrs["dtype"]``; then combine says whether ``a`` beats ``acc``.
    """

    family: ClassVar[str] = "reduce"
    start: Callable[[DType], Any] | None
    combine: str
    ufunc: Callable[..., Any]
    kinds: str = "fiu"
    index: bool = False

    def infer(self, types: Types, attrs: Attrs) -> Type:
        (x,) = types
        require_kind(self, types, self.kinds)
        axes, keep, sizes = attrs["axes"], attrs.get("keepdims", False), x.shape
        before = -1
        for a in axes:
            if not before < a < len(sizes):
                raise ShapeError(f"{self.name} over axes {axes} of a tensor of rank {x.rank}. Received: {received(self, types)}.")
            if self.start is None and sizes[a] == 0:
                raise ShapeError(f"{self.name} of no elements has no value. Received: {received(self, types)}, axes {axes}.")
            before = a
        shape = tuple([1 if i in axes else s for i, s in enumerate(sizes) if keep or i not in axes])
        return ArrayType(attrs["dtype"] if self.index else x.dtype, shape)

    def evaluate(self, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
        (x,) = arrays
        if self.index:
            return np.asarray(self.ufunc(x, axis=attrs["axes"][0])).astype(attrs["dtype"].np)
        return np.asarray(quietly(self.ufunc, x, axis=attrs["axes"], keepdims=attrs["keepdims"]), x.dtype)


@record
class View:
    """Where an output element is read: input index ``k`` is ``offset[k] + stride[k] * out_index[axis[k]]``.

    An ``axis[k]`` of None means that it is just ``offset[k]``.
    """

    axis: tuple[int | None, ...]
    stride: tuple[int, ...]
    offset: tuple[Size, ...]


@record
class Place:
    """Where an argument's element is written: output index ``k`` is ``offset[k] + stride[k] * in_index[k]``."""

    stride: tuple[int, ...]
    offset: tuple[Size, ...]


class Layout(Op):
    """Moves elements without computing. Exactly one of:

    linear: same elements in row-major order (reshape), so no code at all; view: output-driven affine reads (transpose, slice,
    broadcast, reverse); place: input-driven affine writes, one `Place` per argument, the rest filled with ``fill`` (concat, pad).
    """

    family: ClassVar[str] = "layout"
    shape: Callable[[Types, Attrs], Shape]
    compute: Callable[..., np.ndarray]
    linear: bool = False
    view: Callable[[Types, Attrs], View] | None = None
    place: Callable[[Types, Attrs], tuple[Place, ...]] | None = None
    fill: Callable[[Attrs], float] | None = None

    def infer(self, types: Types, attrs: Attrs) -> Type:
        return ArrayType(require_same_dtype(self, types), self.shape(types, attrs))

    def evaluate(self, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
        return self.compute(*arrays, **attrs)


class Contract(Op):
    """Products summed over shared axes. ``matmul``: attributes ``transpose_a``, ``transpose_b``; leading axes broadcast."""

    family: ClassVar[str] = "contract"
    shape: Callable[[Types, Attrs], Shape]
    compute: Callable[..., np.ndarray]

    def infer(self, types: Types, attrs: Attrs) -> Type:
        require_kind(self, types, "fiu")
        return ArrayType(require_same_dtype(self, types), self.shape(types, attrs))

    def evaluate(self, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
        return quietly(self.compute, *arrays, **attrs)


class Gather(Op):
    """Indexed reading (``gather``) or accumulation (``scatter_add``); out-of-range indices raise, compiled or not.

    scatters: arguments are (updates, indices) and the result is zeros plus the updates; otherwise (params, indices).
    """

    family: ClassVar[str] = "gather"
    rule: Callable[[Types, Attrs], ArrayType]
    compute: Callable[..., np.ndarray]
    scatters: bool = False

    def infer(self, types: Types, attrs: Attrs) -> Type:
        return self.rule(types, attrs)

    def evaluate(self, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
        return self.compute(*arrays, **attrs)


class Row(Op):
    """Several phases over the last axis, then a result: softmax, log-sum-exp, cross-entropy.

    phases: (name, "max" | "sum", expression); each runs over the row and may use the names before it. result: an expression; with
    ``keeps`` one value per element, else one per row. Names: ``a, b, c`` the arguments at this element (arguments without the
    last axis are the same along the row), ``j`` the column and ``n`` the row's length, both integers of the labels' dtype
    (int64 without integer labels), attributes by name. A phase over no columns is -inf (max) or 0 (sum).
    row_args: how many trailing arguments have no last axis (labels). check/error/message: as for `Elementwise`, per row, over
    the row arguments, ``n`` and attributes.
    """

    family: ClassVar[str] = "row"
    phases: tuple[tuple[str, str, str], ...]
    result: str
    keeps: bool = True
    row_args: int = 0
    check: str = ""
    error: type[Exception] | None = None
    message: str = ""
    rule: Callable[[Op, Types, Attrs], None] | None = None  # further demands on the types
    numpy: Callable[..., Any] | None = None

    def infer(self, types: Types, attrs: Attrs) -> Type:
        x = types[0]
        require_kind(self, types[:1], "f")
        if x.rank == 0:
            raise ShapeError(f"{self.name} needs a last axis. Received: {received(self, types)}.")
        if self.rule is not None:
            self.rule(self, types, attrs)
        return ArrayType(x.dtype, x.shape if self.keeps else x.shape[:-1])

    def evaluate(self, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
        return scalar.evaluate_row(self, arrays, attrs)


class Scan(Op):
    """A running combination along ``axis``: attributes ``axis``, ``exclusive``, ``reverse``."""

    family: ClassVar[str] = "scan"
    start: Callable[[DType], Any]
    combine: str
    compute: Callable[..., np.ndarray]
    kinds: str = "fiu"

    def infer(self, types: Types, attrs: Attrs) -> Type:
        (x,) = types
        require_kind(self, types, self.kinds)
        if not 0 <= attrs["axis"] < x.rank:
            raise ShapeError(f"{self.name} along axis {attrs['axis']} of rank {x.rank}. Received: {received(self, types)}.")
        return x

    def evaluate(self, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
        return quietly(self.compute, *arrays, **attrs)


class Random(Op):
    """Numbers from Philox 4x32-10 (Salmon et al. 2011). The one argument is the key: uint64 (seed, draw number).

    Elements of up to 4 bytes take one 32-bit lane each: element ``i`` of the row-major result lane ``i % 4`` of block
    ``i // 4``.
    8-byte elements take two: lanes ``2 * (i % 2)`` (low half) and the next (high half) of block ``i // 2``. ``transform`` turns
    them into numbers in eager mode; ``distribution`` names the same transform for the code generator (stated in ``ops/random``).
    demand: further demands on types and attributes.
    """

    family: ClassVar[str] = "random"
    distribution: str
    transform: Callable[..., np.ndarray]
    demand: Callable[[Types, Attrs], None] | None = None

    def infer(self, types: Types, attrs: Attrs) -> Type:
        (key,) = types
        if self.demand is not None:
            self.demand(types, attrs)
        if key.dtype.name != "uint64" or key.shape != (2,):
            raise DTypeError(f"{self.name} needs a uint64 key of shape (2,). Received: {received(self, types)}.")
        return ArrayType(attrs["dtype"], tuple(attrs["shape"]))

    def evaluate(self, arrays: Sequence[np.ndarray], attrs: Attrs) -> Any:
        return self.transform(arrays[0], **attrs)


class Effect(Op):
    """Something outside happens, in program order: the first argument is the token, so is the result. ``act`` does it."""

    family: ClassVar[str] = "effect"
    act: Callable[..., None]

    def infer(self, types: Types, attrs: Attrs) -> Type:
        return types[0]

    def evaluate(self, arrays: Sequence[Any], attrs: Attrs) -> Any:
        self.act(*arrays[1:], **attrs)
        return None


class Control(Op):
    """``call`` holds a graph and returns a tuple; ``item`` takes a tuple apart."""

    family: ClassVar[str] = "control"
    rule: Callable[[Types, Attrs], Type]
    compute: Callable[..., Any]

    def infer(self, types: Types, attrs: Attrs) -> Type:
        return self.rule(types, attrs)

    def evaluate(self, arrays: Sequence[Any], attrs: Attrs) -> Any:
        return self.compute(*arrays, **attrs)
