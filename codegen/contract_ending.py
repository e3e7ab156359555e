"""When an epilogue runs that reads as much as the product writes. In: a nest of loops around tiles; out: its text.

Arrays shaped like the product pass through memory at full speed only along their rows, in long stretches. While a block of b that
spans all columns stays in the L2 cache, tiles follow one another along the rows and each ends with its epilogue. That needs few
steps of k (`plan_together`). With more of them the product is computed in the usual order, its sums go to c, and the epilogue
follows, stretch by stretch of whole rows, as a kernel of its own would.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .contract_epilogue import Tile
from .contract_plan import Cut, Plan
from .contract_product import Product
from .contract_text import Operand, Writer

if TYPE_CHECKING:
    from .contract_kernel import Place


class Ending:
    """The part of a nest that decides when its epilogue runs. by_rows: whether tiles follow one another along rows. in_tiles:
    whether they end with the epilogue."""

    product: Product
    plan: Plan
    wide: Plan
    together: int
    w: Writer
    n: Operand
    k: Operand
    own: list[str]
    width: int
    ranged: str
    descend: Any  # of the nest
    pack_b: Any
    by_rows = False
    in_tiles = True

    @property
    def waits(self) -> bool:
        """Whether the epilogue waits for a sweep over c although k is one block."""
        return self.product.streams and self.product.k is not None and self.product.k > self.together

    def run(self, start: Place) -> None:
        """The whole nest."""
        if not self.product.streams:
            self.descend(self.plan.order, start)
            return
        if isinstance(self.k, int):
            with self.setting(self.plan if self.waits else self.wide, not self.waits):
                self.descend(self.plan.order, start)
            return
        together = self.w.let(f"icmp sle i64 {self.k}, {self.together}")
        for plan, holds in ((self.wide, True), (self.plan, False)):
            with self.w.when(together, holds), self.setting(plan, holds):
                self.descend(self.plan.order, start)

    @contextmanager
    def setting(self, plan: Plan, together: bool) -> Iterator[None]:
        usual = self.plan
        self.plan, self.by_rows, self.in_tiles = plan, together, together
        yield
        self.plan, self.by_rows, self.in_tiles = usual, False, True

    def pack_once(self, place: Place) -> Place:
        """The block of b, unless an earlier part of the call has left it."""
        with self.w.when(self.w.let("icmp eq i64 %again, 0")):
            packed: Place = self.pack_b(place)
        return packed

    def sweep(self, place: Place) -> None:
        """After the last block of k: the epilogue, for the stretch of rows."""
        w, epilogue = self.w, self.product.epilogue
        assert epilogue is not None
        first, last = (self.element(self.plan.rows, at, 1) for at in place.stretch)
        span: tuple[Operand, Operand] = (0, self.n)
        if self.ranged == "columns":
            span = (self.element(self.plan.columns, "%first", self.width), self.element(self.plan.columns, "%last", self.width))
        offset = w.add(w.mul(first, self.n), span[0])
        start = Tile([], [], tuple(self.own), first, span[0], offset, self.n)
        with w.when(self.last(place)):
            epilogue.print_block(w, start, w.at(place.c, offset), w.sub(last, first), w.sub(w.least(span[1], self.n), span[0]))

    def last(self, place: Place) -> str:
        """Whether this is the last block of k."""
        assert place.k is not None
        return self.w.let(f"icmp sge i64 {self.w.add(place.k, place.deep)}, {self.k}")

    def element(self, cuts: tuple[Cut, ...], tile: Operand, unit: int) -> Operand:
        """The first row or column of the tile of this number; where cuts are not known, numbers are of elements already."""
        w = self.w
        begin: Operand = 0
        before = 0
        for cut in cuts:
            if cut.count is None:
                return tile
            begin = w.add(begin, w.mul(w.most(w.least(w.sub(tile, before), cut.count), 0), cut.size * unit))
            before += cut.count
        return begin
