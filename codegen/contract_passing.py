"""Operands that tiles pack in passing. In: a nest of loops around tiles; out: which tiles pack, and how they are called.

The first tile of a panel of b reads it as it is stored, and lays it down where the tiles below find it packed. Its stores take
their places among multiply-adds, and fetching a few steps ahead lets it wait less than a copy beforehand does: Yang et al.,
"LibShalom: optimizing small and irregular-shaped matrix multiplications on ARMv8 multi-cores", SC 2021. Every element is summed
in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator

from .contract_nest import Place, ProductNest
from .contract_plan import FAR
from .contract_text import LINE_BYTES, Integer

FEW_ROWS = 256
"""Rows of a up to which packing b is so large a share that it pays for one more function to compile."""


def packs_in_passing(nest: ProductNest) -> bool:
    """Whether tiles pack b: not where they follow one another along rows, since several panels are copied together then, in long
    stretches of memory, which the hardware foresees."""
    product = nest.product
    if not nest.plan.pack_b or product.transpose_b or nest.by_rows or product.levels or product.sets * product.segments > 1:
        return False
    if product.m is None or product.n is None or product.k is None or product.n * product.size % LINE_BYTES:
        return False
    return product.m <= FEW_ROWS and product.m * product.n * product.k >= FAR


def each_way(nest: ProductNest, place: Place, row: Integer) -> Iterator[bool]:
    """Whether the tile packs; if only the call knows, it is printed in both ways."""
    w, first = nest.w, nest.element(nest.plan.rows, place.stretch[0], 1)
    assert place.rows is not None
    begin = place.rows.begin
    if not packs_in_passing(nest) or (isinstance(first, int) and isinstance(begin, int) and first != begin):
        yield False
        return
    top = w.let(f"icmp eq i64 {row}, {first}")
    for packs in (True, False):
        with w.when(top, packs):
            yield packs
