"""A step for a team of threads. In: the syntax tree of ``step(p, d)`` and the kernels' declarations; out: a `TeamPlan`.

The plan lists the calls of the step: which can be cut into parts, which can fail, and what each one touches.
`print_team_step` prints the function that runs one part of one call, and an entry with the signature of the plain step.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Mapping, Sequence

from weft.codegen.program import Buffer, KernelDecl, Split
from weft.graph.dtype import BY_SHORT
from weft.graph.record import field, record, replace

from .denormals import wrap_flushing
from .driver import Resolve, _index, _is_pointer, _Printer
from .own_rows import GATHER, GATHER_PART, OwnRows, find_own_rows, mark_own_rows, print_own_rows
from .team import thread_count
from .team_layout import DESCRIPTOR, GATHERED, ROW_FIELDS, ROWS, RUN_SYMBOL, TEAM_SYMBOL, UNIT_BITS
from .team_segments import Access, Segment, TeamCall, form_segments

WORK = 3
"""The position of the scratch memory among a product's pointers."""


@record(frozen=False, eq=False)
class TeamPlan:
    """sizes: assignments of the step's sizes. segments: what threads take, in order. own: inputs that the step can gather.

    threads: how many the step has memory and tables for; another thread may set another number while it is compiled.
    """

    sizes: list[ast.Assign] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    own: OwnRows | None = None
    threads: int = field(default_factory=lambda: max(2, thread_count()))

    @property
    def pieces(self) -> int:
        """The most parts per thread."""
        return max((s.pieces for s in self.segments), default=1)

    @property
    def work_bytes(self) -> int:
        """Scratch bytes that each thread needs for itself."""
        return max((c.work[1] for s in self.segments for c in s.calls), default=0)


def plan_team(
    step: ast.FunctionDef, decls: Mapping[str, KernelDecl], buffers: Sequence[Buffer], shared: Container[int],
    long: Container[int] = (), columns: Mapping[str, tuple[int, ...]] | None = None,
) -> TeamPlan | None:
    """The plan, or None if the step holds anything but calls. buffers: the program's. shared: the numbers of the calls to cut;
    long: of those that take long. columns: of the first operand, by kernel, see `Access`."""
    listed = _list_calls(step)
    if listed is None or not all(name == "effect" or name in decls for _, name, _ in listed[1]):
        return None
    calls = []
    for number, (node, name, failure) in enumerate(listed[1]):
        call = _call(node, name, failure, decls, buffers, number in shared)
        calls.append(_with_columns(replace(call, long=number in long), (columns or {}).get(name, ())))
    threads = max(2, thread_count())
    own = find_own_rows(calls, buffers, threads)
    return TeamPlan(listed[0], form_segments(calls if own is None else mark_own_rows(calls, own)), own, threads)


def _list_calls(step: ast.FunctionDef) -> tuple[list[ast.Assign], list[tuple[ast.Call, str, ast.If | None]]] | None:
    """The step's assignments of sizes, and its calls: each with its name and what is done if it fails. None: there is more."""
    sizes, calls = list[ast.Assign](), list[tuple[ast.Call, str, ast.If | None]]()
    statements = iter(step.body)
    for statement in statements:
        if isinstance(statement, ast.Return):
            break
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        if not isinstance(statement, (ast.Assign, ast.Expr)) or not isinstance(statement.value, ast.Call):
            return None
        name = statement.value.func.id if isinstance(statement.value.func, ast.Name) else ""
        if isinstance(statement, ast.Expr):
            calls.append((statement.value, name, None))
        elif name == "size":
            sizes.append(statement)
        elif isinstance(failure := next(statements, None), ast.If):
            calls.append((statement.value, name, failure))
        else:
            return None
    return sizes, calls


def _call(
    node: ast.Call, name: str, failure: ast.If | None, decls: Mapping[str, KernelDecl], buffers: Sequence[Buffer], cut: bool
) -> TeamCall:
    if name == "effect":
        return TeamCall(node, failure, None, (), effect=True)
    decl = decls[name]
    split = decl.split if cut and failure is None else None
    arguments = [(a, isinstance(a, ast.Call) and _is_pointer(a)) for a in node.args]
    given = [buffers[_index(a.args[1])] for a, pointer in arguments if pointer and isinstance(a, ast.Call)]
    pointers = [(b.kind, b.index) for b in given]  # equal for equal memory
    values = [ast.unparse(a) for a, pointer in arguments if not pointer]
    if split is not None and not _cuts_alike(split, pointers):
        split = None
    work = split.work if split is not None else (-1, 0)
    if split is None and decl.contract is not None and len(given) > WORK:
        work = WORK, BY_SHORT[given[WORK].dtype].size * int(given[WORK].shape[0])
    accesses = []
    for i, buffer in enumerate(given):
        stretch = None
        if i == work[0]:
            continue  # each thread has its own
        if split is not None and split.local and split.local[i]:
            step = f"{BY_SHORT[buffer.dtype].size} * ({split.strides[i]})"  # one memory serves arrays of different dtypes
            stretch = (substitute(split.extent, values), split.granule, substitute(step, values))
        accesses.append(Access(pointers[i], i in decl.writes, stretch))
    return TeamCall(node, failure, split, tuple(accesses), work=work, granules=_count_granules(split, values))


