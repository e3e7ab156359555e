"""A step for a team of threads. In: a `TeamPlan` and the kernels' declarations; out: LLVM text.

`print_team_step` prints the function that runs one part of one call, and an entry with the signature of the plain step.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from weft.codegen.program import KernelDecl, Split
from weft.graph.dtype import BY_SHORT

from .denormals import wrap_flushing
from .driver import Resolve, StepPrinter, index_of, is_pointer
from .own_rows import GATHER, GATHER_PART, OwnRows, print_own_rows
from .plan_team import TeamPlan
from .team_layout import DESCRIPTOR, GATHERED, ROW_FIELDS, ROWS, RUN_SYMBOL, TEAM_SYMBOL, UNIT_BITS
from .team_segments import Segment, TeamCall


class _PartPrinter(StepPrinter):
    """Prints a call of a part: moved pointers, fewer iterations."""

    def __init__(self, resolve: Resolve, part: TeamCall, decl: KernelDecl | None, segment: Segment, own: OwnRows | None) -> None:
        super().__init__(resolve)
        self.part, self.decl, self.own = part, decl, own
        self.pieces, self.uneven = segment.pieces, segment.uneven

    def kernel(self, name: str, args: Sequence[ast.expr]) -> str:
        indices = tuple(index_of(a.args[1]) for a in args if isinstance(a, ast.Call) and is_pointer(a))
        sizes = [self.integer(a) for a in args if not (isinstance(a, ast.Call) and is_pointer(a))]
        split = self.part.split
        ranged = split.ranged if split is not None else ""
        symbol, passed = self.resolve(ranged or name, indices)
        pointers = []
        for index in (indices[i] for i in passed):
            slot = self.let(f"getelementptr ptr, ptr %p, i64 {index}")
            pointers.append(self.own_rows(index, self.let(f"load ptr, ptr {slot}")))
        if self.part.work[0] in passed:
            pointers[passed.index(self.part.work[0])] = "%work"
        pointers, sizes = self.cut(split, passed, pointers, sizes)
        kinds = ", ".join(["ptr"] * len(pointers) + ["i64"] * len(sizes))
        self.symbols[symbol] = f"declare i32 @{symbol}({kinds})\n"
        arguments = [*(f"ptr {p}" for p in pointers), *(f"i64 {s}" for s in sizes)]
        return self.let(f"call i32 @{symbol}({', '.join(arguments)})")

    def own_rows(self, index: int, pointer: str) -> str:
        """Where this part reads what the pointer at this place points to: the thread's own buffer if the step has gathered it."""
        if self.own is None or index not in self.own.pointers:
            return pointer
        table = self.let(f"load ptr, ptr {self.let(f'getelementptr ptr, ptr %p, i64 {self.own.at}')}")
        place = ROWS + ROW_FIELDS * self.own.pointers[index] + GATHERED.index("stride")
        stride = self.let(f"load i64, ptr {self.let(f'getelementptr i64, ptr {table}, i64 {place}')}")
        gathered = self.let(f"icmp ne i64 {self.let(f'load i64, ptr {table}')}, 0")
        offset = self.let(f"mul i64 {stride}, {self.let(f'sdiv i64 %t, {self.pieces}')}")
        moved = self.let(f"select i1 {gathered}, i64 {offset}, i64 0")
        return self.let(f"getelementptr i8, ptr {pointer}, i64 {moved}")

    def cut(
        self, split: Split | None, passed: tuple[int, ...], pointers: list[str], sizes: list[str]
    ) -> tuple[list[str], list[str]]:
        """The arguments for this part; returns from the function where the part is empty."""
        decl = self.decl
        if split is None or decl is None:
            return pointers, sizes
        whole = self.text_value(split.extent, sizes)
        first, last = self.bounds(whole, split.granule, self.text_value(split.repeats, sizes) if split.repeats else "0")
        empty = self.let(f"icmp sge i64 {first}, {last}")
        nothing, something = self.fresh("b"), self.fresh("b")
        self.fork(empty, nothing, something)
        self.open(nothing)
        self.line("ret i32 0")
        self.open(something)
        if split.ranged:
            return pointers, [*sizes, first, last, *([self.again()] if split.again else [])]
        moved = []
        for position, pointer in zip(passed, pointers, strict=True):
            size = BY_SHORT[decl.pointers[position]].size
            stride = self.text_value(split.strides[position], sizes)
            offset = self.let(f"mul i64 {first}, {stride}")
            scaled = self.let(f"mul i64 {offset}, {size}")
            moved.append(self.let(f"getelementptr i8, ptr {pointer}, i64 {scaled}"))
        count = self.let(f"sub i64 {last}, {first}")
        return moved, [count if i == split.argument else s for i, s in enumerate(sizes)]

    def again(self) -> str:
        """Whether the thread has run a part of this call already, and nothing else since: of a call alone in its segment."""
        if self.pieces == 1:
            return "0"
        before = self.let("load i64, ptr %again")
        self.line("store i64 1, ptr %again")
        return before

    def text_value(self, text: str, sizes: list[str]) -> str:
        """The value of a text over the call's integers."""
        outer = self.names
        self.names = {f"n{i}": ("i64", s) for i, s in enumerate(sizes)}
        out = self.integer(ast.parse(text, mode="eval").body)
        self.names = outer
        return out

    def bounds(self, whole: str, granule: int, repeats: str) -> tuple[str, str]:
        """First and last iteration of this part: whole granules, shared out evenly among threads; each thread's share in
        pieces, every one half of what is left, or all of it at once."""
        rounded = self.let(f"add i64 {whole}, {granule - 1}")
        granules = self.let(f"sdiv i64 {rounded}, {granule}")
        if self.uneven:
            return self.uneven_bounds(whole, granule, granules)
        share = 1 << self.pieces - 1  # so many of the smallest pieces
        all_shares = self.let(f"mul i64 {self.let(f'sdiv i64 %parts, {self.pieces}')}, {share}")
        ends = []
        at_once = self.let(f"icmp sgt i64 {repeats}, 0")
        for part in ("%t", self.let("add i64 %t, 1")):
            thread, piece = (self.let(f"{op} i64 {part}, {self.pieces}") for op in ("sdiv", "srem"))
            until = self.let(f"mul i64 {self.let(f'add i64 {thread}, 1')}, {share}")
            whole_share = self.let(f"select i1 {self.let(f'icmp eq i64 {piece}, 0')}, i64 {share}, i64 0")
            pieces = self.let(f"lshr i64 {share}, {piece}")
            rest = self.let(f"select i1 {at_once}, i64 {whole_share}, i64 {pieces}")
            before = self.let(f"sub i64 {until}, {rest}")
            scaled = self.let(f"mul i64 {granules}, {before}")
            ends.append(self._place(self.let(f"sdiv i64 {scaled}, {all_shares}"), granule, whole))
        return ends[0], ends[1]

    def uneven_bounds(self, whole: str, granule: int, granules: str) -> tuple[str, str]:
        """The same where the step's descriptor has the edges between shares."""
        place = self.let(f"getelementptr ptr, ptr {self.let('load ptr, ptr @descriptor')}, i64 {DESCRIPTOR.index('edges')}")
        edges = self.let(f"load ptr, ptr {place}")
        ends = []
        for part in ("%t", self.let("add i64 %t, 1")):
            edge = self.let(f"load i64, ptr {self.let(f'getelementptr i64, ptr {edges}, i64 {part}')}")
            scaled = self.let(f"add i64 {self.let(f'mul i64 {granules}, {edge}')}, {1 << UNIT_BITS - 1}")
            ends.append(self._place(self.let(f"lshr i64 {scaled}, {UNIT_BITS}"), granule, whole))
        return ends[0], ends[1]

    def _place(self, granules: str, granule: int, whole: str) -> str:
        """Where so many granules end, at most at the end of all."""
        at = self.let(f"mul i64 {granules}, {granule}")
        return self.let(f"select i1 {self.let(f'icmp slt i64 {at}, {whole}')}, i64 {at}, i64 {whole}")


