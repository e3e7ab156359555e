"""Matrix products as LLVM text. In: a `Product` and a `Target`; out: a kernel's text and the scratch memory it needs.

The kernel is ``i32 KERNEL(ptr a, ptr b, ptr c, ptr work, ptr..., i64 batch, m, n, k, stride_a, stride_b, i64...)``; the pointers
after ``work`` and the integers after ``stride_b`` are the epilogue's. Sizes that the product knows are numbers in the text, and
their arguments are ignored. Loops run over blocks of columns, k and rows in the plan's order; operands are packed as soon as
their block is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from weft.graph.record import record, replace

from .contract_dot import is_dot, print_dot
from .contract_ending import each_order, sweep
from .contract_nest import Block, Place, ProductNest
from .contract_pack import print_copies
from .contract_passing import each_way, packs_in_passing
from .contract_plan import LONG, panel_size, round_up, tiles
from .contract_product import Product, is_narrow, transposed
from .contract_sets import begin_sets, kernel_pointers, open_set, own_room
from .contract_text import LINE_BYTES, Integer, Lanes
from .contract_tile import print_tiles, tile_parameters
from .target import Target

PANELS = 8  # packed in one go
SIZES = ("batch", "m", "n", "k", "stride_a", "stride_b")


@record
class ContractKernel:
    """text: a module with the one exported function ``KERNEL``. work: bytes of scratch memory behind the fourth pointer."""

    text: str
    work: int
    pointers: int


class _Printer(ProductNest):
    """Prints the loops in the plan's order, packs what they have fixed, and runs the tiles."""

    # The nest ---------------------------------------------------------------------------------------------------------------

    def print(self) -> str:
        w = self.w
        if any(level.c == "%matrix_c" for level in self.product.levels):
            w.line("%matrix_c = mul i64 %m, %n")
        begin_sets(self)
        start = Place("%b", "%a") if self.swapped else Place()
        if self.narrow:
            start = replace(start, c=w.at("%work", round_up(self.plan.work, 64), "i8"))
        for _ in each_order(self):
            self.descend(self.plan.order, start)
        if self.narrow:
            self.call("turn", start.c, "%c", self.m, self.n, self.n, self.m)
        w.line("ret i32 0")
        epilogue = self.product.epilogue
        sizes = [*SIZES, *(f"n{i}" for i in range(epilogue.integers if epilogue else 0))]
        sizes += ["first", "last"] if self.ranged else []
        sizes += ["again"] if self.keeps else []
        parameters = [*kernel_pointers(self.product), *(f"i64 %{s}" for s in sizes)]
        return w.function(f"i32 @KERNEL({', '.join(parameters)}) nounwind")

    def descend(self, order: tuple[str, ...], place: Place) -> None:
        """Packs what is known by now, and opens the next loop; inside all of them, runs the tiles."""
        known_b = place.k is not None and place.columns is not None and ("batch" not in order or self.product.shares_b)
        if self.plan.pack_b and place.packed_b is None and known_b:
            place = self.pack_b_once(place) if self.keeps and self.by_rows else self.pack_b(place)
        known_a = place.k is not None and "stretch" not in order
        if self.plan.pack_a and place.packed_a is None and known_a:
            place = self.pack_a(place)
        if order[:1] == ("columns",) and known_a and self.product.transpose_a and self.plan.blocked and not self.plan.pack_a:
            self.fetch_a(place)
        if not order:
            self.run_tiles(place)
            return
        for inner in self.open(order[0], place):
            self.descend(order[1:], inner)
            if order[0] == ("k" if self.product.sets == 1 else "set") and not self.in_tiles:
                sweep(self, inner)

    def open(self, loop: str, place: Place) -> Iterator[Place]:
        """The places inside of a loop, whose text is written while they are visited."""
        match loop:
            case "batch":
                return self.open_batch(place)
            case "k":
                return self.open_k(place)
            case "set":
                return open_set(self, place)
            case "stretch":
                return self.open_stretch(place)
            case "rows":
                return self.open_rows(place)
        assert loop == "columns"
        return self.open_columns(place)

    def open_batch(self, place: Place, level: int = 0) -> Iterator[Place]:
        if level == len(self.product.levels):
            yield place
            return
        w, step = self.w, self.product.levels[level]
        own = self.ranged == "batch" and level == 0
        with w.counted(w.sub("%last", "%first") if own else step.count) as i:
            i = w.add(i, "%first") if own else i
            a, b = w.at(place.a, w.mul(i, step.a)), w.at(place.b, w.mul(i, step.b))
            offset = w.mul(i, step.c)
            inner = replace(place, a=a, b=b, c=w.at(place.c, offset), matrix=w.add(place.matrix, offset))
            yield from self.open_batch(inner, level + 1)

    def open_k(self, place: Place) -> Iterator[Place]:
        """At least one block, so that a sum of nothing is stored as zero."""
        w, deep = self.w, self.plan.deep
        if not self.plan.blocked or self.by_rows:
            yield replace(place, k=0, deep=self.k)
            return
        with w.loop(0, w.most(self.k, 1), deep) as loop:
            yield replace(place, k=loop.index, deep=w.least(w.sub(self.k, loop.index), deep))

    def open_stretch(self, place: Place) -> Iterator[Place]:
        """Stretches of rows, about equally long, whose elements of a stay in the L2 cache."""
        w, known = self.w, self.product.m is not None
        first, last = ("%first", "%last") if self.ranged == "rows" else (0, tiles(self.plan.rows) if known else self.m)
        unit = 1 if known else self.plan.rows[0].size
        most, total = self.plan.row_tiles * unit, w.sub(last, first)
        if isinstance(total, int) and total <= most:
            yield replace(place, stretch=(first, last))
            return
        parts = w.most(w.div(w.add(total, most - 1), most), 1)
        each = w.mul(w.div(w.add(w.div(w.add(total, w.sub(parts, 1)), parts), unit - 1), unit), unit)
        with w.loop(first, last, each) as loop:
            yield replace(place, stretch=(loop.index, w.least(w.add(loop.index, each), last)), packed_a=None)

    def open_rows(self, place: Place) -> Iterator[Place]:
        for block in self.blocks(self.plan.rows, place.stretch, 1):
            yield replace(place, rows=block)

    def open_columns(self, place: Place) -> Iterator[Place]:
        known = self.product.n is not None
        span = ("%first", "%last") if self.ranged == "columns" else (0, tiles(self.plan.columns) if known else self.n)
        for block in self.blocks(self.plan.columns, span, self.width, self.plan.column_tiles):
            yield replace(place, columns=block, packed_b=None)

    # Packing ----------------------------------------------------------------------------------------------------------------

    def panel(self, vectors: int) -> Integer:
        """Elements from one panel of b to the next."""
        return panel_size(self.plan.deep, vectors, self.plan.lanes)

    def pack_b(self, place: Place) -> Place:
        w, columns = self.w, place.columns
        assert columns is not None and place.k is not None
        vectors, pitch = columns.cut.size, columns.cut.size * self.width
        panel = self.panel(vectors)
        if packs_in_passing(self):
            return replace(place, packed_b="%work")
        if not self.product.transpose_b:
            few = columns.count if self.plan.column_tiles > PANELS else 1
            with w.counted(few, PANELS) as t:  # few panels at a time: their lines collide in the cache
                first = w.add(columns.begin, w.mul(t, pitch))
                source = w.at(w.at(place.b, w.mul(place.k, self.n)), first)
                wide = w.least(w.sub(self.n, first), w.mul(w.least(w.sub(columns.count, t), PANELS), pitch))
                self.call(f"copy_{vectors}", source, w.at("%work", w.mul(t, panel)), place.deep, wide, self.n, panel)
            return replace(place, packed_b="%work")
        with w.counted(columns.count) as t:
            first = w.add(columns.begin, w.mul(t, pitch))
            left = w.sub(self.n, first)
            with w.counted(w.least(vectors, w.div(w.add(left, self.width - 1), self.width))) as v:
                lane = w.mul(v, self.width)
                source = w.at(w.at(place.b, w.mul(w.add(first, lane), self.k)), place.k)
                to = w.at(w.at("%work", w.mul(t, panel)), lane)
                self.call("transpose", source, to, w.least(w.sub(left, lane), self.width), place.deep, self.k, pitch)
        return replace(place, packed_b="%work")

    def pack_b_once(self, place: Place) -> Place:
        """The block of b, unless an earlier part of the call has left it."""
        with self.w.when(self.w.let("icmp eq i64 %again, 0")):
            return self.pack_b(place)

    def pack_a(self, place: Place) -> Place:
        """Packs the stretch of rows of this block of k, tile by tile."""
        w, pitch = self.w, self.plan.a_pitch
        assert place.k is not None
        start, first = w.at("%work", self.plan.b_bytes, "i8"), self.element(self.plan.rows, place.stretch[0], 1)
        for block in self.blocks(self.plan.rows, place.stretch, 1):
            size, to = block.cut.size, w.at(start, w.mul(w.sub(block.begin, first), pitch))
            if self.product.transpose_a:
                source = w.at(w.at(place.a, w.mul(place.k, self.m)), block.begin)
                self.call("tiles", source, to, place.deep, w.mul(block.count, size), self.m, size, size * pitch)
                continue
            source = w.at(w.at(place.a, w.mul(block.begin, self.k)), place.k)
            self.call("rows", source, to, block.count, place.deep, self.k, size)
        return replace(place, packed_a=start, packed_row=first)

    def fetch_a(self, place: Place) -> None:
        """Asks for this block of a transposed a line by line: tiles read it across its lines, which no hardware foresees."""
        w = self.w
        far = w.least(w.div(self.k, LONG * self.plan.deep), 1)  # a short sum's operands are in the cache
        with w.loop(0, w.mul(far, place.deep)) as step:
            row = w.at(place.a, w.mul(w.add(place.k or 0, step.index), self.m))
            for block in self.blocks(self.plan.rows, place.stretch, 1):
                with w.loop(block.begin, block.end, LINE_BYTES // self.product.size) as column:
                    w.fetch(w.at(row, column.index), False)

    def call(self, name: str, source: str, to: str, *sizes: Integer) -> None:
        arguments = ", ".join([f"ptr {source}", f"ptr {to}", *(f"i64 {s}" for s in sizes)])
        self.w.line(f"call fastcc void @KERNEL.{name}({arguments})")

    # Tiles ------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def each_tile(self, block: Block, unit: int) -> Iterator[tuple[Integer, Integer]]:
        """(number within the block, first row or column)"""
        with self.w.counted(block.count) as t:
            yield t, self.w.add(block.begin, self.w.mul(t, block.cut.size * unit))

    def run_tiles(self, place: Place) -> None:
        """Column by column, so that the panel of b stays in the L1 cache; along rows where the epilogue wants that."""
        assert place.columns is not None and place.rows is not None
        columns, rows = self.each_tile(place.columns, self.width), self.each_tile(place.rows, 1)
        if self.by_rows:
            with rows as (i, row), columns as (j, column):
                self.run_tile(place, (row, column), j, self.w.add(self.w.mul(i, place.columns.count), j))
        else:
            with columns as (j, column), rows as (i, row):
                self.run_tile(place, (row, column), j, self.w.add(self.w.mul(j, place.rows.count), i))

    def run_tile(self, place: Place, at: tuple[Integer, Integer], j: Integer, number: Integer) -> None:
        """at: row and column. j: the tile's number within its row of the block; number: its turn within the block."""
        w, (row, column) = self.w, at
        assert place.columns is not None
        a, b = self.operand_a(place, row), self.operand_b(place, place.columns.cut.size, j, column)
        offset = w.add(w.mul(row, self.n), column)
        ahead = self.ahead(place, b, number)
        for packs in each_way(self, place, row):
            self.call_tile(place, (a, b, w.at(place.c, offset), ahead), row, column, w.add(place.matrix, offset), packs)

    def ahead(self, place: Place, b: str, number: Integer) -> str:
        """Where the tile of this number finds what it fetches: a piece of the block of b that is packed next; ``b`` where there
        is nothing left to fetch."""
        w, columns, k, fetch = self.w, place.columns, place.k, self.plan.fetch
        assert columns is not None and k is not None and place.rows is not None
        if not fetch.lines or place.rows.cut.size < fetch.rows:
            return b
        end = w.add(columns.begin, w.mul(columns.count, columns.cut.size * self.width))
        inside = w.let(f"icmp slt i64 {end}, {columns.end}")
        column = w.let(f"select i1 {inside}, i64 {end}, i64 {columns.start}")
        row = w.let(f"select i1 {inside}, i64 {k}, i64 {w.add(k, self.plan.deep)}")
        if self.product.transpose_b:
            line = w.mul(number, len(fetch.lines))
            at = w.at(place.b, w.add(w.mul(w.add(column, line), self.k), row))
            below = w.let(f"icmp slt i64 {w.add(column, line)}, {self.n}")
        else:
            line = w.mul(number, self.plan.deep // fetch.every)
            at = w.at(place.b, w.add(w.mul(w.add(row, line), self.n), column))
            below = w.let(f"icmp slt i64 {line}, {self.plan.deep}")
        some = w.let(f"icmp slt i64 {row}, {self.k}")
        return w.let(f"select i1 {w.let(f'and i1 {below}, {some}')}, ptr {at}, ptr {b}")

    def operand_b(self, place: Place, vectors: int, j: Integer, column: Integer) -> str:
        w = self.w
        if place.packed_b is not None:
            return w.at(place.packed_b, w.mul(j, self.panel(vectors)))
        assert place.k is not None
        return w.at(w.at(place.b, w.mul(place.k, self.n)), column)

    def operand_a(self, place: Place, row: Integer) -> str:
        w, product = self.w, self.product
        assert place.k is not None
        if place.packed_a is not None:
            return w.at(place.packed_a, w.mul(w.sub(row, place.packed_row), self.plan.a_pitch))
        if product.transpose_a:
            return w.at(w.at(place.a, w.mul(place.k, self.m)), row)
        start = place.k
        if product.segments > 1 and place.k != 0:
            assert product.k is not None
            start = w.mul(w.div(place.k, product.k // product.segments), product.segment)
        return w.at(w.at(place.a, w.mul(row, self.facts.a_row)), start)

    def call_tile(
        self, place: Place, pointers: tuple[str, ...], row: Integer, column: Integer, offset: Integer, packs: bool
    ) -> None:
        w, product = self.w, self.product
        assert place.rows is not None and place.columns is not None and place.k is not None
        vectors = place.columns.cut.size
        first, last = "true", "true"
        if self.facts.blocked:
            first = w.let(f"icmp eq i64 {place.k}, 0")
            last = self.last(place) if self.in_tiles else "false"
        depth: Integer = place.deep
        segments: Integer = 1
        if product.segments > 1:
            assert product.k is not None
            length = product.k // product.segments
            depth, segments = length, w.div(place.deep, length)
        stored = w.at(w.at(place.b, w.mul(place.k, self.n)), column) if packs else ""
        given: dict[str, Integer] = {
            "a": pointers[0], "b": stored if packs else pointers[1], "packed": pointers[1], "c": pointers[2],
            "ahead": pointers[3], "k": depth, "segments": segments,
            "left": w.sub(self.n, column) if self.facts.masked else 0, "row": row, "column": column, "offset": offset,
            "first": first, "last": last, "a_step": self.m, "c_row": self.n,
            "b_step": vectors * self.width if self.plan.pack_b else self.n, **{f"e{i}": e for i, e in enumerate(self.own)},
        }  # fmt: skip
        size = replace(self.plan.tile(place.rows.cut.size, vectors), packs=packs)
        self.called[size] = None
        arguments = ", ".join(f"{kind} {given[name]}" for name, kind in tile_parameters(size, self.facts).items())
        w.line(f"call fastcc void @KERNEL.{size.name}({arguments})")


def print_contract(product: Product, target: Target, ranged: str = "") -> ContractKernel:
    """The kernel of a product. ranged: "rows", "columns" or "batch" for a kernel that takes two more integers, ``first`` and
    ``last``, and computes that part of the result; see `contract_parts`.
    """
    lanes = Lanes(product.short, target.vector_bytes // product.size)
    if is_dot(product):
        main, needed = print_dot(product, lanes)
        return ContractKernel("\n".join([*sorted(needed), "", main]), 64, 4)
    narrow = is_narrow(product, lanes.width)
    swapped = narrow or (product.n == 1 and product.transpose_a and product.epilogue is None)
    if swapped:
        product = transposed(product)
    nest = _Printer(product, target, swapped, ranged, narrow)
    main = nest.print()
    tiles, more = print_tiles(tuple(nest.called), nest.facts)
    copies = print_copies(product, nest.plan, nest.facts.multiple, narrow, any(t.packs for t in nest.called))
    functions = [text for text, _ in copies]
    declared = set(nest.w.declared).union(*(needed for _, needed in copies))
    extra = (product.m or 0) * (product.n or 0) * product.size + 64 if narrow else own_room(product)
    own = product.epilogue
    if own is not None:
        functions += own.functions
        declared |= set(own.declared)
    text = "\n".join([*sorted(declared | more), "", *tiles, *functions, main])
    return ContractKernel(text, nest.work + extra, len(kernel_pointers(product)))
