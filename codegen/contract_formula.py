"""Any formula as the epilogue of a matrix product. In: an epilogue's kernels in loop IR; out: LLVM text that tiles call.

The registers of a finished tile go to a few lines of scratch memory, which stay in the L1 cache, and ``finish`` works through
them like through any array: one text for all tiles, whatever the formula costs in registers and instructions.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.graph.dims import Size
from weft.graph.dtype import BY_SHORT
from weft.graph.record import record

from .build_epilogue import BY_COLUMN, BY_ROW, ELEMENTS, TILE_SIZES, VALUES, EpilogueKernels
from .contract_epilogue import Far, Tile
from .contract_text import Integer, Writer
from .emit_element import print_element, repeat_element
from .emit_llvm import print_llvm
from .kernel import Kernel, Param
from .llvm_code import memory_type
from .program import PLACEHOLDER, EpilogueDecl
from .target import Target

SCALAR_BYTES = 8
TILE_BYTES = 32 * 64  # the registers of the largest tile


@record
class FormulaEpilogue:
    """Prints what the declaration says; see `contract_epilogue.Epilogue`."""

    decl: EpilogueDecl

    @property
    def pointers(self) -> tuple[bool, ...]:
        return self.decl.written

    @property
    def key(self) -> str:
        return repr(self.decl)

    @property
    def keeps(self) -> bool:
        return self.decl.keeps

    @property
    def streams(self) -> bool:
        return self.decl.streams

    @property
    def integers(self) -> int:
        return self.decl.integers

    @property
    def scratch(self) -> int:
        """Bytes behind the last pointer: a tile, then what ``prepare`` leaves."""
        return TILE_BYTES + SCALAR_BYTES * len(self.decl.scalars)

    @property
    def functions(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.decl.prepare, self.decl.finish)))

    @property
    def declared(self) -> tuple[str, ...]:
        return self.decl.declared

    def start(self, w: Writer, pointers: Sequence[str], columns: Integer) -> None:
        if self.decl.prepare:
            arguments = [f"ptr {pointers[i]}" for i in self.decl.prepare_arrays]
            arguments += [f"ptr {s}" for s in self.scalars(w, pointers[-1])]
            arguments += [f"i64 %n{i}" for i in range(self.integers)]
            w.let(f"call fastcc i32 @{PLACEHOLDER}.prepare({', '.join(arguments)})")
        self.zero_columns(w, "%m", pointers, 0, columns)  # where there is no first row

    def far(self, w: Writer, tile: Tile) -> list[Far]:
        decl = self.decl
        return [
            Far(self.address(w, tile, i, tile.offset), BY_SHORT[decl.dtypes[i]].size, decl.written[i])
            for i in decl.finish_arrays if decl.kinds[i] == ELEMENTS
        ]  # fmt: skip

    @property
    def sums(self) -> bool:
        return bool(self.decl.sums)

    def print_tile(self, w: Writer, tile: Tile) -> None:
        if self.decl.element:
            self.print_elements(w, tile)
            return
        self.zero_sums(w, tile)
        scratch, width = tile.pointers[-1], w.lanes.width
        vectors = len(tile.masks)
        for r, v in tile.places:
            w.store(tile.values[r][v], w.at(scratch, (r * vectors + v) * width))
        columns = vectors * width if tile.left is None else w.least(tile.left, vectors * width)
        self.call_finish(w, tile, scratch, (len(tile.values), columns, tile.stride, vectors * width))

    def sums_at(self, w: Writer, tile: Tile) -> dict[tuple[int, int], str]:
        """Where the sums of the tile's columns are, by array and vector."""
        places = [(i, v) for i in self.decl.sums for v in range(len(tile.masks))]
        return {(i, v): w.at(tile.pointers[i], w.add(tile.column, v * w.lanes.width)) for i, v in places}

    def zero_sums(self, w: Writer, tile: Tile) -> None:
        """Before the first row."""
        if self.sums:
            with w.when(w.let(f"icmp eq i64 {tile.row}, 0")):
                for (_, v), at in self.sums_at(w, tile).items():
                    w.store("zeroinitializer", at, tile.masks[v])

    def zero_columns(self, w: Writer, row: Integer, pointers: Sequence[str], first: Integer, columns: Integer) -> None:
        """So many columns from the first on, if the row's number is 0."""
        if self.sums:
            with w.when(w.let(f"icmp eq i64 {row}, 0")):
                for i in self.decl.sums:
                    with w.loop(0, columns) as loop:
                        w.line(f"store {w.lanes.real} 0.0, ptr {w.at(pointers[i], w.add(first, loop.index))}")

    def load_sums(self, w: Writer, places: dict[tuple[int, int], str], tile: Tile) -> dict[tuple[int, int], str]:
        """The sums over the rows before the tile's."""
        kind = w.lanes.vector
        first = w.let(f"icmp eq i64 {tile.row}, 0") if places else ""
        before = {place: w.load(at, tile.masks[place[1]]) for place, at in places.items()}
        return {p: w.let(f"select i1 {first}, {kind} zeroinitializer, {kind} {x}") for p, x in before.items()}

    def print_elements(self, w: Writer, tile: Tile) -> None:
        decl, width = self.decl, w.lanes.width
        scalars = {f"at.s{i}": pointer for i, pointer in enumerate(self.scalars(w, tile.pointers[-1]))}
        places = self.sums_at(w, tile)
        sums = self.load_sums(w, places, tile)
        for r, v in tile.places:
            mask = tile.masks[v]
            starts = {ELEMENTS: tile.element(w, r, v), BY_COLUMN: w.add(tile.column, v * width), BY_ROW: w.add(tile.row, r)}
            at = {f"at.e{i}": self.address(w, tile, i, starts[decl.kinds[i]]) for i in decl.finish_arrays}
            before = {f"sum.e{i}": sums[i, v] for i in decl.sums}
            names, own = {"value": tile.values[r][v], "mask": mask or "", **at, **scalars, **before}, w.fresh("x")
            w.lines += repeat_element(decl.element[mask is not None], names, own)
            sums |= {(i, v): f"%{own}.next.e{i}" for i in decl.sums}
        for place, total in sums.items():
            w.store(total, places[place], tile.masks[place[1]])

    def print_block(self, w: Writer, start: Tile, values: str, rows: Integer, columns: Integer) -> None:
        self.zero_columns(w, start.row, start.pointers, start.column, columns)
        self.call_finish(w, start, values, (rows, columns, start.stride, start.stride))

    def call_finish(self, w: Writer, tile: Tile, values: str, sizes: Sequence[Integer]) -> None:
        starts = {ELEMENTS: tile.offset, BY_COLUMN: tile.column, BY_ROW: tile.row}
        own = [self.address(w, tile, i, starts[self.decl.kinds[i]]) for i in self.decl.finish_arrays]
        pointers = [values, *own, *self.scalars(w, tile.pointers[-1])]
        arguments = [*(f"ptr {p}" for p in pointers), *(f"i64 {s}" for s in sizes)]
        w.let(f"call fastcc i32 @{PLACEHOLDER}.finish({', '.join(arguments)})")

    def address(self, w: Writer, tile: Tile, array: int, element: Integer) -> str:
        return w.at(tile.pointers[array], element, memory_type(self.decl.dtypes[array]))

    def scalars(self, w: Writer, scratch: str) -> list[str]:
        return [w.at(scratch, TILE_BYTES + SCALAR_BYTES * i, "i8") for i in range(len(self.decl.scalars))]


