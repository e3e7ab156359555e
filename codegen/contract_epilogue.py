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

from .contract_text import Integer, Writer


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
    row: Integer
    column: Integer
    offset: Integer
    stride: Integer
    left: Integer | None = None

    def element(self, w: Writer, r: int, v: int) -> Integer:
        """Index of a vector's first element in an array shaped like the product."""
        return w.add(w.add(self.offset, w.mul(self.stride, r)), v * w.lanes.width)

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

    def start(self, w: Writer, pointers: Sequence[str], columns: Integer) -> None:
        """Printed once, before the first tile: zeroes sums."""

    def far(self, w: Writer, tile: Tile) -> list[Far]:
        """Its arrays shaped like the product, from the tile's first element on; ``tile`` has no values yet."""

    def print_tile(self, w: Writer, tile: Tile) -> None:
        """Printed for every tile."""

    def print_block(self, w: Writer, start: Tile, values: str, rows: Integer, columns: Integer) -> None:
        """The same for many tiles whose sums lie in c, at ``values``; ``start`` has no values, but says where they begin. Only
        asked of an epilogue that ``streams``."""
