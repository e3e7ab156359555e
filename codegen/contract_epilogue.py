"""What happens to a product before it is stored. In: a tile's registers; out: vector instructions that change or use them.

An epilogue sees every element of the product exactly once, when its sum over k is complete and still in a register. It gets a
`Tile` and the `Writer` of the tile's function, and may replace ``tile.values``, load and store arrays shaped like the product's
rows, columns or elements, and add to sums over columns. Any printer of vector instructions can be an epilogue: it needs
`Epilogue.pointers` and `Epilogue.print_tile`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from weft.graph.record import record

from .contract_text import Operand, Writer


@record(frozen=False)
class Tile:
    """A finished register tile.

    values: per row, per vector the register's name. masks: per vector None or the lanes that exist. pointers: the epilogue's own
    arrays. row, column: position of the first element in its matrix. offset: index of the tile's first element in an array shaped
    like the product, whose rows are ``stride`` apart. left: columns from the first to the matrix's end, None if no vector is cut.
    """

    values: list[list[str]]
    masks: list[str | None]
    pointers: tuple[str, ...]
    row: Operand
    column: Operand
    offset: Operand
    stride: Operand
    left: Operand | None = None

    def element(self, w: Writer, r: int, v: int) -> Operand:
        """Index of a vector's first element in an array shaped like the product."""
        return w.add(w.add(self.offset, w.mul(self.stride, r)), v * w.lanes.width)

    def load_elements(self, w: Writer, pointer: str, r: int, v: int) -> str:
        """The vector of an array shaped like the product that lies under this register."""
        return w.load(w.at(pointer, self.element(w, r, v)), self.masks[v])

    def load_columns(self, w: Writer, pointer: str, v: int) -> str:
        """The vector of an array with one element per column."""
        return w.load(w.at(pointer, w.add(self.column, v * w.lanes.width)), self.masks[v])

    @property
    def places(self) -> list[tuple[int, int]]:
        """(row, vector) of every register."""
        return [(r, v) for r in range(len(self.values)) for v in range(len(self.masks))]


@record
class Far:
    """An array that tiles fetch early: where their part starts, bytes of an element, and whether it is written."""

    start: str
    size: int
    written: bool


class Epilogue(Protocol):
    """pointers: per own array, whether it is written. key: equal for epilogues that print the same.

    keeps: the tile's values are stored in c afterwards; otherwise c only holds sums between blocks of k. streams: it reads arrays
    shaped like the product, best along their rows. sums: it adds rows up, one after the other, so that threads cannot share them.
    integers: arguments of its own, called ``%n0``, ``%n1``, ... scratch: bytes that it needs; if any, a pointer to them follows
    its own arrays. functions, declared: text of its own.
    """

    @property
    def pointers(self) -> tuple[bool, ...]: ...

    @property
    def key(self) -> str: ...

    @property
    def keeps(self) -> bool: ...

    @property
    def streams(self) -> bool: ...

    @property
    def sums(self) -> bool: ...

    @property
    def integers(self) -> int: ...

    @property
    def scratch(self) -> int: ...

    @property
    def functions(self) -> tuple[str, ...]: ...

    @property
    def declared(self) -> tuple[str, ...]: ...

    def start(self, w: Writer, pointers: Sequence[str], columns: Operand) -> None:
        """Printed once, before the first tile: zeroes sums."""

    def far(self, w: Writer, tile: Tile) -> list[Far]:
        """Its arrays shaped like the product, from the tile's first element on; ``tile`` has no values yet."""

    def print_tile(self, w: Writer, tile: Tile) -> None:
        """Printed for every tile."""

    def print_block(self, w: Writer, start: Tile, values: str, rows: Operand, columns: Operand) -> None:
        """The same for many tiles whose sums lie in c, at ``values``; ``start`` has no values, but says where they begin. Only
        asked of an epilogue that ``streams``."""


class _Plain:
    """Changes the values that are then stored, and needs no more than its arrays."""

    keeps = True
    streams = False
    sums = False
    integers = 0
    scratch = 0
    functions: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()

    def far(self, w: Writer, tile: Tile) -> list[Far]:
        return []

    def print_block(self, w: Writer, start: Tile, values: str, rows: Operand, columns: Operand) -> None:
        raise NotImplementedError  # nobody asks: these do not stream


class _Simple(_Plain):
    """No sums to zero."""

    pointers: tuple[bool, ...] = (False,)

    @property
    def key(self) -> str:
        return repr(self)

    def start(self, w: Writer, pointers: Sequence[str], columns: Operand) -> None:
        pass


