"""The compiler's product as plain data. In: what `generate` planned; out: one Python module's text and the tables to run it.

A `Program` holds no addresses, no nodes and no code objects: it can be stored beside its constants and run by another
process. ``step(p, d)`` in ``source`` calls the kernels; ``p`` has one pointer per entry of ``buffers``, ``d`` one integer per
entry of ``sizes``. It returns 0, a positive code of ``checks``, or -1 when an effect has left an exception behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weft.graph.ir import Graph, VariableRef
from weft.graph.record import field, field_names, record

PLACEHOLDER = "KERNEL"
"""What kernels are called in their texts until their name, a hash of the text, is known."""


def order_variables(graph: Graph) -> tuple[VariableRef, ...]:
    """The variables whose storages a program of this graph takes, in its order: reads first, then those only written."""
    return tuple(dict.fromkeys((*graph.reads(), *(v for v, _ in graph.writes))))


@record
class EpilogueDecl:
    """What a product's kernel does with finished elements (see `contract_formula`). Its own arrays follow the product's.

    kinds, dtypes: per own array how it lies to the product ("elements", "columns", "rows"; "" if only ``prepare`` reads it) and
    its element type. written: which of them are written. keeps: the product itself is stored too. streams: arrays shaped like
    the product are read. integers: arguments after the product's. prepare, finish: LLVM functions ("" if there is nothing to
    prepare); the numbers after their names are the own arrays that they take. element: the same as ``finish`` for one vector of a
    register tile, whole and masked, if that is short (see `emit_element`). scalars: the types of what ``prepare`` leaves for
    ``finish``. declared: what they call. sums: the own arrays, by number, that take up sums over columns and are to be zero
    before the first row.
    """

    kinds: tuple[str, ...]
    dtypes: tuple[str, ...]
    written: tuple[bool, ...]
    keeps: bool
    streams: bool
    integers: int
    prepare: str
    prepare_arrays: tuple[int, ...]
    finish: str
    finish_arrays: tuple[int, ...]
    element: tuple[str, ...]
    scalars: tuple[str, ...]
    declared: tuple[str, ...]
    sums: tuple[int, ...] = ()


@record
class ContractDecl:
    """A matrix product: element type (short name) and which operands are transposed. accumulate: it is added to what c holds.
    halves: two products, of the halves of k (see `halve_products`). sets: so many products with one a; b, c and the epilogue's
    arrays of the further ones follow those of the first. A library routine may replace it if there is no LLVM text of it."""

    dtype: str
    transpose_a: bool
    transpose_b: bool
    epilogue: EpilogueDecl | None = None
    accumulate: bool = False
    halves: bool = False
    sets: int = 1


@record
class Split:
    """How threads share a kernel call; see docs/threads.md. Parts begin at multiples of ``granule``.

    extent: how many iterations (or tiles) there are, a text over the call's integers ``n0``, ``n1``, ...
    A kernel with ``argument`` >= 0 is called with a smaller extent as that integer and with pointers moved by ``strides`` (texts,
    elements per iteration); local: whether an iteration keeps to its own stretch of that array. Otherwise ``ranged`` names the
    kernel that takes two more integers, first and last. work: (position, bytes) of a pointer that each thread needs for itself.
    repeats: a text like ``extent``; above 0 each part does work that others do as well, so that few are better. again: the kernel
    takes a third integer, not 0 if the thread has just run another part of the call and that memory is as it left it.
    """

    granule: int
    extent: str
    argument: int = -1
    strides: tuple[str, ...] = ()
    local: tuple[bool, ...] = ()
    ranged: str = ""
    work: tuple[int, int] = (-1, 0)
    repeats: str = ""
    again: bool = False


@record
class KernelDecl:
    """The signature of one kernel: pointers first (dtype short names, in order), then ``integers`` int64 sizes; returns int32.

    writes: positions of the pointers that are written. checks: the kernel may return a non-zero check code. split: set if
    threads may share a call.
    contract: set if the kernel has the canonical signature (a, b, c, batch, m, n, k, stride_a, stride_b), or is a product by
    micro-kernels: (a, b, c, scratch memory, own arrays of the epilogue, batch, ..., stride_b, integers of the epilogue).
    """

    name: str
    pointers: tuple[str, ...]
    integers: int
    writes: tuple[int, ...] = ()
    checks: bool = False
    contract: ContractDecl | None = None
    split: Split | None = None


@record
class Buffer:
    """One entry of the pointer table: C-contiguous elements.

    kind: "input", "variable", "constant", "output" (``index`` counts within the kind) or "scratch" (``index`` is the slot).
    shape: size texts, see `graph.dims.parse_size`.
    """

    kind: str
    index: int
    dtype: str
    shape: tuple[str, ...]


@record
class VariableDecl:
    """One variable's storage, in the order the caller passes them: ``order_variables(graph)``."""

    name: str
    dtype: str
    shape: tuple[str, ...]
    written: bool


@record
class Port:
    """One input or output of the step: its buffer, element type and size texts."""

    buffer: int
    dtype: str
    shape: tuple[str, ...]


