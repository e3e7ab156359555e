"""The printer of kernels. In: a `Kernel`; out: the text of one Python function, its name, and the sizes to pass it.

The same kernel is printed as LLVM text by `emit_llvm`; the name stands for both texts.

The text is plain Python: un-jitted it runs over 1-D arrays under pdb, and Numba compiles the same text. Its name ends in the hash
of its text, so equal kernels are one kernel. Numba promotes where weft does not, so integer results are cast back and every
number is typed.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence

from weft.graph.dims import Size
from weft.graph.dtype import DType
from weft.graph.record import field, record

from .collapse_loops import collapse_loops
from .emit_llvm import print_llvm
from .kernel import (
    Affine,
    Apply,
    Check,
    Const,
    Expr,
    Kernel,
    Let,
    Load,
    Loop,
    Name,
    Param,
    Position,
    SizeOf,
    Statement,
    Store,
    divide,
    statements,
)
from .program import PLACEHOLDER, Split
from .split_loops import Cut, find_cut
from .stream_memory import has_long_loop
from .target import Target

PART_ELEMENTS = 1024
"""The fewest elements per part of a kernel that threads share: a multiple of every vector's width."""
INFIX = {"+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=", "&", "|", "^"}
PREFIX = {"neg": "-", "~": "~"}


@record(frozen=False)
class Printed:
    """One printed kernel: text with its final name, the sizes passed after the pointers, in order, and how it may be cut."""

    name: str
    text: str
    sizes: tuple[Size, ...]
    split: Split | None = None
    llvm: str = ""


_known: dict[object, str] = {}  # Python text -> LLVM text: both say the same, so equal layers print the second once
_MOST_KNOWN = 1024


def print_kernel(kernel: Kernel, target: Target, unread: Sequence[str] = ()) -> Printed:
    """Collapses the kernel's loops and prints it. unread: written arrays that the step does not read again."""
    printer = _Printer(collapse_loops(kernel), target)
    text = printer.function()
    streamed = tuple(unread) if has_long_loop(printer.kernel) else None
    llvm = _known.get((text, target, streamed))
    if llvm is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        llvm = _known[text, target, streamed] = print_llvm(kernel, printer.sizes, target, streamed, printer.outer)
    digest = hashlib.sha256((text + llvm).encode()).hexdigest()[:8]
    name = f"{kernel.title or 'kernel'}_{digest}"
    return Printed(name, text.replace(PLACEHOLDER, name, 1), tuple(printer.sizes), printer.split, llvm)


def print_behind(kernel: Kernel, target: Target) -> tuple[list[str], tuple[Size, ...]]:
    """The kernel's lines as the end of another function that has its first array already, and takes the others and, as ``n0``,
    ``n1``, ..., the sizes."""
    printer = _Printer(collapse_loops(kernel), target)
    printer.body(kernel.body, 1)
    views = printer.views(kernel.params[1:])
    return [*views, *printer.numbers(), *printer.lines], tuple(printer.sizes)


