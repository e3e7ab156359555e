"""Independent pieces of straight-line code in turn. In: the pieces' lines of LLVM text; out: one list of lines.

A processor looks only so far ahead for instructions that can start. A long chain of instructions per vector, each waiting for the
last one, fills that window before the next vector's chain comes into sight; in turn, two chains run side by side.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

_NAME = re.compile(r"%[\w.]+")
_RESULT = re.compile(r"  (%[\w.]+) = ")


def interleave(pieces: Sequence[Sequence[str]]) -> list[str]:
    """A line of each piece in turn; one that uses another piece's result comes after it. Later pieces may use earlier ones'
    results. Pieces with branches stay one after the other."""
    if any(_ends_block(line) for piece in pieces for line in piece):
        return [line for piece in pieces for line in piece]
    waiting = {match[1] for piece in pieces for line in piece if (match := _RESULT.match(line))}
    queues, out = [deque(piece) for piece in pieces], []
    while any(queues):
        for queue in queues:
            if queue and waiting.isdisjoint(_used(queue[0])):
                line = queue.popleft()
                out.append(line)
                if match := _RESULT.match(line):
                    waiting.discard(match[1])
    return out


def _ends_block(line: str) -> bool:
    return line.endswith(":") or line.startswith("  br ")


def _used(line: str) -> set[str]:
    match = _RESULT.match(line)
    return set(_NAME.findall(line, match.end() if match else 0))
