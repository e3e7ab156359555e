"""Machine code placed in memory without a linker. In: an ELF object that LLVM wrote; out: its code in this process, or None.

Loading code is all that a process needs of LLVM if it finds its steps in the cache, and importing and starting LLVM takes ten
times as long as the rest of it. The objects are simple: LLVM writes code for a JIT with absolute 64-bit addresses, so a few
sections and one kind of relocation are all there is. Whatever is not as expected (another system, CPU or relocation, a symbol
that nobody has) is left to LLVM's own linker, see `engine`.

Code and constants are placed one behind the other, then made executable and never written again; variables follow on other pages.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import platform
import struct
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from weft.graph.record import record

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_IDENTITY = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian
_RELOCATABLE, _X86_64, _ABSOLUTE_64 = 1, 62, 1
_SYMTAB, _RELA, _NOBITS = 2, 4, 8
_WRITABLE, _ALLOCATED, _CODE_OR_DATA = 0x1, 0x2, {1, _NOBITS}
_UNDEFINED = 0
_READ_EXECUTE = mmap.PROT_READ | getattr(mmap, "PROT_EXEC", 4) if sys.platform != "win32" else 0


@record
class _Section:
    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


@functools.cache
def _process() -> Any:
    """The process' own symbols, or None where code cannot be placed this way."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or sys.byteorder != "little":
        return None
    library = ctypes.CDLL(None)
    library.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return library


def map_object(code: bytes, symbol: str, imports: Mapping[str, int]) -> tuple[int, mmap.mmap] | None:
    """(address of the symbol, the memory that must stay) of an object's code, or None if LLVM has to load it.

    imports: addresses of symbols that are neither in the object nor in the process.
    """
    process = _process()
    sections = None if process is None else _sections(code)
    if sections is None:
        return None
    places, fixed, size = _place(sections)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for index, place in places.items():
        section = sections[index]
        if section.kind != _NOBITS:
            memory[place : place + section.size] = code[section.offset : section.offset + section.size]
    placed = {index: base + place for index, place in places.items()}
    tables, address = _find_symbols(code, sections, placed, symbol, imports)
    if not _relocate(code, sections, places, memory, tables):
        return None
    if address is None or process.mprotect(base, fixed, _READ_EXECUTE) != 0:
        return None
    return address, memory


def _sections(code: bytes) -> list[_Section] | None:
    """The section table, or None if this is no object of the expected kind."""
    if len(code) < _HEADER.size or not code.startswith(_IDENTITY):
        return None
    _, kind, machine, _, _, _, start, _, _, _, _, entry_size, count, _ = _HEADER.unpack_from(code)
    if (kind, machine, entry_size) != (_RELOCATABLE, _X86_64, _SECTION.size) or start + count * entry_size > len(code):
        return None
    sections = [_Section(*_SECTION.unpack_from(code, start + i * entry_size)) for i in range(count)]
    whole = all(s.kind == _NOBITS or s.offset + s.size <= len(code) for s in sections)
    return sections if whole else None


def _place(sections: list[_Section]) -> tuple[dict[int, int], int, int]:
    """Where the sections go by index: code and constants on pages of their own, then variables. The size of the former, of all.

    What unwinding would need is left out.
    """
    wanted = [(i, s) for i, s in enumerate(sections) if s.flags & _ALLOCATED and s.kind in _CODE_OR_DATA and s.size]
    places, end, fixed = {}, 0, 0
    for writable in (0, _WRITABLE):
        for index, section in wanted:
            if section.flags & _WRITABLE == writable:
                places[index] = end = _round_up(end, max(section.alignment, 1))
                end += section.size
        if not writable:
            fixed = end = _round_up(max(end, 1), mmap.PAGESIZE)
    return places, fixed, end


def _round_up(size: int, granule: int) -> int:
    return -(-size // granule) * granule


def _find_symbols(
    code: bytes, sections: list[_Section], placed: dict[int, int], wanted: str, imports: Mapping[str, int]
) -> tuple[dict[int, list[int | None]], int | None]:
    """The address of every symbol, by the index of its table's section, and of the wanted one; None for those nobody has."""
    tables: dict[int, list[int | None]] = {}
    found = None
    for index, section in enumerate(sections):
        if section.kind == _SYMTAB:
            table = tables[index] = []
            for name, value, place in _symbols(code, section, sections[section.link].offset):
                address = placed[place] + value if place in placed else None
                if place == _UNDEFINED and name:
                    address = imports.get(name) or _address_in_process(name)
                elif name == wanted:
                    found = address
                table.append(address)
    return tables, found


def _relocate(
    code: bytes, sections: list[_Section], places: dict[int, int], memory: mmap.mmap, tables: dict[int, list[int | None]]
) -> bool:
    """Writes the addresses that the code holds; False for anything unexpected."""
    for section in sections:
        if section.kind == _RELA and section.info in places:
            start = places[section.info]
            for offset, info, addend in _RELOCATION.iter_unpack(code[section.offset : section.offset + section.size]):
                target = tables[section.link][info >> 32]
                if info & 0xFFFFFFFF != _ABSOLUTE_64 or target is None:
                    return False
                struct.pack_into("<Q", memory, start + offset, target + addend)
    return True


def _symbols(code: bytes, section: _Section, names: int) -> Iterator[tuple[str, int, int]]:
    """(name, value, index of its section) of every symbol."""
    for name, _, _, place, value, _ in _SYMBOL.iter_unpack(code[section.offset : section.offset + section.size]):
        text = code[names + name : code.index(b"\0", names + name)].decode() if name else ""
        yield text, value, place


def _address_in_process(name: str) -> int | None:
    """The address of a function of the C library or of Python, such as memset."""
    function = getattr(_process(), name, None)
    return None if function is None else ctypes.cast(function, ctypes.c_void_p).value
