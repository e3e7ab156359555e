"""Register tiles of a matrix product. In: a tile's size and how its operands lie in memory; out: one LLVM function.

A tile holds ``rows`` x ``vectors`` accumulators in registers. Each step along k loads the vectors of one row of b, broadcasts one
element of a per row, and issues rows x vectors fused multiply-adds. Where that are too few independent chains to hide their
latency, ``splits`` sets of accumulators take turns along k. The order of additions depends on these numbers only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.graph.record import record, replace

from .contract_epilogue import Epilogue, Far, Tile
from .contract_text import LINE_BYTES, Integer, Lanes, Writer

FOLDED = 2
"""Vectors of a tile up to which every multiply-add loads its element of a itself: a core that two threads share issues three
instructions per cycle for each, and a load that belongs to another instruction costs none. More loads than that cost more."""


AHEAD = 6
"""Steps of k by which a tile that packs b fetches what it reads: enough for the L2 cache to answer."""


@record
class TileSize:
    """Registers of a tile: ``rows`` x ``vectors``, times ``splits`` along k. packs: b is read as it is stored, and laid down
    where the tiles after this one find it packed."""

    rows: int
    vectors: int
    splits: int = 1
    packs: bool = False

    @property
    def name(self) -> str:
        return f"tile_{self.rows}x{self.vectors}{'_packing' * self.packs}"

    @property
    def unroll(self) -> int:
        """Steps of k per round: large tiles hide the loop's own instructions, and half the text compiles in half the time."""
        return max(self.splits, 1 if self.rows * self.vectors >= 12 else 2)


@record
class Fetch:
    """What tiles fetch from memory while they compute, a few lines ``every`` so many steps of k.

    result: their part of c. lines: elements from where the call says to what is fetched at once; ahead: and from there to what is
    fetched next. rows: smaller tiles do without."""

    result: bool
    lines: tuple[int, ...]
    ahead: int
    every: int
    rows: int


@record
class TileFacts:
    """What all tiles of a kernel share.

    a_row: elements from one row of a to the next. a_step, b_step: elements from one k to the next, c_row: from one row of c to
    the next, and of b as it is stored; None if the call says it. a_packed: the tile's elements of a follow one another, k by k.
    segments: whether k runs over several stretches of a, ``segment`` elements apart. masked: the last vector of a row may be cut
    off, and lies in a tile of ``ending`` vectors if n is known; b_masked: b's rows end there too. multiple: what every k is a
    multiple of. blocked: k comes in several calls, sums in between wait in c. accumulate: the product is added to what c holds.
    """

    lanes: Lanes
    a_row: int
    a_step: int | None
    b_step: int | None
    c_row: int | None
    a_packed: bool = False
    segments: bool = False
    segment: int = 0
    masked: bool = False
    ending: int = 0
    b_masked: bool = False
    multiple: int = 1
    blocked: bool = False
    accumulate: bool = False
    fetch: Fetch | None = None
    epilogue: Epilogue | None = None

    def cut_off(self, vectors: int) -> range:
        """Which vectors of a tile with so many may be cut off: any of them, if only the call says where a row ends."""
        if not self.masked or (self.c_row is not None and vectors != self.ending):
            return range(0)
        return range(0 if self.c_row is None else vectors - 1, vectors)

    @property
    def own_pointers(self) -> int:
        """The epilogue's arrays, and its scratch memory if it needs any."""
        return len(self.epilogue.pointers) + (self.epilogue.scratch > 0) if self.epilogue else 0


def tile_parameters(size: TileSize, facts: TileFacts) -> dict[str, str]:
    """Name and type of what a tile's function is given: only what it needs.

    packed: where b is laid down; left: columns from the tile's first to the matrix's end; row, column, offset: see
    `contract_epilogue.Tile`; first, last: whether this is the first or last block of k.
    """
    wanted = {
        "a": "ptr", "b": "ptr", "c": "ptr", "ahead": "ptr" if facts.fetch and facts.fetch.lines else "", "k": "i64",
        "packed": "ptr" if size.packs else "",
        "segments": "i64" if facts.segments else "",
        "left": "i64" if facts.masked else "", "first": "i1" if facts.blocked and not facts.accumulate else "",
        "a_step": "i64" if facts.a_step is None and not facts.a_packed else "", "b_step": "i64" if facts.b_step is None else "",
        "c_row": "i64" if facts.c_row is None else "",
    }  # fmt: skip
    if facts.epilogue is not None:
        wanted |= {"row": "i64", "column": "i64", "offset": "i64", "last": "i1" if facts.blocked else ""}
        wanted |= {f"e{i}": "ptr" for i in range(facts.own_pointers)}
    return {name: kind for name, kind in wanted.items() if kind}