@record
class AddColumns(_Simple):
    """Adds a vector with one element per column: a bias."""

    def print_tile(self, w: Writer, tile: Tile) -> None:
        kind = w.lanes.vector
        bias = [tile.load_columns(w, tile.pointers[0], v) for v in range(len(tile.masks))]
        for r, v in tile.places:
            tile.values[r][v] = w.let(f"fadd {kind} {tile.values[r][v]}, {bias[v]}")


@record
class AddElements(_Simple):
    """Adds an array shaped like the product: a residual."""

    def print_tile(self, w: Writer, tile: Tile) -> None:
        for r, v in tile.places:
            other = tile.load_elements(w, tile.pointers[0], r, v)
            tile.values[r][v] = w.let(f"fadd {w.lanes.vector} {tile.values[r][v]}, {other}")


@record
class Relu(_Simple):
    """max(x, 0); NaN stays NaN."""

    pointers: tuple[bool, ...] = ()

    def print_tile(self, w: Writer, tile: Tile) -> None:
        kind = w.lanes.vector
        for r, v in tile.places:
            value = tile.values[r][v]
            below = w.let(f"fcmp olt {kind} {value}, zeroinitializer")
            tile.values[r][v] = w.let(f"select {w.lanes.mask} {below}, {kind} zeroinitializer, {kind} {value}")


@record
class Scale(_Simple):
    """Multiplies with a number, given as LLVM writes it (``0x3FD0000000000000`` or ``0.25``)."""

    factor: str
    pointers: tuple[bool, ...] = ()

    def print_tile(self, w: Writer, tile: Tile) -> None:
        factor = w.splat(self.factor)
        for r, v in tile.places:
            tile.values[r][v] = w.let(f"fmul {w.lanes.vector} {tile.values[r][v]}, {factor}")


@record
class MaskPositive(_Simple):
    """Keeps the product where an array of its shape is above zero, else 0: the gradient of relu from relu's result."""

    def print_tile(self, w: Writer, tile: Tile) -> None:
        kind = w.lanes.vector
        for r, v in tile.places:
            result = tile.load_elements(w, tile.pointers[0], r, v)
            above = w.let(f"fcmp ogt {kind} {result}, zeroinitializer")
            tile.values[r][v] = w.let(f"select {w.lanes.mask} {above}, {kind} {tile.values[r][v]}, {kind} zeroinitializer")


@record
class MultiplyElements(_Simple):
    """Multiplies with an array shaped like the product: a mask or a derivative."""

    def print_tile(self, w: Writer, tile: Tile) -> None:
        for r, v in tile.places:
            other = tile.load_elements(w, tile.pointers[0], r, v)
            tile.values[r][v] = w.let(f"fmul {w.lanes.vector} {tile.values[r][v]}, {other}")


@record
class SumColumns(_Simple):
    """Adds the sum over all rows of each column into a vector: a bias gradient. Tiles add up in the order of their rows."""

    pointers: tuple[bool, ...] = (True,)

    def start(self, w: Writer, pointers: Sequence[str], columns: Operand) -> None:
        with w.loop(0, columns) as loop:
            w.line(f"store {w.lanes.real} 0.0, ptr {w.at(pointers[0], loop.index)}")

    def print_tile(self, w: Writer, tile: Tile) -> None:
        kind, width = w.lanes.vector, w.lanes.width
        for v, mask in enumerate(tile.masks):
            parts = [row[v] for row in tile.values]
            while len(parts) > 1:
                pairs = [w.let(f"fadd {kind} {a}, {b}") for a, b in zip(parts[::2], parts[1::2])]
                parts = pairs + parts[2 * len(pairs) :]
            at = w.at(tile.pointers[0], w.add(tile.column, v * width))
            w.store(w.let(f"fadd {kind} {w.load(at, mask)}, {parts[0]}"), at, mask)


@record
class Chain(_Plain):
    """Epilogues one after the other; their arrays follow one another."""

    parts: tuple[Epilogue, ...]

    @property
    def pointers(self) -> tuple[bool, ...]:
        return tuple(p for part in self.parts for p in part.pointers)

    @property
    def key(self) -> str:
        return " ".join(part.key for part in self.parts)

    def start(self, w: Writer, pointers: Sequence[str], columns: Operand) -> None:
        for part, own in self._own(tuple(pointers)):
            part.start(w, own, columns)

    def print_tile(self, w: Writer, tile: Tile) -> None:
        every = tile.pointers
        for part, own in self._own(every):
            tile.pointers = own
            part.print_tile(w, tile)
        tile.pointers = every

    def _own(self, pointers: tuple[str, ...]) -> list[tuple[Epilogue, tuple[str, ...]]]:
        out, at = [], 0
        for part in self.parts:
            out.append((part, pointers[at : at + len(part.pointers)]))
            at += len(part.pointers)
        return out
