"""Several products of one shape that share a. In: a nest of loops around tiles; out: the loop over the products.

The loop stands inside of that over k: the block of a is packed once, and then multiplied with the block of each b in turn. Tiles
do not know of it: they get the pointers of the product at hand, which the kernel keeps in a table in its scratch memory. So every
element is summed as in a product alone, and the text hardly grows with the number of products.
"""

from __future__ import annotations

from collections.abc import Iterator

from weft.graph.record import replace

from .contract_nest import Place, ProductNest
from .contract_plan import round_up
from .contract_product import Product
from .contract_text import LINE_BYTES

POINTER_BYTES = 8


def own_room(product: Product) -> int:
    """Scratch bytes behind the packed operands: what each epilogue needs, then the table of pointers."""
    epilogue = product.epilogue
    scratch = epilogue.scratch if epilogue else 0
    if product.sets == 1:
        return scratch + 64 if scratch else 0
    row = 2 + (len(epilogue.pointers) + (scratch > 0) if epilogue else 0)
    return (round_up(scratch, LINE_BYTES) + row * POINTER_BYTES) * product.sets + 128


def kernel_pointers(product: Product) -> list[str]:
    """The parameters: a, b, c, scratch memory, the epilogue's; then b, c and the epilogue's of each further product."""
    epilogue = product.epilogue
    c = "ptr noalias %c" if epilogue is None else "ptr %c"  # what the epilogue writes may lie where its sums were
    own = [f"ptr %e{i}" for i in range(len(epilogue.pointers) if epilogue else 0)]
    more = [f"{pointer}.{s}" for s in range(1, product.sets) for pointer in ("ptr %b", c, *own)]
    return ["ptr %a", "ptr %b", c, "ptr noalias %work", *own, *more]


def begin_sets(nest: ProductNest) -> None:
    """What happens once: epilogues start, and the pointers go to the table."""
    w, product, epilogue = nest.w, nest.product, nest.product.epilogue
    scratch = epilogue.scratch if epilogue else 0
    room = w.at("%work", round_up(nest.work, LINE_BYTES), "i8") if scratch or product.sets > 1 else ""
    nest.table = w.at(room, round_up(scratch, LINE_BYTES) * product.sets, "i8") if room else ""
    usual = nest.own
    for s in range(product.sets):
        nest.own = [f"{e}.{s}" if s else e for e in usual]
        if scratch:
            nest.own[-1] = w.at(room, round_up(scratch, LINE_BYTES) * s, "i8")
        if epilogue is not None:
            epilogue.start(w, nest.own, nest.n)
        if product.sets > 1:
            row = ["%b", "%c"] if s == 0 else [f"%b.{s}", f"%c.{s}"]
            for i, pointer in enumerate([*row, *nest.own]):
                w.line(f"store ptr {pointer}, ptr {w.at(nest.table, s * (2 + len(usual)) + i, 'ptr')}")


def open_set(nest: ProductNest, place: Place) -> Iterator[Place]:
    """The products in turn."""
    w, usual = nest.w, nest.own
    with w.loop(0, nest.product.sets) as loop:
        row = w.at(nest.table, w.mul(loop.index, 2 + len(usual)), "ptr")
        b, c, *nest.own = [w.let(f"load ptr, ptr {w.at(row, i, 'ptr')}") for i in range(2 + len(usual))]
        yield replace(place, b=b, c=c, packed_b=None)
    nest.own = usual
