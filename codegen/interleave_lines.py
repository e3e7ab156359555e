"""Independent pieces of straight-line code in turn. In: the pieces' lines of LLVM text; out: one list of lines.

A processor looks only so far ahead for instructions that can start. A long chain of instructions per vector, each waiting for the
last one, fills that window before the next vector's chain comes into sight; in turn, two chains run side by side.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence

_NAME = re.compile(r"%[\w.]+")
_RESULT = re.compile(r"  (%[\w.]+) = ")
_SLOT = re.compile(r"%m\d+")
"""What `Code.allocate` made: two pieces read and write it in their order."""


def interleave(pieces: Sequence[Sequence[str]]) -> list[str]:
    """A line of each piece in turn; one that uses another piece's result comes after it. Later pieces may use earlier ones'
    results. Pieces with branches stay one after the other."""
    if any(_ends_block(line) for piece in pieces for line in piece):
        return [line for piece in pieces for line in piece]
    waiting = {match[1] for piece in pieces for line in piece if (match := _RESULT.match(line))}
    slots = [Counter(slot for line in piece for slot in _SLOT.findall(line)) for piece in pieces]
    queues, out = [deque(piece) for piece in pieces], []
    while any(queues):
        for i, queue in enumerate(queues):
            if not queue or waiting & _used(queue[0]):
                continue
            places = _SLOT.findall(queue[0])
            if any(before[place] for place in places for before in slots[:i]):
                continue
            slots[i].subtract(places)
            out.append(queue.popleft())
            if match := _RESULT.match(out[-1]):
                waiting.discard(match[1])
    return out


def _ends_block(line: str) -> bool:
    return line.endswith(":") or line.startswith("  br ")


def _used(line: str) -> set[str]:
    match = _RESULT.match(line)
    return set(_NAME.findall(line, match.end() if match else 0))
