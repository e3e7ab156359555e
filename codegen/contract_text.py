"""LLVM text of contraction kernels, line by line. In: instructions; out: one function's text.

Sizes and offsets are ``int`` where they are known and the name of an ``i64`` value where they are not; arithmetic on numbers is
done here and loops test at their end, so that the text is compiled without LLVM's optimiser.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from weft.graph.record import field, record

Operand = int | str
"""A number, or the name of an i64 value."""
LINE_BYTES = 64  # of memory, fetched at once
_UNCHANGED = "!9 = !{}"


@record
class Lanes:
    """Vectors of one element type: ``short`` is f32 or f64, ``width`` elements fill a register."""

    short: str
    width: int

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return 4 if self.short == "f32" else 8

    @property
    def real(self) -> str:
        return "float" if self.short == "f32" else "double"

    @property
    def vector(self) -> str:
        return f"<{self.width} x {self.real}>"

    @property
    def mask(self) -> str:
        return f"<{self.width} x i1>"

    @property
    def folds(self) -> bool:
        """Whether an instruction can load one element into all lanes of an operand: AVX-512's can."""
        return self.width * self.size == 64

    @property
    def suffix(self) -> str:
        """How LLVM's intrinsics name the vector type."""
        return f"v{self.width}{self.short}"


@record(frozen=False)
class Loop:
    """An open loop. index: its counter. carried: values in this round, and after the loop at its end; set ``following`` to those
    for the next round."""

    index: str
    carried: list[str]
    following: list[str] = field(default_factory=list)


