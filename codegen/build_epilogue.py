"""What a product's kernel does with finished elements, as loop IR. In: a product and the group behind it; out: `EpilogueKernels`.

The group is built like any other, as loops over the product's elements, with the product as one of its arrays. This kernel is
what runs un-jitted, behind the product's own loops. Compiled, it comes in two parts. ``finish`` computes one register tile: rows
and columns of the tile instead of the whole, with the sums in ``values`` instead of the product. What does not depend on the
element stands in ``prepare``, runs once before the first tile, and leaves its results in ``s0``, ``s1``, ... Sums over the rows
grow in their arrays, tile by tile; whoever runs the tiles sets them to zero before the first row.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from weft.graph.dims import Dim
from weft.graph.dtype import DType
from weft.graph.record import record, replace

from .build_group import build_group
from .build_nest import Nest, Overwritten, Storage
from .collapse_loops import values
from .fuse_nodes import Group
from .kernel import (
    ZERO,
    Affine,
    Apply,
    Const,
    Expr,
    Kernel,
    Let,
    Load,
    Loop,
    Name,
    Param,
    SizeOf,
    Statement,
    Store,
    expressions,
    flatten_index,
    statements,
    variable,
)
from .terms import Term

ROWS, COLUMNS, STRIDE, PITCH = (Dim(name) for name in ("rows", "columns", "stride", "pitch"))
TILE_SIZES = (ROWS, COLUMNS, STRIDE, PITCH)
"""What ``finish`` is told of a tile: its extents, and elements from row to row of arrays and of ``values``."""
PRODUCT, VALUES = "c", "values"
ELEMENTS, BY_COLUMN, BY_ROW = "elements", "columns", "rows"


class EpilogueNest(Nest):
    """A nest over a product: the product is the array ``c``, all others are ``e0``, ``e1``, ..."""

    def __init__(self, product: Term, storage: Storage, alias: Callable[[int], object], overwritten: Overwritten) -> None:
        super().__init__(storage, alias, overwritten)
        self.product = product
        self.params[product] = Param(PRODUCT, product.dtype, product.size)
        self.buffers.append(storage(product)[0])

    def array(self, buffer: int, dtype: DType, term: Term, write: bool) -> Param:
        """An array that takes over the product's memory still has a name of its own."""
        return self.params[self.product] if term is self.product else super().array(buffer, dtype, term, write)

    def name_array(self, write: bool) -> str:
        return f"e{len(self.params) - 1}"


@record
class EpilogueKernels:
    """kinds: how each array of ``finish`` lies to the product: like its elements, its columns or its rows. scalars: the dtypes of
    what ``prepare`` leaves; it is None where there is nothing. sums: the arrays that begin as zero and take up sums over rows."""

    finish: Kernel
    prepare: Kernel | None
    kinds: dict[str, str]
    scalars: tuple[DType, ...]
    sums: tuple[str, ...]

    @property
    def streams(self) -> int:
        """How many arrays shaped like the product are touched, if one is read."""
        read = {e.array for s in statements(self.finish.body) for v in values(s) for e in expressions(v) if isinstance(e, Load)}
        alike = [name for name, kind in self.kinds.items() if kind == ELEMENTS]
        return len(alike) if read.intersection(alike) else 0


class Unsuitable(Exception):
    """The group computes something that a tile cannot."""


def build_epilogue(group: Group, stored: set[Term], nest: EpilogueNest) -> Kernel:
    """The group as loops over the whole product. group: without the product."""
    build_group(group, stored | {nest.product}, nest)
    return nest.kernel()


def split_epilogue(kernel: Kernel) -> EpilogueKernels | None:
    """The kernel's two parts; None if it cannot be computed tile by tile. Its loops must not have been collapsed."""
    before: list[list[Statement]] = []
    loops: list[Loop] = []
    sums = tuple(itertools.takewhile(bool, map(_zeroed, kernel.body)))
    body = kernel.body[len(sums) :]
    while body and isinstance(body[-1], Loop) and all(isinstance(s, Let) for s in body[:-1]):
        before.append(body[:-1])
        loops.append(body[-1])
        body = loops[-1].body
    if len(loops) < 2 or not all(isinstance(s, (Let, Store)) for s in body):
        return None
    try:
        parts = _Splitter(kernel, loops, before[0], sums).split([s for lets in before[1:] for s in lets], body)
    except Unsuitable:
        return None
    return parts if all(parts.kinds.get(name) == BY_COLUMN for name in sums) else None