def declare_epilogue(kernel: Kernel, parts: EpilogueKernels, sizes: Sequence[Size], keeps: bool, target: Target) -> EpilogueDecl:
    """The epilogue as plain data. kernel: over the whole product, its first parameter. sizes: integers that it takes."""
    own = kernel.params[1:]
    declared: set[str] = set()
    element = tuple(print_element(parts.finish, VALUES, parts.sums, target, masked, declared) for masked in (False, True))
    repeated = all(element)
    called = parts.streams > 0 or not repeated
    return EpilogueDecl(
        kinds=tuple(parts.kinds.get(p.name, "") for p in own),
        dtypes=tuple(p.dtype.short for p in own),
        written=tuple(p.written for p in own),
        keeps=keeps,
        streams=parts.streams > 0,
        integers=len(sizes),
        prepare=_function(parts.prepare, sizes, target, declared) if parts.prepare else "",
        prepare_arrays=_positions(parts.prepare, own) if parts.prepare else (),
        finish=_function(parts.finish, TILE_SIZES, target, declared) if called else "",
        finish_arrays=_positions(parts.finish, own),
        element=element if repeated else (),
        scalars=tuple(t.short for t in parts.scalars),
        declared=tuple(sorted(declared)),
        sums=tuple(i for i, p in enumerate(own) if p.name in parts.sums),
    )


def _positions(kernel: Kernel, own: Sequence[Param]) -> tuple[int, ...]:
    """Which of the epilogue's arrays the kernel takes, in its order."""
    names = [p.name for p in own]
    return tuple(names.index(p.name) for p in kernel.params if p.name in names)


def _function(kernel: Kernel, sizes: Sequence[Size], target: Target, declared: set[str]) -> str:
    """The kernel's text as a function inside of the product's module."""
    lines = print_llvm(kernel, sizes, target).splitlines()
    declared.update(line for line in lines if line.startswith("declare "))
    text = "\n".join(line for line in lines if not line.startswith("declare "))
    head = f"define i32 @{PLACEHOLDER}("
    assert text.startswith(head)
    text = text.replace(f"ptr noalias %{VALUES}", f"ptr %{VALUES}", 1)  # results may take the place of sums
    return text.replace(head, f"define internal fastcc i32 @{PLACEHOLDER}.{kernel.title}(", 1) + "\n"