Masks = list[str | None]  # per vector: the lanes that exist, None if all do


def lines_across(elements: int, size: int, row: int | None) -> list[int]:
    """An element of each line of memory that so many neighbours of ``size`` bytes touch: one line more where rows, of ``row``
    elements, do not begin at lines."""
    lines = list(range(0, elements, LINE_BYTES // size))
    return lines if row is not None and row * size % LINE_BYTES == 0 else [*lines, elements - 1]


class _TilePrinter:
    def __init__(self, size: TileSize, facts: TileFacts) -> None:
        self.size, self.facts, self.w = size, facts, Writer(facts.lanes)
        self.masks: Masks = [None] * size.vectors
        self.b_masks: Masks = [None] * size.vectors
        self.spills = False  # whether rows of b are read so
        self.a_row = 1 if facts.a_packed else facts.a_row
        self.c_row: Integer = "%c_row" if facts.c_row is None else facts.c_row
        a_step: Integer = size.rows if facts.a_packed else "%a_step" if facts.a_step is None else facts.a_step
        b_step: Integer = "%b_step" if facts.b_step is None else facts.b_step
        self.strides = [a_step, self.c_row, b_step] if size.packs else [a_step, b_step]  # of a, b and what is packed
        many = facts.fetch is not None and size.rows >= facts.fetch.rows
        self.fetch = facts.fetch if many and size.unroll == 1 and not facts.segments else None

    def print(self) -> str:
        w, size, facts = self.w, self.size, self.facts
        for v in facts.cut_off(size.vectors):
            self.masks[v] = w.lanes_below(w.sub("%left", v * facts.lanes.width))
        self.spills = facts.b_masked and self.masks[-1] is not None and (facts.c_row or 0) >= facts.lanes.width
        if facts.b_masked and not self.spills:
            self.b_masks = self.masks
        zero = ["zeroinitializer"] * (size.rows * size.vectors * size.splits)
        sums = self.segments(zero) if facts.segments else self.along_k(["%a", "%b", "%packed"][: len(self.strides)], zero)[1]
        self.finish(self.joined(sums))
        w.line("ret void")
        parameters = ", ".join(f"{kind} %{name}" for name, kind in tile_parameters(size, facts).items())
        return w.function(f"internal fastcc void @KERNEL.{size.name}({parameters}) noinline nounwind")

    # The sum over k ---------------------------------------------------------------------------------------------------------

    def segments(self, sums: list[str]) -> list[str]:
        w, kind = self.w, self.facts.lanes.vector
        carried = [("ptr", "%a"), ("ptr", "%b"), *((kind, s) for s in sums)]
        with w.loop(0, "%segments", carried=carried) as loop:
            a, b, *now = loop.carried
            (_, b), now = self.along_k([a, b], now)
            loop.following = [w.at(a, self.facts.segment), b, *now]
        return loop.carried[2:]

    def along_k(self, at: list[str], sums: list[str]) -> tuple[list[str], list[str]]:
        """(where operands end, sums). at: where a, b and what is packed begin.

        A masked load takes a place among the multiply-adds. So the last vector of a row of b is read whole, a piece of the next
        row with it, and only the last row behind its mask."""
        w, unroll = self.w, self.size.unroll
        many: Integer = "%k"
        if self.spills:
            many = w.sub(w.most("%k", 1), 1)
        if unroll > 1 and (self.spills or self.facts.multiple % unroll):
            many = w.let(f"and i64 {many}, {-unroll}")
        if self.fetch is not None:
            at, sums = self.steps_and_fetches(self.fetch, at, sums, many)
        else:
            at, sums = self.steps(at, sums, many, unroll)
        if many != "%k":
            at, sums = self.steps(at, sums, w.sub("%k", many), 1, self.masks if self.spills else None)
        return at, sums

    def steps(
        self, at: list[str], sums: list[str], count: Integer, unroll: int, masks: Masks | None = None, some: bool = False
    ) -> tuple[list[str], list[str]]:
        """``count`` steps of k; there are ``some`` of them for sure."""
        w, kind, n = self.w, self.facts.lanes.vector, len(at)
        with w.loop(0, count, unroll, [*(("ptr", p) for p in at), *((kind, s) for s in sums)], some) as loop:
            at, now = loop.carried[:n], loop.carried[n:]
            for u in range(unroll):
                self.step(at, u, now, masks or self.b_masks)
            loop.following = [*(w.at(p, w.mul(stride, unroll)) for p, stride in zip(at, self.strides, strict=True)), *now]
        return loop.carried[:n], loop.carried[n:]

    def steps_and_fetches(self, fetch: Fetch, at: list[str], sums: list[str], count: Integer) -> tuple[list[str], list[str]]:
        """Stretches of k, with a few fetches before each: many at once would hold up the tile's own loads."""
        w, facts, size, kind = self.w, self.facts, self.size, self.facts.lanes.vector
        starts = [("ptr", p) for p in ("%c", "%ahead" if fetch.lines else "%b", *at)]
        n = len(starts)
        epilogue = facts.epilogue
        own = self.own_fetches() if fetch.result else []
        result = fetch.result and (epilogue is None or epilogue.keeps)
        with w.loop(0, count, fetch.every, [*starts, *((kind, s) for s in sums)]) as loop:
            (c, ahead, *at), now = loop.carried[:n], loop.carried[n:]
            for line in lines_across(size.vectors * w.lanes.width, w.lanes.size, facts.c_row) if result else ():
                w.fetch(w.at(c, line), written=True)
            for line in fetch.lines:
                w.fetch(w.at(ahead, line), written=False)
            for array in own:
                self.fetch_rows(array, loop.index, fetch.every)
            at, now = self.steps(at, now, w.least(w.sub(count, loop.index), fetch.every), 1, some=True)
            loop.following = [w.at(c, self.c_row), w.at(ahead, fetch.ahead if fetch.lines else 0), *at, *now]
        return loop.carried[2:n], loop.carried[n:]

    def own_fetches(self) -> list[Far]:
        """The epilogue's arrays shaped like c; before the last block of k it is c itself that will be touched."""
        w, facts = self.w, self.facts
        if facts.epilogue is None:
            return []
        out = facts.epilogue.far(w, self.tile([]))
        if facts.blocked and not facts.epilogue.keeps:
            out = [replace(f, start=w.let(f"select i1 %last, ptr {f.start}, ptr %c")) for f in out]
        return out

    def fetch_rows(self, array: Far, k: str, every: int) -> None:
        """The next row of the tile; the next two, if much else comes from afar."""
        w, size, epilogue = self.w, self.size, self.facts.epilogue
        assert epilogue is not None
        many = 2 if epilogue.streams else 1
        for r in range(many):
            row = w.least(w.add(w.mul(w.div(k, every), many), r), size.rows - 1)
            at = w.at(array.start, w.mul(w.mul(self.c_row, array.size), row), "i8")
            for line in lines_across(size.vectors * w.lanes.width, array.size, self.facts.c_row):
                w.fetch(w.at(at, line * array.size, "i8"), written=array.written)

    def step(self, at: list[str], u: int, sums: list[str], masks: Masks) -> None:
        """One k: a rank-one update of the tile."""
        w, size, width = self.w, self.size, self.facts.lanes.width
        row_a, row_b, *panel = (w.at(p, w.mul(stride, u)) for p, stride in zip(at, self.strides, strict=True))
        vectors = [w.load(w.at(row_b, v * width), masks[v]) for v in range(size.vectors)]
        for to in panel:
            self.pack(row_b, vectors, to)
        first = (u % size.splits) * size.rows * size.vectors
        for r in range(size.rows):
            where = w.at(row_a, r * self.a_row)
            folded = self.facts.lanes.folds and size.vectors <= FOLDED
            same = w.splat(w.load_one(where))
            for v in range(size.vectors):
                i = first + r * size.vectors + v
                again = w.splat(w.load_one(where, again=True)) if folded and v else same
                sums[i] = w.multiply_add(again, vectors[v], sums[i])

    def pack(self, row: str, vectors: list[str], to: str) -> None:
        """Lays a row of b down, and fetches one that follows."""
        w, width = self.w, self.facts.lanes.width
        ahead = w.at(row, w.mul(self.strides[1], AHEAD))
        for v, vector in enumerate(vectors):
            w.fetch(w.at(ahead, v * width), written=False, near=True)
            w.store(vector, w.at(to, v * width))

    def joined(self, sums: list[str]) -> list[list[str]]:
        """The sets of accumulators added up, by row and vector."""
        w, size = self.w, self.size
        count = size.rows * size.vectors
        sets = [sums[i * count : (i + 1) * count] for i in range(size.splits)]
        while len(sets) > 1:
            half = (len(sets) + 1) // 2
            pairs = [[w.let(f"fadd {w.lanes.vector} {x}, {y}") for x, y in zip(p, q)] for p, q in zip(sets, sets[half:])]
            sets = pairs + sets[len(pairs) : half]
        return [sets[0][r * size.vectors : (r + 1) * size.vectors] for r in range(size.rows)]

    # The end ----------------------------------------------------------------------------------------------------------------

    def address(self, r: int, v: int) -> str:
        w = self.w
        return w.at(w.at("%c", w.mul(self.c_row, r)), v * self.facts.lanes.width)

    def finish(self, values: list[list[str]]) -> None:
        """Adds what c holds already, lets the epilogue work on complete sums, and stores."""
        facts, w = self.facts, self.w
        if facts.accumulate:
            values = self.added(values)
        elif facts.blocked:
            values = self.merged("%first", self.added, values)
        if facts.epilogue is None:
            self.store(values)
        elif facts.epilogue.keeps:
            self.store(self.merged("%last", self.concluded, values, otherwise=False) if facts.blocked else self.concluded(values))
        else:
            if facts.blocked:
                end, more = w.fresh("end"), w.fresh("more")
                w.fork("%last", end, more)
                w.open(more)
                self.store(values)
                w.line("ret void")
                w.open(end)
            self.concluded(values)

    def store(self, values: list[list[str]]) -> None:
        for r, row in enumerate(values):
            for v, value in enumerate(row):
                self.w.store(value, self.address(r, v), self.masks[v])

    def merged(
        self, flag: str, work: Callable[[list[list[str]]], list[list[str]]], values: list[list[str]], otherwise: bool = True
    ) -> list[list[str]]:
        """``values if flag else work(values)``, or the other way round."""
        w, kind = self.w, self.facts.lanes.vector
        inside, after = w.fresh("work"), w.fresh("after")
        before = w.block
        w.fork(flag, *((after, inside) if otherwise else (inside, after)))
        w.open(inside)
        changed = work([list(row) for row in values])
        last = w.block
        w.arrive(after)
        return [
            [w.let(f"phi {kind} [ {x}, %{before} ], [ {y}, %{last} ]") for x, y in zip(old, new)]
            for old, new in zip(values, changed)
        ]

    def added(self, values: list[list[str]]) -> list[list[str]]:
        w, kind = self.w, self.facts.lanes.vector
        return [
            [w.let(f"fadd {kind} {w.load(self.address(r, v), self.masks[v])}, {x}") for v, x in enumerate(row)]
            for r, row in enumerate(values)
        ]

    def concluded(self, values: list[list[str]]) -> list[list[str]]:
        assert self.facts.epilogue is not None
        tile = self.tile(values)
        self.facts.epilogue.print_tile(self.w, tile)
        return tile.values

    def tile(self, values: list[list[str]]) -> Tile:
        own = tuple(f"%e{i}" for i in range(self.facts.own_pointers))
        left = "%left" if self.facts.masked else None
        return Tile(values, self.masks, own, "%row", "%column", "%offset", self.c_row, left)


def print_tiles(sizes: Sequence[TileSize], facts: TileFacts) -> tuple[list[str], set[str]]:
    """The functions of several tiles, and the intrinsics they call."""
    printers = [_TilePrinter(size, facts) for size in dict.fromkeys(sizes)]
    return [p.print() for p in printers], {d for p in printers for d in p.w.declared}
