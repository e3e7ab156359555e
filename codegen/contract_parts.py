"""How threads share a matrix product. In: a `Product`, the machine and a number of parts; out: the axis that is cut, and where.

A part is a range of whole tiles (or of matrices of a batch), so every element of the result is summed in the order of the uncut
kernel, whatever the number of parts. Each part packs its operands for itself: the axis is chosen so that the parts are equal and
little is packed twice.
"""

from __future__ import annotations

from itertools import accumulate

from weft.graph.record import record

from .contract_dot import is_dot
from .contract_plan import ANY, Plan, keeps_panels, plan_product, plan_together
from .contract_product import Product, is_narrow
from .target import Target

MULTIPLY_ADDS = 2
SHARED_MULTIPLY_ADDS = 1 << 21
"""Multiply-adds from which a product is long enough for two threads: 30 microseconds of one."""
PACKING = 0.5
"""Cycles to pack one element, against ``MULTIPLY_ADDS`` vectors per cycle."""
READING = 0.1
"""... and to fetch it from beyond the core's own caches: what all parts read comes to each of them."""
LEAST_SAVED = 0.025
"""The share of the time of products that sharing the packed a has to save."""
FAR_BYTES = 13
"""Bytes per cycle of results that have left the L2 cache before they are needed."""

ALWAYS = "1"
"""What `Parts.repeats` is where every part packs."""


@record
class Parts:
    """axis: "rows", "columns" or "batch". extent: how many there are to share out, a text over the arguments n0 (batch), n1 (m),
    n2 (n), n3 (k). granule: parts begin at multiples of it. repeats: a text, too; above 0 each part packs an operand that others
    pack as well. again: the kernel takes a third integer, not 0 if its scratch memory is as the call's last part left it."""

    axis: str
    extent: str
    granule: int
    repeats: str = ""
    again: bool = False


def plan_parts(product: Product, target: Target, parts: int) -> Parts | None:
    """How to share the product among so many; None if it is too small for that or has a kernel of another kind."""
    narrow = is_narrow(product, target.vector_bytes // product.size)
    if is_dot(product) or narrow or product.n == 1 or product.segments > 1:
        return None
    plan = plan_product(product, target)
    level = product.levels[0] if product.levels else None
    if level is not None and (not isinstance(level.count, int) or level.count >= 2 * parts):
        return Parts("batch", "n0", 1, ALWAYS if plan.pack_a or plan.pack_b else "")
    tiles = {axis: _tiles(product, plan, axis) for axis in ("columns", "rows")}
    if product.epilogue is not None and product.epilogue.sums:
        del tiles["rows"]
    if max(tiles.values()) < 2:
        return None
    axis = min(tiles, key=lambda a: _cost(product, plan, a, -(-tiles[a] // parts) / tiles[a]))
    cuts, known, unit = (plan.rows, product.m, 1) if axis == "rows" else (plan.columns, product.n, plan.lanes.width)
    repeats, again = ALWAYS if (plan.pack_b if axis == "rows" else plan.pack_a) else "", False
    if axis == "rows" and keeps_panels(product, plan):
        most, again = plan_together(product, plan, target)[1], True
        repeats = f"n3 - {most}" if product.k is None else "" if product.k <= most else ALWAYS
    if known is None:
        return Parts(axis, "n1" if axis == "rows" else "n2", cuts[0].size * unit, repeats, again)
    return Parts(axis, str(tiles[axis]), 1, repeats, again)


def columns_of_a(product: Product, target: Target, parts: Parts) -> tuple[int, ...]:
    """The columns of a as it is stored, by what each unit of the axis reads: where every unit's stretch begins, and where the
    last one ends. Empty where units read the same columns."""
    if product.a_row is not None and parts.axis == "batch" and product.k is not None:
        return 0, product.k, product.a_row  # halves
    if not product.transpose_a or product.levels or product.m is None or parts.axis != "rows":
        return ()
    sizes = [cut.size for cut in plan_product(product, target).rows for _ in range(cut.count or 0)]
    return tuple(min(edge, product.m) for edge in accumulate(sizes, initial=0))


def shares_pay(product: Product, target: Target, count: int) -> bool:
    """Whether one kernel for so many products with the same a is quicker than a kernel each, because it packs a once.

    Results that do not stay in half of the L2 cache together are fetched again by what follows: a gradient by its update. Where a
    is not packed, only calls are saved: nothing that could be measured. Only nests of loops know of several products.
    """
    narrow = is_narrow(product, target.vector_bytes // product.size)
    if is_dot(product) or narrow or 1 in (product.m, product.n) or product.levels or product.segments > 1:
        return False
    plan = plan_product(product, target)
    m, n, k = (ANY if s is None else s for s in (product.m, product.n, product.k))
    saved = PACKING * m * k * (count - 1) / count
    result = m * n * product.size
    lost = result / FAR_BYTES if count * result > target.l2_bytes // 2 else 0
    return plan.pack_a and saved - lost >= LEAST_SAVED * m * n * k / (MULTIPLY_ADDS * plan.lanes.width)


def _tiles(product: Product, plan: Plan, axis: str) -> int:
    """Tiles along an axis; a guess where only the call knows."""
    cuts, known = (plan.rows, product.m) if axis == "rows" else (plan.columns, product.n)
    return max(1, ANY // cuts[0].size) if known is None else sum(c.count or 0 for c in cuts)


def _cost(product: Product, plan: Plan, axis: str, share: float) -> float:
    """Cycles of the longest part: this share of the axis, one operand read and packed whole and its share of the other."""
    m, n, k = (ANY if s is None else s for s in (product.m, product.n, product.k))
    arithmetic = product.sets * m * n * k / (MULTIPLY_ADDS * plan.lanes.width)
    read_a, read_b = (READING + PACKING * plan.pack_a) * m * k, product.sets * (READING + PACKING * plan.pack_b) * n * k
    return share * arithmetic + (read_a + share * read_b if axis == "columns" else read_b + share * read_a)
