"""What of a step threads share. In: the syntax tree of ``step(p, d)`` and the kernels' declarations; out: a `TeamPlan`.

The plan lists the calls of the step: which can be cut into parts, which can fail, and what each one touches.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Mapping, Sequence

from weft.codegen.program import Buffer, KernelDecl, Split
from weft.graph.dtype import BY_SHORT
from weft.graph.record import field, record, replace

from .driver import index_of, is_pointer
from .own_rows import OwnRows, find_own_rows, mark_own_rows
from .team import thread_count
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
    arguments = [(a, isinstance(a, ast.Call) and is_pointer(a)) for a in node.args]
    given = [buffers[index_of(a.args[1])] for a, pointer in arguments if pointer and isinstance(a, ast.Call)]
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
