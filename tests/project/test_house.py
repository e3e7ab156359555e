"""Rules of the house that a tool does not check by itself: short files, and exemptions that say why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("api", "layers", "tracer", "graph", "codegen", "runtime")
FILES = sorted(f for room in (*ROOMS, "benchmarks", "examples", "tests") for f in (ROOT / room).rglob("*.py"))
LONGEST = 400
EXEMPTIONS = re.compile(r"# type: ignore\[[\w, -]+\]|# noqa: \w+|except (?:Base)?Exception(?: as \w+)?:")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def unexplained(text: str) -> list[int]:
    """The numbers of lines that ask for an exemption and say nothing behind it, nor in a comment above."""
    lines = ["", *text.splitlines()]
    found = ((i, line, EXEMPTIONS.search(line)) for i, line in enumerate(lines))
    return [i for i, line, match in found if match and len(line) - match.end() < 5 and not lines[i - 1].lstrip().startswith("#")]


@pytest.mark.parametrize("room", (*ROOMS, "benchmarks", "examples", "tests"))
def test_files_are_short(room: str) -> None:
    lengths = {name(f): len(f.read_text().splitlines()) for f in FILES if f.is_relative_to(ROOT / room)}
    assert lengths and {n: length for n, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_every_exemption_says_why(room: str) -> None:
    found = {name(f): unexplained(f.read_text()) for f in FILES if f.is_relative_to(ROOT / room)}
    assert found and {n: lines for n, lines in found.items() if lines} == {}


def test_what_counts_as_a_reason() -> None:
    assert unexplained("f()  # type: ignore[misc]\n") == [1]
    assert unexplained("try:\n    f()\nexcept Exception as error:\n    pass\n") == [3]
    assert unexplained("f()  # type: ignore[misc]  # a frozen class\n# why\nexcept Exception:\n") == []
