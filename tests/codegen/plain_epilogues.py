"""Epilogues written by hand, as a later kernel may need them. In: a tile's registers; out: the instructions of a bias,
an activation, a residual, a mask, column sums.

A graph's own epilogues come from formulas (`weft.codegen.contract_formula`). These show that any printer of vector instructions
can be one, and test what kernels promise to epilogues without a graph in between.
"""

from __future__ import annotations

from collections.abc import Sequence

from weft.codegen.contract_epilogue import Epilogue, Far, Tile
from weft.codegen.contract_text import Integer, Writer
from weft.graph.record import record


def load_elements(w: Writer, tile: Tile, pointer: str, r: int, v: int) -> str:
    """The vector of an array shaped like the product that lies under this register."""
    return w.load(w.at(pointer, tile.element(w, r, v)), tile.masks[v])


def load_columns(w: Writer, tile: Tile, pointer: str, v: int) -> str:
    """The vector of an array with one element per column."""
    return w.load(w.at(pointer, w.add(tile.column, v * w.lanes.width)), tile.masks[v])


class Plain:
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

    def print_block(self, w: Writer, start: Tile, values: str, rows: Integer, columns: Integer) -> None:
        raise NotImplementedError  # nobody asks: these do not stream


class Simple(Plain):
    """No sums to zero."""

    pointers: tuple[bool, ...] = (False,)

    @property
    def key(self) -> str:
        return repr(self)

    def start(self, w: Writer, pointers: Sequence[str], columns: Integer) -> None:
        pass


@record
class AddColumns(Simple):
    """Adds a vector with one element per column: a bias."""

    def print_tile(self, w: Writer, tile: Tile) -> None:
        kind = w.lanes.vector
        bias = [load_columns(w, tile, tile.pointers[0], v) for v in range(len(tile.masks))]
        for r, v in tile.places:
            tile.values[r][v] = w.let(f"fadd {kind} {tile.values[r][v]}, {bias[v]}")


@record
class AddElements(Simple):
    """Adds an array shaped like the product: a residual."""

    def print_tile(self, w: Writer, tile: Tile) -> None:
        for r, v in tile.places:
            other = load_elements(w, tile, tile.pointers[0], r, v)
            tile.values[r][v] = w.let(f"fadd {w.lanes.vector} {tile.values[r][v]}, {other}")


@record
class Relu(Simple):
    """max(x, 0); NaN stays NaN."""

    pointers: tuple[bool, ...] = ()

    def print_tile(self, w: Writer, tile: Tile) -> None:
        kind = w.lanes.vector
        for r, v in tile.places:
            value = tile.values[r][v]
            below = w.let(f"fcmp olt {kind} {value}, zeroinitializer")
            tile.values[r][v] = w.let(f"select {w.lanes.mask} {below}, {kind} zeroinitializer, {kind} {value}")


@record
class Scale(Simple):
    """Multiplies with a number, given as LLVM writes it (``0x3FD0000000000000`` or ``0.25``)."""

    factor: str
    pointers: tuple[bool, ...] = ()

    def print_tile(self, w: Writer, tile: Tile) -> None:
        factor = w.splat(self.factor)
        for r, v in tile.places:
            tile.values[r][v] = w.let(f"fmul {w.lanes.vector} {tile.values[r][v]}, {factor}")


@record
class MaskPositive(Simple):
    """Keeps the product where an array of its shape is above zero, else 0: the gradient of relu from relu's result."""

    def print_tile(self, w: Writer, tile: Tile) -> None:
        kind = w.lanes.vector
        for r, v in tile.places:
            result = load_elements(w, tile, tile.pointers[0], r, v)
            above = w.let(f"fcmp ogt {kind} {result}, zeroinitializer")
            tile.values[r][v] = w.let(f"select {w.lanes.mask} {above}, {kind} {tile.values[r][v]}, {kind} zeroinitializer")


@record
class MultiplyElements(Simple):
    """Multiplies with an array shaped like the product: a mask or a derivative."""

    def print_tile(self, w: Writer, tile: Tile) -> None:
        for r, v in tile.places:
            other = load_elements(w, tile, tile.pointers[0], r, v)
            tile.values[r][v] = w.let(f"fmul {w.lanes.vector} {tile.values[r][v]}, {other}")


@record
class SumColumns(Simple):
    """Adds the sum over all rows of each column into a vector: a bias gradient. Tiles add up in the order of their rows."""

    pointers: tuple[bool, ...] = (True,)

    def start(self, w: Writer, pointers: Sequence[str], columns: Integer) -> None:
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
class Chain(Plain):
    """Epilogues one after the other; their arrays follow one another."""

    parts: tuple[Epilogue, ...]

    @property
    def pointers(self) -> tuple[bool, ...]:
        return tuple(p for part in self.parts for p in part.pointers)

    @property
    def key(self) -> str:
        return " ".join(part.key for part in self.parts)

    def start(self, w: Writer, pointers: Sequence[str], columns: Integer) -> None:
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