def print_team_step(plan: TeamPlan, decls: Mapping[str, KernelDecl], resolve: Resolve, flush: bool = False) -> str:
    """LLVM text of ``int32 weft_team_step(ptr p, ptr d, ptr effect)`` over the plan, and the part function that it hands on.

    flush: denormal numbers count as zero while a part runs.
    """
    functions: list[str] = []
    symbols: dict[str, str] = {}
    for k, segment in enumerate(plan.segments):
        for i, call in enumerate(segment.calls):
            kernel = call.node.func.id if isinstance(call.node.func, ast.Name) else ""
            if kernel == GATHER:
                functions.append(f"define internal i32 @call{k}.{i}({_PART}) {{\n{GATHER_PART}}}\n")
                continue
            printer = _PartPrinter(resolve, call, decls.get(kernel), segment, plan.own)
            functions.append(_print_call(f"call{k}.{i}", call, plan.sizes, printer))
            symbols |= printer.symbols
    rows = "" if plan.own is None else print_own_rows(plan.own)
    return f"""{"".join(symbols.values())}
{rows}{chr(10).join(functions)}
{_print_choice("run" if flush else "part", plan.segments)}
{wrap_flushing("part", f"i64 %k, {_PART}", "run", "internal") if flush else ""}
{print_entry(*(() if plan.own is None else ("bring", "fetch")))}"""


