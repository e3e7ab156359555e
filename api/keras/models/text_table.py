"""Tables in plain text, with the widths and line breaks of the table that Keras 3 prints. In: rows of text; out: lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

ALIGN = {"left": str.ljust, "right": str.rjust}


def fit_widths(wanted: Sequence[int], line_length: int) -> list[int]:
    """Column widths (padding included) that fill the line: the excess is taken from all columns in equal parts."""
    widths = [w + 2 for w in wanted]
    excess = sum(widths) - (line_length - len(widths) - 1)
    for i in range(len(widths)):
        share = min(widths[i], round(excess / (len(widths) - i))) if excess > 0 else 0
        widths[i] -= share
        excess -= share
    return widths


def wrap_words(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` characters, broken between words; a longer word is cut and ends in an ellipsis."""
    lines, used = [""], 0
    for word in re.findall(r"\s*\S+\s*", text) or [text]:
        if used and width - used < len(word.rstrip()):
            lines.append("")
            used = 0
        lines[-1] += word
        used += len(word)
    lines = [line.rstrip() for line in lines]
    return [line if len(line) <= width else line[: max(width - 1, 0)] + "…" for line in lines]


def _justify(line: str, width: int, how: str) -> str:
    if how == "center":
        return (" " * ((width - len(line)) // 2) + line).ljust(width)
    return ALIGN[how](line, width)


def _row_lines(cells: Sequence[str], widths: Sequence[int], align: Sequence[str], bar: str, bottom: bool) -> list[str]:
    wrapped = [wrap_words(cell, width - 2) for cell, width in zip(cells, widths, strict=True)]
    height = max(map(len, wrapped))
    columns = []
    for lines, width, how in zip(wrapped, widths, align, strict=True):
        blank = [""] * (height - len(lines))
        columns.append([f" {_justify(line, width - 2, how)} " for line in (blank + lines if bottom else lines + blank)])
    return [bar + bar.join(parts) + bar for parts in zip(*columns, strict=True)]


def draw_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], wanted: Sequence[int], align: Sequence[str], line_length: int
) -> list[str]:
    """The table's lines: a heavy box around the header, light ones around every row."""
    widths = fit_widths(wanted, line_length)

    def rule(left: str, line: str, cross: str, right: str) -> str:
        return left + cross.join(line * w for w in widths) + right

    lines = [rule("┏", "━", "┳", "┓"), *_row_lines(header, widths, align, "┃", True), rule("┡", "━", "╇", "┩")]
    for i, row in enumerate(rows):
        if i:
            lines.append(rule("├", "─", "┼", "┤"))
        lines.extend(_row_lines(row, widths, align, "│", False))
    return [*lines, rule("└", "─", "┴", "┘")]
