"""LLVM text of one function, line by line. In: instructions; out: the function's text.

Sizes and offsets are ``int`` where they are known and the name of an ``i64`` value where they are not; arithmetic on numbers is
done here and loops test at their end, so that the text is compiled without LLVM's optimiser.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from weft.graph.record import field, record

Integer = int | str
"""A number, or the name of an i64 value."""


@record(frozen=False)
class Loop:
    """An open loop. index: its counter. carried: values in this round, and after the loop at its end; set ``following`` to those
    for the next round."""

    index: str
    carried: list[str]
    following: list[str] = field(default_factory=list)


class FunctionWriter:
    """Collects the body of one function. Names that it makes up are unique within it."""

    def __init__(self) -> None:
        self.entry: list[str] = []  # stack slots: they belong into the first block
        self.lines: list[str] = []
        self.block = "entry"
        self._count = 0

    def line(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def fresh(self, prefix: str) -> str:
        """A new name, of a block or a value."""
        self._count += 1
        return f"{prefix}{self._count}"

    def let(self, text: str) -> str:
        """A new value."""
        name = self.fresh("%v")
        self.line(f"{name} = {text}")
        return name

    def allocate(self, kind: str) -> str:
        """A stack slot."""
        name = self.fresh("%m")
        self.entry.append(f"  {name} = alloca {kind}")
        return name

    def function(self, head: str) -> str:
        """The finished function."""
        return "\n".join([f"define {head} {{", "entry:", *self.entry, *self.lines, "}", ""])

    # Blocks -----------------------------------------------------------------------------------------------------------------

    def open(self, label: str) -> None:
        """Starts the block of this label; the block before must have ended."""
        self.lines.append(f"{label}:")
        self.block = label

    def go(self, label: str) -> None:
        self.line(f"br label %{label}")

    def arrive(self, label: str) -> None:
        """Goes on at the label, where others come, too."""
        self.go(label)
        self.open(label)

    def answer(self, otherwise: str) -> None:
        """Returns true; false for those who have gone to the label."""
        self.line("ret i1 true")
        self.open(otherwise)
        self.line("ret i1 false")

    def fork(self, condition: str, yes: str, no: str) -> None:
        self.line(f"br i1 {condition}, label %{yes}, label %{no}")

    def require(self, condition: str, otherwise: str, holds: bool = True) -> None:
        """Goes on here if the condition holds, or if it does not; else at the label."""
        on = self.fresh("on")
        self.fork(condition, *((on, otherwise) if holds else (otherwise, on)))
        self.open(on)

    # Sizes ------------------------------------------------------------------------------------------------------------------

    def add(self, a: Integer, b: Integer) -> Integer:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.let(f"add i64 {a}, {b}")

    def sub(self, a: Integer, b: Integer) -> Integer:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if b == 0 else self.let(f"sub i64 {a}, {b}")

    def mul(self, a: Integer, b: Integer) -> Integer:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if 0 in (a, b):
            return 0
        if 1 in (a, b):
            return b if a == 1 else a
        return self.let(f"mul i64 {a}, {b}")

    def div(self, a: Integer, b: Integer) -> Integer:
        return a // b if isinstance(a, int) and isinstance(b, int) else self.let(f"udiv i64 {a}, {b}")

    def rest(self, a: Integer, b: Integer) -> Integer:
        return a % b if isinstance(a, int) and isinstance(b, int) else self.let(f"urem i64 {a}, {b}")

    def least(self, a: Integer, b: Integer) -> Integer:
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.let(f"select i1 {self.let(f'icmp slt i64 {a}, {b}')}, i64 {a}, i64 {b}")

    def most(self, a: Integer, b: Integer) -> Integer:
        if isinstance(a, int) and isinstance(b, int):
            return max(a, b)
        return self.let(f"select i1 {self.let(f'icmp sgt i64 {a}, {b}')}, i64 {a}, i64 {b}")

    def less(self, a: Integer, b: Integer) -> str:
        return self.let(f"icmp slt i64 {a}, {b}")

    def equal(self, a: Integer, b: Integer, kind: str = "i64") -> str:
        return self.let(f"icmp eq {kind} {a}, {b}")

    def same(self, a: str, b: str) -> str:
        """Whether two pointers are equal."""
        return self.equal(a, b, "ptr")

    def is_null(self, pointer: str) -> str:
        return self.same(pointer, "null")

    # Memory -----------------------------------------------------------------------------------------------------------------

    def at(self, pointer: str, offset: Integer, kind: str) -> str:
        """The address of an element."""
        return pointer if offset == 0 else self.let(f"getelementptr {kind}, ptr {pointer}, i64 {offset}")

    def read(self, kind: str, pointer: str, offset: Integer = 0, unit: str = "") -> str:
        """A value in memory. The offset counts in values, or in what ``unit`` says."""
        return self.let(f"load {kind}, ptr {self.at(pointer, offset, unit or kind)}")

    def field(self, table: str, names: Sequence[str], name: str, kind: str = "ptr") -> str:
        """Reads from a table whose words of 64 bits have these names."""
        return self.read(kind, table, names.index(name), "i64")

    def write(self, kind: str, value: Integer, pointer: str, offset: Integer = 0, unit: str = "") -> None:
        """Stores a value; the offset as in `read`."""
        self.line(f"store {kind} {value}, ptr {self.at(pointer, offset, unit or kind)}")

    # Loops ------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def loop(
        self, start: Integer, stop: Integer, step: Integer = 1, carried: Sequence[tuple[str, str]] = (), some: bool = False
    ) -> Iterator[Loop]:
        """``for index in range(start, stop, step)``. carried: (type, value before the loop); after it, `Loop.carried` holds
        what the last round set. some: there is at least one round."""
        body, done = self.fresh("body"), self.fresh("done")
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
        inside, after = self.fresh("when"), self.fresh("after")
        self.fork(condition, *((inside, after) if holds else (after, inside)))
        self.open(inside)
        yield
        self.go(after)
        self.open(after)

    @contextmanager
    def counted(self, count: Integer, step: int = 1) -> Iterator[Integer]:
        """Like `loop` from 0, without a loop where there is one round."""
        if isinstance(count, int) and 0 < count <= step:
            yield 0
            return
        with self.loop(0, count, step) as loop:
            yield loop.index

    @contextmanager
    def endless(self) -> Iterator[tuple[str, str]]:
        """Rounds until something inside goes to the label behind the loop: (how many are over, this label)."""
        body, behind = self.fresh("body"), self.fresh("behind")
        before, index, at = self.block, f"%{body}.0", len(self.lines) + 2
        self.go(body)
        self.open(body)
        self.lines.append("")
        yield index, behind
        following = self.add(index, 1)
        self.lines[at] = f"  {index} = phi i64 [ 0, %{before} ], [ {following}, %{self.block} ]"
        self.go(body)
        self.open(behind)