_PART = "ptr %p, ptr %d, ptr %effect, i64 %t, i64 %parts, ptr %work, ptr %again"
"""What the function of a part is given. again: 0 in the thread's first part of a call, a word that the part may set."""


def _print_call(name: str, call: TeamCall, sizes: Sequence[ast.stmt], printer: _PartPrinter) -> str:
    """A function that runs one part of a call and returns its code."""
    failed = printer.statements([*sizes, ast.Assign([ast.Name("e")], call.node), *([call.failure] if call.failure else [])])
    assert not failed
    printer.line("ret i32 0")
    return printer.function(f"internal i32 @{name}({_PART})")


def _print_choice(name: str, segments: Sequence[Segment]) -> str:
    """The function that runs one part of segment ``k``."""
    labels = "  ".join(f"i64 {k}, label %segment{k}" for k in range(len(segments)))
    return f"""define internal i32 @{name}(i64 %k, {_PART}) {{
entry:
  switch i64 %k, label %none [ {labels} ]
none:
  ret i32 0
{chr(10).join(_print_segment(k, segment) for k, segment in enumerate(segments))}
}}"""


def _print_segment(k: int, segment: Segment) -> str:
    """The block that runs one part of each call, up to the first that fails."""
    lines = [f"segment{k}:"]
    for i, call in enumerate(segment.calls):
        lines.append(f"  %code{k}.{i} = call i32 @call{k}.{i}({_PART})")
        if call.failure is not None:
            lines.append(f"  %failed{k}.{i} = icmp ne i32 %code{k}.{i}, 0")
            lines.append(f"  br i1 %failed{k}.{i}, label %end{k}.{i}, label %on{k}.{i}")
            lines.append(f"end{k}.{i}:\n  ret i32 %code{k}.{i}\non{k}.{i}:")
    return "\n".join([*lines, "  ret i32 0"])


def print_entry(*functions: str) -> str:
    """What a team's module exports. Called with a null ``p``, it keeps ``d`` as the address of the descriptor and writes the
    function ``@part`` into it, and the module's other functions of these names among the descriptor's fields."""
    places = [(name, DESCRIPTOR.index(name)) for name in functions]
    own = "".join(f"  %{f}.at = getelementptr ptr, ptr %d, i64 {i}\n  store ptr @{f}, ptr %{f}.at\n" for f, i in places)
    return f"""declare i32 @{RUN_SYMBOL}(ptr, ptr, ptr, ptr)
@descriptor = internal global ptr null

define i32 @{TEAM_SYMBOL}(ptr %p, ptr %d, ptr %effect) {{
entry:
  %setting = icmp eq ptr %p, null
  br i1 %setting, label %set, label %run
set:
  store ptr %d, ptr @descriptor
  %at = getelementptr ptr, ptr %d, i64 {DESCRIPTOR.index("part")}
  store ptr @part, ptr %at
{own}  ret i32 0
run:
  %desc = load ptr, ptr @descriptor
  %code = call i32 @{RUN_SYMBOL}(ptr %desc, ptr %p, ptr %d, ptr %effect)
  ret i32 %code
}}
"""
