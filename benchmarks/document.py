"""Generated parts of docs/performance.md. In: a part's name and its text; out: the document with that part replaced.

A part stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; what is around it is written by people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def replace_part(name: str, text: str) -> None:
    """Replaces one part of the document. ValueError unless it has exactly one part of that name."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    whole, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{text.strip()}\n{end}", DOCUMENT.read_text(), flags=re.S
    )
    if count != 1:
        raise ValueError(f"{DOCUMENT} must have one part between {begin} and {end}. Received: {count} of them.")
    DOCUMENT.write_text(whole)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
