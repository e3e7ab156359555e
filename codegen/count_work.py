"""What one call of a kernel has to do. In: a `Kernel` or a contraction's sizes; out: `Work`: FLOPs and bytes, as sizes.

FLOPs are operations on floating-point values. A comparison, a choice or a conversion counts as one; a division or a root as 5 and
a transcendental function as 20, which is about what their code executes. Bytes are the least traffic: every element that the call
reads from memory once, every element that it writes once. A value that the kernel itself has stored before is in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from weft.graph.dims import Size, product
from weft.graph.record import field, record

from .kernel import Affine, Apply, Check, Expr, Kernel, Let, Load, Loop, Statement, Store, expressions
from .lower_formula import price


@record
class Work:
    """flops: how many. traffic: the sum of these bytes; each is the least of the sizes listed, where only the call can say which:
    rows picked from a table are at most the whole table."""

    flops: Size = 0
    traffic: tuple[tuple[Size, ...], ...] = ()


def count_product(sizes: Iterable[Size], itemsize: int, arrays: Iterable[Size]) -> Work:
    """The work of a matrix product of sizes batch, m, n, k over arrays of so many elements."""
    return Work(2 * product(sizes), ((sum(arrays, 0) * itemsize,),))


def add_work(first: Work, second: Work) -> Work:
    """The work of a call that does both."""
    return Work(first.flops + second.flops, first.traffic + second.traffic)


def count_work(kernel: Kernel, known: str = "") -> Work:
    """The work of one call of the kernel. known: an array whose elements are in registers when it begins."""
    counter = _Counter()
    counter.block(kernel.body, {}, ())
    counter.read.pop(known, None)
    params = {p.name: p for p in kernel.params}
    certain: Size = 0
    traffic: list[tuple[Size, ...]] = []
    for touched in (counter.read, counter.written):
        for name, counts in touched.items():
            p = params[name]
            total = sum(counts.values(), 0)
            if isinstance(total, int) and isinstance(p.size, int):
                total = min(total, p.size)
            if total == p.size or isinstance(total, int):
                certain = certain + total * p.dtype.size
            else:
                traffic.append((total * p.dtype.size, p.size * p.dtype.size))
    return Work(counter.flops, ((certain,), *traffic))


@record(frozen=False)
class _Counter:
    """read, written: per array the distinct elements touched, by index."""

    flops: Size = 0
    read: dict[str, dict[Affine, Size]] = field(default_factory=dict)
    written: dict[str, dict[Affine, Size]] = field(default_factory=dict)
    names: dict[str, frozenset[str]] = field(default_factory=dict)  # a name that was computed -> the loops around it

    def block(self, body: Iterable[Statement], loops: Mapping[str, Size], path: tuple[Size, ...]) -> None:
        for statement in body:
            if isinstance(statement, Loop):
                inside = {**loops, statement.variable: statement.extent}
                self.block(statement.body, inside, (*path, statement.extent))
                continue
            self.value(_value(statement), loops, product(path))
            if isinstance(statement, Let):
                self.names[statement.name] = frozenset(loops)
            elif isinstance(statement, Store):
                self.written.setdefault(statement.array, {})[statement.index] = self.touched(statement.index, loops)

    def value(self, value: Expr, loops: Mapping[str, Size], times: Size) -> None:
        for part in expressions(value):
            if isinstance(part, Load) and part.array not in self.written:
                self.read.setdefault(part.array, {})[part.index] = self.touched(part.index, loops)
            elif isinstance(part, Apply) and any(e.dtype.is_floating for e in (part, *part.args)):
                self.flops = self.flops + times * price(part.function)

    def touched(self, index: Affine, loops: Mapping[str, Size]) -> Size:
        """How many elements an access reaches: one per combination of the loops that its index depends on."""
        reached = {v for name in index.variables for v in ((name,) if name in loops else self.names.get(name, ()))}
        return product(loops[v] for v in sorted(reached))


def _value(statement: Let | Store | Check) -> Expr:
    return statement.condition if isinstance(statement, Check) else statement.value
