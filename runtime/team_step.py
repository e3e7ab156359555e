"""A step for a team of threads. In: the syntax tree of ``step(p, d)`` and the kernels' declarations; out: a `TeamPlan`.

The plan lists the calls of the step: which can be cut into parts, which can fail, and which calls each one needs the results of.
`print_team_step` prints the function that runs one part of one call, and an entry with the signature of the plain step.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Mapping, Sequence

from weft.codegen.program import KernelDecl, Split
from weft.graph.dtype import BY_SHORT
from weft.graph.record import field, record

from .denormals import wrap_flushing
from .driver import Resolve, _index, _is_pointer, _Printer
from .team_layout import DESCRIPTOR, RUN_SYMBOL, TEAM_SYMBOL


@record
class Access:
    """One buffer that a call touches. stretch: what of it each part touches (extent, granule, stride), None if anything."""

    buffer: object
    written: bool
    stretch: tuple[str, int, str] | None


@record(eq=False)
class TeamCall:
    """One call: the statement, its failure branch, how it is cut (None: one thread runs it), and what it touches."""

    node: ast.Call
    failure: ast.If | None
    split: Split | None
    accesses: tuple[Access, ...]
    effect: bool = False


@record(frozen=False, eq=False)
class TeamPlan:
    """sizes: assignments of the step's sizes. needs: per call pairs (earlier call, whether part needs only the same part)."""

    sizes: list[ast.Assign] = field(default_factory=list)
    calls: list[TeamCall] = field(default_factory=list)
    needs: list[list[tuple[int, bool]]] = field(default_factory=list)

    @property
    def work_bytes(self) -> int:
        """Scratch bytes that each thread needs for itself."""
        return max((c.split.work[1] for c in self.calls if c.split is not None), default=0)


