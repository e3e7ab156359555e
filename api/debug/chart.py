"""Curves over logarithmic axes. In: named series of points; out: a `Picture` with axes, ticks and a legend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from weft.graph.record import record

from .svg import COLOURS, FAINT, INK, Picture

Points = Sequence[tuple[float, float]]
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 48


@record
class Axis:
    """A logarithmic axis from ``low`` to ``high``, drawn from pixel ``start`` to ``end``. base: ticks at its powers."""

    label: str
    low: float
    high: float
    start: float
    end: float
    base: int = 10

    def at(self, value: float) -> float:
        share = math.log(max(value, 1e-300) / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Powers of the base inside the axis; every second one (or third, ...) where there are many."""
        first = math.ceil(math.log(self.low, self.base) - 1e-9)
        last = math.floor(math.log(self.high, self.base) + 1e-9)
        every = 1 + (last - first) // 10
        return [float(self.base) ** k for k in range(first, last + 1, every)]


def draw_curves(
    title: str, x_label: str, y_label: str, curves: Mapping[str, Points], width: float = 640, height: float = 400, base: int = 2
) -> Picture:
    """A chart of curves with their points marked, both axes logarithmic. base: of the ticks on the x axis.

    Raises ValueError for a curve without points or with values that are not positive.
    """
    points = [p for curve in curves.values() for p in curve]
    if not points or any(not curve for curve in curves.values()) or any(v <= 0 for p in points for v in p):
        raise ValueError(f"A chart needs points with positive coordinates in every curve. Received: {dict(curves)}")
    picture = Picture(width, height)
    x = _axis(x_label, [p[0] for p in points], LEFT, width - RIGHT, base)
    y = _axis(y_label, [p[1] for p in points], height - BOTTOM, TOP, 10)
    draw_axes(picture, title, x, y)
    for i, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        picture.line([(x.at(a), y.at(b)) for a, b in curve], colour, 2)
        for a, b in curve:
            picture.circle(x.at(a), y.at(b), 3, colour, f"{name}: {a:g}, {b:.4g}")
        picture.rect(LEFT + 12, TOP + 10 + 18 * i, 14, 4, colour)
        picture.text(LEFT + 32, TOP + 16 + 18 * i, name)
    return picture


def draw_axes(picture: Picture, title: str, x: Axis, y: Axis) -> None:
    """Grid, ticks, labels and title of a chart."""
    picture.text(x.start, 24, title, 14)
    for tick in x.ticks():
        at = x.at(tick)
        picture.line([(at, y.start), (at, y.end)], FAINT)
        picture.text(at, y.start + 16, tick_text(tick), 11, "middle")
    for tick in y.ticks():
        at = y.at(tick)
        picture.line([(x.start, at), (x.end, at)], FAINT)
        picture.text(x.start - 6, at + 4, tick_text(tick), 11, "end")
    picture.line([(x.start, y.end), (x.start, y.start), (x.end, y.start)], INK)
    picture.text((x.start + x.end) / 2, y.start + 36, x.label, 12, "middle")
    picture.text(18, (y.start + y.end) / 2, y.label, 12, "middle", turn=-90)


def tick_text(value: float) -> str:
    """1, 0.1, 10k, 1M: short and exact for powers."""
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 10_000 else f"{value:g}"


def _axis(label: str, values: Sequence[float], start: float, end: float, base: int) -> Axis:
    """An axis with some room; at least one power of the base long."""
    low, high = min(values), max(values)
    if base == 10:
        low, high = 10 ** math.floor(math.log10(low) + 1e-9), 10 ** math.ceil(math.log10(high) - 1e-9)
    if high <= low:
        high = low * base
    return Axis(label, low, high, start, end, base)
