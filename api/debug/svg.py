"""Pictures as SVG text. In: shapes in pixels; out: a `Picture`, whose ``str`` is a file that any browser shows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#000000")
"""Told apart by people who see colours differently (Okabe and Ito, 2008)."""

INK, FAINT = "#222222", "#dddddd"
FONT = "font-family:system-ui,-apple-system,'Segoe UI',sans-serif"


class Picture:
    """A drawing of a fixed size on white; what is drawn later lies on top."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []

    def rect(self, x: float, y: float, width: float, height: float, fill: str, title: str = "") -> None:
        """A filled rectangle; the title appears under the mouse."""
        self._add("rect", title, x=x, y=y, width=max(width, 0), height=height, fill=fill)

    def circle(self, x: float, y: float, radius: float, fill: str, title: str = "") -> None:
        self._add("circle", title, cx=x, cy=y, r=radius, fill=fill)

    def line(self, points: Sequence[tuple[float, float]], stroke: str = INK, width: float = 1, dash: str = "") -> None:
        """A line through all points."""
        text = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        extra = {"stroke_dasharray": dash} if dash else {}
        self._add("polyline", "", points=text, fill="none", stroke=stroke, stroke_width=width, **extra)

    def text(
        self, x: float, y: float, text: str, size: float = 12, anchor: str = "start", fill: str = INK, turn: float = 0
    ) -> None:
        """A line of text; anchor: "start", "middle" or "end" is at x. turn: degrees around that point."""
        turned = {"transform": f"rotate({_number(turn)} {_number(x)} {_number(y)})"} if turn else {}
        self._add("text", "", escape(text), x=x, y=y, font_size=size, text_anchor=anchor, fill=fill, **turned)

    def place(self, other: Picture, x: float, y: float) -> None:
        """Draws another picture with its corner there."""
        self._parts.append(f'<g transform="translate({_number(x)} {_number(y)})">{"".join(other._parts)}</g>')

    def _add(self, tag: str, title: str, inner: str = "", **attributes: float | str) -> None:
        shown = " ".join(
            f'{name.replace("_", "-")}="{escape(value) if isinstance(value, str) else _number(value)}"'
            for name, value in attributes.items()
        )
        inside = inner + (f"<title>{escape(title)}</title>" if title else "")
        self._parts.append(f"<{tag} {shown}>{inside}</{tag}>\n" if inside else f"<{tag} {shown}/>\n")

    def __str__(self) -> str:
        width, height = _number(self.width), _number(self.height)
        size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{FONT}">'
        return f'{head}\n<rect width="{width}" height="{height}" fill="#ffffff"/>\n{"".join(self._parts)}</svg>\n'


def _number(value: float) -> str:
    """A coordinate with a hundredth of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
