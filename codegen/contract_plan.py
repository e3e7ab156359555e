"""How a product is cut into tiles and blocks. In: a `Product` and the machine; out: a `Plan`.

Tile sizes come from the number of registers and a count of cycles per step of k: two multiply-adds, two loads per cycle, and a
latency of four cycles that independent chains hide. Sizes that are known are cut evenly (64 rows by 13 are 13+13+13+13+12),
so there is no remainder with a slow path; a size that only the call knows is cut into tiles and ever smaller ones.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

from weft.graph.record import record, replace

from .contract_product import Product
from .contract_text import LINE_BYTES, Lanes
from .contract_tile import Fetch, TileSize, lines_across
from .target import Target

ISSUED = 2  # multiply-adds per cycle, and loads per cycle
LATENCY = 4  # cycles of a multiply-add
DEEP = 256  # elements of k per block: what is summed before it is added to c, where c comes from beyond the L2 cache
ROOMY = 224  # ... of a long sum: a panel of b and a tile of a leave room in the L1 cache, which is worth another way of c
SHALLOW = 128  # ... where it does not: panels of b are smaller and may be wider
FEW = 128  # what an unknown size is taken for, if small ones are the more difficult case
ANY = 240  # what an unknown number of rows or vectors is taken for: divisible by all tiles
C_NEAR = 32 * 1024  # bytes of c that stay in the L1 cache
PANEL_BYTES = 32 * 1024  # of b that stay in the L1 cache
FAR = 1 << 25  # multiply-adds from which operands come from the L2 cache and beyond
LOAD = 0.06  # cycles that a load costs beside multiply-adds: ports are shared with the core's other thread
STEP = 1.0  # cycles that a step of k then costs beside its multiply-adds: measured, 8 x 2 is 12 % slower than 14 x 2
NEAR = 1  # eighths of the L2 cache for a stretch of rows of a whose blocks of k are read where they are
NEAR_PACKED = 6  # the same where each stretch packs b again
NEAR_TURNED = 8  # ... and turns it round on the way
LONG = 4  # blocks of k from which a sum is long, and a transposed a is taken to lie in memory
WIDE_BYTES = 2048  # of a row of c: panels enough to pay for packing rows of a that do not collide
ROWS_AT_LEAST = 24  # rows of a that pay for packing b


@record
class Cut:
    """``count`` tiles of ``size`` (rows or vectors) in a row; the first begins at row or vector ``begin``.

    For a size that only the call knows, count is None, and the cuts follow one another in falling size.
    """

    size: int
    count: int | None
    begin: int | None


@record
class Plan:
    """rows, columns: cuts of m (in rows) and n (in vectors). sizes: the tiles they need. deep: k per block; blocked: there may
    be several. pack_a, pack_b: whether blocks are copied. row_tiles, column_tiles: tiles per block. a_pitch: elements of scratch
    memory per packed row of a. order: the loops around the tiles. fetch: what tiles fetch early. b_bytes: scratch memory for b;
    work: for both."""

    lanes: Lanes
    rows: tuple[Cut, ...]
    columns: tuple[Cut, ...]
    sizes: tuple[TileSize, ...]
    deep: int
    blocked: bool
    pack_a: bool
    pack_b: bool
    row_tiles: int
    column_tiles: int
    a_pitch: int
    order: tuple[str, ...]
    fetch: Fetch
    b_bytes: int
    work: int

    def tile(self, rows: int, vectors: int) -> TileSize:
        return next(s for s in self.sizes if (s.rows, s.vectors) == (rows, vectors))


def registers(target: Target) -> int:
    """Vector registers of the instruction set."""
    return 32 if target.vector_bytes == 64 else target.vector_registers


@functools.cache
def plan_product(product: Product, target: Target) -> Plan:
    """The plan; a pure function of its arguments, so that results depend on shapes only."""
    lanes = Lanes(product.short, target.vector_bytes // product.size)
    available = registers(target)
    deep, blocked = depth(product, target)
    m, n, k = (ANY if s is None else s for s in (product.m, product.n, product.k))
    overhead = STEP if m * n * k >= FAR else 0.0
    tall, wide = choose_tile(product.m, vectors_of(product.n, lanes), deep, available, overhead)
    rows, columns = cut(product.m, tall), cut_columns(product.n, lanes, wide)
    pack_a, pack_b = packs_a(product, target), packs_b(product, target)
    sizes = tuple(TileSize(r.size, c.size, splits(r.size, c.size, available)) for r in rows for c in columns)
    tile_bytes = deep * product.size * tall
    shared = bool(product.levels) and product.shares_b and pack_b
    one_block = product.m is not None and -(-product.m // tall) * tile_bytes <= target.l2_bytes // 2
    one_block = one_block and not (shared and pack_a)
    row_tiles = max(1, target.l2_bytes // 2 // tile_bytes)
    if blocked and product.k is not None and not (pack_a or product.transpose_a or product.segments > 1):
        eighths = NEAR_TURNED if product.transpose_b else NEAR_PACKED if pack_b else NEAR
        row_tiles = min(row_tiles, max(1, target.l2_bytes * eighths // 8 // (product.k * product.size * tall)))
    near = 0 if not shared else target.l2_bytes // 8 if one_block else 2 * target.l2_bytes
    column_tiles = max(1, near // (deep * product.size * wide * lanes.width))
    pitch = deep + lanes.width  # squares are stored, beyond the last element of a panel
    order, fetch = _order(product, shared, one_block), _fetch(product, target, pack_b, (deep, tall, wide))
    plan = Plan(
        lanes, rows, columns, sizes, deep, blocked, pack_a, pack_b, row_tiles, column_tiles, pitch, order, fetch,
        b_bytes=0, work=0,
    )  # fmt: skip
    return _with_memory(product, plan, tall, wide)


def _order(product: Product, shared: bool, one_block: bool) -> tuple[str, ...]:
    """The loops around the tiles. shared: matrices of a batch read one packed b; one_block: rows of a stay in the L2 cache."""
    if product.sets > 1:
        return "stretch", "k", "set", "columns", "rows"
    outer = ("k", "columns") if one_block else ("columns", "k")
    return (*outer, "batch", "stretch", "rows") if shared else ("batch", "stretch", "k", "columns", "rows")


def _with_memory(product: Product, plan: Plan, tall: int, wide: int) -> Plan:
    """The plan with the scratch memory for its blocks of tiles of at most so many rows and vectors."""
    panels, rows = min(plan.column_tiles, tiles(plan.columns)), min(plan.row_tiles, tiles(plan.rows)) * tall
    b_bytes = round_up(panels * panel_size(plan.deep, wide, plan.lanes) * product.size, 64) if plan.pack_b else 0
    a_bytes = (plan.a_pitch * rows + plan.lanes.width) * product.size if plan.pack_a else 0
    return replace(plan, b_bytes=b_bytes, work=b_bytes + a_bytes + 64)


def plan_together(product: Product, plan: Plan, target: Target) -> tuple[Plan, int]:
    """The plan of a product whose epilogue reads arrays of its shape: all columns are one block of b, in a quarter of the L2
    cache. And the most steps of k for which that holds."""
    row = plan.lanes.width * (tiles(plan.columns) * plan.columns[0].size if product.n is not None else ANY) * product.size
    most = min(plan.deep, target.l2_bytes // 4 // row)
    panels = tiles(plan.columns) if product.n is not None else plan.column_tiles
    wider = replace(plan, column_tiles=panels, row_tiles=max(1, plan.row_tiles // 2))
    return _with_memory(product, wider, plan.rows[0].size, plan.columns[0].size), most


def keeps_panels(product: Product, plan: Plan) -> bool:
    """Whether a thread that runs several parts of the product's rows, one after the other, finds all of b packed from the second
    part on, if it runs them as `plan_together` has it: then b is one block, and its panels are all of one width."""
    return product.streams and product.sets == 1 and plan.pack_b and product.n is not None and len(plan.columns) == 1


def _fetch(product: Product, target: Target, pack_b: bool, tile: tuple[int, int, int]) -> Fetch:
    """c where it lies beyond the L1 cache, and the panel of b that is packed next where b lies beyond the L2 cache."""
    deep, tall, wide = tile
    far = product.m is None or product.n is None or product.m * product.n * product.size > C_NEAR
    far_b = product.n is None or product.k is None or product.n * product.k * product.size >= target.l2_bytes // 2
    every = max(4, min(12, deep // tall))
    rows = max(tall * 3 // 4, 12 // wide)
    if not pack_b or not far_b or product.levels or product.segments > 1:
        return Fetch(far, (), 0, every, rows)
    width, line = target.vector_bytes // product.size, LINE_BYTES // product.size
    if not product.transpose_b:
        return Fetch(far, tuple(lines_across(wide * width, product.size, product.n)), product.n or 0, every, rows)
    count = -(-(FEW if product.m is None else product.m) // tall)  # tiles that share the rows of the panel
    lines = 1 if product.k is None else max(1, min(4, -(-wide * width // count)))
    return Fetch(far, tuple(i * (product.k or 0) for i in range(lines)), line, every, rows)


def round_up(x: int, to: int) -> int:
    return -(-x // to) * to


def tiles(cuts: tuple[Cut, ...]) -> int:
    """How many tiles there are, or very many."""
    return sum(1 << 40 if c.count is None else c.count for c in cuts)


def vectors_of(n: int | None, lanes: Lanes) -> int | None:
    return None if n is None else -(-n // lanes.width)


def choose_tile(rows: int | None, vectors: int | None, deep: int, available: int, overhead: float) -> tuple[int, int]:
    """(rows, vectors) of the tile that costs the least cycles for this many rows and vectors, ``deep`` steps of k at a time.
    overhead: cycles of a step that multiply-adds do not hide."""
    best = min(_candidates(available), key=lambda t: (_cost(rows, vectors, deep, t, available, overhead), -t[0] * t[1], t[1]))
    return min(best[0], rows or best[0]), min(best[1], vectors or best[1])


def _candidates(available: int) -> Iterator[tuple[int, int]]:
    for vectors in range(1, 9):
        for rows in range(1, 25):
            if rows * vectors + vectors + 1 <= available:
                yield rows, vectors


def _cost(
    rows: int | None, vectors: int | None, deep: int, tile: tuple[int, int], available: int, overhead: float
) -> float:
    """Cycles per k; a share of what starting and storing a tile costs; and 1 % for each further function to compile.

    Latency counts one cycle more than it has: issue is never even.
    """
    total = 0.0
    down, across = _even(ANY if rows is None else rows, tile[0]), _even(ANY if vectors is None else vectors, tile[1])
    for r, many in down:
        for v, times in across:
            chains = r * v * splits(r, v, available)
            step = max(r * v / ISSUED, (r + v) / ISSUED, (LATENCY + 1) * r * v / chains) + LOAD * (r + v) + overhead
            if deep * v * 64 > PANEL_BYTES and many * len(down) > 1:
                step = max(step, v * 64 / 24) + 0.5 * v  # b comes from the L2 cache: measured, 9 x 3 is 12 % slower than 14 x 2
            total += many * times * (step + (20 + 2 * r * v) / deep)
    return total * (1 + 0.01 * (len(down) * len(across) - 1) + 0.02 * max(0, tile[1] - 4))


def _even(total: int, most: int) -> list[tuple[int, int]]:
    """(size, count): the fewest parts of at most ``most``, as equal as possible."""
    parts = max(1, -(-total // most))
    small, more = divmod(total, parts)
    return [(size, count) for size, count in ((small + 1, more), (small, parts - more)) if count and size]


def splits(rows: int, vectors: int, available: int) -> int:
    """Sets of accumulators along k: enough chains to hide the latency, as far as there are registers."""
    wanted = ISSUED * LATENCY
    out = 1
    while rows * vectors * out < wanted and 2 * out * rows * vectors + vectors + 1 <= available and out < 8:
        out *= 2
    return out


def cut(total: int | None, most: int) -> tuple[Cut, ...]:
    """Rows: evenly, or for a size that the call says in tiles of ``most``, a third of that, 1."""
    if total is None:
        falling = dict.fromkeys((most, -(-most // 3), 1))
        return tuple(Cut(size, None, None) for size in falling)
    out, begin = [], 0
    for size, count in _even(total, most):
        out.append(Cut(size, count, begin))
        begin += size * count
    return tuple(out)


def cut_columns(n: int | None, lanes: Lanes, most: int) -> tuple[Cut, ...]:
    """Vectors of columns; of unknown n, tiles of ``most``, the last one masked."""
    count = vectors_of(n, lanes)
    return (Cut(most, None, 0),) if count is None else cut(count, most)


def depth(product: Product, target: Target) -> tuple[int, bool]:
    """(k per block, whether there may be several blocks). Blocks are as equal as possible; whole segments where there are any."""
    most = DEEP if c_is_far(product, target) or product.segments > 1 else SHALLOW
    if product.k is None:
        return most, True
    if product.segments > 1:
        length = product.k // product.segments
        each = max(1, most // length)
        return each * length, each < product.segments
    if product.k <= most + most // 4:
        return max(product.k, 1), False
    parts = -(-product.k // most)
    if most == DEEP and parts >= LONG:
        parts = -(-product.k // ROOMY)
    return round_up(-(-product.k // parts), 8), True


def c_is_far(product: Product, target: Target) -> bool:
    """Whether c does not fit half of the L2 cache."""
    rows, columns = (FEW if size is None else size for size in (product.m, product.n))
    return rows * columns * product.size > target.l2_bytes // 2


def packs_b(product: Product, target: Target) -> bool:
    """Transposed, always. As stored: where its rows collide in the cache, or it is large; if a has rows enough to pay for it."""
    if product.transpose_b or product.n is None:
        return True
    rows, row = ANY if product.m is None else product.m, product.n * product.size
    if rows < ROWS_AT_LEAST:
        return False
    whole = row * (ANY if product.k is None else product.k)
    return row % 4096 == 0 or (row >= 2048 and rows >= 2 * ROWS_AT_LEAST and whole >= target.l2_bytes // 8)


def packs_a(product: Product, target: Target) -> bool:
    """Where its strides are not known, or so large that rows collide in the cache; if b has columns enough to pay for it. Shorter
    rows, too, if c is far and wide: then a returns from beyond the L2 cache for every few panels of b."""
    if product.a_row is not None or product.segments > 1:
        return False
    if product.k is None and not product.transpose_a:
        return True  # tiles know the distance between rows
    least = 128 if product.transpose_a else 64
    if (product.m is not None and product.m < ROWS_AT_LEAST) or (product.n is not None and product.n < least):
        return False
    row = product.m if product.transpose_a else product.k
    if row is None or row * product.size >= (1024 if product.transpose_a else 4096):
        return True
    wide = product.n is not None and product.n * product.size >= WIDE_BYTES
    return wide and not product.transpose_a and row * product.size >= 1024 and c_is_far(product, target)


def panel_size(deep: int, vectors: int, lanes: Lanes) -> int:
    """Elements from one panel of b to the next; not a multiple of a page, so that panels written at once do not collide."""
    return round_up(deep, lanes.width) * vectors * lanes.width + 3 * LINE_BYTES // lanes.size
