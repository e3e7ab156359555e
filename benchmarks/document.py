"""Generated parts of a document. In: a file, a part's name and its text; out: the file with that part replaced.

A part stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; what is around it is written by people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def replace_part(path: Path, name: str, text: str) -> None:
    """Replaces one part of the file. ValueError unless the file has exactly one part of that name."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    whole, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{text.strip()}\n{end}", path.read_text(), flags=re.S
    )
    if count != 1:
        raise ValueError(f"{path} must have one part between {begin} and {end}. Received: {count} of them.")
    path.write_text(whole)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