def _zeroed(statement: Statement) -> str:
    """The array that the statement fills with zeros; "" if it does something else."""
    if not isinstance(statement, Loop) or len(statement.body) != 1 or not isinstance(statement.body[0], Store):
        return ""
    store = statement.body[0]
    zero = isinstance(store.value, Const) and store.value.dtype.is_floating and repr(store.value.value) == "0.0"
    return store.array if zero and store.index == variable(statement.variable) else ""


class _Splitter:
    """Maps statements over the whole product to statements over a tile."""

    def __init__(self, kernel: Kernel, loops: Sequence[Loop], before: Sequence[Statement], sums: tuple[str, ...]) -> None:
        self.kernel, self.before, self.sums = kernel, before, sums
        self.kinds: dict[str, str] = {}
        self.shared: dict[str, DType] = {}  # names that `prepare` hands over
        self.sizes: dict[SizeOf, str] = {}
        names, extents = [variable(o.variable) for o in loops], [o.extent for o in loops]
        self.places = {
            flatten_index(names, extents).terms: ELEMENTS, names[-1].terms: BY_COLUMN,
            flatten_index(names[:-1], extents[:-1]).terms: BY_ROW,
        }  # fmt: skip
        self.outside = {s.name for s in self.before if isinstance(s, Let)}

    def split(self, by_row: Sequence[Statement], by_element: Sequence[Statement]) -> EpilogueKernels:
        row = [self.statement(s) for s in by_row]
        element = [self.statement(s) for s in by_element]
        scalars = {name: Param(f"s{i}", dtype, 1) for i, (name, dtype) in enumerate(self.shared.items())}
        known: list[Statement] = [Let(name, Load(p.name, ZERO, p.dtype)) for name, p in scalars.items()]
        inner = Loop("i1", COLUMNS, element)
        own = {p.name: p for p in self.kernel.params}
        values = Param(VALUES, own[PRODUCT].dtype, ROWS * PITCH)
        params = [values, *(own[name] for name in own if name in self.kinds), *scalars.values()]
        finish = Kernel("finish", params, [*known, Loop("i0", ROWS, [*row, inner])], self.kernel.ops)
        return EpilogueKernels(finish, self.prepare(scalars), self.kinds, tuple(self.shared.values()), self.sums)

    def prepare(self, scalars: dict[str, Param]) -> Kernel | None:
        if not scalars:
            return None
        body = [*self.before, *(Let(name, size) for size, name in self.sizes.items())]
        read = {e.array for s in body if isinstance(s, Let) for e in expressions(s.value) if isinstance(e, Load)}
        written = [replace(p, written=True) for p in scalars.values()]
        body += [Store(p.name, ZERO, Name(name, p.dtype)) for name, p in scalars.items()]
        return Kernel("prepare", [*(p for p in self.kernel.params if p.name in read), *written], body, self.kernel.ops)

    def statement(self, statement: Statement) -> Statement:
        if isinstance(statement, Store):
            return replace(statement, index=self.index(statement.array, statement.index), value=self.value(statement.value))
        if not isinstance(statement, Let) or statement.name in self.outside:
            raise Unsuitable
        return replace(statement, value=self.value(statement.value))

    def value(self, value: Expr) -> Expr:
        if isinstance(value, Load):
            name = VALUES if value.array == PRODUCT else value.array
            return Load(name, self.index(value.array, value.index), value.dtype)
        if isinstance(value, Apply):
            return replace(value, args=tuple(map(self.value, value.args)))
        if isinstance(value, Name) and value.name in self.outside:
            self.shared[value.name] = value.dtype
        if isinstance(value, SizeOf):
            name = self.sizes.setdefault(value, f"size{len(self.sizes)}")
            self.shared[name] = value.dtype
            return Name(name, value.dtype)
        if not isinstance(value, (Name, Const)):
            raise Unsuitable
        return value

    def index(self, array: str, index: Affine) -> Affine:
        """The place in the tile's arrays, whose pointers stand at its first element, column or row."""
        kind = self.places.get(index.terms)
        if kind is None or not isinstance(index.offset, int):
            raise Unsuitable
        if array == PRODUCT:
            if kind != ELEMENTS or index.offset:
                raise Unsuitable
            return variable("i0").scale(PITCH) + variable("i1")
        if self.kinds.setdefault(array, kind) != kind:
            raise Unsuitable
        place = {ELEMENTS: variable("i0").scale(STRIDE) + variable("i1"), BY_COLUMN: variable("i1"), BY_ROW: variable("i0")}[kind]
        return place + Affine(index.offset)
