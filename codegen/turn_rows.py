"""Sixteen rows of a few float32 numbers, in memory one after the other <-> one vector per column. In: the number of columns; out:
LLVM text of functions. They are functions so that a kernel that turns several arrays compiles the shuffles once.

Rows are moved in pieces of four numbers, which shuffles turn inside the 16 bytes where they lie. The last piece of a row overlaps
the one before, so nothing outside the rows is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.graph.record import record

from .llvm_code import Code
from .program import PLACEHOLDER

ROWS = 16
PIECE = 4
_WIDE = f"<{ROWS} x float>"
_SMALL = f"<{PIECE} x float>"


@record
class Function:
    name: str
    text: str
    declarations: dict[str, str]


def turning_in(columns: int) -> Function:
    """A function ``(from, to)`` that stores the columns of a block of rows as vectors."""
    code = Code()

    def turn(first: str, width: int) -> None:
        source, to = _at(code, "%from", first), _at(code, "%to", _times(code, first, ROWS))
        pieces = [_load_piece(code, source, row, columns, width) for row in range(ROWS)]
        for i, register in enumerate(_turn(code, [_join(code, pieces[q::PIECE]) for q in range(PIECE)])[:width]):
            code.line(f"store {_WIDE} {register}, ptr {_at(code, to, i * ROWS)}, align 64")

    _each_piece(code, columns, turn)
    return _function(code, f"in{columns}")


def turning_back(columns: int) -> Function:
    """The opposite function."""
    code = Code()

    def turn(first: str, width: int) -> None:
        source, to = _at(code, "%from", _times(code, first, ROWS)), _at(code, "%to", first)
        vectors = [code.let(f"load {_WIDE}, ptr {_at(code, source, i * ROWS)}, align 64") for i in range(width)]
        registers = _turn(code, vectors + ["poison"] * (PIECE - width))
        for row in range(ROWS):
            _store_piece(code, _at(code, to, row * columns), registers[row % PIECE], row // PIECE, width)

    _each_piece(code, columns, turn)
    return _function(code, f"back{columns}")


def _each_piece(code: Code, columns: int, body: Callable[[str, int], None]) -> None:
    """The body for every four columns, given the first of them; the last four overlap those before."""
    if columns <= PIECE:
        body("0", columns)
        return
    code.arrive("next")
    index, following = code.fresh("%i"), code.fresh("%f")
    code.line(f"{index} = phi i64 [0, %entry], [{following}, %next]")
    body(code.call("llvm.smin.i64", "i64", ("i64", index), ("i64", str(columns - PIECE))), PIECE)
    code.line(f"{following} = add nsw i64 {index}, {PIECE}")
    code.fork(code.let(f"icmp slt i64 {following}, {columns}"), "next", "done")
    code.open("done")


def _function(code: Code, name: str) -> Function:
    name = f"{PLACEHOLDER}.{name}"
    code.line("ret void")
    text = code.function(f"internal fastcc void @{name}(ptr %from, ptr noalias %to) noinline nounwind")
    return Function(name, text, code.declarations)


def _times(code: Code, number: str, by: int) -> str:
    return str(int(number) * by) if number.isdigit() else code.let(f"mul nsw i64 {number}, {by}")


def _turn(code: Code, registers: Sequence[str]) -> list[str]:
    """In each block of four numbers: number i of register j becomes number j of register i."""
    pairs = [[_interleave(code, registers[i], registers[i + 1], 1, high) for i in (0, 2)] for high in (False, True)]
    return [_interleave(code, x, y, 2, high) for x, y in pairs for high in (False, True)]


def _interleave(code: Code, x: str, y: str, group: int, high: bool) -> str:
    """In each block: groups of numbers from x and y in turn, from the blocks' lower or upper halves."""
    order: list[int] = []
    for block in range(0, ROWS, PIECE):
        start = block + 2 * high
        for i in range(start, start + 2, group):
            order += [*range(i, i + group), *range(ROWS + i, ROWS + i + group)]
    return _shuffle(code, ROWS, x, y, order)


def _join(code: Code, pieces: Sequence[str]) -> str:
    low, high = (_shuffle(code, PIECE, pieces[i], pieces[i + 1], range(2 * PIECE)) for i in (0, 2))
    return _shuffle(code, 2 * PIECE, low, high, range(ROWS))


def _shuffle(code: Code, lanes: int, x: str, y: str, order: Sequence[int]) -> str:
    kind = f"<{lanes} x float>"
    picks = ", ".join(f"i32 {i}" for i in order)
    return code.let(f"shufflevector {kind} {x}, {kind} {y}, <{len(order)} x i32> <{picks}>")


def _at(code: Code, place: str, element: int | str) -> str:
    return code.let(f"getelementptr inbounds float, ptr {place}, i64 {element}")


def _load_piece(code: Code, place: str, row: int, columns: int, width: int) -> str:
    """Four numbers of a row, or all of a shorter one."""
    at = _at(code, place, row * columns)
    if width == PIECE:
        return code.let(f"load {_SMALL}, ptr {at}, align 4")
    mask = ", ".join(f"i1 {i < width}".lower() for i in range(PIECE))
    args = (("ptr", at), ("i32", "4"), (f"<{PIECE} x i1>", f"<{mask}>"), (_SMALL, "zeroinitializer"))
    return code.call(f"llvm.masked.load.v{PIECE}f32.p0", _SMALL, *args)


def _store_piece(code: Code, place: str, register: str, block: int, width: int) -> None:
    """The first ``width`` numbers of a block, in parts of 4, 2 and 1."""
    done = 0
    for part in (4, 2, 1):
        if width & part:
            start = PIECE * block + done
            value = _shuffle(code, ROWS, register, "poison", range(start, start + part))
            code.line(f"store <{part} x float> {value}, ptr {_at(code, place, done)}, align 4")
            done += part
