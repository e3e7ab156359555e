"""The compiled ``step``. In: the syntax tree of ``step(p, d)`` and each kernel's symbol; out: LLVM text that calls them.

``step`` is a list of calls, so Numba would spend seconds on inferring types that are known: pointers, int64 sizes, int32 codes.
This printer takes the statements that the emitter writes and refuses any other:

    batch = size(d, 0)                      sizes: integers, + - * //, names
    e = kernel(pointer(p, 0), batch * 64)   or the call alone
    if e:                                   also ``if e != 0:``
        return 3                            a code, or ``return e``
    e = effect(2)
    return 0
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from weft.codegen.function_writer import FunctionWriter
from weft.graph.record import record

from .clock import mark_text
from .denormals import wrap_flushing
from .stored_step import STEP_SYMBOL


@record
class Call:
    """One call site: the kernel, the indices of the pointers, and the size arguments as LLVM values."""

    kernel: str
    pointers: tuple[int, ...]
    sizes: tuple[str, ...]


Resolve = Callable[[str, tuple[int, ...]], tuple[str, tuple[int, ...]]]
"""(kernel, pointer indices) -> (symbol, positions of the pointers to pass)"""


class StepPrinter(FunctionWriter):
    """Prints a step's statements. names: the LLVM type and value of each variable. symbols: what is called, and how declared."""

    def __init__(self, resolve: Resolve, timed: bool = False) -> None:
        super().__init__()
        self.resolve, self.timed, self.marks = resolve, timed, 0
        self.names: dict[str, tuple[str, str]] = {}
        self.symbols: dict[str, str] = {}

    def mark(self) -> None:
        """In a timed step: notes the time, after every call."""
        if self.timed:
            self.line(f"call void @mark(ptr %p, i64 {self.marks})")
            self.marks += 1

    def statements(self, statements: Sequence[ast.stmt]) -> bool:
        """Prints the statements; True if they end in a return."""
        for statement in statements:
            if isinstance(statement, ast.Return):
                kind, code = self.expression(statement.value) if statement.value else ("i64", "0")
                self.line(f"ret i32 {self.as_int32(kind, code)}")
                return True
            if isinstance(statement, ast.If):
                self.branch(statement)
            elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self.names[statement.targets[0].id] = self.expression(statement.value)
            elif isinstance(statement, ast.Expr):
                if not isinstance(statement.value, ast.Constant):  # a docstring is no call
                    self.expression(statement.value)
            elif not isinstance(statement, ast.Pass):
                raise _refusal(statement)
        return False

    def branch(self, statement: ast.If) -> None:
        kind, value = self.expression(statement.test)
        condition = value if kind == "i1" else self.let(f"icmp ne {kind} {value}, 0")
        inside, after = self.fresh("b"), self.fresh("b")
        self.fork(condition, inside, after)
        self.open(inside)
        if statement.orelse or not self.statements(statement.body):
            raise _refusal(statement)
        self.open(after)

    def as_int32(self, kind: str, value: str) -> str:
        return value if kind == "i32" or value.lstrip("-").isdigit() else self.let(f"trunc {kind} {value} to i32")

    def expression(self, node: ast.expr) -> tuple[str, str]:
        """(LLVM type, value) of an integer expression or a call."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return "i64", str(int(node.value))
        if isinstance(node, ast.Name) and node.id in self.names:
            return self.names[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return "i64", self.let(f"sub i64 0, {self.integer(node.operand)}")
        if isinstance(node, ast.BinOp):
            return "i64", self.arithmetic(node)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return "i1", self.comparison(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self.call(node.func.id, node.args)
        raise _refusal(node)

    def integer(self, node: ast.expr) -> str:
        kind, value = self.expression(node)
        if kind == "i32":
            return self.let(f"sext i32 {value} to i64")
        if kind != "i64":
            raise _refusal(node)
        return value

    def arithmetic(self, node: ast.BinOp) -> str:
        operations: dict[type, str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.FloorDiv: "sdiv", ast.Mod: "srem"}
        operation = operations.get(type(node.op))  # sizes are never negative, so // and % are C's
        if operation is None:
            raise _refusal(node)
        return self.let(f"{operation} i64 {self.integer(node.left)}, {self.integer(node.right)}")

    def comparison(self, node: ast.Compare) -> str:
        operations: dict[type, str] = {
            ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "slt", ast.LtE: "sle", ast.Gt: "sgt", ast.GtE: "sge",
        }  # fmt: skip
        operation = operations.get(type(node.ops[0]))
        if operation is None:
            raise _refusal(node)
        return self.let(f"icmp {operation} i64 {self.integer(node.left)}, {self.integer(node.comparators[0])}")

    def call(self, name: str, args: Sequence[ast.expr]) -> tuple[str, str]:
        if name == "size":
            slot = self.let(f"getelementptr i64, ptr %d, i64 {index_of(args[1])}")
            return "i64", self.let(f"load i64, ptr {slot}")
        if name == "effect":
            code = self.let(f"call i32 %effect(i64 {index_of(args[0])})")
            self.mark()
            return "i32", code
        if name in ("max", "min") and len(args) == 2:
            return "i64", self.extreme(name, args)
        return "i32", self.kernel(name, args)

    def extreme(self, name: str, args: Sequence[ast.expr]) -> str:
        a, b = self.integer(args[0]), self.integer(args[1])
        first = self.let(f"icmp {'sgt' if name == 'max' else 'slt'} i64 {a}, {b}")
        return self.let(f"select i1 {first}, i64 {a}, i64 {b}")

    def kernel(self, name: str, args: Sequence[ast.expr]) -> str:
        indices = tuple(index_of(a.args[1]) for a in args if isinstance(a, ast.Call) and is_pointer(a))
        sizes = [f"i64 {self.integer(a)}" for a in args if not (isinstance(a, ast.Call) and is_pointer(a))]
        symbol, passed = self.resolve(name, indices)
        pointers = []
        for index in (indices[i] for i in passed):
            slot = self.let(f"getelementptr ptr, ptr %p, i64 {index}")
            pointers.append(f"ptr {self.let(f'load ptr, ptr {slot}')}")
        kinds = ", ".join(["ptr"] * len(pointers) + ["i64"] * len(sizes))
        self.symbols[symbol] = f"declare i32 @{symbol}({kinds})\n"
        code = self.let(f"call i32 @{symbol}({', '.join([*pointers, *sizes])})")
        self.mark()
        return code


def is_pointer(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "pointer"


def index_of(node: ast.expr) -> int:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, int):
        raise _refusal(node)
    return node.value


def _refusal(node: ast.AST) -> ValueError:
    return ValueError(f"step holds a statement that cannot be compiled. Received: {ast.unparse(node)!r}")


def print_step(
    step: ast.FunctionDef, resolve: Resolve, times: int | None = None, flush: bool = False
) -> tuple[str, list[str]]:
    """LLVM text of ``int32 weft_step(ptr p, ptr d, ptr effect)`` and the symbols it calls.

    times: index in the pointer table of a table into which the step writes the time, see `clock.mark_text`:
    twice at its start, which tells what noting a time costs, and after each call. None: an ordinary step, which does not.
    flush: denormal numbers count as zero while the step runs, see `denormals`.
    ValueError for a statement outside the list above.
    """
    printer = StepPrinter(resolve, timed=times is not None)
    for _ in range(2):
        printer.mark()
    if not printer.statements(step.body):
        printer.line("ret i32 0")
    parameters = "ptr %p, ptr %d, ptr %effect"
    name = "internal i32 @run" if flush else f"i32 @{STEP_SYMBOL}"
    tail = wrap_flushing(STEP_SYMBOL, parameters, "run") if flush else ""
    declarations = ("" if times is None else mark_text(times)) + "".join(printer.symbols.values())
    return declarations + printer.function(f"{name}({parameters})") + tail, list(printer.symbols)