@record
class CheckDecl:
    """What a non-zero result of ``step`` means: the class in `graph.errors`, the message, and the user's line."""

    error: str
    message: str
    origin: str


@record
class EffectDecl:
    """One call back into Python: the op's ``act`` with the arrays in these buffers and these attributes.

    ``shapes`` are the arrays' size texts; ``attrs`` holds JSON values only.
    """

    op: str
    buffers: tuple[int, ...]
    shapes: tuple[tuple[str, ...], ...]
    attrs: Mapping[str, Any]
    origin: str


@record
class CallDecl:
    """One call that ``step`` makes, of a kernel or back into Python; in the order of the text.

    kernel: its name; "effect" for a call back into Python. ops: the ops it computes. result: type of what it leaves in memory.
    origin: the user's lines. flops, traffic: its work (see `count_work.Work`) as size texts.
    """

    kernel: str
    ops: str
    result: str
    origin: str
    flops: str = "0"
    traffic: tuple[tuple[str, ...], ...] = ()


@record(eq=False)
class Program:
    """Everything needed to run one graph.

    sizes: what ``step`` gets in ``d``, in order (names of symbolic sizes). slots: per scratch slot the sizes in bytes (texts) of
    the buffers that share it; it needs the largest. constants: C-contiguous read-only arrays, stored beside the JSON text.
    checks: code ``i`` is ``checks[i - 1]``. calls: what ``step`` calls, in order, for whoever measures it. llvm: kernels that
    exist as LLVM text too, by name: modules that define ``i32 @KERNEL(ptr..., i64...)``.
    """

    source: str
    kernels: tuple[KernelDecl, ...]
    buffers: tuple[Buffer, ...]
    sizes: tuple[str, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    variables: tuple[VariableDecl, ...]
    constants: tuple[np.ndarray, ...]
    slots: tuple[tuple[str, ...], ...]
    checks: tuple[CheckDecl, ...] = ()
    effects: tuple[EffectDecl, ...] = ()
    calls: tuple[CallDecl, ...] = ()
    name: str = "graph"
    notes: Mapping[str, Any] = field(default_factory=dict)
    llvm: Mapping[str, str] = field(default_factory=dict)

    def to_tables(self) -> dict[str, Any]:
        """The program as dictionaries, lists, strings and numbers, all but the constants."""
        return {name: _plain(getattr(self, name)) for name in field_names(self) if name != "constants"}

    @staticmethod
    def from_tables(t: Mapping[str, Any], constants: Sequence[np.ndarray]) -> Program:
        """The inverse of `to_tables`. ValueError, TypeError or KeyError if the tables are no program."""
        return Program(
            source=t["source"],
            kernels=tuple(_kernel(k) for k in t["kernels"]),
            buffers=tuple(Buffer(b["kind"], b["index"], b["dtype"], tuple(b["shape"])) for b in t["buffers"]),
            sizes=tuple(t["sizes"]),
            inputs=tuple(_port(p) for p in t["inputs"]),
            outputs=tuple(_port(p) for p in t["outputs"]),
            variables=tuple(VariableDecl(v["name"], v["dtype"], tuple(v["shape"]), v["written"]) for v in t["variables"]),
            constants=tuple(constants),
            slots=tuple(tuple(s) for s in t["slots"]),
            checks=tuple(CheckDecl(**c) for c in t["checks"]),
            effects=tuple(_effect(e) for e in t["effects"]),
            calls=tuple(_call(c) for c in t["calls"]),
            name=t["name"],
            notes=t["notes"],
            llvm=t["llvm"],
        )


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return {name: _plain(getattr(value, name)) for name in field_names(value)}


def _kernel(t: dict[str, Any]) -> KernelDecl:
    contract = _contract(t["contract"]) if t["contract"] else None
    split = _split(t["split"]) if t.get("split") else None
    return KernelDecl(t["name"], tuple(t["pointers"]), t["integers"], tuple(t["writes"]), t["checks"], contract, split)


def _contract(t: dict[str, Any]) -> ContractDecl:
    epilogue: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in (t["epilogue"] or {}).items()}
    return ContractDecl(**{**t, "epilogue": EpilogueDecl(**epilogue) if epilogue else None})


def _split(t: dict[str, Any]) -> Split:
    strides, local, work = (tuple(t[name]) for name in ("strides", "local", "work"))
    return Split(t["granule"], t["extent"], t["argument"], strides, local, t["ranged"], work)


def _call(t: dict[str, Any]) -> CallDecl:
    traffic = tuple(map(tuple, t["traffic"]))
    return CallDecl(t["kernel"], t["ops"], t["result"], t["origin"], t["flops"], traffic)


def _port(t: dict[str, Any]) -> Port:
    return Port(t["buffer"], t["dtype"], tuple(t["shape"]))


def _effect(t: dict[str, Any]) -> EffectDecl:
    return EffectDecl(t["op"], tuple(t["buffers"]), tuple(map(tuple, t["shapes"])), t["attrs"], t["origin"])
