"""When an epilogue runs that reads as much as the product writes. In: a nest of loops around tiles; out: its text.

Arrays shaped like the product pass through memory at full speed only along their rows, in long stretches. While a block of b that
spans all columns stays in the L2 cache, tiles follow one another along the rows and each ends with its epilogue. That needs few
steps of k (`plan_together`). With more of them the product is computed in the usual order, its sums go to c, and the epilogue
follows, stretch by stretch of whole rows, as a kernel of its own would.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .contract_epilogue import Tile
from .contract_nest import Place, ProductNest
from .contract_plan import Plan
from .contract_text import Integer


def each_order(nest: ProductNest) -> Iterator[None]:
    """The orders in which the loops are printed, set in the nest; if only the call knows which one to run, there are two."""
    if not nest.product.streams:
        yield
        return
    if isinstance(nest.k, int):
        with _setting(nest, nest.plan if nest.waits else nest.wide, not nest.waits):
            yield
        return
    together = nest.w.let(f"icmp sle i64 {nest.k}, {nest.together}")
    for plan, holds in ((nest.wide, True), (nest.plan, False)):
        with nest.w.when(together, holds), _setting(nest, plan, holds):
            yield


@contextmanager
def _setting(nest: ProductNest, plan: Plan, together: bool) -> Iterator[None]:
    usual = nest.plan
    nest.plan, nest.by_rows, nest.in_tiles = plan, together, together
    yield
    nest.plan, nest.by_rows, nest.in_tiles = usual, False, True


def sweep(nest: ProductNest, place: Place) -> None:
    """After the last block of k: the epilogue, for the stretch of rows."""
    w, epilogue = nest.w, nest.product.epilogue
    assert epilogue is not None
    first, last = (nest.element(nest.plan.rows, at, 1) for at in place.stretch)
    span: tuple[Integer, Integer] = (0, nest.n)
    if nest.ranged == "columns":
        span = (nest.element(nest.plan.columns, "%first", nest.width), nest.element(nest.plan.columns, "%last", nest.width))
    offset = w.add(w.mul(first, nest.n), span[0])
    start = Tile([], [], tuple(nest.own), first, span[0], offset, nest.n)
    with w.when(nest.last(place)):
        epilogue.print_block(w, start, w.at(place.c, offset), w.sub(last, first), w.sub(w.least(span[1], nest.n), span[0]))