def plan_team(
    step: ast.FunctionDef, decls: Mapping[str, KernelDecl], buffers: Sequence[object], shared: Container[int]
) -> TeamPlan | None:
    """The plan, or None if the step holds anything but calls. buffers: per pointer what is equal for equal memory. shared: the
    numbers of the calls to cut."""
    plan = TeamPlan()
    statements = [s for s in step.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    position = 0
    while position < len(statements):
        statement = statements[position]
        position += 1
        if isinstance(statement, ast.Return):
            break
        if not isinstance(statement, (ast.Assign, ast.Expr)) or not isinstance(statement.value, ast.Call):
            return None
        name = statement.value.func.id if isinstance(statement.value.func, ast.Name) else ""
        if isinstance(statement, ast.Assign) and name == "size":
            plan.sizes.append(statement)
            continue
        failure = None
        if isinstance(statement, ast.Assign):
            if position == len(statements) or not isinstance(statements[position], ast.If):
                return None
            failure = statements[position]
            position += 1
        if name != "effect" and name not in decls:
            return None
        cut = len(plan.calls) in shared
        plan.calls.append(_call(statement.value, name, failure, decls, buffers, cut))
    _find_needs(plan)
    return plan


def _call(
    node: ast.Call, name: str, failure: ast.stmt | None, decls: Mapping[str, KernelDecl], buffers: Sequence[object], cut: bool
) -> TeamCall:
    assert failure is None or isinstance(failure, ast.If)
    if name == "effect":
        return TeamCall(node, failure, None, (), effect=True)
    decl = decls[name]
    split = decl.split if cut and failure is None else None
    arguments = [(a, isinstance(a, ast.Call) and _is_pointer(a)) for a in node.args]
    pointers = [buffers[_index(a.args[1])] for a, pointer in arguments if pointer and isinstance(a, ast.Call)]
    values = [ast.unparse(a) for a, pointer in arguments if not pointer]
    if split is not None and not _cuts_alike(split, pointers):
        split = None
    accesses = []
    for i, buffer in enumerate(pointers):
        stretch = None
        if split is not None and i == split.work[0]:
            continue  # each thread has its own
        if split is not None and split.local and split.local[i]:
            stretch = (substitute(split.extent, values), split.granule, substitute(split.strides[i], values))
        accesses.append(Access(buffer, i in decl.writes, stretch))
    return TeamCall(node, failure, split, tuple(accesses))


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


def _find_needs(plan: TeamPlan) -> None:
    """For each call the earlier calls that it must wait for and that no other wait implies."""
    known: int = 0  # calls that every thread has seen finished before this point, one bit each
    before: list[int] = []
    for i, call in enumerate(plan.calls):
        needs: list[tuple[int, bool]] = []
        for j in reversed(range(i)):
            conflict = _conflict(plan.calls[j], call)
            if not known >> j & 1 and conflict:
                if conflict == 1:
                    needs.append((j, True))
                else:
                    needs.append((j, False))
                    known |= before[j] | 1 << j
        plan.needs.append([(j, same) for j, same in needs if not (same and known >> j & 1)])
        before.append(known)
        if call.failure is not None:
            known |= 1 << i  # everybody waits for its code


def _conflict(first: TeamCall, second: TeamCall) -> int:
    """0: they may run at once; 1: a part of the second needs the same part of the first; 2: it needs all of it."""
    if first.effect or second.effect:
        return 2
    found = 0
    for a in first.accesses:
        for b in second.accesses:
            if a.buffer == b.buffer and (a.written or b.written):
                found = max(found, 1 if a.stretch is not None and a.stretch == b.stretch else 2)
    return found


# Printing -----------------------------------------------------------------------------------------------------------------------


@record(frozen=False)
class _PartPrinter(_Printer):
    """Prints a call of a part: moved pointers, fewer iterations."""

    split: Split | None = None
    decl: KernelDecl | None = None

    def kernel(self, name: str, args: Sequence[ast.expr]) -> str:
        indices = tuple(_index(a.args[1]) for a in args if isinstance(a, ast.Call) and _is_pointer(a))
        sizes = [self.integer(a) for a in args if not (isinstance(a, ast.Call) and _is_pointer(a))]
        ranged = self.split.ranged if self.split is not None else ""
        symbol, passed = self.resolve(ranged or name, indices)
        pointers = []
        for index in (indices[i] for i in passed):
            slot = self.value(f"getelementptr ptr, ptr %p, i64 {index}")
            pointers.append(self.value(f"load ptr, ptr {slot}"))
        pointers, sizes = self.cut(passed, pointers, sizes)
        kinds = ", ".join(["ptr"] * len(pointers) + ["i64"] * len(sizes))
        self.symbols[symbol] = f"declare i32 @{symbol}({kinds})\n"
        arguments = [*(f"ptr {p}" for p in pointers), *(f"i64 {s}" for s in sizes)]
        return self.value(f"call i32 @{symbol}({', '.join(arguments)})")

    def cut(self, passed: tuple[int, ...], pointers: list[str], sizes: list[str]) -> tuple[list[str], list[str]]:
        """The arguments for this part; returns from the function where the part is empty."""
        split, decl = self.split, self.decl
        if split is None or decl is None:
            return pointers, sizes
        whole = self.text_value(split.extent, sizes)
        first, last = self.bounds(whole, split.granule)
        empty = self.value(f"icmp sge i64 {first}, {last}")
        nothing, something = self.label(), self.label()
        self.lines.append(f"  br i1 {empty}, label %{nothing}, label %{something}\n{nothing}:\n  ret i32 0\n{something}:")
        if split.ranged:
            if split.work[0] in passed:
                pointers[passed.index(split.work[0])] = "%work"
            return pointers, [*sizes, first, last]
        moved = []
        for position, pointer in zip(passed, pointers, strict=True):
            size = BY_SHORT[decl.pointers[position]].size
            stride = self.text_value(split.strides[position], sizes)
            offset = self.value(f"mul i64 {first}, {stride}")
            scaled = self.value(f"mul i64 {offset}, {size}")
            moved.append(self.value(f"getelementptr i8, ptr {pointer}, i64 {scaled}"))
        count = self.value(f"sub i64 {last}, {first}")
        return moved, [count if i == split.argument else s for i, s in enumerate(sizes)]

    def text_value(self, text: str, sizes: list[str]) -> str:
        """The value of a text over the call's integers."""
        outer = self.names
        self.names = {f"n{i}": ("i64", s) for i, s in enumerate(sizes)}
        out = self.integer(ast.parse(text, mode="eval").body)
        self.names = outer
        return out

    def bounds(self, whole: str, granule: int) -> tuple[str, str]:
        """First and last iteration of this part: whole granules, shared out evenly."""
        rounded = self.value(f"add i64 {whole}, {granule - 1}")
        granules = self.value(f"sdiv i64 {rounded}, {granule}")
        ends = []
        for part in ("%t", self.value("add i64 %t, 1")):
            scaled = self.value(f"mul i64 {granules}, {part}")
            at = self.value(f"mul i64 {self.value(f'sdiv i64 {scaled}, %parts')}, {granule}")
            less = self.value(f"icmp slt i64 {at}, {whole}")
            ends.append(self.value(f"select i1 {less}, i64 {at}, i64 {whole}"))
        return ends[0], ends[1]


def print_team_step(plan: TeamPlan, decls: Mapping[str, KernelDecl], resolve: Resolve, flush: bool = False) -> str:
    """LLVM text of ``int32 weft_team_step(ptr p, ptr d, ptr effect)`` over the plan, and the part function that it hands on.

    flush: denormal numbers count as zero while a part runs.
    """
    cases, labels, count = [], [], 0
    symbols: dict[str, str] = {}
    for k, call in enumerate(plan.calls):
        name = call.node.func.id if isinstance(call.node.func, ast.Name) else ""
        printer = _PartPrinter(resolve, count=count, split=call.split, decl=decls.get(name))
        failed = printer.block([*plan.sizes, ast.Assign([ast.Name("e")], call.node), *([call.failure] if call.failure else [])])
        assert not failed
        body = "\n".join([*printer.lines, "  ret i32 0"])
        cases.append(f"call{k}:\n{body}")
        labels.append(f"i64 {k}, label %call{k}")
        symbols |= printer.symbols
        count = printer.count
    part = "i64 %k, ptr %p, ptr %d, ptr %effect, i64 %t, i64 %parts, ptr %work"
    name = "run" if flush else "part"
    wrapper = wrap_flushing("part", part, "run", "internal") if flush else ""
    return f"""{"".join(symbols.values())}

define internal i32 @{name}({part}) {{
entry:
  switch i64 %k, label %none [ {"  ".join(labels)} ]
none:
  ret i32 0
{chr(10).join(cases)}
}}
{wrapper}
{print_entry()}"""


def print_entry(alone: bool = False) -> str:
    """What a team's module exports. Called with a null ``p``, it keeps ``d`` as the address of the descriptor and writes the
    function ``@part`` into it, and ``@alone`` if the module has one."""
    place = DESCRIPTOR.index("alone")
    own = f"  %alone.at = getelementptr ptr, ptr %d, i64 {place}\n  store ptr @alone, ptr %alone.at\n" if alone else ""
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