def _count_granules(split: Split | None, values: Sequence[str]) -> int | None:
    """How many granules a call shares out, if its text says so."""
    extent = "" if split is None else substitute(split.extent, values)
    return -(-int(extent) // split.granule) if split is not None and extent.isdigit() else None


def _with_columns(call: TeamCall, columns: tuple[int, ...]) -> TeamCall:
    """The call with what is known of the columns of its first operand."""
    if call.split is None or not columns:
        return call
    return replace(call, accesses=(replace(call.accesses[0], columns=columns), *call.accesses[1:]))


def _cuts_alike(split: Split, pointers: Sequence[object]) -> bool:
    """Whether arguments that are the same memory move alike."""
    if not split.strides:
        return True
    moves: dict[object, str] = {}
    return all(moves.setdefault(p, s) == s for p, s in zip(pointers, split.strides, strict=True))


def substitute(text: str, values: Sequence[str]) -> str:
    """A text over ``n0``, ``n1``, ... as one over the names of ``step``."""
    out = re.sub(r"\bn(\d+)\b", lambda m: f"({values[int(m[1])]})", text)
    return ast.unparse(ast.parse(out, mode="eval"))


# Printing -----------------------------------------------------------------------------------------------------------------------


@record(frozen=False)
class _PartPrinter(_Printer):
    """Prints a call of a part: moved pointers, fewer iterations."""

    part: TeamCall | None = None
    decl: KernelDecl | None = None
    pieces: int = 1
    own: OwnRows | None = None
    uneven: bool = False

    def kernel(self, name: str, args: Sequence[ast.expr]) -> str:
        indices = tuple(_index(a.args[1]) for a in args if isinstance(a, ast.Call) and _is_pointer(a))
        sizes = [self.integer(a) for a in args if not (isinstance(a, ast.Call) and _is_pointer(a))]
        split = self.part.split if self.part is not None else None
        ranged = split.ranged if split is not None else ""
        symbol, passed = self.resolve(ranged or name, indices)
        pointers = []
        for index in (indices[i] for i in passed):
            slot = self.value(f"getelementptr ptr, ptr %p, i64 {index}")
            pointers.append(self.own_rows(index, self.value(f"load ptr, ptr {slot}")))
        if self.part is not None and self.part.work[0] in passed:
            pointers[passed.index(self.part.work[0])] = "%work"
        pointers, sizes = self.cut(split, passed, pointers, sizes)
        kinds = ", ".join(["ptr"] * len(pointers) + ["i64"] * len(sizes))
        self.symbols[symbol] = f"declare i32 @{symbol}({kinds})\n"
        arguments = [*(f"ptr {p}" for p in pointers), *(f"i64 {s}" for s in sizes)]
        return self.value(f"call i32 @{symbol}({', '.join(arguments)})")

    def own_rows(self, index: int, pointer: str) -> str:
        """Where this part reads what the pointer at this place points to: the thread's own buffer if the step has gathered it."""
        if self.own is None or index not in self.own.pointers:
            return pointer
        table = self.value(f"load ptr, ptr {self.value(f'getelementptr ptr, ptr %p, i64 {self.own.at}')}")
        place = ROWS + ROW_FIELDS * self.own.pointers[index] + GATHERED.index("stride")
        stride = self.value(f"load i64, ptr {self.value(f'getelementptr i64, ptr {table}, i64 {place}')}")
        gathered = self.value(f"icmp ne i64 {self.value(f'load i64, ptr {table}')}, 0")
        offset = self.value(f"mul i64 {stride}, {self.value(f'sdiv i64 %t, {self.pieces}')}")
        moved = self.value(f"select i1 {gathered}, i64 {offset}, i64 0")
        return self.value(f"getelementptr i8, ptr {pointer}, i64 {moved}")

    def cut(
        self, split: Split | None, passed: tuple[int, ...], pointers: list[str], sizes: list[str]
    ) -> tuple[list[str], list[str]]:
        """The arguments for this part; returns from the function where the part is empty."""
        decl = self.decl
        if split is None or decl is None:
            return pointers, sizes
        whole = self.text_value(split.extent, sizes)
        first, last = self.bounds(whole, split.granule, self.text_value(split.repeats, sizes) if split.repeats else "0")
        empty = self.value(f"icmp sge i64 {first}, {last}")
        nothing, something = self.label(), self.label()
        self.lines.append(f"  br i1 {empty}, label %{nothing}, label %{something}\n{nothing}:\n  ret i32 0\n{something}:")
        if split.ranged:
            return pointers, [*sizes, first, last, *([self.again()] if split.again else [])]
        moved = []
        for position, pointer in zip(passed, pointers, strict=True):
            size = BY_SHORT[decl.pointers[position]].size
            stride = self.text_value(split.strides[position], sizes)
            offset = self.value(f"mul i64 {first}, {stride}")
            scaled = self.value(f"mul i64 {offset}, {size}")
            moved.append(self.value(f"getelementptr i8, ptr {pointer}, i64 {scaled}"))
        count = self.value(f"sub i64 {last}, {first}")
        return moved, [count if i == split.argument else s for i, s in enumerate(sizes)]

    def again(self) -> str:
        """Whether the thread has run a part of this call already, and nothing else since: of a call alone in its segment."""
        if self.pieces == 1:
            return "0"
        before = self.value("load i64, ptr %again")
        self.lines.append("  store i64 1, ptr %again")
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
        rounded = self.value(f"add i64 {whole}, {granule - 1}")
        granules = self.value(f"sdiv i64 {rounded}, {granule}")
        if self.uneven:
            return self.uneven_bounds(whole, granule, granules)
        share = 1 << self.pieces - 1  # so many of the smallest pieces
        all_shares = self.value(f"mul i64 {self.value(f'sdiv i64 %parts, {self.pieces}')}, {share}")
        ends = []
        at_once = self.value(f"icmp sgt i64 {repeats}, 0")
        for part in ("%t", self.value("add i64 %t, 1")):
            thread, piece = (self.value(f"{op} i64 {part}, {self.pieces}") for op in ("sdiv", "srem"))
            until = self.value(f"mul i64 {self.value(f'add i64 {thread}, 1')}, {share}")
            whole_share = self.value(f"select i1 {self.value(f'icmp eq i64 {piece}, 0')}, i64 {share}, i64 0")
            pieces = self.value(f"lshr i64 {share}, {piece}")
            rest = self.value(f"select i1 {at_once}, i64 {whole_share}, i64 {pieces}")
            before = self.value(f"sub i64 {until}, {rest}")
            scaled = self.value(f"mul i64 {granules}, {before}")
            ends.append(self._place(self.value(f"sdiv i64 {scaled}, {all_shares}"), granule, whole))
        return ends[0], ends[1]

    def uneven_bounds(self, whole: str, granule: int, granules: str) -> tuple[str, str]:
        """The same where the step's descriptor has the edges between shares."""
        place = self.value(f"getelementptr ptr, ptr {self.value('load ptr, ptr @descriptor')}, i64 {DESCRIPTOR.index('edges')}")
        edges = self.value(f"load ptr, ptr {place}")
        ends = []
        for part in ("%t", self.value("add i64 %t, 1")):
            edge = self.value(f"load i64, ptr {self.value(f'getelementptr i64, ptr {edges}, i64 {part}')}")
            scaled = self.value(f"add i64 {self.value(f'mul i64 {granules}, {edge}')}, {1 << UNIT_BITS - 1}")
            ends.append(self._place(self.value(f"lshr i64 {scaled}, {UNIT_BITS}"), granule, whole))
        return ends[0], ends[1]

    def _place(self, granules: str, granule: int, whole: str) -> str:
        """Where so many granules end, at most at the end of all."""
        at = self.value(f"mul i64 {granules}, {granule}")
        return self.value(f"select i1 {self.value(f'icmp slt i64 {at}, {whole}')}, i64 {at}, i64 {whole}")


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
            printer = _PartPrinter(
                resolve, part=call, decl=decls.get(kernel), pieces=segment.pieces, own=plan.own, uneven=segment.uneven
            )
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
    failed = printer.block([*sizes, ast.Assign([ast.Name("e")], call.node), *([call.failure] if call.failure else [])])
    assert not failed
    body = "\n".join([*printer.lines, "  ret i32 0"])
    return f"define internal i32 @{name}({_PART}) {{\nentry:\n{body}\n}}\n"


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