class Writer:
    """Collects the body of one function. Names are unique within it; ``declared`` gathers the intrinsics it calls."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self.block = "entry"
        self._count = 0

    def line(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def let(self, text: str) -> str:
        """A new value."""
        self._count += 1
        self.lines.append(f"  %v{self._count} = {text}")
        return f"%v{self._count}"

    def label(self, hint: str) -> str:
        self._count += 1
        return f"{hint}{self._count}"

    def open(self, label: str) -> None:
        """Starts the block of this label; the block before must have ended."""
        self.lines.append(f"{label}:")
        self.block = label

    def go(self, label: str) -> None:
        self.line(f"br label %{label}")

    def fork(self, condition: str, yes: str, no: str) -> None:
        self.line(f"br i1 {condition}, label %{yes}, label %{no}")

    # Sizes ------------------------------------------------------------------------------------------------------------------

    def add(self, a: Operand, b: Operand) -> Operand:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.let(f"add i64 {a}, {b}")

    def sub(self, a: Operand, b: Operand) -> Operand:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if b == 0 else self.let(f"sub i64 {a}, {b}")

    def mul(self, a: Operand, b: Operand) -> Operand:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if 0 in (a, b):
            return 0
        if 1 in (a, b):
            return b if a == 1 else a
        return self.let(f"mul i64 {a}, {b}")

    def div(self, a: Operand, b: int) -> Operand:
        return a // b if isinstance(a, int) else self.let(f"udiv i64 {a}, {b}")

    def quotient(self, a: Operand, b: Operand) -> Operand:
        """Of numbers that only the call knows."""
        return a // b if isinstance(a, int) and isinstance(b, int) else self.let(f"udiv i64 {a}, {b}")

    def least(self, a: Operand, b: Operand) -> Operand:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.let(f"select i1 {self.let(f'icmp slt i64 {a}, {b}')}, i64 {a}, i64 {b}")

    def most(self, a: Operand, b: Operand) -> Operand:
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        return self.let(f"select i1 {self.let(f'icmp sgt i64 {a}, {b}')}, i64 {a}, i64 {b}")

    # Memory -----------------------------------------------------------------------------------------------------------------

    def at(self, pointer: str, offset: Operand, kind: str | None = None) -> str:
        """The address of an element."""
        if offset == 0:
            return pointer
        return self.let(f"getelementptr inbounds {kind or self.lanes.real}, ptr {pointer}, i64 {offset}")

    def load(self, pointer: str, mask: str | None = None) -> str:
        """A vector; lanes that the mask leaves out are zero and their memory is not touched."""
        v = self.lanes
        if mask is None:
            return self.let(f"load {v.vector}, ptr {pointer}, align {v.size}")
        self.declared.add(f"declare {v.vector} @llvm.masked.load.{v.suffix}.p0(ptr, i32, {v.mask}, {v.vector})")
        arguments = f"ptr {pointer}, i32 {v.size}, {v.mask} {mask}, {v.vector} zeroinitializer"
        return self.let(f"call {v.vector} @llvm.masked.load.{v.suffix}.p0({arguments})")

    def load_one(self, pointer: str, again: bool = False) -> str:
        """An element. ``again``: once more, by its own instruction; a note on it keeps LLVM from taking the value it has."""
        v = self.lanes
        note = ""
        if again:
            self.declared.add(_UNCHANGED)
            note = f", !invariant.load {_UNCHANGED.split()[0]}"
        return self.let(f"load {v.real}, ptr {pointer}, align {v.size}{note}")

    def store(self, value: str, pointer: str, mask: str | None = None) -> None:
        v = self.lanes
        if mask is None:
            self.line(f"store {v.vector} {value}, ptr {pointer}, align {v.size}")
            return
        self.declared.add(f"declare void @llvm.masked.store.{v.suffix}.p0({v.vector}, ptr, i32, {v.mask})")
        self.line(f"call void @llvm.masked.store.{v.suffix}.p0({v.vector} {value}, ptr {pointer}, i32 {v.size}, {v.mask} {mask})")

    def fetch(self, pointer: str, written: bool) -> None:
        """Asks for a line of memory: into the L1 cache if it will be written, else into the L2 cache."""
        self.declared.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.line(f"call void @llvm.prefetch.p0(ptr {pointer}, {'i32 1, i32 3' if written else 'i32 0, i32 2'}, i32 1)")

    def splat(self, scalar: str) -> str:
        """A vector with the scalar in every lane."""
        v = self.lanes
        one = self.let(f"insertelement {v.vector} poison, {v.real} {scalar}, i64 0")
        return self.let(f"shufflevector {v.vector} {one}, {v.vector} poison, <{v.width} x i32> zeroinitializer")

    def multiply_add(self, a: str, b: str, c: str) -> str:
        """a * b + c, rounded once where the CPU can."""
        v = self.lanes
        self.declared.add(f"declare {v.vector} @llvm.fmuladd.{v.suffix}({v.vector}, {v.vector}, {v.vector})")
        return self.let(f"call {v.vector} @llvm.fmuladd.{v.suffix}({v.vector} {a}, {v.vector} {b}, {v.vector} {c})")

    def lanes_below(self, count: Operand) -> str:
        """The mask of the first ``count`` lanes; none if it is negative, all if it is larger than a vector."""
        width = self.lanes.width
        bounded = self.least(self.most(count, 0), width)
        narrow = self.let(f"trunc i64 {bounded} to i32")
        one = self.let(f"insertelement <{width} x i32> poison, i32 {narrow}, i64 0")
        limit = self.let(f"shufflevector <{width} x i32> {one}, <{width} x i32> poison, <{width} x i32> zeroinitializer")
        ramp = ", ".join(f"i32 {i}" for i in range(width))
        return self.let(f"icmp ult <{width} x i32> <{ramp}>, {limit}")

    # Loops ------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def loop(
        self, start: Operand, stop: Operand, step: Operand = 1, carried: Sequence[tuple[str, str]] = (), some: bool = False
    ) -> Iterator[Loop]:
        """``for index in range(start, stop, step)``. carried: (type, value before the loop); after it, `Loop.carried` holds
        what the last round set. some: there is at least one round."""
        body, done = self.label("body"), self.label("done")
        before = self.block
        sure = some or (isinstance(start, int) and isinstance(stop, int) and start < stop)
        if sure:
            self.go(body)
        else:
            self.fork(self.let(f"icmp slt i64 {start}, {stop}"), body, done)
        self.open(body)
        at = len(self.lines)
        names = [f"%{body}.{i}" for i in range(len(carried) + 1)]
        self.lines += [""] * len(names)
        loop = Loop(names[0], names[1:])
        yield loop
        following = [str(self.add(loop.index, step)), *loop.following]
        last = self.block
        self.fork(self.let(f"icmp slt i64 {following[0]}, {stop}"), body, done)
        starts = [("i64", str(start)), *carried]
        for i, (name, (kind, first), value) in enumerate(zip(names, starts, following, strict=True)):
            self.lines[at + i] = f"  {name} = phi {kind} [ {first}, %{before} ], [ {value}, %{last} ]"
        self.open(done)
        if sure:
            loop.carried = loop.following
        else:
            ends = zip(carried, loop.following, strict=True)
            loop.carried = [self.let(f"phi {k} [ {first}, %{before} ], [ {value}, %{last} ]") for (k, first), value in ends]

    @contextmanager
    def when(self, condition: str, holds: bool = True) -> Iterator[None]:
        """What is printed inside runs only if the condition holds, or only if it does not."""
        inside, after = self.label("when"), self.label("after")
        self.fork(condition, *((inside, after) if holds else (after, inside)))
        self.open(inside)
        yield
        self.go(after)
        self.open(after)

    @contextmanager
    def counted(self, count: Operand, step: int = 1) -> Iterator[Operand]:
        """Like `loop` from 0, without a loop where there is one round."""
        if isinstance(count, int) and 0 < count <= step:
            yield 0
            return
        with self.loop(0, count, step) as loop:
            yield loop.index

    def function(self, head: str) -> str:
        """The finished function."""
        return "\n".join([f"define {head} {{", "entry:", *self.lines, "}", ""])
