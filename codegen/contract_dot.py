"""Matrix times vector where the matrix lies along k. In: a `Product` with one row or one column; out: its kernel's text.

Register tiles need vectors across columns; here every row of the matrix is multiplied with the vector lane by lane, and the lanes
are added at the end, in a fixed tree. Eight rows share the loads of the vector and hide the latency of the additions.
"""

from __future__ import annotations

from .contract_product import Product
from .contract_text import Integer, Lanes, Writer

ROWS = 8  # at once: as many chains as hide the latency
SPLITS = 4  # accumulators of a row that is left alone


def is_dot(product: Product) -> bool:
    """Whether the product is a matrix, stored along k, times a vector. Epilogues and segments need tiles."""
    if product.epilogue is not None or product.segments != 1 or product.a_row is not None:
        return False
    by_rows = product.n == 1 and (not product.transpose_a or product.m == 1)
    return by_rows or (product.m == 1 and product.transpose_b)


def print_dot(product: Product, lanes: Lanes) -> tuple[str, set[str]]:
    """The exported function and what it declares."""
    w = Writer(lanes)
    k: Integer = "%k" if product.k is None else product.k
    over_rows = product.n == 1
    known = product.m if over_rows else product.n
    rows: Integer = known if known is not None else "%m" if over_rows else "%n"
    if any(level.c == "%matrix_c" for level in product.levels):
        w.line("%matrix_c = mul i64 %m, %n")
    _batch(w, product, 0, ("%a", "%b", "%c") if over_rows else ("%b", "%a", "%c"), over_rows, rows, k)
    w.line("ret i32 0")
    sizes = ", ".join(f"i64 %{s}" for s in ("batch", "m", "n", "k", "stride_a", "stride_b"))
    head = f"i32 @KERNEL(ptr %a, ptr %b, ptr noalias %c, ptr %work, {sizes}) nounwind"
    return w.function(head), w.declared


def _batch(
    w: Writer, product: Product, level: int, pointers: tuple[str, str, str], over_rows: bool, rows: Integer, k: Integer
) -> None:
    """The loops over the batch. pointers: matrix, vector, result."""
    if level == len(product.levels):
        whole = w.mul(w.div(rows, ROWS), ROWS)
        _rows(w, product, pointers, (0, whole, ROWS), k)
        _rows(w, product, pointers, (whole, rows, 1), k)
        return
    step = product.levels[level]
    strides = (step.a, step.b, step.c) if over_rows else (step.b, step.a, step.c)
    with w.counted(step.count) as i:
        moved = [w.at(p, w.mul(i, s)) for p, s in zip(pointers, strides)]
        _batch(w, product, level + 1, (moved[0], moved[1], moved[2]), over_rows, rows, k)


def _rows(w: Writer, product: Product, pointers: tuple[str, str, str], span: tuple[Integer, Integer, int], k: Integer) -> None:
    """Rows from, to (exclusive), so many at once."""
    start, stop, count = span
    if isinstance(start, int) and isinstance(stop, int) and start >= stop:
        return
    matrix, vector, result = pointers
    splits = SPLITS if count == 1 else 1
    width, kind = w.lanes.width, w.lanes.vector
    with w.loop(start, stop, count) as loop:
        first = w.at(matrix, w.mul(loop.index, k))
        at = [w.at(first, w.mul(r, k)) for r in range(count)]
        whole = w.mul(w.div(k, width * splits), width * splits)
        sums = ["zeroinitializer"] * (count * splits)
        with w.loop(0, whole, width * splits, [(kind, s) for s in sums]) as inner:
            inner.following = list(inner.carried)
            for s in range(splits):
                _step(w, at, vector, (w.add(inner.index, s * width), None), inner.following, s)
        with w.loop(whole, k, width, [(kind, s) for s in inner.carried]) as rest:
            rest.following = list(rest.carried)
            _step(w, at, vector, (rest.index, w.lanes_below(w.sub(k, rest.index))), rest.following, 0)
        for r in range(count):
            _finish(w, product, rest.carried[r * splits : (r + 1) * splits], w.at(result, w.add(loop.index, r)))


def _step(w: Writer, rows: list[str], vector: str, where: tuple[Integer, str | None], sums: list[str], split: int) -> None:
    """One vector along k of every row."""
    index, mask = where
    same = w.load(w.at(vector, index), mask)
    each = len(sums) // len(rows)
    for r, row in enumerate(rows):
        at = r * each + split
        sums[at] = w.multiply_add(w.load(w.at(row, index), mask), same, sums[at])


def _finish(w: Writer, product: Product, sums: list[str], target: str) -> None:
    """Adds the lanes up and stores one element."""
    v = w.lanes
    while len(sums) > 1:
        sums = [w.let(f"fadd {v.vector} {a}, {b}") for a, b in zip(sums[::2], sums[1::2])]
    w.declared.add(f"declare {v.real} @llvm.vector.reduce.fadd.{v.suffix}({v.real}, {v.vector})")
    total = w.let(f"call reassoc {v.real} @llvm.vector.reduce.fadd.{v.suffix}({v.real} -0.0, {v.vector} {sums[0]})")
    if product.accumulate:
        total = w.let(f"fadd {v.real} {w.let(f'load {v.real}, ptr {target}')}, {total}")
    w.line(f"store {v.real} {total}, ptr {target}")