@record(frozen=False)
class _Printer:
    kernel: Kernel
    target: Target
    sizes: list[Size] = field(default_factory=list)
    constants: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    flat: bool = False
    indexed: dict[Size, str] = field(default_factory=dict)  # sizes that indices and numbers use, as printed
    split: Split | None = None
    outer: Size | None = None  # how often the outermost loop runs, if the kernel can be cut there

    def function(self) -> str:
        cut = None if self.kernel.checks else find_cut(self.kernel)
        self.outer = None if cut is None else cut.extent
        self.flat = not any(isinstance(s, Loop) for o in statements(self.kernel.body) if isinstance(o, Loop) for s in o.body)
        self.body(self.kernel.body, 1)
        self.split = None if cut is None else self.split_at(cut)
        outer, self.outer = self.outer, None  # arrays are as long as they are
        views, constants = self.views(self.kernel.params), self.numbers()
        self.outer = outer
        names = [p.name for p in self.kernel.params] + [f"n{i}" for i in range(len(self.sizes))]
        head = f"def {PLACEHOLDER}({', '.join(names)}):"
        return "\n".join([head, f'    """{self.summary()}"""', *views, *constants, *self.lines, "    return 0"]) + "\n"

    def views(self, params: Iterable[Param]) -> list[str]:
        return [f"    {p.name} = view({p.name}, {self.length(p.size)})" for p in params]

    def numbers(self) -> list[str]:
        return [f"    {name} = {text}" for text, name in self.constants.items()]

    def summary(self) -> str:
        arrays = ", ".join(f"{p.name}: {p.dtype.short}{' written' * p.written}" for p in self.kernel.params)
        return f"{', '.join(self.kernel.ops) or self.kernel.title}. {arrays}"

    def split_at(self, cut: Cut) -> Split | None:
        """How the kernel may be cut into parts, unless its outer extent also plays another role in it."""
        used = {name for text in self.indexed.values() for name in re.findall(r"n\d+", text)}
        if self.argument(cut.extent) in used:
            return None
        assert all(isinstance(s, int) or s in self.indexed for s in cut.strides)
        strides = tuple(self.indexed.get(s, str(s)) for s in cut.strides)
        known = max((s for s in cut.strides if isinstance(s, int)), default=1)
        granule = 1 if known >= 8 * PART_ELEMENTS else max(PART_ELEMENTS // max(known, 1), 8)
        return Split(granule, self.argument(cut.extent), self.sizes.index(cut.extent), strides, cut.local)

    # Statements -------------------------------------------------------------------------------------------------------------

    def body(self, body: list[Statement], depth: int) -> None:
        for statement in body:
            self.statement(statement, depth)

    def statement(self, statement: Statement, depth: int) -> None:
        if isinstance(statement, Loop):
            self.add(depth, f"for {statement.variable} in range({self.extent(statement.extent, depth)}):")
            self.body(statement.body, depth + 1)
        elif isinstance(statement, Let):
            self.add(depth, f"{statement.name} = {self.expr(statement.value)}", statement.note)
        elif isinstance(statement, Store):
            self.add(depth, f"{statement.array}[{self.index(statement.index)}] = {self.expr(statement.value)}", statement.note)
        else:
            assert isinstance(statement, Check)
            self.add(depth, f"if {self.expr(statement.condition)}:", statement.note)
            self.add(depth + 1, f"return {statement.code}")

    def add(self, depth: int, line: str, note: str = "") -> None:
        self.lines.append(f"{'    ' * depth}{line}{f'  # {note}' if note else ''}")

    # Sizes ------------------------------------------------------------------------------------------------------------------

    def extent(self, size: Size, depth: int) -> str:
        """Outer loops get their length as an argument; short inner ones carry it as a number."""
        if depth > 1 and isinstance(size, int) and size <= self.target.static_extent:
            return str(size)
        return self.argument(size)

    def argument(self, size: Size) -> str:
        if size not in self.sizes:
            self.sizes.append(size)
        return f"n{self.sizes.index(size)}"

    def size(self, size: Size) -> str:
        """A size inside an index."""
        if isinstance(size, int) and abs(size) <= self.target.static_extent:
            return str(size)
        text = self.multiple(size) or self.argument(size)
        self.indexed[size] = text
        return text

    def length(self, size: Size) -> str:
        """The number of elements of an array."""
        if self.flat and size in self.sizes:
            return self.argument(size)
        return self.size(size)

    def multiple(self, size: Size) -> str:
        """The size as a known argument, or a small multiple of one, but of no number that a part of the kernel has another of."""
        if size in self.sizes:
            return self.argument(size)
        for known in self.sizes:
            factor = None if known == self.outer else divide(size, known)
            if isinstance(factor, int) and 0 < factor <= self.target.static_extent:
                return f"{self.argument(known)} * {factor}"
        return ""

    def index(self, index: Affine) -> str:
        """``offset + factor * variable + ...``, without zeros and ones."""
        parts = []
        for name, factor in index.terms:
            if factor == 1:
                parts.append(name)
            else:
                text = self.size(factor)
                parts.append(f"{name} * {text}" if " " not in text else f"{name} * ({text})")
        if index.offset != 0 or not parts:
            parts.append(self.size(index.offset))
        return " + ".join(parts)

    # Expressions ------------------------------------------------------------------------------------------------------------

    def expr(self, value: Expr, nested: bool = False) -> str:
        if isinstance(value, Name):
            return value.name
        if isinstance(value, Load):
            return f"{value.array}[{self.index(value.index)}]"
        if isinstance(value, Const):
            return self.constant(value)
        if isinstance(value, SizeOf):
            return self.shared(f"{cast_name(value.dtype)}({self.size(value.size)})")
        if isinstance(value, Position):
            return f"{cast_name(value.dtype)}({self.index(value.index)})"
        return self.apply(value, nested)

    def constant(self, value: Const) -> str:
        if value.dtype.is_bool:
            return str(bool(value.value))
        return self.shared(f"{cast_name(value.dtype)}({number_text(value.value, value.dtype)})")

    def shared(self, text: str) -> str:
        """A number gets a name before the loops."""
        return self.constants.setdefault(text, f"c{len(self.constants)}")

    def apply(self, value: Apply, nested: bool) -> str:
        function, args = value.function, value.args
        if function == "cast":
            return self.cast(args[0], value.dtype)
        if function in INFIX:
            text = f"{self.expr(args[0], True)} {function} {self.expr(args[1], True)}"
            whole = function in ("==", "!=", "<", "<=", ">", ">=") or value.dtype.is_floating
        elif function in PREFIX:
            text, whole = f"{PREFIX[function]}{self.expr(args[0], True)}", value.dtype.is_floating
        else:
            text = f"{function}({', '.join(self.expr(a) for a in args)})"
            return text if not value.dtype.is_integer or function == "where" else f"{cast_name(value.dtype)}({text})"
        if not whole:
            return f"{cast_name(value.dtype)}({text})"
        return f"({text})" if nested else text

    def cast(self, value: Expr, dtype: DType) -> str:
        if dtype.is_bool:
            return f"({self.expr(value, True)} != {self.constant(Const(0, value.dtype))})"
        return f"{cast_name(dtype)}({self.expr(value)})"


def cast_name(dtype: DType) -> str:
    return "bool_" if dtype.is_bool else dtype.name


def number_text(value: object, dtype: DType) -> str:
    """The shortest decimal that reads back as this number of the dtype."""
    if not isinstance(value, float):
        return repr(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "-inf" if value < 0 else "inf"
    short = str(dtype.np.type(value))
    return short if dtype.np.type(float(short)) == value else repr(value)
