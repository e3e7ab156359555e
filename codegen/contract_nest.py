"""The nest of loops around the tiles of a product. In: a product and a target; out: what all parts of the nest share.

`contract_kernel` opens the loops; `contract_sets`, `contract_passing` and `contract_ending` add to them what their names say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from weft.graph.record import record

from .contract_plan import Cut, keeps_panels, plan_product, plan_together
from .contract_product import Product
from .contract_text import Integer, Writer
from .contract_tile import TileFacts, TileSize
from .target import Target

ALL = 1 << 40  # tiles


@record
class Block:
    """``count`` tiles of one cut from row or column ``begin`` on. start, end: where all blocks of the cut begin and end."""

    cut: Cut
    begin: Integer
    count: Integer
    start: Integer
    end: Integer


@record
class Place:
    """Where the nest is: what the loops opened so far have fixed."""

    a: str = "%a"
    b: str = "%b"
    c: str = "%c"
    matrix: Integer = 0  # elements of c before this matrix
    k: Integer | None = None
    deep: Integer = 0
    stretch: tuple[Integer, Integer] = (0, 0)  # of rows: tiles from, to where cuts are known, else rows
    rows: Block | None = None
    columns: Block | None = None
    packed_a: str | None = None
    packed_row: Integer = 0  # the first row of a that is packed
    packed_b: str | None = None


class ProductNest:
    """A nest under construction.

    wide: the plan that spans all columns, for an epilogue that streams, and ``together`` the most steps of k for which it is
    taken. by_rows: whether tiles follow one another along rows, and in_tiles: whether they end with the epilogue, see
    `contract_ending`. own: the epilogue's arrays, of the product at hand, and ``table`` those of all products, see
    `contract_sets`. keeps: whether a block of b may be left from an earlier part of the call. called: the tiles in use.
    """

    def __init__(self, product: Product, target: Target, swapped: bool, ranged: str, narrow: bool) -> None:
        plan = plan_product(product, target)
        self.product, self.plan, self.w = product, plan, Writer(plan.lanes)
        self.swapped, self.ranged, self.narrow = swapped, ranged, narrow
        m, n = ("%n", "%m") if swapped else ("%m", "%n")
        self.m: Integer = m if product.m is None else product.m
        self.n: Integer = n if product.n is None else product.n
        self.k: Integer = "%k" if product.k is None else product.k
        self.width = plan.lanes.width
        self.wide, self.together = plan_together(product, plan, target) if product.streams else (plan, 0)
        self.by_rows, self.in_tiles = False, True
        self.work = max(plan.work, self.wide.work)
        self.facts, self.keeps = self.tile_facts(), ranged == "rows" and keeps_panels(product, plan)
        self.own, self.table = [f"%e{i}" for i in range(self.facts.own_pointers)], ""
        self.called: dict[TileSize, None] = {}

    def tile_facts(self) -> TileFacts:
        product, plan = self.product, self.plan
        masked = product.n is None or product.n % self.width != 0
        a_row, a_step = (1, product.m) if product.transpose_a else (product.k if product.a_row is None else product.a_row, 1)
        length = None if product.k is None else product.k // product.segments
        multiple = 1 if length is None else math.gcd(length, plan.deep if product.segments == 1 else length)
        return TileFacts(
            plan.lanes, a_row or 0, a_step, None if plan.pack_b else product.n, product.n,
            a_packed=plan.pack_a, segments=product.segments > 1, segment=product.segment, masked=masked,
            ending=plan.columns[-1].size if plan.columns else 0, b_masked=masked and not plan.pack_b,
            multiple=multiple or 1, blocked=plan.blocked or self.waits, accumulate=product.accumulate,
            fetch=plan.fetch, epilogue=product.epilogue,
        )  # fmt: skip

    @property
    def waits(self) -> bool:
        """Whether the epilogue waits for a sweep over c although k is one block."""
        return self.product.streams and self.product.k is not None and self.product.k > self.together

    def blocks(self, cuts: tuple[Cut, ...], span: tuple[Integer, Integer], unit: int, most: int = ALL) -> Iterator[Block]:
        """Blocks of at most ``most`` tiles, cut by cut. span: tiles from, to; elements, where the cuts are not known. unit:
        elements per row or vector."""
        w, begin, before = self.w, span[0], 0
        for cut in cuts:
            each = cut.size * unit
            count: Integer
            if cut.count is not None:
                start, end = (w.most(w.least(w.sub(x, before), cut.count), 0) for x in span)
                count, begin = w.sub(end, start), w.add((cut.begin or 0) * unit, w.mul(start, each))
                before += cut.count
            else:
                left = w.sub(span[1], begin)
                count = w.div(left if unit == 1 else w.add(left, each - 1), each)  # columns: the last tile is masked
            end = w.add(begin, w.mul(count, each))
            if most == ALL:
                yield Block(cut, begin, count, begin, end)
            else:
                with w.counted(count, most) as first:
                    yield Block(cut, w.add(begin, w.mul(first, each)), w.least(w.sub(count, first), most), begin, end)
            begin = end

    def element(self, cuts: tuple[Cut, ...], tile: Integer, unit: int) -> Integer:
        """The first row or column of the tile of this number; where cuts are not known, numbers are of elements already."""
        w = self.w
        begin: Integer = 0
        before = 0
        for cut in cuts:
            if cut.count is None:
                return tile
            begin = w.add(begin, w.mul(w.most(w.least(w.sub(tile, before), cut.count), 0), cut.size * unit))
            before += cut.count
        return begin

    def last(self, place: Place) -> str:
        """Whether this is the last block of k."""
        assert place.k is not None
        return self.w.let(f"icmp sge i64 {self.w.add(place.k, place.deep)}, {self.k}")
